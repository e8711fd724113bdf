//! `[[fault]]`: what breaks whom, and when; times are held against the run's.

use super::at::{At, OneOf};
use super::check::{Check, suggestion};
use super::file::{FaultTable, RepeatTable, TargetKey, TargetTable};
use super::{Fault, FaultKind, Repeat, RunSettings, Target, TargetChoice};
use std::ops::Range;
use std::time::Duration;

const KINDS: &str = "exactly one of stop, kill, pause, restart, start, external; for example: stop = { target = \"app1\" }";

/// Signals that a container can be sent.
const SIGNALS: [&str; 15] = [
    "SIGKILL", "SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGSTOP", "SIGCONT", "SIGUSR1",
    "SIGUSR2", "SIGABRT", "SIGSEGV", "SIGBUS", "SIGPIPE", "SIGALRM", "SIGWINCH",
];

/// Reads one fault; `None` where something in it is wrong.
pub fn read(
    check: &mut Check<'_>,
    fault: &At<FaultTable>,
    run: Option<&RunSettings>,
) -> Option<Fault> {
    let kind = kind(check, fault);
    let at = check.duration(Some(&fault.at));
    let heal_after = check.positive("heal_after", fault.heal_after.as_ref());
    let repeat = fault.repeat.as_ref().map(|r| repeat(check, r));
    let (kind, target) = kind?;
    let at = at?;
    if let (FaultKind::Restart { .. }, Some(heal)) = (&kind, &fault.heal_after) {
        check.wrong(
            &heal.span,
            "a restart needs no heal",
            "remove `heal_after`; to keep the service away for a while use `stop`",
        );
    }
    if fault.heal_after.is_some() && heal_after.is_none() {
        return None;
    }
    let repeat = match repeat {
        Some(None) => return None,
        Some(found) => found,
        None => None,
    };
    if let Some(run) = run {
        times(check, fault, &kind, at, heal_after, repeat, run);
    }
    Some(Fault {
        name: fault.name.value.clone(),
        at,
        heal_after,
        repeat,
        kind,
        target,
        span: fault.name.span.clone(),
    })
}

fn kind(check: &mut Check<'_>, fault: &At<FaultTable>) -> Option<(FaultKind, Option<Target>)> {
    let given = [
        fault.stop.as_ref().map(|f| &f.span),
        fault.kill.as_ref().map(|f| &f.span),
        fault.pause.as_ref().map(|f| &f.span),
        fault.restart.as_ref().map(|f| &f.span),
        fault.start.as_ref().map(|f| &f.span),
        fault.external.as_ref().map(|f| &f.span),
    ];
    let mut given: Vec<_> = given.into_iter().flatten().collect();
    given.sort_by_key(|span| span.start);
    let name = fault.name.escape_debug();
    match given.as_slice() {
        [] => {
            check.wrong(
                &fault.name.span,
                format!("fault `{name}` does not say what it does"),
                KINDS,
            );
            return None;
        }
        [_] => {}
        [_, second, ..] => {
            check.wrong(second, format!("fault `{name}` does two things"), KINDS);
            return None;
        }
    }
    if let Some(stop) = &fault.stop {
        let grace = check.duration(stop.grace.as_ref());
        return Some((
            FaultKind::Stop { grace },
            Some(target(check, &stop.target)?),
        ));
    }
    if let Some(restart) = &fault.restart {
        let grace = check.duration(restart.grace.as_ref());
        return Some((
            FaultKind::Restart { grace },
            Some(target(check, &restart.target)?),
        ));
    }
    if let Some(kill) = &fault.kill {
        let signal = signal(check, kill.signal.as_ref());
        return Some((
            FaultKind::Kill { signal: signal? },
            Some(target(check, &kill.target)?),
        ));
    }
    if let Some(pause) = &fault.pause {
        return Some((FaultKind::Pause, Some(target(check, &pause.target)?)));
    }
    if let Some(start) = &fault.start {
        return Some((FaultKind::Start, Some(target(check, &start.target)?)));
    }
    Some((FaultKind::External, None))
}

fn signal(check: &mut Check<'_>, signal: Option<&At<String>>) -> Option<String> {
    let Some(signal) = signal else {
        return Some("SIGKILL".to_owned());
    };
    let upper = signal.to_ascii_uppercase();
    let name = if upper.starts_with("SIG") {
        upper
    } else {
        format!("SIG{upper}")
    };
    if SIGNALS.contains(&name.as_str()) {
        return Some(name);
    }
    check.wrong(
        &signal.span,
        format!("`{}` is not a signal", signal.escape_debug()),
        suggestion(&name, SIGNALS),
    );
    None
}

fn target(check: &mut Check<'_>, key: &At<TargetKey>) -> Option<Target> {
    let empty = |names: &[String]| names.is_empty() || names.iter().any(|n| n.trim().is_empty());
    let choice = match &key.value {
        OneOf::One(name) => TargetChoice::Services(vec![name.clone()]),
        OneOf::Many(names) => {
            TargetChoice::Services(names.iter().map(|n| n.value.clone()).collect())
        }
        OneOf::Table(table) => from_table(check, table, &key.span)?,
    };
    let nobody = match &choice {
        TargetChoice::Services(names) => empty(names),
        TargetChoice::AllOf(pattern) => pattern.is_empty(),
        TargetChoice::Random { from, .. } => empty(from),
    };
    if nobody {
        check.wrong(
            &key.span,
            "the fault hits nobody",
            "name a service: target = \"app1\", or { all_of = \"app*\" }",
        );
        return None;
    }
    Some(Target {
        choice,
        span: key.span.clone(),
    })
}

fn from_table(
    check: &mut Check<'_>,
    table: &TargetTable,
    span: &Range<usize>,
) -> Option<TargetChoice> {
    let count = check.within("count", table.count.as_ref(), 1, 10_000);
    if table.count.is_some() && count.is_none() {
        return None;
    }
    match (&table.all_of, &table.random) {
        (Some(pattern), None) => {
            if let Some(count) = &table.count {
                check.wrong(
                    &count.span,
                    "`count` means nothing with `all_of`",
                    "use random = … for some of them",
                );
            }
            glob(check, pattern)?;
            Some(TargetChoice::AllOf(pattern.value.clone()))
        }
        (None, Some(random)) => {
            let from = match &random.value {
                OneOf::One(one) => vec![At {
                    span: random.span.clone(),
                    value: one.clone(),
                }],
                OneOf::Many(many) => many.clone(),
                OneOf::Table(never) => match *never {},
            };
            from.iter()
                .map(|p| glob(check, p))
                .collect::<Option<Vec<()>>>()?;
            let count = usize::try_from(count.unwrap_or(1)).ok()?;
            Some(TargetChoice::Random {
                from: from.into_iter().map(|p| p.value).collect(),
                count,
            })
        }
        _ => {
            check.wrong(
                span,
                "a target table needs either `all_of` or `random`",
                "{ all_of = \"app*\" } or { random = [\"app1\", \"app2\"], count = 1 }",
            );
            None
        }
    }
}

fn glob(check: &mut Check<'_>, pattern: &At<String>) -> Option<()> {
    if globset::Glob::new(pattern).is_ok() {
        return Some(());
    }
    check.wrong(
        &pattern.span,
        format!("`{}` is not a pattern", pattern.escape_debug()),
        "`*` stands for any characters, `?` for one, [ab] for one of these",
    );
    None
}

fn repeat(check: &mut Check<'_>, table: &At<RepeatTable>) -> Option<Repeat> {
    let every = check.positive("every", Some(&table.every));
    let times = check.within("times", Some(&table.times), 1, 1000);
    Some(Repeat {
        every: every?,
        times: u32::try_from(times?).ok()?,
    })
}

/// Holds a fault's times against the run's.
fn times(
    check: &mut Check<'_>,
    fault: &At<FaultTable>,
    kind: &FaultKind,
    at: Duration,
    heal_after: Option<Duration>,
    repeat: Option<Repeat>,
    run: &RunSettings,
) {
    let name = fault.name.escape_debug().to_string();
    if at >= run.duration {
        let message = format!("fault `{name}` comes after the end of the run");
        check.wrong(
            &fault.at.span,
            message,
            format!(
                "the run ends at {:?}; move `at` before it, or raise `run.duration`",
                run.duration
            ),
        );
        return;
    }
    if at <= run.warmup {
        let message = format!("fault `{name}` comes before there is a baseline");
        check.wrong(&fault.at.span, message, format!("the warm-up ends at {:?}, and what the fault costs is measured against the steady state after it", run.warmup));
    }
    let lasts = heal_after.unwrap_or_default();
    if let (Some(heal), true) = (&fault.heal_after, at + lasts > run.duration) {
        let message = format!("fault `{name}` heals after the end of the run");
        check.wrong(&heal.span, message, format!("{at:?} and {lasts:?} are more than the run's {:?}; leave `heal_after` out to heal at the end", run.duration));
    }
    let (Some(repeat), Some(table)) = (repeat, &fault.repeat) else {
        return;
    };
    let last = at + repeat.every.saturating_mul(repeat.times - 1);
    if last + lasts > run.duration || last >= run.duration {
        let message = format!("the last occurrence of fault `{name}` ends after the run");
        check.wrong(
            &table.span,
            message,
            format!(
                "it would begin at {last:?}; the run ends at {:?}",
                run.duration
            ),
        );
    }
    let heals = !matches!(kind, FaultKind::Restart { .. } | FaultKind::External);
    match heal_after {
        Some(heal) if heal >= repeat.every && repeat.times > 1 => {
            check.wrong(
                &table.span,
                format!("fault `{name}` comes again before it is healed"),
                "make `every` longer than `heal_after`",
            );
        }
        None if heals && repeat.times > 1 => {
            check.wrong(
                &table.span,
                format!("fault `{name}` comes again but is never healed"),
                "give it a `heal_after` shorter than `every`",
            );
        }
        Some(_) | None => {}
    }
}
