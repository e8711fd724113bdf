//! Arguments, one file per subcommand, exit codes, diagnostics.

mod args;
mod baseline;
mod bench;
mod check;
mod clean;
mod compare;
mod completions;
mod diagnostics;
mod doctor;
mod down;
pub mod exit;
mod failure;
mod fault;
mod follow;
pub mod github;
mod guardian;
mod leash;
mod list;
mod logging;
pub mod output;
mod plan;
mod repeat;
mod report;
mod run;
mod sample_app;
mod schema;
mod session;
mod sidecar;
mod sidecar_worker;
mod stored;
mod topology;
mod up;

pub use exit::Exit;
pub use failure::Failure;

use args::{Cli, Command};
use clap::Parser;
use std::process::ExitCode;

/// Parses, dispatches, and says how it ended.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => {
            // `--help` and `--version` are "errors" too, with their own code and stream.
            let _ = e.print();
            return if e.use_stderr() {
                Exit::Usage.into()
            } else {
                Exit::Pass.into()
            };
        }
    };
    logging::start(&cli.common);
    match dispatch(&cli) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            diagnostics::print_failure(&failure);
            failure.exit().into()
        }
    }
}

fn dispatch(cli: &Cli) -> Result<Exit, Failure> {
    let common = &cli.common;
    match &cli.command {
        Command::Run(args) => run::run(args, common),
        Command::Bench(args) => bench::run(args, common),
        Command::Fault(args) => fault::run(args, common),
        Command::Plan(args) => plan::run(args),
        Command::Check(args) => check::run(args, common),
        Command::Up(args) => up::run(args, common),
        Command::Down(args) => down::run(args, common),
        Command::Report(args) => report::run(args),
        Command::Compare(args) => compare::run(args),
        Command::List(args) => list::run(args),
        Command::Clean => clean::run(common),
        Command::Doctor(args) => doctor::run(args, common),
        Command::Schema => schema::run(),
        Command::Completions(args) => completions::run(args),
        Command::SampleApp(args) => sample_app::run(args),
        Command::Guardian(args) => guardian::run(args),
        Command::Leash(args) => leash::run(args),
        Command::SidecarWorker(args) => sidecar_worker::run(args),
        Command::Sidecar(args) => sidecar::run(args),
    }
}
