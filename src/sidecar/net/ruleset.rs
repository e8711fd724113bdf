//! What is asked of packets, as rules.
//!
//! A chain per direction picks the packets and sends them to a second chain, where they are treated: each packet once,
//! however many of the picking rules it matches.

use super::super::protocol::{Match, Rules, Treatment};
use super::expression::{Expressions, Header, Is, Meta, QueueBy};
use super::nft::{Batch, Hook, Key};
use std::net::IpAddr;

/// Before everything else in these hooks, connection tracking and the NAT of Docker's name server included.
const PRIORITY: i32 = -300;
/// Parts of which the probability of loss is counted.
const PARTS: u32 = 1_000_000;
/// More do not fit into one message.
pub const MOST: usize = 2000;
/// The loopback interface has this index in every network namespace.
const LOOPBACK: u32 = 1;

const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMP6: u8 = 58;

/// How the kernel answers what it rejects: the transport, where in its header to look, and what is there. TCP: the
/// flags of a reset, alone or with an acknowledgement (nf_reject_ip_tcphdr_put); ICMP: type and code of
/// "administratively prohibited" (RFC 1812, RFC 4443).
const REFUSALS: [(u8, u32, &[u8]); 4] = [
    (TCP, 13, &[0x04]),
    (TCP, 13, &[0x14]),
    (ICMP, 0, &[3, 13]),
    (ICMP6, 0, &[1, 1]),
];

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Incoming packets.
    In,
    /// Outgoing packets.
    Out,
}

impl Way {
    /// Both.
    pub const ALL: [Self; 2] = [Self::In, Self::Out];

    /// Whether the rules mean it.
    #[must_use]
    pub const fn is_meant(self, rules: &Rules) -> bool {
        match self {
            Self::In => rules.incoming,
            Self::Out => rules.outgoing,
        }
    }

    const fn chain(self) -> &'static str {
        match self {
            Self::In => "incoming",
            Self::Out => "outgoing",
        }
    }

    const fn treated(self) -> &'static str {
        match self {
            Self::In => "incoming-treated",
            Self::Out => "outgoing-treated",
        }
    }
}

/// How packets come to the lanes, and the queue's number by direction.
#[derive(Debug, Clone, Copy)]
pub struct Queues {
    /// How.
    pub by: QueueBy,
    /// Of incoming packets.
    pub incoming: Option<u16>,
    /// Of outgoing packets.
    pub outgoing: Option<u16>,
    /// The bit of the mark of packets that have waited and were sent again.
    pub resent: Option<u32>,
}

/// Makes the chains, empty.
pub fn chains(batch: &mut Batch) {
    for way in Way::ALL {
        batch.chain(way.treated(), None);
        let hook = match way {
            Way::In => Hook::Input,
            Way::Out => Hook::Output,
        };
        batch.chain(way.chain(), Some((hook, PRIORITY)));
    }
}

/// Fills the chains.
pub fn rules(batch: &mut Batch, rules: &Rules, queues: Option<Queues>) {
    let mut sets = 0;
    for way in Way::ALL.into_iter().filter(|w| w.is_meant(rules)) {
        for expressions in spared(rules, way) {
            batch.rule(way.treated(), &expressions);
        }
        for expressions in treatment(rules.treatment, way, queues) {
            batch.rule(way.treated(), &expressions);
        }
        batch.rule(way.chain(), &loopback(way));
        if let (Way::Out, Some(bit)) = (way, queues.and_then(|q| q.resent)) {
            batch.rule(way.chain(), &resent(bit));
        }
        batch.rule(way.chain(), &neighbours());
        for pick in picks(&rules.of, way) {
            let mut expressions = Expressions::new();
            for condition in pick {
                expressions = condition.add(expressions, batch, &mut sets);
            }
            batch.rule(way.chain(), &expressions.goto(way.treated()));
        }
    }
}

fn loopback(way: Way) -> Expressions {
    let interface = match way {
        Way::In => Meta::InputInterface,
        Way::Out => Meta::OutputInterface,
    };
    Expressions::new()
        .meta(interface)
        .compare(Is::Equal, &LOOPBACK.to_ne_bytes())
        .accept()
}

fn resent(bit: u32) -> Expressions {
    Expressions::new()
        .meta(Meta::Mark)
        .bits(bit)
        .compare(Is::Equal, &bit.to_ne_bytes())
        .accept()
}

/// What IPv6 asks its neighbours passes, as ARP does: otherwise the way would have to be found anew after the heal.
fn neighbours() -> Expressions {
    Expressions::new()
        .meta(Meta::Transport)
        .compare(Is::Equal, &[ICMP6])
        .payload(Header::Transport, 0, 1)
        .compare(Is::AtLeast, &[133])
        .compare(Is::AtMost, &[137])
        .accept()
}

/// The answers to incoming packets that are refused go out past the rules for outgoing ones, which would swallow them:
/// the other side would see silence.
fn spared(rules: &Rules, way: Way) -> Vec<Expressions> {
    let refused = matches!(rules.treatment, Treatment::Reject | Treatment::Reset);
    if way == Way::In || !rules.incoming || !refused {
        return Vec::new();
    }
    let spare = |(transport, offset, bytes): (u8, u32, &[u8])| {
        let length = u32::try_from(bytes.len()).unwrap_or(1);
        Expressions::new()
            .meta(Meta::Transport)
            .compare(Is::Equal, &[transport])
            .payload(Header::Transport, offset, length)
            .compare(Is::Equal, bytes)
            .accept()
    };
    REFUSALS.into_iter().map(spare).collect()
}

/// One condition of a rule that picks packets.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Condition {
    /// Of this family, the other side's address is one of these.
    Peers(Way, Key, Vec<Vec<u8>>),
    /// This transport, and at this offset of its header one of these ports.
    Ports(u8, u32, Vec<Vec<u8>>),
}

impl Condition {
    fn add(self, expressions: Expressions, batch: &mut Batch, sets: &mut u32) -> Expressions {
        *sets += 1;
        match self {
            Self::Peers(way, key, addresses) => {
                batch.set(*sets, key, &addresses);
                let (family, from, to, length) = match key {
                    Key::Ipv6 => (10, 8, 24, 16),
                    Key::Ipv4 | Key::Ports => (2, 12, 16, 4),
                };
                let offset = match way {
                    Way::In => from,
                    Way::Out => to,
                };
                expressions
                    .meta(Meta::Family)
                    .compare(Is::Equal, &[family])
                    .payload(Header::Network, offset, length)
                    .within(*sets)
            }
            Self::Ports(transport, offset, ports) => {
                batch.set(*sets, Key::Ports, &ports);
                expressions
                    .meta(Meta::Transport)
                    .compare(Is::Equal, &[transport])
                    .payload(Header::Transport, offset, 2)
                    .within(*sets)
            }
        }
    }
}

/// The conditions of each rule: every family of peers with every place where a port can be.
fn picks(of: &Match, way: Way) -> Vec<Vec<Condition>> {
    let mut v4 = Vec::new();
    let mut v6 = Vec::new();
    for peer in &of.peers {
        match peer.to_canonical() {
            IpAddr::V4(a) => v4.push(a.octets().to_vec()),
            IpAddr::V6(a) => v6.push(a.octets().to_vec()),
        }
    }
    let mut peers = Vec::new();
    for (key, mut addresses) in [(Key::Ipv4, v4), (Key::Ipv6, v6)] {
        addresses.sort_unstable();
        addresses.dedup();
        if !addresses.is_empty() {
            peers.push(vec![Condition::Peers(way, key, addresses)]);
        }
    }
    if of.peers.is_empty() {
        peers.push(Vec::new());
    }
    if of.ports.is_empty() {
        return peers;
    }
    let mut ports: Vec<_> = of.ports.iter().map(|p| p.to_be_bytes().to_vec()).collect();
    ports.sort_unstable();
    ports.dedup();
    let mut all = Vec::new();
    for peers in peers {
        // Source and destination.
        for (transport, offset) in [(TCP, 0), (TCP, 2), (UDP, 0), (UDP, 2)] {
            let mut pick = peers.clone();
            pick.push(Condition::Ports(transport, offset, ports.clone()));
            all.push(pick);
        }
    }
    all
}

/// Whether a treatment cannot do without a queue.
#[must_use]
pub const fn needs_queue(treatment: Treatment) -> bool {
    match treatment {
        Treatment::Delay { .. } | Treatment::Bandwidth { .. } => true,
        Treatment::Drop | Treatment::Reject | Treatment::Reset | Treatment::Loss { .. } => false,
    }
}

/// The rules of the chain that treats.
fn treatment(treatment: Treatment, way: Way, queues: Option<Queues>) -> Vec<Expressions> {
    let new = Expressions::new;
    let queue = queues.and_then(|q| {
        let number = match way {
            Way::In => q.incoming,
            Way::Out => q.outgoing,
        };
        Some((q.by, number?))
    });
    // To the queue of this way; where there is none, the packet is dropped here.
    let given_away = |e: Expressions| match queue {
        Some((by, number)) => e.queue(by, number),
        None => e.drop(),
    };
    match treatment {
        Treatment::Drop | Treatment::Delay { .. } | Treatment::Bandwidth { .. } => {
            vec![given_away(new().counter())]
        }
        Treatment::Reject => vec![new().counter().prohibit()],
        Treatment::Reset => vec![
            new()
                .meta(Meta::Transport)
                .compare(Is::Equal, &[TCP])
                .counter()
                .reset(),
            new().counter().drop(),
        ],
        Treatment::Loss { ratio } => {
            vec![given_away(new().chance(lost(ratio), PARTS).counter())]
        }
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to 0..=1 and rounded"
)]
fn lost(ratio: f64) -> u32 {
    (ratio.clamp(0.0, 1.0) * f64::from(PARTS)).round() as u32
}

#[cfg(test)]
mod tests {
    use super::super::wire;
    use super::*;

    fn messages(of: Match, treatment: Treatment) -> Vec<u16> {
        let mut batch = Batch::about("t");
        let asked = Rules {
            treatment,
            incoming: true,
            outgoing: false,
            of,
        };
        rules(&mut batch, &asked, None);
        let wire = batch.wire();
        wire::messages(wire.as_bytes())
            .map(|m| m.kind & 0xff)
            .collect()
    }

    #[test]
    fn without_peers_and_ports_one_rule_picks_everything() {
        assert_eq!(picks(&Match::default(), Way::In), [vec![]]);
        // Treat, loopback, neighbours, pick; begin and end around them.
        let kinds = messages(Match::default(), Treatment::Drop);
        assert_eq!(kinds, [0x10, 6, 6, 6, 6, 0x11]);
    }

    #[test]
    fn peers_of_both_families_and_ports_are_combined() {
        let of = Match {
            peers: vec![
                "10.0.0.1".parse().unwrap(),
                "::ffff:10.0.0.1".parse().unwrap(),
                "fd00::1".parse().unwrap(),
            ],
            ports: vec![80, 5432, 80],
        };
        let picked = picks(&of, Way::Out);
        assert_eq!(picked.len(), 8, "2 families, 2 transports, 2 sides");
        assert_eq!(
            picked[0],
            [
                Condition::Peers(Way::Out, Key::Ipv4, vec![vec![10, 0, 0, 1]]),
                Condition::Ports(TCP, 0, vec![vec![0, 80], vec![0x15, 0x38]]),
            ],
            "an address that is mapped into IPv6 is the IPv4 one"
        );
        let kinds = messages(of, Treatment::Drop);
        assert_eq!(kinds.iter().filter(|k| **k == 9).count(), 16, "sets");
    }

    #[test]
    fn peers_of_one_family_do_not_pick_the_whole_other_one() {
        let of = Match {
            peers: vec!["fd00::1".parse().unwrap()],
            ports: vec![],
        };
        assert_eq!(picks(&of, Way::In).len(), 1);
    }

    #[test]
    fn a_reset_drops_what_is_not_tcp() {
        let treated = treatment(Treatment::Reset, Way::In, None);
        assert_eq!(treated[0].names(), ["meta", "cmp", "counter", "reject"]);
        assert_eq!(treated[1].names(), ["counter", "immediate"]);
    }

    #[test]
    fn refusals_of_incoming_packets_are_spared_on_their_way_out() {
        let both = |treatment| Rules {
            treatment,
            incoming: true,
            outgoing: true,
            of: Match::default(),
        };
        let reset = both(Treatment::Reset);
        assert_eq!(spared(&reset, Way::Out).len(), 4);
        assert!(spared(&reset, Way::In).is_empty());
        assert!(spared(&both(Treatment::Drop), Way::Out).is_empty());
        let one_way = Rules {
            incoming: false,
            ..reset
        };
        assert!(spared(&one_way, Way::Out).is_empty());
    }

    #[test]
    fn only_lost_packets_are_counted() {
        let treated = treatment(Treatment::Loss { ratio: 0.2 }, Way::In, None);
        assert_eq!(
            treated[0].names(),
            ["numgen", "byteorder", "cmp", "counter", "immediate"]
        );
        assert_eq!((lost(0.2), lost(1.5), lost(-1.0)), (200_000, PARTS, 0));
    }
}
