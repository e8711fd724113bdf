//! nftables as netlink messages: tables, chains, sets and rules, all in one transaction.
//!
//! Source: `include/uapi/linux/netfilter/nf_tables.h` and `nf_tables_compat.h` of the kernel.

use super::expression::Expressions;
use super::netlink::Refusal;
use super::netlink::Socket;
use super::wire::{self, ACK, APPEND, CREATE, DUMP, REQUEST, Wire};
use rustix::io::Errno;

/// `NFPROTO_INET`: IPv4 and IPv6.
const INET: u8 = 1;
const SUBSYSTEM: u16 = 10;
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;

const NEW_TABLE: u16 = 0;
const GET_TABLE: u16 = 1;
const DELETE_TABLE: u16 = 2;
const NEW_CHAIN: u16 = 3;
const NEW_RULE: u16 = 6;
const GET_RULE: u16 = 7;
const DELETE_RULE: u16 = 8;
const NEW_SET: u16 = 9;
const NEW_ELEMENTS: u16 = 12;

/// `NFT_TABLE_F_OWNER`: the table goes with the socket that made it.
const OWNER: u32 = 0x2;
/// `NFT_SET_ANONYMOUS | NFT_SET_CONSTANT`: the set goes with the rule that uses it.
const ANONYMOUS: u32 = 0x3;
/// Such a name is made unique by the kernel.
pub const ANY_SET: &str = "__set%d";

/// Where in the way of a packet a chain stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hook {
    /// `NF_INET_LOCAL_IN`.
    Input,
    /// `NF_INET_LOCAL_OUT`.
    Output,
}

/// A transaction: all of it happens or nothing.
#[derive(Debug)]
pub struct Batch {
    wire: Wire,
    /// Of each message, by sequence number.
    subjects: Vec<String>,
    table: String,
}

/// A transaction that the kernel refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{subject}: {errno}")]
pub struct Refused {
    /// What it was about.
    pub subject: String,
    /// Why.
    pub errno: Errno,
}

impl Batch {
    /// One about a table.
    #[must_use]
    pub fn about(table: &str) -> Self {
        let mut wire = Wire::default();
        wire.message(BATCH_BEGIN, REQUEST, 0, |w| w.netfilter(0, SUBSYSTEM));
        Self {
            wire,
            subjects: vec!["the nftables transaction".to_owned()],
            table: table.to_owned(),
        }
    }

    fn message(&mut self, kind: u16, flags: u16, subject: String, body: impl FnOnce(&mut Wire)) {
        let sequence = u32::try_from(self.subjects.len()).unwrap_or(u32::MAX);
        self.subjects.push(subject);
        let kind = SUBSYSTEM << 8 | kind;
        self.wire
            .message(kind, REQUEST | ACK | flags, sequence, |w| {
                w.netfilter(INET, 0);
                body(w);
            });
    }

    /// Makes the table.
    pub fn table(&mut self, owned: bool) {
        let (name, subject) = (self.table.clone(), format!("nftables table {}", self.table));
        self.message(NEW_TABLE, CREATE, subject, |w| {
            w.text(1, &name);
            w.be32(2, if owned { OWNER } else { 0 });
        });
    }

    /// Removes the table with all that is in it.
    pub fn delete_table(&mut self) {
        let (name, subject) = (self.table.clone(), format!("nftables table {}", self.table));
        self.message(DELETE_TABLE, 0, subject, |w| w.text(1, &name));
    }

    /// Removes all rules of the table.
    pub fn delete_rules(&mut self) {
        let (name, subject) = (self.table.clone(), format!("rules of table {}", self.table));
        self.message(DELETE_RULE, 0, subject, |w| w.text(1, &name));
    }

    /// Makes a chain; with a hook and a priority it sees packets, without it is only gone to.
    pub fn chain(&mut self, name: &str, hook: Option<(Hook, i32)>) {
        let table = self.table.clone();
        self.message(NEW_CHAIN, CREATE, format!("chain {name}"), |w| {
            w.text(1, &table);
            w.text(3, name);
            if let Some((hook, priority)) = hook {
                w.nested(4, |w| {
                    w.be32(
                        1,
                        match hook {
                            Hook::Input => 1,
                            Hook::Output => 3,
                        },
                    );
                    w.attribute(2, &priority.to_be_bytes());
                });
                // Accept.
                w.be32(5, 1);
                w.text(7, "filter");
            }
        });
    }

    /// Makes a set of values for one rule, which names it by `id`.
    pub fn set(&mut self, id: u32, key: Key, values: &[Vec<u8>]) {
        let table = self.table.clone();
        let (kind, length) = key.form();
        self.message(NEW_SET, CREATE, format!("set of {key:?}"), |w| {
            w.text(1, &table);
            w.text(2, ANY_SET);
            w.be32(3, ANONYMOUS);
            w.be32(4, kind);
            w.be32(5, length);
            w.be32(10, id);
        });
        let subject = format!("{} elements of a set of {key:?}", values.len());
        self.message(NEW_ELEMENTS, CREATE, subject, |w| {
            w.text(1, &table);
            w.text(2, ANY_SET);
            w.be32(4, id);
            w.nested(3, |w| {
                for value in values {
                    w.nested(1, |w| w.nested(1, |w| w.attribute(1, value)));
                }
            });
        });
    }

    /// Appends a rule to a chain.
    pub fn rule(&mut self, chain: &str, expressions: &Expressions) {
        let table = self.table.clone();
        let subject = format!("rule {} of chain {chain}", expressions.names().join(", "));
        self.message(NEW_RULE, CREATE | APPEND, subject, |w| {
            w.text(1, &table);
            w.text(2, chain);
            w.nested(4, |w| w.raw(expressions.as_bytes()));
        });
    }

    /// The messages, ended.
    #[must_use]
    pub fn wire(&self) -> Wire {
        let mut wire = self.wire.clone();
        let sequence = u32::try_from(self.subjects.len()).unwrap_or(u32::MAX);
        wire.message(BATCH_END, REQUEST, sequence, |w| w.netfilter(0, SUBSYSTEM));
        wire
    }

    /// Has it carried out.
    ///
    /// # Errors
    /// The kernel's refusal, by its subject.
    pub fn commit(&self, socket: &Socket) -> Result<(), Refused> {
        socket
            .transact(&self.wire())
            .map_err(|Refusal { sequence, errno }| Refused {
                subject: sequence
                    .and_then(|s| self.subjects.get(usize::try_from(s).ok()?))
                    .unwrap_or(&self.subjects[0])
                    .clone(),
                errno,
            })
    }
}

/// What a set holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// IPv4 addresses.
    Ipv4,
    /// IPv6 addresses.
    Ipv6,
    /// Ports.
    Ports,
}

impl Key {
    /// The number by which `nft list` knows how to print it, and the length in bytes.
    const fn form(self) -> (u32, u32) {
        match self {
            Self::Ipv4 => (7, 4),
            Self::Ipv6 => (8, 16),
            Self::Ports => (13, 2),
        }
    }
}

/// A table as the kernel lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// It goes with a socket, which is open now.
    pub owned: bool,
}

/// The tables of family inet.
///
/// # Errors
/// The kernel's refusal.
pub fn tables(socket: &Socket) -> Result<Vec<Table>, Errno> {
    let mut request = Wire::default();
    let kind = SUBSYSTEM << 8 | GET_TABLE;
    request.message(kind, REQUEST | DUMP, 1, |w| w.netfilter(INET, 0));
    socket.dump(&request, |message| {
        let attributes = message.body.get(4..)?;
        let flags = wire::attribute(attributes, 2).and_then(|v| v.first_chunk());
        Some(Table {
            name: wire::text(wire::attribute(attributes, 1)?),
            owned: flags.is_some_and(|f| u32::from_be_bytes(*f) & OWNER != 0),
        })
    })
}

/// The packets that the counters of a table's rules counted.
///
/// # Errors
/// The kernel's refusal.
pub fn counted(socket: &Socket, table: &str) -> Result<u64, Errno> {
    let mut request = Wire::default();
    let kind = SUBSYSTEM << 8 | GET_RULE;
    request.message(kind, REQUEST | DUMP, 1, |w| {
        w.netfilter(INET, 0);
        w.text(1, table);
    });
    let rules = socket.dump(&request, |message| {
        let attributes = message.body.get(4..)?;
        // A kernel that does not filter lists the rules of all tables.
        (wire::text(wire::attribute(attributes, 1)?) == table)
            .then(|| wire::attribute(attributes, 4).map_or(0, counters))
    })?;
    Ok(rules.into_iter().sum())
}

/// The packets of the counters among a rule's expressions.
fn counters(expressions: &[u8]) -> u64 {
    wire::attributes(expressions)
        .filter(|(_, e)| wire::attribute(e, 1).map(wire::text).as_deref() == Some("counter"))
        .filter_map(|(_, e)| wire::attribute(wire::attribute(e, 2)?, 2)?.first_chunk())
        .map(|packets| u64::from_be_bytes(*packets))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_framed_and_its_messages_are_numbered() {
        let mut batch = Batch::about("t");
        batch.table(true);
        batch.delete_table();
        let wire = batch.wire();
        let messages: Vec<_> = wire::messages(wire.as_bytes()).collect();
        let form: Vec<_> = messages.iter().map(|m| (m.kind, m.sequence)).collect();
        assert_eq!(form, [(0x10, 0), (0xa00, 1), (0xa02, 2), (0x11, 3)]);
        // Family, version, subsystem in network order.
        assert_eq!(messages[0].body, [0, 0, 0, 10]);
        assert_eq!(messages[3].body, [0, 0, 0, 10]);
        assert_eq!(messages[1].body[..4], [1, 0, 0, 0]);
        let attributes = &messages[1].body[4..];
        assert_eq!(wire::attribute(attributes, 1), Some(&b"t\0"[..]));
        assert_eq!(wire::attribute(attributes, 2), Some(&[0, 0, 0, 2][..]));
    }

    #[test]
    fn a_hooked_chain_says_where_it_stands() {
        let mut batch = Batch::about("t");
        batch.chain("c", Some((Hook::Output, -300)));
        let wire = batch.wire();
        let message = wire::messages(wire.as_bytes()).nth(1).unwrap();
        let hook = wire::attribute(&message.body[4..], 4).unwrap();
        assert_eq!(wire::attribute(hook, 1), Some(&[0, 0, 0, 3][..]));
        assert_eq!(
            wire::attribute(hook, 2),
            Some(&[0xff, 0xff, 0xfe, 0xd4][..])
        );
        assert_eq!(
            wire::attribute(&message.body[4..], 7),
            Some(&b"filter\0"[..])
        );
    }

    #[test]
    fn only_counters_are_counted() {
        let mut rule = Wire::default();
        let expression = |w: &mut Wire, name: &str, packets: u64| {
            w.nested(1, |w| {
                w.text(1, name);
                w.nested(2, |w| {
                    w.attribute(1, &999u64.to_be_bytes());
                    w.attribute(2, &packets.to_be_bytes());
                });
            });
        };
        expression(&mut rule, "counter", 12);
        expression(&mut rule, "meta", 5);
        expression(&mut rule, "counter", 3);
        assert_eq!(counters(rule.as_bytes()), 15);
    }
}
