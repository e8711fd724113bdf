//! Does to a run under way what whoever is watching asks for, and writes down that it was done by hand.

use super::recording::Recording;
use super::{RunError, Spec, measure};
use crate::clock::{Clock, Offset};
use crate::compose::Topology;
use crate::control::{Command, Deed, DeedKind, Offer, Target};
use crate::engine::Container;
use crate::fault::conductor::Assignment;
use crate::fault::steering::{Refusal, Steering, Unfit};
use crate::history::Event;
use crate::history::event::BY_HAND;
use crate::notice::{Notice, Notices};
use crate::observe::states;
use crate::plan::{Plan, PlannedFault, resolve};
use crate::scenario::{self, Overrides, ScenarioError};
use crate::source::SourceFile;
use std::path::Path;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;
use toml::{Table, Value};

/// What events about the schedule itself are about.
const SCHEDULE: &str = "schedule";

/// The hand on a run whose load runs.
pub struct Hand<'a> {
    /// What runs.
    pub spec: &'a Spec,
    /// The run's id.
    pub run: &'a str,
    /// The project's containers.
    pub containers: &'a [Container],
    /// The run's clock.
    pub clock: Clock,
    /// Its schedule.
    pub steering: Steering,
    /// To the conductor.
    pub added: UnboundedSender<Assignment>,
    /// Who is told.
    pub notices: &'a Notices,
    /// Cancelled: nothing is done any more.
    pub end: CancellationToken,
    /// Whether something may be broken that was not planned.
    pub may_break: bool,
}

/// Why something that was asked for is not done.
#[derive(Debug, thiserror::Error)]
enum Undone {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("nothing may be broken that the plan does not break: start with --allow-faults")]
    NotAllowed,
    #[error("there is no container to break")]
    NobodyThere,
    #[error("{0}")]
    Fault(#[from] ScenarioError),
    #[error(transparent)]
    Run(#[from] RunError),
}

/// What can be asked of a run, before its containers are there.
#[must_use]
pub fn offer(spec: &Spec) -> Offer {
    Offer {
        scenario: spec.scenario.name.clone(),
        targets: Vec::new(),
    }
}

impl Hand<'_> {
    /// What can be asked for.
    #[must_use]
    pub fn offer(&self) -> Offer {
        let names = states::names(self.containers);
        let of = |(container, name): (&Container, String)| Target {
            networks: networks(self.spec.topology.as_ref(), &container.service),
            name,
        };
        let all = self.containers.iter().zip(names).map(of);
        Offer {
            targets: all.filter(|_| self.may_break).collect(),
            ..offer(self.spec)
        }
    }

    /// Does it, or says why not.
    pub fn does(&self, command: &Command, recording: &mut Recording) {
        let now = self.clock.now();
        let done = match command {
            _ if self.end.is_cancelled() => Err(Refusal::LoadOver.into()),
            Command::InjectNext => self.inject_next(now, recording),
            Command::Hold => self.hold(now, recording),
            Command::Resume => self.resume(now, recording),
            Command::Break(deed) => self.breaks(deed, now, recording),
            Command::Heal(index) => self.heal(*index, now, recording),
            Command::HealAll => self.heal_all(now, recording),
        };
        if let Err(why) = done {
            self.notices.tell(Notice::Info(format!("not done: {why}")));
        }
    }

    /// Writes it down, and says it.
    fn note(&self, at: Offset, subject: &str, what: &str, recording: &mut Recording) {
        recording.event(Event {
            at,
            source: "lbtest".to_owned(),
            subject: subject.to_owned(),
            what: format!("{BY_HAND}{what}"),
        });
        let subject = subject.strip_prefix(BY_HAND).unwrap_or(subject);
        self.notices
            .tell(Notice::Info(format!("{BY_HAND}{subject}: {what}")));
    }

    fn inject_next(&self, now: Offset, recording: &mut Recording) -> Result<(), Undone> {
        let moved = self.steering.inject_next(now)?;
        let what = format!("injected now instead of at {}", at(moved.instead_of));
        self.note(now, &moved.name, &what, recording);
        Ok(())
    }

    fn hold(&self, now: Offset, recording: &mut Recording) -> Result<(), Undone> {
        self.steering.hold(now)?;
        self.note(now, SCHEDULE, "held", recording);
        Ok(())
    }

    fn resume(&self, now: Offset, recording: &mut Recording) -> Result<(), Undone> {
        let resumed = self.steering.resume(now)?;
        let held = seconds(resumed.held);
        let what = format!("resumed after {held}; what is left comes so much later");
        self.note(now, SCHEDULE, &what, recording);
        for unfit in resumed.unfit {
            self.unfit(now, &unfit, recording);
        }
        Ok(())
    }

    fn unfit(&self, now: Offset, unfit: &Unfit, recording: &mut Recording) {
        let (name, moment) = (&unfit.name, at(unfit.at));
        let what = if unfit.heal {
            format!(
                "its heal would be at {moment}, after the end of the load: it is healed with that"
            )
        } else {
            format!("it would come at {moment}, after the end of the load: it does not take place")
        };
        self.note(now, name, &what, recording);
        self.notices
            .tell(Notice::Warning(format!("{name}: {what}")));
    }

    fn heal(&self, index: usize, now: Offset, recording: &mut Recording) -> Result<(), Undone> {
        let name = self.steering.heal(index)?;
        self.note(now, &name, "healed now", recording);
        Ok(())
    }

    fn heal_all(&self, now: Offset, recording: &mut Recording) -> Result<(), Undone> {
        let healed = self.steering.heal_all();
        if healed.is_empty() {
            return Err(Refusal::NothingOn.into());
        }
        for name in healed {
            self.note(now, &name, "healed now", recording);
        }
        Ok(())
    }

    fn breaks(&self, deed: &Deed, now: Offset, recording: &mut Recording) -> Result<(), Undone> {
        if now >= Offset::new(self.spec.plan.duration) {
            return Err(Refusal::LoadOver.into());
        }
        let external = deed.kind == DeedKind::Mark;
        if !external && !self.may_break {
            return Err(Undone::NotAllowed);
        }
        if !external && self.containers.is_empty() {
            return Err(Undone::NobodyThere);
        }
        let number = self
            .steering
            .ticks(now)
            .iter()
            .filter(|f| f.name.starts_with(BY_HAND))
            .count();
        let what = in_words(deed);
        let name = match number {
            0 => format!("{BY_HAND}{what}"),
            n => format!("{BY_HAND}{what} #{}", n + 1),
        };
        let (one, mut planned) = self.planned(deed, now)?;
        planned.name.clone_from(&name);
        let index = recording.faults();
        let assignment = measure::assign_one(&one, self.run, index, &planned, self.containers)?;
        let assignment = Assignment {
            by_hand: true,
            ..assignment
        };
        planned.entry.clone_from(&name);
        // From here on it is a fault as any other, in the history and in the schedule.
        recording.added_fault(planned);
        self.note(now, &name, "not planned", recording);
        self.steering.enter(&assignment);
        let _ = self.added.send(assignment);
        Ok(())
    }

    /// The fault, as if a scenario had asked for it.
    fn planned(&self, deed: &Deed, now: Offset) -> Result<(Spec, PlannedFault), Undone> {
        let (kind, keys) = keys(deed);
        let text = scenario::one_fault("by hand", kind, keys, None);
        let file = SourceFile::new(Path::new("<by hand>"), text);
        let scenario = scenario::parse(&file, &Overrides::default(), &Default::default())?;
        let topology = self.spec.topology.clone();
        let plan: Plan = resolve(&scenario, topology.as_ref(), true)?.plan;
        let planned = plan.faults.first().cloned().unwrap_or_default();
        let planned = PlannedFault {
            inject_at: now,
            ..planned
        };
        let plan = Plan {
            seed: self.spec.plan.seed,
            ..plan
        };
        let spec = Spec {
            scenario,
            topology,
            plan,
            out: None,
            keep: true,
            attach: self.spec.attach,
            ready_within: None,
        };
        Ok((spec, planned))
    }
}

/// Keys of the networks that a service can be taken off.
fn networks(topology: Option<&Topology>, service: &str) -> Vec<String> {
    let service = topology.and_then(|t| t.services.get(service));
    let own = service.filter(|s| s.network_mode.is_none());
    own.map(|s| s.networks.keys().cloned().collect())
        .unwrap_or_default()
}

/// The kind of a deed and its keys, as in a scenario.
fn keys(deed: &Deed) -> (&'static str, Table) {
    let text = |t: &str| Value::String(t.to_owned());
    let target = deed.target.as_deref().map(text);
    let with = |more: &[(&str, Value)]| {
        let target = target.clone().map(|t| ("target".to_owned(), t));
        let more = more.iter().map(|(k, v)| ((*k).to_owned(), v.clone()));
        target.into_iter().chain(more).collect::<Table>()
    };
    match &deed.kind {
        DeedKind::Stop => ("stop", with(&[])),
        DeedKind::Kill => ("kill", with(&[])),
        DeedKind::Pause => ("pause", with(&[])),
        DeedKind::Restart => ("restart", with(&[])),
        DeedKind::Disconnect(network) => {
            let networks = Value::Array(vec![text(network)]);
            ("disconnect", with(&[("networks", networks)]))
        }
        DeedKind::Isolate => {
            let isolate = target.clone().map(|t| ("isolate".to_owned(), t));
            ("partition", isolate.into_iter().collect())
        }
        DeedKind::Delay => ("delay", with(&[("time", text("100ms"))])),
        DeedKind::Loss => ("loss", with(&[("ratio", text("10%"))])),
        DeedKind::ResetConnections => ("reset_connections", with(&[])),
        DeedKind::Cpu => ("cpu", with(&[("limit", Value::Float(0.1))])),
        DeedKind::Mark => ("external", Table::new()),
    }
}

fn in_words(deed: &Deed) -> String {
    let whom = deed.target.as_deref().unwrap_or_default();
    match &deed.kind {
        DeedKind::Stop => format!("stop {whom}"),
        DeedKind::Kill => format!("kill {whom}"),
        DeedKind::Pause => format!("pause {whom}"),
        DeedKind::Restart => format!("restart {whom}"),
        DeedKind::Disconnect(network) => format!("disconnect {whom} from {network}"),
        DeedKind::Isolate => format!("isolate {whom}"),
        DeedKind::Delay => format!("delay {whom} by 100 ms"),
        DeedKind::Loss => format!("lose 10 % of the packets of {whom}"),
        DeedKind::ResetConnections => format!("reset the connections of {whom}"),
        DeedKind::Cpu => format!("limit {whom} to 0.1 CPU"),
        DeedKind::Mark => "mark".to_owned(),
    }
}

fn at(moment: Offset) -> String {
    seconds(moment.since_zero())
}

fn seconds(time: Duration) -> String {
    format!("{:.3} s", time.as_secs_f64())
}

#[cfg(test)]
#[path = "steer_tests.rs"]
mod tests;
