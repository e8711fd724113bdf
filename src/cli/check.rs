//! `lbtest check`: many files at once, all of their mistakes.

use super::args::{Check, Common};
use super::exit::Exit;
use super::failure::Failure;
use super::{diagnostics, output, topology};
use crate::run::RunError;
use crate::scenario::{self, Overrides};
use crate::source::Mistake;
use std::path::Path;

/// Checks every file and says of each whether it is good.
pub fn run(args: &Check, common: &Common) -> Result<Exit, Failure> {
    let mut worst = Exit::Pass;
    for file in &args.files {
        match one(file) {
            Ok(warnings) => {
                diagnostics::print_warnings(&warnings);
                if !common.quiet {
                    output::stdout(&format!(
                        "{}: ok\n",
                        output::inert(&file.display().to_string())
                    ));
                }
            }
            Err(failure) => {
                diagnostics::print_failure(&failure);
                worst = worst.worst(failure.exit());
            }
        }
    }
    Ok(worst)
}

fn one(file: &Path) -> Result<Vec<Mistake>, Failure> {
    match file.extension().and_then(|e| e.to_str()) {
        Some("toml") => {
            let scenario = scenario::read(file, &Overrides::default())?;
            let read = topology::of_scenario(&scenario)?;
            let resolved =
                crate::plan::resolve(&scenario, read.as_ref().map(|r| &r.topology), true)?;
            crate::load::check(&scenario.loads).map_err(RunError::Load)?;
            topology::lacking(&topology::what_is_missing(&resolved.plan)?)?;
            let mut warnings = resolved.warnings;
            warnings.extend(read.into_iter().flat_map(|r| r.warnings));
            Ok(warnings)
        }
        Some("yaml" | "yml") => {
            Ok(topology::read(&topology::compose_files(&[file.to_path_buf()]))?.warnings)
        }
        Some(_) | None => Err(Failure::Usage {
            message: format!(
                "{} is neither a scenario nor a compose file",
                file.display()
            ),
            help: "scenarios end in .toml, compose files in .yaml or .yml".to_owned(),
        }),
    }
}
