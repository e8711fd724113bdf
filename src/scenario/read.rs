//! From a file to a [`Scenario`]: parse, apply `--set`, hold against the schema, give every text its meaning.

use super::at::{At, OneOf};
use super::check::Check;
use super::file::{RunTable, ScenarioFile, TopologyKey, json_schema};
use super::origin::Origin;
use super::overrides::{Overrides, apply};
use super::{RunSettings, Scenario, TopologySource, faults, gates, shape, workload};
use crate::plan::Recovery;
use crate::source::{Mistake, SourceFile};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;
use toml::Spanned;
use toml::de::DeTable;

/// What is wrong with a scenario, or with its targets: at least one mistake, each with its place.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}", .0.first().map_or_else(String::new, ToString::to_string))]
pub struct ScenarioError(pub(crate) Vec<Mistake>);

impl ScenarioError {
    /// The mistakes, in the order of the file.
    #[must_use]
    pub fn mistakes(&self) -> &[Mistake] {
        &self.0
    }
}

const WARMUP: Duration = Duration::from_secs(5);
const READY: Duration = Duration::from_secs(120);
/// Source: the definitions of docs/measuring.md.
const RECOVERY: Recovery = Recovery {
    max_error_ratio: 0.01,
    stable_for: Duration::from_secs(5),
    p99_limit: None,
};

/// Reads a scenario, with the environment of this process.
///
/// # Errors
/// All mistakes that can be found at once; an unreadable file is one too.
pub fn read(path: &Path, overrides: &Overrides) -> Result<Scenario, ScenarioError> {
    let env = std::env::vars_os()
        .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
        .collect();
    read_with(path, overrides, &env)
}

/// Reads a scenario, with the given environment.
///
/// # Errors
/// As [`read`].
pub fn read_with(
    path: &Path,
    overrides: &Overrides,
    env: &BTreeMap<String, String>,
) -> Result<Scenario, ScenarioError> {
    let unreadable = |why: String, help: &str| {
        let file = SourceFile::new(path, "");
        ScenarioError(vec![
            Mistake::new(&file, 0..0, format!("cannot read the scenario: {why}")).with_help(help),
        ])
    };
    let text = crate::source::read_text(path).map_err(|e| {
        let help = match e.kind() {
            ErrorKind::InvalidData | ErrorKind::FileTooLarge => {
                "a scenario is a TOML file, in UTF-8"
            }
            _ => "give the path of a scenario file (.toml)",
        };
        unreadable(e.to_string(), help)
    })?;
    parse(&SourceFile::new(path, text), overrides, env)
}

/// Reads a scenario from a text that is already there.
///
/// # Errors
/// As [`read`].
pub fn parse(
    file: &std::sync::Arc<SourceFile>,
    overrides: &Overrides,
    env: &BTreeMap<String, String>,
) -> Result<Scenario, ScenarioError> {
    let (root, origin) = with_options(file, overrides)?;
    let mistakes = shape::mistakes(&json_schema(), &root, &origin);
    if !mistakes.is_empty() {
        return Err(sorted(mistakes));
    }
    let typed = ScenarioFile::deserialize(toml::de::Deserializer::from(root))
        .map_err(|e| ScenarioError(vec![syntax(&origin, &e)]))?;
    let folder = file.path.parent().unwrap_or_else(|| Path::new(""));
    let check = Check {
        origin: &origin,
        folder,
        env,
        mistakes: Vec::new(),
        warnings: Vec::new(),
    };
    meaning(check, &typed, overrides)
}

/// The text as a table, with every `--set` applied, and not yet held against anything: what a file would hold that needs
/// no `--set` (`--seed` is not applied).
///
/// # Errors
/// Where the text is no TOML, or an option's path leads nowhere.
pub fn overridden(
    file: &std::sync::Arc<SourceFile>,
    overrides: &Overrides,
) -> Result<toml::Table, ScenarioError> {
    let (root, origin) = with_options(file, overrides)?;
    toml::Table::deserialize(toml::de::Deserializer::from(root))
        .map_err(|e| ScenarioError(vec![syntax(&origin, &e)]))
}

fn with_options<'i>(
    file: &'i std::sync::Arc<SourceFile>,
    overrides: &'i Overrides,
) -> Result<(Spanned<DeTable<'i>>, Origin), ScenarioError> {
    let mut origin = Origin::new(std::sync::Arc::clone(file));
    let bases: Vec<usize> = overrides
        .set
        .iter()
        .map(|(path, value)| origin.add_option("--set", &format!("{path}={value}")))
        .collect();
    let (mut root, errors) = DeTable::parse_recoverable(&file.text);
    if !errors.is_empty() {
        return Err(ScenarioError(
            errors.iter().take(1).map(|e| syntax(&origin, e)).collect(),
        ));
    }
    for ((path, value), base) in overrides.set.iter().zip(bases) {
        apply(root.get_mut(), &origin, base, path, value).map_err(|m| ScenarioError(vec![m]))?;
    }
    Ok((root, origin))
}

fn syntax(origin: &Origin, error: &toml::de::Error) -> Mistake {
    let message = error.message().lines().collect::<Vec<_>>().join(", ");
    origin
        .mistake(error.span().unwrap_or(0..0), message)
        .with_help("the file is TOML: https://toml.io; `lbtest schema` prints its keys")
}

fn sorted(mut mistakes: Vec<Mistake>) -> ScenarioError {
    mistakes.sort_by_key(|m| m.span.start);
    ScenarioError(mistakes)
}

fn meaning(
    mut check: Check<'_>,
    typed: &ScenarioFile,
    overrides: &Overrides,
) -> Result<Scenario, ScenarioError> {
    scenario_name(&mut check, &typed.name);
    let run = run(&mut check, &typed.run, overrides);
    let recovery = workload::recovery(&mut check, typed.recovery.as_ref(), RECOVERY);
    let topology = typed
        .topology
        .as_ref()
        .and_then(|t| topology(&mut check, t));
    if typed.load.is_empty() {
        check.wrong(
            &typed.name.span,
            "the scenario has no workload",
            "add one: [[load]] with `name`, `rate` and `http` or `postgres`",
        );
    }
    check.names("workload", typed.load.iter().map(|l| &l.name));
    check.names("fault", typed.fault.iter().map(|f| &f.name));
    let duration = run.as_ref().map_or(Duration::MAX, |r| r.duration);
    let loads: Vec<_> = typed
        .load
        .iter()
        .filter_map(|l| workload::read(&mut check, l, recovery, duration))
        .collect();
    let (faults, composites) = faults::read(&mut check, &typed.fault, run.as_ref());
    let gates = gates::read(
        &mut check,
        typed.gate.as_ref(),
        &typed.load,
        &typed.fault,
        typed.run.observe,
    );
    let (Some(run), true) = (run, check.mistakes.is_empty()) else {
        return Err(sorted(check.mistakes));
    };
    Ok(Scenario {
        name: typed.name.value.clone(),
        description: typed.description.clone().unwrap_or_default(),
        file: std::sync::Arc::clone(check.origin.file()),
        origin: check.origin.clone(),
        warnings: check.warnings,
        topology,
        run,
        recovery,
        loads,
        faults,
        composites,
        gates,
    })
}

fn scenario_name(check: &mut Check<'_>, name: &At<String>) {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || name.len() > 80 || !name.chars().all(good) {
        let message = format!("`{}` is not a name for a scenario", name.escape_debug());
        check.wrong(
            &name.span,
            message,
            "1 to 80 letters, digits, `-` and `_`: it names the folder of the reports",
        );
    }
}

fn run(check: &mut Check<'_>, table: &At<RunTable>, overrides: &Overrides) -> Option<RunSettings> {
    let duration = check.positive("duration", Some(&table.duration));
    let warmup = check.duration(table.warmup.as_ref());
    let workers = check.within("workers", table.workers.as_ref(), 1, 1024);
    let duration = duration?;
    let warmup = match (warmup, &table.warmup) {
        (Some(warmup), Some(at)) if warmup >= duration => {
            let help =
                format!("the run lasts {duration:?}, warm-up included; nothing would be judged");
            check.wrong(&at.span, "the warm-up is as long as the run", help);
            return None;
        }
        (Some(warmup), _) => warmup,
        (None, Some(_)) => return None,
        (None, None) => WARMUP.min(duration / 4),
    };
    Some(RunSettings {
        warmup,
        duration,
        seed: overrides
            .seed
            .or(table.seed.as_ref().map(|s| s.value))
            .unwrap_or(1),
        workers: workers.and_then(|w| usize::try_from(w).ok()),
        observe: table.observe,
    })
}

fn topology(check: &mut Check<'_>, key: &At<TopologyKey>) -> Option<TopologySource> {
    let none = (Vec::new(), None, BTreeMap::new(), READY);
    let (files, (profiles, project, env, ready_timeout)) = match &key.value {
        OneOf::One(one) => (
            vec![At {
                span: key.span.clone(),
                value: one.clone(),
            }],
            none,
        ),
        OneOf::Many(many) => (many.clone(), none),
        OneOf::Table(table) => {
            let files = match &table.files.value {
                OneOf::One(one) => vec![At {
                    span: table.files.span.clone(),
                    value: one.clone(),
                }],
                OneOf::Many(many) => many.clone(),
                OneOf::Table(never) => match *never {},
            };
            let ready = check
                .positive("ready_timeout", table.ready_timeout.as_ref())
                .unwrap_or(READY);
            if let Some(project) = &table.project {
                project_name(check, project);
            }
            (
                files,
                (
                    table.profiles.clone(),
                    table.project.as_ref().map(|p| p.value.clone()),
                    table.env.clone(),
                    ready,
                ),
            )
        }
    };
    if files.is_empty() {
        check.wrong(
            &key.span,
            "`topology` names no file",
            "name a compose file, or leave `topology` out",
        );
        return None;
    }
    for file in &files {
        if !check.path(file).is_file() {
            let help = format!(
                "paths are relative to the scenario's folder; looked at {}",
                check.path(file).display()
            );
            check.wrong(
                &file.span,
                format!("there is no compose file `{}`", file.escape_debug()),
                help,
            );
        }
    }
    let files = files.iter().map(|f| check.path(f)).collect();
    Some(TopologySource {
        files,
        profiles,
        project,
        env,
        ready_timeout,
        span: key.span.clone(),
    })
}

/// Source: the compose specification, "name".
fn project_name(check: &mut Check<'_>, project: &At<String>) {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    let starts = project.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    if !starts || !project.chars().all(good) {
        let message = format!("`{}` is not a compose project name", project.escape_debug());
        check.wrong(
            &project.span,
            message,
            "lower case letters, digits, `-` and `_`, starting with a letter or digit",
        );
    }
}
