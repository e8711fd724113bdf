//! The rules that hold now: put in place, looked at, taken away.

use super::super::act::Act;
use super::super::clock::monotonic_ns;
use super::super::protocol::{Done, Rules, Treatment};
use super::expression::QueueBy;
use super::netlink::Socket;
use super::nft::{self, Batch, Refused, Table};
use super::pace::Pace;
use super::queue::{Lane, Tally};
use super::ruleset::{self, MOST, Queues, Way};
use async_trait::async_trait;
use rustix::io::Errno;
use rustix::net::netlink::NETFILTER;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// All our tables are named so, with a number behind it where others of us are in the same namespace.
const NAME: &str = "lbtest";
/// Of us in one namespace.
const TOGETHER: usize = 9;

/// Rules in place.
#[derive(Debug)]
pub struct PacketRules {
    /// Owns the table.
    socket: Socket,
    /// None: never put in place, or taken away again.
    placed: Option<Placed>,
}

#[derive(Debug)]
struct Placed {
    table: Table,
    treatment: Treatment,
    by: Option<QueueBy>,
    lanes: Lanes,
}

/// By direction.
#[derive(Debug, Default)]
struct Lanes {
    incoming: Option<Lane>,
    outgoing: Option<Lane>,
}

impl Lanes {
    /// Those that a treatment needs.
    fn open(rules: &Rules) -> Result<Self, String> {
        let lane = |way: Way, stream| {
            let outgoing = way == Way::Out;
            match Pace::of(rules.treatment, outgoing, stream) {
                Some(pace) if way.is_meant(rules) => Lane::open(pace, outgoing).map(Some),
                Some(_) | None => Ok(None),
            }
        };
        Ok(Self {
            incoming: lane(Way::In, 0)?,
            outgoing: lane(Way::Out, 1)?,
        })
    }

    fn queues(&self, by: QueueBy) -> Queues {
        let number = |lane: &Option<Lane>| lane.as_ref().map(|l| l.number);
        Queues {
            by,
            incoming: number(&self.incoming),
            outgoing: number(&self.outgoing),
            resent: self.outgoing.as_ref().and_then(|l| l.resent),
        }
    }

    fn all(&self) -> impl Iterator<Item = &Lane> {
        self.incoming.iter().chain(&self.outgoing)
    }
}

fn open() -> Result<Socket, String> {
    Socket::open(NETFILTER).map_err(|e| format!("a netlink socket for nftables: {e}"))
}

/// Our tables, and those of others of us.
fn listed(socket: &Socket) -> Result<Vec<Table>, String> {
    let tables = nft::tables(socket).map_err(|e| format!("the list of nftables tables: {e}"))?;
    let ours = |t: &Table| {
        let number = t.name.strip_prefix(NAME);
        number.is_some_and(|n| n.chars().all(|c| c.is_ascii_digit()))
    };
    Ok(tables.into_iter().filter(ours).collect())
}

/// Whether the kernel says that it does not know what it was asked for.
fn is_unknown(e: &Refused) -> bool {
    matches!(e.errno, Errno::INVAL | Errno::OPNOTSUPP | Errno::NOENT)
}

impl PacketRules {
    /// With none in place.
    ///
    /// # Errors
    /// No netlink here.
    pub fn new() -> Result<Self, String> {
        Ok(Self {
            socket: open()?,
            placed: None,
        })
    }

    /// Puts rules in place of those that hold now, at once.
    ///
    /// # Errors
    /// What the kernel refused; the earlier rules still hold.
    pub fn place(&mut self, rules: &Rules) -> Result<Done, String> {
        if !rules.incoming && !rules.outgoing {
            return Err("packet rules: neither incoming nor outgoing packets are meant".to_owned());
        }
        if rules.of.peers.len() > MOST || rules.of.ports.len() > MOST {
            return Err(format!("packet rules: more than {MOST} peers or ports"));
        }
        let mut refusals = Vec::new();
        match Lanes::open(rules) {
            Ok(mut lanes) if lanes.all().next().is_some() => {
                for by in [QueueBy::Nft, QueueBy::Xt] {
                    match self.place_by(rules, Some(by), lanes) {
                        Ok(done) => return Ok(done),
                        Err(failure) => {
                            let (e, returned) = *failure;
                            refusals.push(e.to_string());
                            lanes = returned;
                            if !is_unknown(&e) {
                                return Err(refusals.join("; "));
                            }
                        }
                    }
                }
            }
            Ok(_) => {}
            Err(e) => refusals.push(e),
        }
        if ruleset::needs_queue(rules.treatment) {
            return Err(refusals.join("; "));
        }
        self.place_by(rules, None, Lanes::default())
            .map_err(|failure| failure.0.to_string())
    }

    /// One try; the lanes come back where it failed.
    fn place_by(
        &mut self,
        rules: &Rules,
        by: Option<QueueBy>,
        lanes: Lanes,
    ) -> Result<Done, Box<(Refused, Lanes)>> {
        match self.swap(rules, by.map(|by| lanes.queues(by))) {
            Ok((table, mut done)) => {
                let placed = Placed {
                    table,
                    treatment: rules.treatment,
                    by,
                    lanes,
                };
                done.mechanism = placed.mechanism();
                // The lanes of earlier rules end here, and let go what they held.
                self.placed = Some(placed);
                Ok(done)
            }
            Err(e) => Err(Box::new((e, lanes))),
        }
    }

    /// The transaction: in the table that is there, or with a new one.
    fn swap(&self, rules: &Rules, queues: Option<Queues>) -> Result<(Table, Done), Refused> {
        if let Some(placed) = &self.placed {
            let mut batch = Batch::about(&placed.table.name);
            batch.delete_rules();
            ruleset::rules(&mut batch, rules, queues);
            return Ok((placed.table.clone(), self.timed(&batch)?));
        }
        let there = listed(&self.socket).unwrap_or_default();
        let (name, stale) = free_name(&there);
        let mut result = Err(Refused {
            subject: format!("nftables table {name}"),
            errno: Errno::EXIST,
        });
        // Where the kernel has no tables that go with their owner, a plain one does.
        for owned in [true, false] {
            let mut batch = Batch::about(&name);
            if stale {
                batch.delete_table();
            }
            batch.table(owned);
            ruleset::chains(&mut batch);
            ruleset::rules(&mut batch, rules, queues);
            result = self.timed(&batch).map(|done| {
                let name = name.clone();
                (Table { name, owned }, done)
            });
            match &result {
                Err(e) if is_unknown(e) && e.subject.starts_with("nftables table") => {}
                Ok(_) | Err(_) => break,
            }
        }
        result
    }

    fn timed(&self, batch: &Batch) -> Result<Done, Refused> {
        let from_ns = monotonic_ns();
        batch.commit(&self.socket)?;
        Ok(Done {
            from_ns,
            until_ns: monotonic_ns(),
            ..Done::default()
        })
    }

    /// Takes the rules away, then lets go what waits, then removes the table: removing a table drops what is queued.
    fn remove(&self, placed: &mut Placed) -> Result<Done, String> {
        let mechanism = placed.mechanism();
        let name = placed.table.name.clone();
        let mut batch = Batch::about(&name);
        batch.delete_rules();
        let emptied = self.timed(&batch);
        placed.lanes = Lanes::default();
        let mut batch = Batch::about(&name);
        batch.delete_table();
        let removed = self.timed(&batch);
        let mut done = match (emptied, removed) {
            (Ok(done), Ok(_)) | (Err(_), Ok(done)) => done,
            // Somebody removed the whole of it.
            (_, Err(e)) if e.errno == Errno::NOENT => Done::default(),
            (_, Err(e)) => return Err(e.to_string()),
        };
        done.mechanism = mechanism;
        Ok(done)
    }
}

/// A name that no living sidecar uses, and whether a table of it was left by a dead one.
fn free_name(there: &[Table]) -> (String, bool) {
    let name = |n: usize| match n {
        1 => NAME.to_owned(),
        n => format!("{NAME}{n}"),
    };
    let of = |name: &str| there.iter().find(|t| t.name == name);
    (1..=TOGETHER)
        .map(name)
        .find(|name| !of(name).is_some_and(|t| t.owned))
        .map_or((NAME.to_owned(), false), |name| {
            let stale = of(&name).is_some();
            (name, stale)
        })
}

impl Placed {
    fn mechanism(&self) -> String {
        let what = match self.treatment {
            Treatment::Drop => Some("nftables drop"),
            Treatment::Reject => Some("nftables reject"),
            Treatment::Reset => Some("nftables reject with tcp reset"),
            Treatment::Loss { .. } => Some("nftables numgen drop"),
            Treatment::Delay { .. } | Treatment::Bandwidth { .. } => None,
        };
        let resent = self.lanes.all().any(|l| l.resent.is_some());
        let parts: Vec<&str> = [
            what,
            self.by.map(QueueBy::name),
            resent.then_some("raw socket"),
        ]
        .into_iter()
        .flatten()
        .collect();
        let table = if self.table.owned { "owned" } else { "plain" };
        format!("{} ({table} table)", parts.join(", "))
    }

    fn seen(&self, packets: u64) -> String {
        let verb = match self.treatment {
            Treatment::Drop => "dropped",
            Treatment::Reject => "rejected",
            Treatment::Reset => "reset",
            Treatment::Loss { .. } => "lost",
            Treatment::Delay { .. } => "delayed",
            Treatment::Bandwidth { .. } => "limited",
        };
        let noun = if packets == 1 { "packet" } else { "packets" };
        let mut seen = format!("{packets} {noun} {verb}");
        let sum = |of: fn(&Tally) -> &AtomicU64| -> u64 {
            self.lanes.all().map(|l| of(&l.tally).load(Relaxed)).sum()
        };
        match self.treatment {
            Treatment::Bandwidth { .. } => {
                let dropped = sum(|t| &t.dropped);
                if dropped > 0 {
                    seen.push_str(&format!(", {dropped} of them dropped by a full queue"));
                }
            }
            Treatment::Delay { .. } => {
                let overruns = sum(|t| &t.overruns);
                if overruns > 0 {
                    seen.push_str(&format!(", {overruns} overruns: some passed at once"));
                }
            }
            // What finds no room is dropped, as it should be.
            Treatment::Drop | Treatment::Reject | Treatment::Reset | Treatment::Loss { .. } => {}
        }
        seen
    }
}

#[async_trait]
impl Act for PacketRules {
    async fn look(&mut self) -> Result<Done, String> {
        let Some(placed) = &self.placed else {
            return Err("packet rules: none are in place".to_owned());
        };
        let name = &placed.table.name;
        let socket = open()?;
        let from_ns = monotonic_ns();
        if !listed(&socket)?.iter().any(|t| t.name == *name) {
            return Err(format!("nftables table {name}: it is not there"));
        }
        let count = nft::counted(&socket, name)
            .map_err(|e| format!("the rules of nftables table {name}: {e}"))?;
        Ok(Done {
            from_ns,
            until_ns: monotonic_ns(),
            mechanism: placed.mechanism(),
            seen: placed.seen(count),
            count,
            abilities: None,
        })
    }

    async fn mend(&mut self) -> Result<Done, String> {
        let seen = "no packet rules are left".to_owned();
        let Some(mut placed) = self.placed.take() else {
            return Ok(Done {
                seen,
                ..Done::default()
            });
        };
        let name = &placed.table.name.clone();
        let removed = self.remove(&mut placed).and_then(|done| {
            match listed(&open()?)?.iter().any(|t| t.name == *name) {
                true => Err(format!("nftables table {name}: it is still there")),
                false => Ok(Done { seen, ..done }),
            }
        });
        if removed.is_err() {
            // To be tried again.
            self.placed = Some(placed);
        }
        removed
    }
}

/// Removes the tables of sidecars that are dead. Those that live remove theirs themselves.
///
/// # Errors
/// Something is left; in words.
pub fn mend_leftover() -> Result<Done, String> {
    let socket = open()?;
    let from_ns = monotonic_ns();
    let stale: Vec<Table> = listed(&socket)?.into_iter().filter(|t| !t.owned).collect();
    for table in &stale {
        let mut batch = Batch::about(&table.name);
        batch.delete_table();
        match batch.commit(&socket) {
            Err(e) if e.errno != Errno::NOENT => return Err(e.to_string()),
            Ok(()) | Err(_) => {}
        }
    }
    let until_ns = monotonic_ns();
    if let Some(table) = listed(&open()?)?.first() {
        return Err(format!(
            "nftables table {}: it is {}",
            table.name,
            match table.owned {
                true => "held by a sidecar that is alive",
                false => "still there",
            }
        ));
    }
    Ok(Done {
        from_ns,
        until_ns,
        mechanism: "nftables".to_owned(),
        seen: "no packet rules are left".to_owned(),
        count: stale.len() as u64,
        abilities: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str, owned: bool) -> Table {
        Table {
            name: name.to_owned(),
            owned,
        }
    }

    #[test]
    fn a_living_sidecar_keeps_its_table_and_a_dead_one_does_not() {
        assert_eq!(free_name(&[]), ("lbtest".to_owned(), false));
        let dead = table("lbtest", false);
        assert_eq!(free_name(&[dead]), ("lbtest".to_owned(), true));
        let living = [table("lbtest", true), table("lbtest2", true)];
        assert_eq!(free_name(&living), ("lbtest3".to_owned(), false));
    }
}
