//! Faults of the network: who is cut off from whom, and what becomes of packets.

use super::super::at::At;
use super::super::check::Check;
use super::super::file::{
    BandwidthTable, DelayTable, DisconnectTable, FaultTable, LossTable, PartitionTable, TargetKey,
};
use super::super::{Direction, FaultKind, Link, Partition, Places, Refusal, Split, quantity};
use super::Breakage;
use super::target::target;

const WAYS: [(&str, Direction); 3] = [
    ("out", Direction::Out),
    ("in", Direction::In),
    ("both", Direction::Both),
];
const SIDES: [(&str, Direction); 3] = [
    ("both", Direction::Both),
    ("to_second", Direction::Out),
    ("to_first", Direction::In),
];
const REFUSALS: [(&str, Refusal); 3] = [
    ("drop", Refusal::Drop),
    ("reject", Refusal::Reject),
    ("reset", Refusal::Reset),
];

/// Reads the kind if it is one of these.
pub fn read(check: &mut Check<'_>, fault: &FaultTable) -> Option<Breakage> {
    if let Some(table) = &fault.disconnect {
        return disconnect(check, table);
    }
    if let Some(table) = &fault.partition {
        return partition(check, table);
    }
    if let Some(table) = &fault.delay {
        return delay(check, table);
    }
    if let Some(table) = &fault.loss {
        return loss(check, table);
    }
    if let Some(table) = &fault.bandwidth {
        return bandwidth(check, table);
    }
    let table = fault.reset_connections.as_ref()?;
    let target = target(check, &table.target);
    let towards = table.towards.as_ref();
    let link = link(check, None, towards, table.ports.as_ref()).map(|link| Link {
        direction: Direction::Both,
        ..link
    });
    let kind = FaultKind::ResetConnections { link: link? };
    Some(Breakage::of(kind, Some(target?)))
}

fn disconnect(check: &mut Check<'_>, table: &DisconnectTable) -> Option<Breakage> {
    let target = target(check, &table.target);
    let given = table.networks.as_ref();
    if let Some(empty) = given.filter(|n| n.is_empty()) {
        check.wrong(
            &empty.span,
            "`networks` names no network",
            "leave it out to take the target off all of its networks",
        );
        return None;
    }
    let networks: &[At<String>] = given.map_or(&[], |n| &n.value);
    Some(Breakage {
        kind: FaultKind::Disconnect {
            networks: networks.iter().map(|n| n.value.clone()).collect(),
        },
        target: Some(target?),
        places: Places {
            networks: networks.iter().map(|n| n.span.clone()).collect(),
        },
    })
}

fn partition(check: &mut Check<'_>, table: &At<PartitionTable>) -> Option<Breakage> {
    let direction = check.word("direction", table.direction.as_ref(), &SIDES);
    let refusal = check.word("refusal", table.refusal.as_ref(), &REFUSALS);
    let split = match (&table.between, &table.isolate, &table.minority_of) {
        (Some(between), None, None) => between_groups(check, between),
        (None, Some(group), None) => target(check, group).map(Split::Isolate),
        (None, None, Some(group)) => target(check, group).map(Split::MinorityOf),
        _ => {
            check.wrong(
                &table.span,
                "a partition needs exactly one of `between`, `isolate`, `minority_of`",
                "between = [\"db-master\", \"db-slave*\"], isolate = \"db-master\", or minority_of = { all_of = \"node*\" }",
            );
            None
        }
    };
    let kind = FaultKind::Partition(Partition {
        split: split?,
        direction: direction?,
        refusal: refusal?,
    });
    Some(Breakage::of(kind, None))
}

fn between_groups(check: &mut Check<'_>, groups: &At<Vec<At<TargetKey>>>) -> Option<Split> {
    let [first, second] = groups.as_slice() else {
        check.wrong(
            &groups.span,
            format!("a partition is between two groups, not {}", groups.len()),
            "each group is a target: between = [[\"a\", \"b\"], { all_of = \"c*\" }]",
        );
        return None;
    };
    let (first, second) = (target(check, first), target(check, second));
    Some(Split::Between(first?, second?))
}

fn delay(check: &mut Check<'_>, table: &DelayTable) -> Option<Breakage> {
    let target = target(check, &table.target);
    let time = check.positive("time", Some(&table.time));
    let jitter = check.duration(table.jitter.as_ref());
    let link = link(
        check,
        table.direction.as_ref(),
        table.towards.as_ref(),
        table.ports.as_ref(),
    );
    let (time, link) = (time?, link?);
    let jitter = match (&table.jitter, jitter) {
        (None, _) => std::time::Duration::ZERO,
        (Some(_), Some(jitter)) if jitter <= time => jitter,
        (Some(at), Some(_)) => {
            check.wrong(
                &at.span,
                "`jitter` is more than `time`",
                "no packet can wait for less than nothing; lower one or raise the other",
            );
            return None;
        }
        (Some(_), None) => return None,
    };
    Some(Breakage::of(
        FaultKind::Delay { time, jitter, link },
        Some(target?),
    ))
}

fn loss(check: &mut Check<'_>, table: &LossTable) -> Option<Breakage> {
    let target = target(check, &table.target);
    let ratio = check.quantity(&table.ratio.span, quantity::share(&table.ratio.value.0));
    let link = link(
        check,
        table.direction.as_ref(),
        table.towards.as_ref(),
        table.ports.as_ref(),
    );
    let kind = FaultKind::Loss {
        ratio: ratio?,
        link: link?,
    };
    Some(Breakage::of(kind, Some(target?)))
}

fn bandwidth(check: &mut Check<'_>, table: &BandwidthTable) -> Option<Breakage> {
    let target = target(check, &table.target);
    let rate = check.quantity(&table.rate.span, quantity::rate(&table.rate.value.0));
    let link = link(
        check,
        table.direction.as_ref(),
        table.towards.as_ref(),
        table.ports.as_ref(),
    );
    let kind = FaultKind::Bandwidth {
        bytes_per_second: rate?,
        link: link?,
    };
    Some(Breakage::of(kind, Some(target?)))
}

fn link(
    check: &mut Check<'_>,
    direction: Option<&At<String>>,
    towards: Option<&At<TargetKey>>,
    ports: Option<&At<Vec<At<u64>>>>,
) -> Option<Link> {
    let direction = check.word("direction", direction, &WAYS);
    let peers = towards.map(|t| target(check, t));
    if let Some(empty) = ports.filter(|p| p.is_empty()) {
        check.wrong(
            &empty.span,
            "`ports` names no port",
            "leave it out for all ports",
        );
        return None;
    }
    let given: &[At<u64>] = ports.map_or(&[], |p| &p.value);
    let ports: Vec<Option<u16>> = given
        .iter()
        .map(|port| {
            let within = check.within("ports", Some(port), 1, 65535)?;
            u16::try_from(within).ok()
        })
        .collect();
    let towards = match peers {
        None => None,
        Some(found) => Some(found?),
    };
    Some(Link {
        direction: direction?,
        towards,
        ports: ports.into_iter().collect::<Option<_>>()?,
    })
}
