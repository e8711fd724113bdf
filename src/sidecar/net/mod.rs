//! What becomes of packets and connections in the network namespace of this process.

mod expression;
mod netlink;
mod nft;
mod pace;
mod probe;
mod queue;
mod resend;
mod rules;
mod ruleset;
mod sock_diag;
mod wire;

pub use probe::abilities;
pub use rules::{PacketRules, mend_leftover};
pub use sock_diag::reset;
