//! What this kernel can do here, tried out: transactions that make something and remove it again, in a table that
//! sees no packet.

use super::super::clock::monotonic_ns;
use super::super::protocol::{Abilities, Done};
use super::expression::{Expressions, QueueBy};
use super::netlink::Socket;
use super::nft::Batch;
use super::{queue, sock_diag};
use rustix::net::netlink::NETFILTER;

/// Not one of the names of tables that treat packets.
const TABLE: &str = "lbtest-probe";

/// Tries everything.
#[must_use]
pub fn abilities() -> Done {
    let from_ns = monotonic_ns();
    let socket = Socket::open(NETFILTER).ok();
    let works = |owned: bool, rule: Expressions| {
        socket
            .as_ref()
            .is_some_and(|socket| tried(owned, &rule).commit(socket).is_ok())
    };
    let new = Expressions::new;
    let filter = [new().counter().drop(), new().prohibit(), new().reset()];
    let queue = [QueueBy::Nft, QueueBy::Xt]
        .into_iter()
        .filter(|by| works(false, new().queue(*by, 1)))
        .find(|_| queue::is_to_be_had().is_ok());
    let abilities = Abilities {
        filter: filter.into_iter().all(|rule| works(false, rule)),
        owned_tables: works(true, new().drop()),
        loss: works(false, new().chance(1, 2).drop()),
        queue: queue.map(|by| by.name().to_owned()),
        reset: sock_diag::is_able(),
        kernel: rustix::system::uname()
            .release()
            .to_string_lossy()
            .into_owned(),
    };
    Done {
        from_ns,
        until_ns: monotonic_ns(),
        mechanism: "netlink".to_owned(),
        abilities: Some(abilities),
        ..Done::default()
    }
}

fn tried(owned: bool, rule: &Expressions) -> Batch {
    let mut batch = Batch::about(TABLE);
    batch.table(owned);
    batch.chain("tried", None);
    batch.rule("tried", rule);
    batch.delete_table();
    batch
}
