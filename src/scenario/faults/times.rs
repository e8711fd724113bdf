//! When a fault comes, goes and comes again; held against the run's length.

use super::super::at::At;
use super::super::check::Check;
use super::super::file::{FaultTable, FlapTable, RepeatTable, RollingTable};
use super::super::{FaultKind, Repeat, Rolling, RunSettings};
use super::Breakage;
use std::ops::Range;
use std::time::Duration;

/// The times of one fault.
pub struct Times {
    pub at: Option<Duration>,
    pub heal_after: Option<Duration>,
    pub repeat: Option<Repeat>,
    pub rolling: Option<Rolling>,
}

/// Reads them, and holds them against each other, the kind and the run. `None` where something is wrong.
pub fn read(
    check: &mut Check<'_>,
    fault: &At<FaultTable>,
    breakage: Option<&Breakage>,
    run: Option<&RunSettings>,
) -> Option<Times> {
    let before = check.mistakes.len();
    let at = check.duration(fault.at.as_ref());
    let mut heal_after = check.positive("heal_after", fault.heal_after.as_ref());
    let mut repeat = fault.repeat.as_ref().and_then(|r| repeated(check, r));
    excluding(check, fault);
    if let Some((flapping, broken)) = fault.flap.as_ref().and_then(|f| flap(check, f)) {
        (repeat, heal_after) = (Some(flapping), Some(broken));
    }
    let rolling = fault.rolling.as_ref().and_then(|r| rolling(check, r));
    if check.mistakes.len() > before {
        return None;
    }
    let times = Times {
        at,
        heal_after,
        repeat,
        rolling,
    };
    if let Some(breakage) = breakage {
        of_kind(check, fault, breakage, &times);
    }
    if let (Some(run), true) = (run, check.mistakes.len() == before) {
        within_run(check, fault, &times, run);
    }
    Some(times)
}

/// Ways to come again that exclude each other.
fn excluding(check: &mut Check<'_>, fault: &FaultTable) {
    let also = |flap: &str, with: &str| format!("`{flap}` means nothing with `{with}`");
    if let Some(flap) = &fault.flap {
        if fault.repeat.is_some() {
            let help = "a flap repeats by itself: keep one of them";
            check.wrong(&flap.span, also("flap", "repeat"), help);
        }
        if let Some(heal) = &fault.heal_after {
            let help = "a flap is healed after `period` times `duty`; remove `heal_after`";
            check.wrong(&heal.span, also("heal_after", "flap"), help);
        }
    }
    if let Some(rolling) = &fault.rolling {
        for (key, given) in [
            ("repeat", fault.repeat.is_some()),
            ("flap", fault.flap.is_some()),
        ] {
            if given {
                let help = "it comes once to each container; put it into a `sequence` to do more";
                check.wrong(&rolling.span, also("rolling", key), help);
            }
        }
    }
}

fn repeated(check: &mut Check<'_>, table: &At<RepeatTable>) -> Option<Repeat> {
    let every = check.positive("every", Some(&table.every));
    let times = check.within("times", Some(&table.times), 1, 1000);
    Some(Repeat {
        every: every?,
        times: u32::try_from(times?).ok()?,
    })
}

/// A flap is a repetition, and a time to heal.
fn flap(check: &mut Check<'_>, table: &At<FlapTable>) -> Option<(Repeat, Duration)> {
    let every = check.positive("period", Some(&table.period));
    let times = check.within("times", Some(&table.times), 1, 1000);
    let duty = table.duty.as_ref().map_or(0.5, |d| d.value);
    if let (Some(at), false) = (&table.duty, duty > 0.0 && duty < 1.0) {
        check.wrong(
            &at.span,
            format!("`duty` is {duty}"),
            "the part of the period that it is broken for, between 0 and 1: 0.5",
        );
        return None;
    }
    let repeat = Repeat {
        every: every?,
        times: u32::try_from(times?).ok()?,
    };
    let broken = repeat.every.mul_f64(duty);
    if broken.is_zero() || broken == repeat.every {
        check.wrong(&table.span, "the flap is too quick", "make `period` longer");
        return None;
    }
    Some((repeat, broken))
}

fn rolling(check: &mut Check<'_>, table: &At<RollingTable>) -> Option<Rolling> {
    let pause = match &table.pause {
        None => Duration::ZERO,
        given => check.duration(given.as_ref())?,
    };
    Some(Rolling {
        pause,
        span: table.span.clone(),
    })
}

/// What the kind makes impossible.
fn of_kind(check: &mut Check<'_>, fault: &At<FaultTable>, breakage: &Breakage, times: &Times) {
    let kind = &breakage.kind;
    if let Some(why) = kind.nothing_to_heal() {
        if let Some(heal) = &fault.heal_after {
            check.wrong(&heal.span, why, how_to_heal(kind));
        }
        if let Some(flap) = &fault.flap {
            let message = format!("{why}, and a flap comes and goes");
            check.wrong(&flap.span, message, how_to_heal(kind));
        }
    }
    if let Some(rolling) = &times.rolling {
        rolls(check, fault, breakage, times, &rolling.span);
    }
    if let (Some(repeat), Some(table)) = (times.repeat, &fault.repeat) {
        comes_again(check, fault, kind, times, repeat, &table.span);
    }
}

fn how_to_heal(kind: &FaultKind) -> &'static str {
    match kind {
        FaultKind::Restart { .. } => {
            "remove `heal_after`; to keep the service away for a while use `stop`"
        }
        FaultKind::Http(_) => "remove it, or say how: heal = { url = … } within `http`",
        FaultKind::Exec(_) | FaultKind::Command(_) => {
            "remove it, or say how: heal = [\"program\", \"argument\"]"
        }
        FaultKind::Sql(_) => {
            "remove it, or say how: heal = \"statement\", or hold = true to keep the session open until then"
        }
        _ => "remove it; to break connections for a while use `partition` with refusal = \"reset\"",
    }
}

fn rolls(
    check: &mut Check<'_>,
    fault: &At<FaultTable>,
    breakage: &Breakage,
    times: &Times,
    span: &Range<usize>,
) {
    let name = fault.name.escape_debug();
    if breakage.target.is_none() {
        check.wrong(
            span,
            format!("fault `{name}` has no target to roll over"),
            "`rolling` goes from container to container of a `target`",
        );
    }
    if times.heal_after.is_none() && !breakage.kind.is_momentary() {
        check.wrong(
            span,
            format!("fault `{name}` rolls on when a container is healed, and heals none"),
            "give it a `heal_after`: how long each container is broken",
        );
    }
}

fn comes_again(
    check: &mut Check<'_>,
    fault: &At<FaultTable>,
    kind: &FaultKind,
    times: &Times,
    repeat: Repeat,
    span: &Range<usize>,
) {
    let name = fault.name.escape_debug();
    let heals = kind.nothing_to_heal().is_none() && !matches!(kind, FaultKind::External);
    match times.heal_after {
        Some(heal) if heal >= repeat.every && repeat.times > 1 => {
            check.wrong(
                span,
                format!("fault `{name}` comes again before it is healed"),
                "make `every` longer than `heal_after`",
            );
        }
        None if heals && repeat.times > 1 => {
            check.wrong(
                span,
                format!("fault `{name}` comes again but is never healed"),
                "give it a `heal_after` shorter than `every`",
            );
        }
        Some(_) | None => {}
    }
}

/// Whether a beginning leaves time for a baseline before it, and for anything after it.
pub fn begins_in_run(
    check: &mut Check<'_>,
    name: &At<String>,
    at: Duration,
    span: &Range<usize>,
    run: &RunSettings,
) -> bool {
    let name = name.escape_debug();
    if at >= run.duration {
        let help = format!(
            "the run ends at {:?}; move `at` before it, or raise `run.duration`",
            run.duration
        );
        check.wrong(
            span,
            format!("fault `{name}` comes after the end of the run"),
            help,
        );
        return false;
    }
    if at <= run.warmup {
        let help = format!(
            "the warm-up ends at {:?}, and what the fault costs is measured against the steady state after it",
            run.warmup
        );
        check.wrong(
            span,
            format!("fault `{name}` comes before there is a baseline"),
            help,
        );
    }
    true
}

/// Holds a fault's times against the run's; those of members are known to the plan only.
fn within_run(check: &mut Check<'_>, fault: &At<FaultTable>, times: &Times, run: &RunSettings) {
    let (Some(at), Some(table)) = (times.at, &fault.at) else {
        return;
    };
    if !begins_in_run(check, &fault.name, at, &table.span, run) {
        return;
    }
    let name = fault.name.escape_debug();
    let lasts = times.heal_after.unwrap_or_default();
    if let (Some(heal), true) = (&fault.heal_after, at + lasts > run.duration) {
        let help = format!(
            "{at:?} and {lasts:?} are more than the run's {:?}; leave `heal_after` out to heal at the end",
            run.duration
        );
        check.wrong(
            &heal.span,
            format!("fault `{name}` heals after the end of the run"),
            help,
        );
    }
    let again = fault.repeat.as_ref().map(|r| &r.span);
    let again = again.or(fault.flap.as_ref().map(|f| &f.span));
    let (Some(repeat), Some(span)) = (times.repeat, again) else {
        return;
    };
    let last = at + repeat.every.saturating_mul(repeat.times - 1);
    if last + lasts > run.duration || last >= run.duration {
        let help = format!(
            "it would begin at {last:?}; the run ends at {:?}",
            run.duration
        );
        check.wrong(
            span,
            format!("the last occurrence of fault `{name}` ends after the run"),
            help,
        );
    }
}
