//! `make bench`: lbtest beside its peers, in one run on one machine. What is measured, and what the figures mean, is in
//! docs/bench.md.
//!
//! Servers run on CPU 0, clients on CPU 1, one at a time, in alternating order over several rounds; medians and ratios are
//! printed and kept, dated, in benches/results/. A goal that is missed is a result; only what could not be measured is an
//! error.

mod bench;
mod children;
mod client;
mod error;
mod experiments;
mod figures;
mod machine;
mod options;
mod programs;
mod results;
mod section;
mod servers;
mod stop;
mod tools;

use bench::Bench;
use error::BenchError;
use experiments::Experiment;
use options::Asked;
use std::io::Write;
use std::process::ExitCode;

/// As of `lbtest run`: something is missing or did not do its part.
const NOT_MEASURED: u8 = 3;
/// As of a shell that was interrupted.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    match measure() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("bench: {error}"));
            ExitCode::from(if matches!(error, BenchError::Interrupted) {
                INTERRUPTED
            } else {
                NOT_MEASURED
            })
        }
    }
}

fn measure() -> Result<(), BenchError> {
    let asked = options::read(std::env::args().skip(1), |name| std::env::var(name).ok())?;
    let Asked::Measure(options) = asked else {
        say("peers: not started by `cargo bench`: nothing is measured");
        return Ok(());
    };
    let bench = Bench::new(options)?;
    raise_descriptor_limit();
    servers::recorder::stay_on(bench::SERVER_CPU)?;
    let mut last = Ok(());
    for &experiment in &bench.options.experiments {
        say(&format!("{}:", experiment.key()));
        match one(&bench, experiment) {
            Ok(()) => {}
            Err(BenchError::Interrupted) => return Err(BenchError::Interrupted),
            // The others can be measured nevertheless.
            Err(error) => {
                say(&format!("bench: {}: {error}", experiment.key()));
                last = Err(BenchError::Nothing(experiment.key().to_owned()));
            }
        }
    }
    last
}

fn one(bench: &Bench, experiment: Experiment) -> Result<(), BenchError> {
    let section = experiment.run(bench)?;
    writeln!(std::io::stdout(), "{}", section.terminal())?;
    if bench.options.smoke {
        return Ok(());
    }
    let date = jiff::Zoned::now().strftime("%Y-%m-%d").to_string();
    let path = results::put(&date, &section.markdown(&bench.machine.sentence()))?;
    say(&format!("written: {}", path.display()));
    Ok(())
}

/// Progress and errors, beside the result.
fn say(what: &str) {
    // Where nobody can be told, the result still can be written.
    let _ = writeln!(std::io::stderr(), "{what}");
}

/// A server that stalls has thousands of connections.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let _ = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: maximum,
            maximum,
        },
    );
}
