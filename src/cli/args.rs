//! What can be typed. Its meaning is given to it in the file of each subcommand.

use super::bench::Bench;
use super::follow::Telemetry;
use crate::sample_app::SampleAppArgs;
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use std::path::PathBuf;

const EXAMPLES: &str = "Examples:
  lbtest run scenarios/kill-slave.toml           run one scenario, print its report
  lbtest run scenarios/kill-*.toml --out results run many, one after the other
  lbtest plan scenarios/kill-slave.toml          what would happen and when; starts nothing
  lbtest check scenarios/*.toml compose.yaml     find mistakes in files
  lbtest bench http://127.0.0.1:8080/            load one target, no topology (as wrk, oha, ab, pgbench do)
  lbtest clean                                   remove what any run left behind

Exit codes: 0 pass, 1 a gate failed, 2 usage or a mistake in a file, 3 environment (Docker, ports, images),
4 inconclusive, 130 interrupted.";

/// Failover tests: breaks parts of a compose topology under load and measures what it cost.
#[derive(Debug, Parser)]
#[command(name = "lbtest", version, about, after_help = EXAMPLES, propagate_version = true)]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub common: Common,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
pub struct Common {
    /// No progress, only the result (and errors)
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Form of progress and logs on stderr
    #[arg(
        long,
        global = true,
        value_enum,
        default_value = "text",
        value_name = "FORMAT"
    )]
    pub log_format: LogFormat,
    /// Log more (-v: info, -vv: debug, -vvv: trace)
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// Form of progress and logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people
    Text,
    /// One JSON object per line
    Json,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run scenarios: bring up, load, break, measure, judge, take down
    Run(Run),
    /// Load one URL or DSN, without a topology: like wrk, oha, ab or pgbench, with the figures of `run`
    Bench(Box<Bench>),
    /// Inject one fault by hand into a project that is up; heal it after --for, or on Ctrl-C
    Fault(Fault),
    /// Print the resolved timeline of a scenario; start nothing
    Plan(Plan),
    /// Find mistakes in scenario (.toml) and compose (.yaml) files
    Check(Check),
    /// Bring up a topology and wait until it is ready
    Up(Up),
    /// Take down what `up` brought up
    Down(Down),
    /// Print the report of a run that is over
    Report(Report),
    /// Set runs side by side: what differs, and whether by more than is known
    Compare(Compare),
    /// List past runs
    List(List),
    /// Remove what any run left behind, and what `up` and `run --keep` left up; runs that are alive are spared
    Clean,
    /// Look at the environment: Docker, images, ports; say what to do
    Doctor(Doctor),
    /// Print the JSON Schema of scenario files
    Schema,
    /// Print a completion script for a shell
    Completions(Completions),
    /// The application of the shipped topologies
    #[command(hide = true)]
    SampleApp(SampleAppArgs),
    /// Heals and takes down when its parent dies
    #[command(hide = true)]
    Guardian(Guardian),
    /// Uses something up within a target's control group
    #[command(hide = true)]
    SidecarWorker(SidecarWorker),
    /// Runs a command that ends with its parent
    #[command(hide = true)]
    Leash(Leash),
    /// Breaks a target from within its namespaces, by orders on stdin
    #[command(hide = true)]
    Sidecar(Sidecar),
}

/// `lbtest leash`.
#[derive(Debug, Args)]
pub struct Leash {
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true)]
    pub command: Vec<std::ffi::OsString>,
}

/// `lbtest guardian`.
#[derive(Debug, Args)]
pub struct Guardian {
    /// The journal of the run that it guards
    pub journal: PathBuf,
}

/// `lbtest sidecar-worker`.
#[derive(Debug, Args)]
pub struct SidecarWorker {
    /// What it uses up
    #[command(subcommand)]
    pub task: WorkerTask,
}

/// What a worker uses up.
#[derive(Debug, Subcommand)]
pub enum WorkerTask {
    /// CPU
    Cpu,
    /// Memory
    Memory {
        /// So many bytes
        bytes: u64,
    },
    /// A disk
    Io {
        /// The folder that it writes in
        folder: PathBuf,
    },
}

/// `lbtest sidecar`.
#[derive(Debug, Args)]
pub struct Sidecar {
    /// Undo what a sidecar left that is gone, and end
    #[arg(long, value_name = "JSON")]
    pub mend: Option<String>,
    /// Say what the kernel can do here, and end
    #[arg(long, conflicts_with = "mend")]
    pub probe: bool,
}

/// What changes a scenario.
#[derive(Debug, Clone, Default, Args)]
pub struct Changes {
    /// Override a key of the scenario: run.duration=60s, load.web.rate=50, load[0].rate=50
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    pub set: Vec<(String, String)>,
    /// Seed of every random choice
    #[arg(long)]
    pub seed: Option<u64>,
    /// Leave the faults out: measures the steady state alone
    #[arg(long)]
    pub no_faults: bool,
}

/// Reads `KEY=VALUE`.
pub fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => {
            Ok((key.trim().to_owned(), value.trim().to_owned()))
        }
        Some(_) | None => Err("write KEY=VALUE, for example run.duration=60s".to_owned()),
    }
}

/// `lbtest run`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lbtest run scenarios/kill-slave.toml
  lbtest run scenarios/kill-slave.toml --set run.duration=60s --set load.web.rate=50 --seed 7
  lbtest run scenario.toml --attach myproject    break a project that is already up")]
pub struct Run {
    /// Scenario files, run one after the other
    #[arg(required = true, value_name = "SCENARIO")]
    pub scenarios: Vec<PathBuf>,
    /// Write the results exactly here (several scenarios: a folder in it for each) [default: reports/<scenario>/<time>]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// How progress is shown [default: live on a terminal, else plain]
    #[arg(long, value_enum, value_name = "VIEW")]
    pub ui: Option<Ui>,
    /// What to change
    #[command(flatten)]
    pub changes: Changes,
    /// Measure so many times on one topology, and judge by the medians and their confidence intervals
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=1000))]
    pub repeat: Option<u32>,
    /// Leave the topology running
    #[arg(long)]
    pub keep: bool,
    /// Use a compose project that is already up; it is not taken down
    #[arg(long, value_name = "PROJECT")]
    pub attach: Option<String>,
    /// With --attach: break a project that lbtest did not bring up
    #[arg(long, requires = "attach")]
    pub allow_faults: bool,
    /// Compare with this run (run.json, or its folder), and hold gates such as `<= baseline * 1.2` against it
    #[arg(long, value_name = "PATH")]
    pub baseline: Option<PathBuf>,
    /// Who else is told
    #[command(flatten)]
    pub telemetry: Telemetry,
}

/// How the progress of a run is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Ui {
    /// A few lines that are kept up to date
    Live,
    /// Lines with the time since the start
    Plain,
    /// One JSON object per line
    Json,
    /// The whole terminal, with keys that steer the run: see docs/live.md
    Tui,
}

/// `lbtest fault`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lbtest fault stop --project shop --target app1 --for 10s
  lbtest fault delay --project shop --target 'app*' --for 30s time=50ms jitter=10ms towards=db
  lbtest fault exec --project shop --target app1 'command=[\"rm\", \"/tmp/ready\"]' 'heal=[\"touch\", \"/tmp/ready\"]'

The keys are those of the kind's table in a scenario file: see docs/faults.md.
Exit codes: 0 injected, seen and healed; 2 a mistake in it; 3 not healed, or the environment; 4 no effect was seen;
130 interrupted, and healed.")]
pub struct Fault {
    /// Its kind: stop, kill, pause, restart, start, disconnect, partition, delay, loss, ...
    pub kind: String,
    /// The compose project that is up; not needed for http, command, sql and external
    #[arg(long, short, value_name = "PROJECT")]
    pub project: Option<String>,
    /// Whom it hits: a service, service.2, a glob; several: a,b
    #[arg(long, short, value_name = "TARGET")]
    pub target: Option<String>,
    /// Heal it after this; without: on Ctrl-C
    #[arg(long = "for", value_name = "TIME")]
    pub lasts: Option<String>,
    /// Break a project that lbtest did not bring up
    #[arg(long)]
    pub allow_faults: bool,
    /// Further keys of the kind's table: time=50ms
    #[arg(value_name = "KEY=VALUE", value_parser = key_value)]
    pub keys: Vec<(String, String)>,
}

/// `lbtest plan`.
#[derive(Debug, Args)]
pub struct Plan {
    /// The scenario file
    #[arg(value_name = "SCENARIO")]
    pub scenario: PathBuf,
    /// What to change
    #[command(flatten)]
    pub changes: Changes,
    /// Form of the output
    #[arg(long, value_enum, default_value = "terminal")]
    pub format: PlanFormat,
}

/// Form of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PlanFormat {
    /// A table
    Terminal,
    /// JSON
    Json,
}

/// `lbtest check`.
#[derive(Debug, Args)]
pub struct Check {
    /// Scenario (.toml) and compose (.yaml, .yml) files
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

/// `lbtest up`.
#[derive(Debug, Args)]
pub struct Up {
    /// Compose files (merged), or one scenario
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Compose profiles to turn on
    #[arg(long, value_name = "NAME")]
    pub profile: Vec<String>,
    /// Compose project name
    #[arg(long, short, value_name = "NAME")]
    pub project: Option<String>,
}

/// `lbtest down`.
#[derive(Debug, Args)]
pub struct Down {
    /// Compose files, or one scenario
    #[arg(value_name = "FILE", required_unless_present = "project")]
    pub files: Vec<PathBuf>,
    /// Compose project name
    #[arg(long, short, value_name = "NAME")]
    pub project: Option<String>,
}

/// `lbtest report`.
#[derive(Debug, Args)]
pub struct Report {
    /// run.json, history.ndjson (also of a run that crashed), or the folder that holds them
    #[arg(value_name = "PATH")]
    pub path: PathBuf,
    /// Form of the report
    #[arg(long, value_enum, default_value = "terminal")]
    pub format: ReportFormat,
    /// Write it to this file instead of stdout
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Form of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// For people
    Terminal,
    /// run.json
    Json,
    /// report.md
    Markdown,
    /// report.html
    Html,
    /// junit.xml: a test case for each gate
    Junit,
    /// One value a row, for notebooks; of a history.ndjson also its slots of 100 ms
    Csv,
    /// The same as JSON, an object a line
    Ndjson,
    /// Text for Prometheus
    Openmetrics,
}

/// `lbtest compare`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lbtest compare reports/kill-slave/before reports/kill-slave/after
  lbtest compare main/run.json branch/run.json --format markdown")]
pub struct Compare {
    /// Runs, each a run.json, a history.ndjson or a folder; the others are compared with the first
    #[arg(required = true, num_args = 2.., value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Form of the comparison
    #[arg(long, value_enum, default_value = "terminal")]
    pub format: CompareFormat,
}

/// Form of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CompareFormat {
    /// A table
    Terminal,
    /// For a pull request
    Markdown,
    /// JSON
    Json,
}

/// `lbtest list`.
#[derive(Debug, Args)]
pub struct List {
    /// The folder that holds the results of runs, at any depth [default: reports]
    #[arg(value_name = "DIR")]
    pub folder: Option<PathBuf>,
    /// Form of the list
    #[arg(long, value_enum, default_value = "terminal")]
    pub format: ListFormat,
}

/// Form of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ListFormat {
    /// A table
    Terminal,
    /// JSON
    Json,
}

/// `lbtest doctor`.
#[derive(Debug, Args)]
pub struct Doctor {
    /// Compose files, or one scenario, whose ports are to be looked at
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

/// `lbtest completions`.
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell
    pub shell: Shell,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn an_override_may_hold_an_equals_sign_in_its_value() {
        assert_eq!(key_value("a.b = x=y"), Ok(("a.b".into(), "x=y".into())));
        assert!(key_value("=x").is_err() && key_value("x").is_err());
    }
}
