//! A run as the spans of one trace: the run, in it its phases, its faults from injection to heal, and its outages.

use super::bounded::inert;
use super::exposition::name_of;
use super::follow::Timeline;
use crate::analysis::result::{EventResult, FaultResult, Outage, RunResult};
use crate::history::trace::{RunTraces, mix};
use crate::notice::Phase;
use crate::verdict::Verdict;
use jiff::Timestamp;
use opentelemetry::trace::{
    Event, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{Array, InstrumentationScope, KeyValue, StringValue, Value};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use std::time::{Duration, SystemTime};

/// Events of one span that are kept.
const MOST_EVENTS: usize = 128;

/// One span before it has its place in the trace.
struct Draft {
    name: String,
    from: SystemTime,
    to: SystemTime,
    attributes: Vec<KeyValue>,
    events: Vec<Event>,
    status: Status,
}

/// The spans of a run whose phases began at these times, and which ended `ended`. The first one is the run itself, all
/// others are its children.
#[must_use]
pub fn spans(result: &RunResult, phases: &Timeline, ended: Timestamp) -> Vec<SpanData> {
    let clock = Clock(result.started_at);
    let ended = SystemTime::from(ended);
    let mut drafts = vec![run(result, phases, ended)];
    drafts.extend(around_the_load(phases, ended));
    drafts.extend(of_the_load(result, clock));
    let faults = result.faults.iter();
    drafts.extend(faults.filter_map(|fault| of_fault(fault, result, clock)));
    let outages = result.outages.iter();
    drafts.extend(outages.map(|outage| of_outage(outage, result, clock)));
    // The last arrival comes before the load's planned end, and a short run may be over by then.
    let last = drafts.iter().map(|draft| draft.to).max();
    if let (Some(run), Some(last)) = (drafts.first_mut(), last) {
        run.to = run.to.max(last);
    }
    placed(
        drafts,
        RunTraces::of(result.started_at, result.scenario.seed),
    )
}

fn placed(drafts: Vec<Draft>, traces: RunTraces) -> Vec<SpanData> {
    let id = traces.run();
    let trace = TraceId::from_bytes(id.to_bytes());
    let span = |n: u64| SpanId::from_bytes(mix(id.span() ^ n).max(1).to_be_bytes());
    let scope = InstrumentationScope::builder("lbtest")
        .with_version(env!("CARGO_PKG_VERSION"))
        .build();
    let place = |(n, draft): (u64, Draft)| {
        let flags = TraceFlags::SAMPLED;
        let mut events = SpanEvents::default();
        events.dropped_count =
            u32::try_from(draft.events.len().saturating_sub(MOST_EVENTS)).unwrap_or(u32::MAX);
        events.events = draft.events.into_iter().take(MOST_EVENTS).collect();
        SpanData {
            span_context: SpanContext::new(trace, span(n), flags, false, TraceState::default()),
            parent_span_id: if n == 0 { SpanId::INVALID } else { span(0) },
            parent_span_is_remote: false,
            span_kind: SpanKind::Internal,
            name: draft.name.into(),
            start_time: draft.from,
            end_time: draft.to.max(draft.from),
            attributes: draft.attributes,
            dropped_attributes_count: 0,
            events,
            links: SpanLinks::default(),
            status: draft.status,
            instrumentation_scope: scope.clone(),
        }
    };
    (0u64..).zip(drafts).map(place).collect()
}

/// Offsets of a run as wall time.
#[derive(Clone, Copy)]
struct Clock(Timestamp);

impl Clock {
    fn at(self, ms: f64) -> SystemTime {
        let offset = Duration::try_from_secs_f64(ms / 1e3).unwrap_or_default();
        SystemTime::from(self.0) + offset
    }
}

fn text(key: &'static str, value: &str) -> KeyValue {
    KeyValue::new(key, inert(value))
}

fn count(key: &'static str, n: u64) -> KeyValue {
    KeyValue::new(key, i64::try_from(n).unwrap_or(i64::MAX))
}

fn list(key: &'static str, values: &[String]) -> KeyValue {
    let values = values.iter().map(|v| StringValue::from(inert(v)));
    KeyValue::new(key, Value::Array(Array::String(values.collect())))
}

fn run(result: &RunResult, phases: &Timeline, ended: SystemTime) -> Draft {
    let zero = SystemTime::from(result.started_at);
    let began = phases.first().map_or(zero, |(_, at)| SystemTime::from(*at));
    let (verdict, status) = match result.verdict {
        Verdict::Pass => ("pass", Status::Ok),
        Verdict::Fail => (
            "fail",
            Status::error(inert(&result.verdict_reasons.join(" "))),
        ),
        Verdict::Inconclusive => ("inconclusive", Status::Unset),
    };
    let requests = result.loads.iter().map(|l| l.requests).sum();
    let bad = result
        .loads
        .iter()
        .map(|l| l.requests - l.ok.min(l.requests));
    Draft {
        name: format!("run {}", inert(&result.scenario.name)),
        from: began.min(zero),
        to: ended,
        attributes: vec![
            text("lbtest.scenario", &result.scenario.name),
            text("lbtest.run", &result.run),
            text("lbtest.verdict", verdict),
            list("lbtest.verdict_reasons", &result.verdict_reasons),
            count("lbtest.seed", result.scenario.seed),
            count("lbtest.requests", requests),
            count("lbtest.bad", bad.sum()),
            text("lbtest.end", &result.end.reason),
        ],
        events: Vec::new(),
        status,
    }
}

fn phase(name: &str, from: SystemTime, to: SystemTime) -> Draft {
    Draft {
        name: name.to_owned(),
        from,
        to,
        attributes: vec![text("lbtest.phase", name)],
        events: Vec::new(),
        status: Status::Unset,
    }
}

/// Phases before and after the load, from when they were told until the next one was.
fn around_the_load(phases: &Timeline, ended: SystemTime) -> Vec<Draft> {
    let ends = phases.iter().skip(1).map(|(_, at)| SystemTime::from(*at));
    let spans = phases.iter().zip(ends.chain([ended]));
    let around = spans.filter(|((phase, _), _)| match phase {
        Phase::Images
        | Phase::Starting
        | Phase::Probing
        | Phase::Reporting
        | Phase::TearingDown => true,
        // The results know these better.
        Phase::WarmUp | Phase::Measuring | Phase::Draining => false,
    });
    around
        .map(|((is, from), to)| phase(name_of(*is), SystemTime::from(*from), to))
        .collect()
}

fn of_the_load(result: &RunResult, clock: Clock) -> Vec<Draft> {
    let end = &result.end;
    let over = end.at_ms.unwrap_or(end.measured_to_ms);
    [
        (Phase::WarmUp, 0.0, end.measured_from_ms),
        (Phase::Measuring, end.measured_from_ms, end.measured_to_ms),
        (Phase::Draining, end.measured_to_ms, over),
    ]
    .into_iter()
    .filter(|(_, from, to)| to > from)
    .map(|(is, from, to)| phase(name_of(is), clock.at(from), clock.at(to)))
    .collect()
}

/// From its effect to its heal, or to the end of the load. One that did not take place has no span.
fn of_fault(fault: &FaultResult, result: &RunResult, clock: Clock) -> Option<Draft> {
    let from = fault.injected_at_ms?;
    let to = fault.healed_at_ms.unwrap_or(result.end.measured_to_ms);
    let mut attributes = vec![
        text("lbtest.fault", &fault.name),
        text("lbtest.fault.kind", &fault.kind),
        list("lbtest.fault.targets", &fault.targets),
        list("lbtest.fault.notes", &fault.notes),
    ];
    attributes.extend(
        fault
            .mechanism
            .iter()
            .map(|m| text("lbtest.fault.mechanism", m)),
    );
    let confirmed = fault
        .confirmed
        .map(|seen| KeyValue::new("lbtest.fault.confirmed", seen));
    attributes.extend(confirmed);
    let of_it = |e: &&EventResult| (from..=to).contains(&e.at_ms) && fault.hits(&e.subject);
    let seen = |e: &EventResult| {
        let about = vec![
            text("lbtest.event.source", &e.source),
            text("lbtest.event.subject", &e.subject),
        ];
        Event::new(inert(&e.what), clock.at(e.at_ms), about, 0)
    };
    Some(Draft {
        name: format!("fault {}", inert(&fault.name)),
        from: clock.at(from),
        to: clock.at(to),
        attributes,
        events: result.events.iter().filter(of_it).map(seen).collect(),
        status: match fault.confirmed {
            Some(false) => Status::error("no effect was seen"),
            Some(true) | None => Status::Unset,
        },
    })
}

/// From its first bad operation to the first one from which it was stable again, or to the end of the load.
fn of_outage(outage: &Outage, result: &RunResult, clock: Clock) -> Draft {
    let mut attributes = vec![
        text("lbtest.load", &outage.load),
        count("lbtest.bad", outage.bad),
        KeyValue::new("lbtest.resolution_ms", outage.resolution_ms),
    ];
    attributes.extend(outage.fault.iter().map(|fault| text("lbtest.fault", fault)));
    let to = outage.end_ms.unwrap_or(result.end.measured_to_ms);
    let status = match outage.end_ms {
        Some(_) => "not stable",
        None => "not stable until the end of the load",
    };
    Draft {
        name: format!("outage {}", inert(&outage.load)),
        from: clock.at(outage.start_ms),
        to: clock.at(to),
        attributes,
        events: Vec::new(),
        status: Status::error(status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::analyze;
    use crate::history::file::read;
    use std::path::Path;

    fn stored() -> RunResult {
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
        analyze(&read(&fixture.join("kill-slave.history.ndjson")).unwrap())
    }

    fn named<'s>(spans: &'s [SpanData], name: &str) -> &'s SpanData {
        spans.iter().find(|s| s.name == name).unwrap()
    }

    fn ms(result: &RunResult, at: SystemTime) -> u128 {
        let zero = SystemTime::from(result.started_at);
        at.duration_since(zero).unwrap().as_millis()
    }

    #[test]
    fn a_fault_lasts_from_its_effect_to_its_heal_and_holds_what_the_engine_saw_of_its_targets() {
        let result = stored();
        let ended = result.started_at + Duration::from_secs(60);
        let spans = spans(&result, &Vec::new(), ended);
        let fault = named(&spans, "fault slave 1 stops");
        let times = (ms(&result, fault.start_time), ms(&result, fault.end_time));
        assert_eq!(times, (12_000, 24_000));
        let events: Vec<&str> = fault.events.iter().map(|e| &*e.name).collect();
        assert!(events.contains(&"die, exitCode=0"), "{events:?}");
        let outages = spans.iter().filter(|s| s.name.starts_with("outage "));
        assert_eq!(outages.count(), result.outages.len());
        assert_eq!(ms(&result, spans[0].end_time), 60_000);
    }

    #[test]
    fn phases_before_and_after_the_load_last_until_the_next_one_and_those_of_the_load_are_the_results()
     {
        let result = stored();
        let at = |seconds: i64| result.started_at + jiff::SignedDuration::from_secs(seconds);
        let phases = vec![
            (Phase::Starting, at(-9)),
            (Phase::Probing, at(-2)),
            (Phase::WarmUp, at(0)),
            (Phase::Measuring, at(3)),
            (Phase::Draining, at(40)),
            (Phase::Reporting, at(41)),
            (Phase::TearingDown, at(42)),
        ];
        let spans = spans(&result, &phases, at(50));
        let span = |name: &str| {
            let span = named(&spans, name);
            let seconds = |t: SystemTime| {
                Timestamp::try_from(t)
                    .unwrap()
                    .duration_since(result.started_at)
            };
            (
                seconds(span.start_time).as_millis(),
                seconds(span.end_time).as_millis(),
            )
        };
        assert_eq!(
            span(&format!("run {}", result.scenario.name)),
            (-9000, 50_000)
        );
        assert_eq!(span("starting"), (-9000, -2000));
        assert_eq!(span("probing"), (-2000, 0));
        assert_eq!(span("reporting"), (41_000, 42_000));
        assert_eq!(span("tearing_down"), (42_000, 50_000));
        assert_eq!(span("warm_up").0, 0);
        assert_eq!(span("measuring").0, span("warm_up").1);
        let parents = spans.iter().skip(1).map(|s| s.parent_span_id);
        assert!(
            parents
                .into_iter()
                .all(|p| p == spans[0].span_context.span_id())
        );
    }

    #[test]
    fn a_fault_that_did_not_take_place_has_no_span() {
        let mut result = stored();
        result.faults[0].injected_at_ms = None;
        let spans = spans(&result, &Vec::new(), result.started_at);
        assert!(spans.iter().all(|s| !s.name.starts_with("fault ")));
    }
}
