//! `lbtest fault`: one fault by hand. What was typed becomes the text of a scenario with this one fault, and is read as
//! any other.

use super::args::{Common, Fault};
use super::exit::Exit;
use super::failure::Failure;
use super::session::{self, Session};
use super::{output, topology};
use crate::history::FaultRecord;
use crate::notice::Notice;
use crate::plan::Plan;
use crate::run::Spec;
use crate::run::by_hand::{Done, by_hand};
use crate::scenario::{self, Overrides, Scenario};
use crate::source::SourceFile;
use std::path::Path;
use toml::{Table, Value};

/// Injects one fault, waits, heals it.
pub fn run(args: &Fault, common: &Common) -> Result<Exit, Failure> {
    let text = text_of(args);
    let file = SourceFile::new(Path::new("<lbtest fault>"), text);
    let env = std::env::vars().collect();
    let mut scenario = scenario::parse(&file, &Overrides::default(), &env)?;
    // A scenario must have a workload, and this one has none.
    scenario.loads.clear();
    session::run(common, async |session| {
        let spec = spec(args, scenario).await?;
        let done = by_hand(&spec, &session.notices, &session.stop).await?;
        session.notices.settle().await;
        Ok(said(&spec.plan, &done, &session))
    })
}

fn text_of(args: &Fault) -> String {
    let mut kind = Table::new();
    if let Some(target) = &args.target {
        kind.insert("target".to_owned(), target_of(target));
    }
    for (key, value) in &args.keys {
        kind.insert(key.clone(), value_of(value));
    }
    scenario::one_fault(&args.kind, &args.kind, kind, args.lasts.as_deref())
}

/// A glob, a list by commas, TOML as it stands in a scenario, or a name.
fn target_of(text: &str) -> Value {
    if text.starts_with(['{', '[']) {
        return value_of(text);
    }
    let one = |name: &str| Value::String(name.trim().to_owned());
    if text.contains(',') {
        return Value::Array(text.split(',').map(one).collect());
    }
    if text.contains(['*', '?']) {
        return Value::Table(Table::from_iter([("all_of".to_owned(), one(text))]));
    }
    one(text)
}

/// A TOML value as it stands in a scenario, or else a text.
fn value_of(text: &str) -> Value {
    let read: Result<Table, _> = toml::from_str(&format!("value = {text}"));
    let value = read.ok().and_then(|mut table| table.remove("value"));
    value.unwrap_or_else(|| Value::String(text.to_owned()))
}

async fn spec(args: &Fault, scenario: Scenario) -> Result<Spec, Failure> {
    let topology = match &args.project {
        Some(project) => Some(topology::of_project(project).await?),
        None => None,
    };
    let resolved = crate::plan::resolve(&scenario, topology.as_ref(), true)?;
    if let Some(project) = &args.project {
        topology::given_to_break(project, args.allow_faults, &resolved.plan).await?;
    }
    Ok(Spec {
        scenario,
        attach: topology.is_some(),
        topology,
        plan: resolved.plan,
        out: None,
        keep: true,
        ready_within: None,
    })
}

fn said(plan: &Plan, done: &Done, session: &Session) -> Exit {
    for problem in &done.problems {
        session.notices.tell(Notice::Warning(problem.clone()));
    }
    for record in &done.records {
        let name = plan.faults.get(record.index).map_or("", |f| &f.name);
        for target in &record.targets {
            let seen = target.confirmed.as_deref().unwrap_or("no effect was seen");
            let healed = target.heal_confirmed.as_deref();
            let healed = healed.map_or_else(String::new, |h| format!("; healed: {h}"));
            let early = target.ended_early.as_deref();
            let early = early.map_or_else(String::new, |e| format!("; {e}"));
            let error = target.error.as_deref();
            let error = error.map_or_else(String::new, |e| format!("; {e}"));
            let line = format!("{name}: {}: {seen}{early}{healed}{error}\n", target.service);
            output::stdout(&output::inert(&line));
        }
    }
    let unhealed = |r: &FaultRecord| {
        r.targets
            .iter()
            .any(|t| t.heal.is_some() && t.heal_confirmed.is_none())
    };
    let cut_short = |r: &FaultRecord| r.targets.iter().any(|t| t.ended_early.is_some());
    if !done.problems.is_empty() || done.records.iter().any(unhealed) {
        Exit::Environment
    } else if session.stop.is_cancelled() {
        Exit::Interrupted
    } else if done.records.is_empty()
        || done.records.iter().any(cut_short)
        || !done.records.iter().all(FaultRecord::confirmed)
    {
        Exit::Inconclusive
    } else {
        Exit::Pass
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_becomes_a_scenario_that_is_read_as_any_other() {
        let args = Fault {
            kind: "kill".into(),
            project: None,
            target: Some("app1, app2".into()),
            lasts: Some("10s".into()),
            allow_faults: false,
            keys: vec![("signal".into(), "SIGTERM".into())],
        };
        let file = SourceFile::new(Path::new("typed"), text_of(&args));
        let read = scenario::parse(&file, &Overrides::default(), &Default::default());
        let scenario = read.unwrap_or_else(|e| panic!("{}: {e:?}", file.text));
        let fault = &scenario.faults[0];
        assert_eq!(fault.heal_after, Some(std::time::Duration::from_secs(10)));
        let choice = &fault.target.as_ref().unwrap().choice;
        assert_eq!(
            *choice,
            scenario::TargetChoice::Services(vec!["app1".into(), "app2".into()])
        );
    }

    #[test]
    fn a_value_is_toml_where_it_can_be_and_a_text_otherwise() {
        assert_eq!(value_of("2"), Value::Integer(2));
        assert_eq!(value_of("50ms"), Value::String("50ms".into()));
        assert_eq!(value_of("[\"a b\"]"), Value::Array(vec!["a b".into()]));
        assert!(matches!(target_of("app*"), Value::Table(_)));
    }
}
