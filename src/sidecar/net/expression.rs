//! The expressions of an nftables rule.
//!
//! A rule is a list of expressions on one register (the first): load, compare, and at last do something. The first
//! one that does not hold ends the rule.

use super::nft::ANY_SET;
use super::wire::Wire;

/// `NFT_REG_1`.
const REGISTER: u32 = 1;

/// What is loaded of a packet's circumstances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meta {
    /// Index of the interface that it came by; in host order.
    InputInterface,
    /// Index of the interface that it leaves by; in host order.
    OutputInterface,
    /// The packet's mark; in host order.
    Mark,
    /// 2: IPv4, 10: IPv6.
    Family,
    /// 6: TCP, 17: UDP, ….
    Transport,
}

/// How a value is compared with what was loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Is {
    /// The same.
    Equal,
    /// Less.
    Less,
    /// Less or the same.
    AtMost,
    /// More or the same.
    AtLeast,
}

/// The part of a packet that an offset counts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Header {
    /// IP.
    Network,
    /// TCP, UDP, ICMP.
    Transport,
}

/// How packets come to user space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueBy {
    /// nftables' own expression.
    Nft,
    /// The target of iptables, by nftables' compatibility layer.
    Xt,
}

impl QueueBy {
    /// As reports name it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nft => "nft queue",
            Self::Xt => "xt NFQUEUE",
        }
    }
}

/// A list of expressions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expressions {
    wire: Wire,
    names: Vec<&'static str>,
}

impl Expressions {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// As the kernel wants them.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.wire.as_bytes()
    }

    /// Their names, in order.
    #[must_use]
    pub fn names(&self) -> &[&'static str] {
        &self.names
    }

    fn with(mut self, name: &'static str, body: impl FnOnce(&mut Wire)) -> Self {
        self.names.push(name);
        self.wire.nested(1, |w| {
            w.text(1, name);
            w.nested(2, body);
        });
        self
    }

    /// Loads a circumstance.
    #[must_use]
    pub fn meta(self, what: Meta) -> Self {
        let key = match what {
            Meta::Mark => 3,
            Meta::InputInterface => 4,
            Meta::OutputInterface => 5,
            Meta::Family => 15,
            Meta::Transport => 16,
        };
        self.with("meta", |w| {
            w.be32(1, REGISTER);
            w.be32(2, key);
        })
    }

    /// Loads bytes of the packet.
    #[must_use]
    pub fn payload(self, from: Header, offset: u32, length: u32) -> Self {
        let base = match from {
            Header::Network => 1,
            Header::Transport => 2,
        };
        self.with("payload", |w| {
            w.be32(1, REGISTER);
            w.be32(2, base);
            w.be32(3, offset);
            w.be32(4, length);
        })
    }

    /// Goes on only where what was loaded compares like this.
    #[must_use]
    pub fn compare(self, is: Is, value: &[u8]) -> Self {
        let operation = match is {
            Is::Equal => 0,
            Is::Less => 2,
            Is::AtMost => 3,
            Is::AtLeast => 5,
        };
        self.with("cmp", |w| {
            w.be32(1, REGISTER);
            w.be32(2, operation);
            w.nested(3, |w| w.attribute(1, value));
        })
    }

    /// Keeps some bits of the four bytes that were loaded.
    #[must_use]
    pub fn bits(self, mask: u32) -> Self {
        self.with("bitwise", |w| {
            w.be32(1, REGISTER);
            w.be32(2, REGISTER);
            w.be32(3, 4);
            w.nested(4, |w| w.attribute(1, &mask.to_ne_bytes()));
            w.nested(5, |w| w.attribute(1, &[0; 4]));
        })
    }

    /// Goes on only where what was loaded is in a set of the same transaction.
    #[must_use]
    pub fn within(self, set: u32) -> Self {
        self.with("lookup", |w| {
            w.text(1, ANY_SET);
            w.be32(2, REGISTER);
            w.be32(4, set);
        })
    }

    /// Goes on only for `lost` of `of` packets, by chance.
    #[must_use]
    pub fn chance(self, lost: u32, of: u32) -> Self {
        self.with("numgen", |w| {
            w.be32(1, REGISTER);
            w.be32(2, of);
            // Random.
            w.be32(3, 1);
        })
        // Numbers are in host order, comparisons in that of the network.
        .with("byteorder", |w| {
            w.be32(1, REGISTER);
            w.be32(2, REGISTER);
            w.be32(3, 1);
            w.be32(4, 4);
            w.be32(5, 4);
        })
        .compare(Is::Less, &lost.to_be_bytes())
    }

    /// Counts.
    #[must_use]
    pub fn counter(self) -> Self {
        self.with("counter", |w| {
            w.attribute(1, &[0; 8]);
            w.attribute(2, &[0; 8]);
        })
    }

    /// The packet vanishes.
    #[must_use]
    pub fn drop(self) -> Self {
        self.verdict(0, None)
    }

    /// The packet passes.
    #[must_use]
    pub fn accept(self) -> Self {
        self.verdict(1, None)
    }

    /// The packet goes on in another chain, and does not come back.
    #[must_use]
    pub fn goto(self, chain: &str) -> Self {
        self.verdict(-4, Some(chain))
    }

    fn verdict(self, code: i32, chain: Option<&str>) -> Self {
        self.with("immediate", |w| {
            w.be32(1, 0);
            w.nested(2, |w| {
                w.nested(2, |w| {
                    w.attribute(1, &code.to_be_bytes());
                    if let Some(chain) = chain {
                        w.text(2, chain);
                    }
                });
            });
        })
    }

    /// The packet is answered by ICMP "administratively prohibited".
    #[must_use]
    pub fn prohibit(self) -> Self {
        self.with("reject", |w| {
            w.be32(1, 2);
            w.attribute(2, &[3]);
        })
    }

    /// The packet, of TCP, is answered by a reset.
    #[must_use]
    pub fn reset(self) -> Self {
        self.with("reject", |w| w.be32(1, 1))
    }

    /// The packet goes to user space; it passes where nobody is there.
    #[must_use]
    pub fn queue(self, by: QueueBy, number: u16) -> Self {
        match by {
            QueueBy::Nft => self.with("queue", |w| {
                w.be16(1, number);
                w.be16(2, 1);
                w.be16(3, 1);
            }),
            QueueBy::Xt => self.with("target", |w| {
                w.text(1, "NFQUEUE");
                w.be32(2, 3);
                // struct xt_NFQ_info_v3, in host order and aligned to 8 bytes.
                let info: Vec<u8> = [number, 1, 1, 0]
                    .into_iter()
                    .flat_map(u16::to_ne_bytes)
                    .collect();
                w.attribute(3, &info);
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::wire;
    use super::*;

    /// The data of the only expression, after its name was checked.
    fn only(expressions: &Expressions, name: &str) -> Vec<u8> {
        let all: Vec<_> = wire::attributes(expressions.as_bytes()).collect();
        assert_eq!(all.len(), 1);
        assert_eq!(wire::text(wire::attribute(all[0].1, 1).unwrap()), name);
        wire::attribute(all[0].1, 2).unwrap().to_vec()
    }

    #[test]
    fn a_verdict_that_goes_elsewhere_names_the_chain() {
        let data = only(&Expressions::new().goto("there"), "immediate");
        assert_eq!(wire::attribute(&data, 1), Some(&[0; 4][..]));
        let verdict = wire::attribute(wire::attribute(&data, 2).unwrap(), 2).unwrap();
        assert_eq!(
            wire::attribute(verdict, 1),
            Some(&(-4i32).to_be_bytes()[..])
        );
        assert_eq!(wire::attribute(verdict, 2), Some(&b"there\0"[..]));
    }

    #[test]
    fn both_ways_to_queue_let_packets_pass_where_nobody_listens() {
        let data = only(&Expressions::new().queue(QueueBy::Nft, 7), "queue");
        assert_eq!(wire::attribute(&data, 1), Some(&[0, 7][..]));
        assert_eq!(wire::attribute(&data, 3), Some(&[0, 1][..]));
        let data = only(&Expressions::new().queue(QueueBy::Xt, 7), "target");
        let info = [7u16, 1, 1, 0].map(u16::to_ne_bytes).concat();
        assert_eq!(wire::attribute(&data, 3), Some(&info[..]));
    }

    #[test]
    fn chance_is_compared_in_network_order() {
        let expressions = Expressions::new().chance(200_000, 1_000_000);
        assert_eq!(expressions.names(), ["numgen", "byteorder", "cmp"]);
        let compare = wire::attributes(expressions.as_bytes()).nth(2).unwrap().1;
        let data = wire::attribute(compare, 2).unwrap();
        assert_eq!(wire::attribute(data, 2), Some(&[0, 0, 0, 2][..]));
        let value = wire::attribute(wire::attribute(data, 3).unwrap(), 1);
        assert_eq!(value, Some(&200_000u32.to_be_bytes()[..]));
    }
}
