//! `[[load]]`: when operations are made, and what they are.

use super::at::At;
use super::check::Check;
use super::file::{LoadTable, RecoveryTable, StageTable};
use super::gates::limit_of;
use super::{Arrivals, ClientSpec, Stage, Workload, http, postgres};
use crate::plan::{Comparison, Metric, Recovery};
use std::time::Duration;

/// More arrivals per second, or users, than one lbtest can make.
const HIGHEST_RATE: f64 = 1e6;
const MOST_USERS: u64 = 100_000;

/// Reads one workload; `None` where something in it is wrong.
pub fn read(
    check: &mut Check<'_>,
    load: &At<LoadTable>,
    run: Recovery,
    duration: Duration,
) -> Option<Workload> {
    let arrivals = arrivals(check, load, duration);
    let recovery = recovery(check, load.recovery.as_ref(), run);
    let max_in_flight = check.within("max_in_flight", load.max_in_flight.as_ref(), 1, 1_000_000);
    let client = client(check, load);
    let (arrivals, client) = (arrivals?, client?);
    let timeout = match &client {
        ClientSpec::Http(http) => http.timeout,
        ClientSpec::Postgres(postgres) => postgres.timeout,
    };
    let max_in_flight = match max_in_flight {
        Some(given) => usize::try_from(given).unwrap_or(usize::MAX),
        None => enough_in_flight(&arrivals, timeout),
    };
    let (name, span) = (load.name.value.clone(), load.name.span.clone());
    Some(Workload {
        name,
        arrivals,
        max_in_flight,
        client,
        recovery,
        span,
    })
}

/// As many as can be open when nothing is answered: highest rate × time-out, within 64 and 10 000.
fn enough_in_flight(arrivals: &Arrivals, timeout: Duration) -> usize {
    match arrivals {
        Arrivals::Open { stages, .. } => {
            let peak = stages.iter().map(|s| s.from.max(s.to)).fold(0.0, f64::max);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "clamped first"
            )]
            let open = (peak * timeout.as_secs_f64()).ceil().clamp(64.0, 10_000.0) as usize;
            open
        }
        Arrivals::Closed { users, .. } => *users,
    }
}

fn client(check: &mut Check<'_>, load: &At<LoadTable>) -> Option<ClientSpec> {
    match (&load.http, &load.postgres) {
        (Some(http), None) => http::read(check, http).map(ClientSpec::Http),
        (None, Some(postgres)) => postgres::read(check, postgres).map(ClientSpec::Postgres),
        (Some(_), Some(postgres)) => {
            let message = format!(
                "workload `{}` has both `http` and `postgres`",
                load.name.escape_debug()
            );
            check.wrong(
                &postgres.span,
                message,
                "a workload is of one kind; make two of it",
            );
            None
        }
        (None, None) => {
            let message = format!(
                "workload `{}` says neither `http` nor `postgres`",
                load.name.escape_debug()
            );
            check.wrong(
                &load.name.span,
                message,
                "say what it does: http = { url = \"http://127.0.0.1:8080/\" }",
            );
            None
        }
    }
}

fn arrivals(check: &mut Check<'_>, load: &At<LoadTable>, duration: Duration) -> Option<Arrivals> {
    let given = [
        load.rate.as_ref().map(|r| ("rate", &r.span)),
        load.stages.as_ref().map(|s| ("stages", &s.span)),
        load.users.as_ref().map(|u| ("users", &u.span)),
    ];
    let mut given: Vec<_> = given.into_iter().flatten().collect();
    given.sort_by_key(|(_, span)| span.start);
    match given.as_slice() {
        [] => {
            let message = format!(
                "workload `{}` says none of `rate`, `stages`, `users`",
                load.name.escape_debug()
            );
            check.wrong(
                &load.name.span,
                message,
                "say how much load it makes: rate = 200 (per second), or users = 20",
            );
            return None;
        }
        [_] => {}
        [(first, _), (second, span), ..] => {
            let message = format!(
                "workload `{}` has both `{first}` and `{second}`",
                load.name.escape_debug()
            );
            check.wrong(
                span,
                message,
                "an open loop has `rate` or `stages`, a closed loop has `users`; keep one",
            );
            return None;
        }
    }
    misplaced(check, load);
    if let Some(users) = &load.users {
        let users = check.within("users", Some(users), 1, MOST_USERS);
        let think = check.duration(load.think.as_ref()).unwrap_or_default();
        return Some(Arrivals::Closed {
            users: usize::try_from(users?).ok()?,
            think,
        });
    }
    let poisson = match load.arrivals.as_ref().map(|a| (a.as_str(), a)) {
        None | Some(("even", _)) => false,
        Some(("poisson", _)) => true,
        Some((other, at)) => {
            let message = format!("`{}` is no kind of arrivals", other.escape_debug());
            check.wrong(&at.span, message, "it is \"even\" or \"poisson\"");
            return None;
        }
    };
    let stages = match (&load.rate, &load.stages) {
        (Some(rate), _) => {
            let rate = rate_of(check, "rate", rate, false)?;
            vec![Stage {
                from: rate,
                to: rate,
                length: None,
            }]
        }
        (None, Some(stages)) => stages_of(check, stages, duration)?,
        (None, None) => return None,
    };
    Some(Arrivals::Open { stages, poisson })
}

/// Keys of the other kind of loop.
fn misplaced(check: &mut Check<'_>, load: &At<LoadTable>) {
    let closed = load.users.is_some();
    let wrong = [
        load.arrivals
            .as_ref()
            .filter(|_| closed)
            .map(|a| ("arrivals", a.span.clone())),
        load.max_in_flight
            .as_ref()
            .filter(|_| closed)
            .map(|m| ("max_in_flight", m.span.clone())),
        load.think
            .as_ref()
            .filter(|_| !closed)
            .map(|t| ("think", t.span.clone())),
    ];
    for (key, span) in wrong.into_iter().flatten() {
        let (this, other) = if closed {
            ("a closed", "`rate` or `stages`")
        } else {
            ("an open", "`users`")
        };
        check.wrong(
            &span,
            format!("`{key}` means nothing in {this} loop"),
            format!("it goes with {other}; remove it"),
        );
    }
}

fn rate_of(check: &mut Check<'_>, key: &str, rate: &At<f64>, zero: bool) -> Option<f64> {
    let value = rate.value;
    let low = if zero { value >= 0.0 } else { value > 0.0 };
    if low && value <= HIGHEST_RATE {
        return Some(value);
    }
    let least = if zero { "0" } else { "above 0" };
    check.wrong(
        &rate.span,
        format!("`{key}` is {value}"),
        format!("it must be {least} and at most 1000000 per second"),
    );
    None
}

fn stages_of(
    check: &mut Check<'_>,
    stages: &At<Vec<At<StageTable>>>,
    duration: Duration,
) -> Option<Vec<Stage>> {
    let mut found = Vec::new();
    let mut used = Duration::ZERO;
    for (i, stage) in stages.iter().enumerate() {
        let last = i + 1 == stages.len();
        let (from, to) = match (&stage.rate, &stage.from, &stage.to) {
            (Some(rate), None, None) => {
                let rate = rate_of(check, "rate", rate, true)?;
                (rate, rate)
            }
            (None, Some(from), Some(to)) => (
                rate_of(check, "from", from, true)?,
                rate_of(check, "to", to, true)?,
            ),
            _ => {
                check.wrong(
                    &stage.span,
                    "a stage needs either `rate`, or `from` and `to`",
                    "{ rate = 100, for = \"10s\" } holds, { from = 0, to = 100, for = \"10s\" } climbs",
                );
                return None;
            }
        };
        let length = check.positive("for", stage.length.as_ref());
        if stage.length.is_some() && length.is_none() {
            return None;
        }
        #[expect(clippy::float_cmp, reason = "the same literal or not")]
        let ramp = from != to;
        if length.is_none() && (!last || ramp) {
            let message = if ramp {
                "a ramp needs its length"
            } else {
                "only the last stage may go on without end"
            };
            check.wrong(&stage.span, message, "say how long it takes: for = \"10s\"");
            return None;
        }
        if used >= duration && i > 0 {
            check.wrong(
                &stage.span,
                "this stage begins after the end of the run",
                "shorten those before it, or raise `run.duration`",
            );
        }
        used += length.unwrap_or_default();
        found.push(Stage { from, to, length });
    }
    if found.iter().all(|s| s.from <= 0.0 && s.to <= 0.0) {
        check.wrong(
            &stages.span,
            "no stage makes any load",
            "at least one needs a rate above 0",
        );
        return None;
    }
    Some(found)
}

/// Recovery limits, those that are not given taken from `above`.
pub fn recovery(
    check: &mut Check<'_>,
    table: Option<&At<RecoveryTable>>,
    above: Recovery,
) -> Recovery {
    let Some(table) = table else { return above };
    let mut recovery = above;
    if let Some(stable_for) = check.positive("stable_for", table.stable_for.as_ref()) {
        recovery.stable_for = stable_for;
    }
    let mut at_most = |metric, text: Option<&At<super::file::LimitText>>| {
        let text = text?;
        let (comparison, value, _) = limit_of(check, metric, text)?;
        if comparison == Comparison::AtMost {
            return Some(value);
        }
        check.wrong(
            &text.span,
            "a recovery limit is a highest value",
            "write it with `<=`",
        );
        None
    };
    if let Some(ratio) = at_most(Metric::ErrorRate, table.error_rate.as_ref()) {
        recovery.max_error_ratio = ratio;
    }
    if let Some(p99) = at_most(Metric::P99, table.p99.as_ref()) {
        recovery.p99_limit = Some(Duration::from_secs_f64(p99 / 1e3));
    }
    recovery
}
