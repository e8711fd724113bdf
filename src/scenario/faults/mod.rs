//! `[[fault]]`: what breaks whom, and when; and the composites that put faults in order.

mod application;
mod composite;
mod container;
mod network;
mod resources;
mod target;
#[cfg(test)]
mod tests;
mod times;

use super::at::At;
use super::check::Check;
use super::file::{FaultTable, PauseKey};
use super::{Composite, Fault, FaultKind, Places, RunSettings, Target};

/// Everything that can break, for the one who wrote none of it.
const KINDS: &str = "exactly one of stop, kill, pause, restart, start, disconnect, partition, delay, loss, bandwidth, reset_connections, cpu, memory, stress, fill_disk, freeze_process, http, exec, command, sql, external, or sequence or parallel; for example: stop = { target = \"app1\" }";

/// What a fault does and whom it hits, as the file of its kind reads it.
struct Breakage {
    kind: FaultKind,
    target: Option<Target>,
    places: Places,
}

impl Breakage {
    fn of(kind: FaultKind, target: Option<Target>) -> Self {
        Self {
            kind,
            target,
            places: Places::default(),
        }
    }
}

/// Reads all faults and composites; those in which something is wrong are left out.
pub fn read(
    check: &mut Check<'_>,
    tables: &[At<FaultTable>],
    run: Option<&RunSettings>,
) -> (Vec<Fault>, Vec<Composite>) {
    let mut faults = Vec::new();
    let mut composites = Vec::new();
    for table in tables {
        if !says_one_thing(check, table) {
            continue;
        }
        if table.is_composite() {
            composites.extend(composite::read(check, table, run));
        } else {
            faults.extend(one(check, table, run));
        }
    }
    composite::members(check, tables, &faults);
    (faults, composites)
}

/// Whether exactly one kind is given.
fn says_one_thing(check: &mut Check<'_>, fault: &At<FaultTable>) -> bool {
    let name = fault.name.escape_debug();
    if let (
        Some(At {
            span,
            value: PauseKey::Time(_),
        }),
        None,
    ) = (&fault.pause, &fault.sequence)
    {
        check.wrong(
            span,
            "`pause` as a time belongs beside `sequence`",
            "to freeze containers: pause = { target = \"app1\" }",
        );
        return false;
    }
    match fault.does().as_slice() {
        [] => {
            check.wrong(
                &fault.name.span,
                format!("fault `{name}` does not say what it does"),
                KINDS,
            );
            false
        }
        [_] => true,
        [_, (_, second), ..] => {
            check.wrong(second, format!("fault `{name}` does two things"), KINDS);
            false
        }
    }
}

/// Reads one fault; `None` where something in it is wrong.
fn one(check: &mut Check<'_>, fault: &At<FaultTable>, run: Option<&RunSettings>) -> Option<Fault> {
    let breakage = container::read(check, fault)
        .or_else(|| network::read(check, fault))
        .or_else(|| resources::read(check, fault))
        .or_else(|| application::read(check, fault));
    let times = times::read(check, fault, breakage.as_ref(), run);
    let (breakage, times) = (breakage?, times?);
    Some(Fault {
        name: fault.name.value.clone(),
        at: times.at,
        heal_after: times.heal_after,
        repeat: times.repeat,
        rolling: times.rolling,
        kind: breakage.kind,
        target: breakage.target,
        span: fault.name.span.clone(),
        places: breakage.places,
    })
}
