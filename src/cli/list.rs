//! `lbtest list`: the runs that are on disk. Needs no Docker.

use super::args::{List, ListFormat};
use super::exit::Exit;
use super::failure::Failure;
use super::{output, stored};
use crate::report::listing::{self, Listed, ListedRun};
use std::path::{Path, PathBuf};

/// Folders are looked into so deep: `reports/<scenario>/<time>/<repeat>/`, and one more.
const DEEPEST: usize = 5;
/// No more folders than this are looked into: somebody may have named the root of a file system.
const MOST: usize = 20_000;

/// Prints past runs, newest first.
pub fn run(args: &List) -> Result<Exit, Failure> {
    let folder = args
        .folder
        .clone()
        .unwrap_or_else(|| PathBuf::from("reports"));
    if !folder.is_dir() {
        return Err(Failure::Usage {
            message: format!("{}: there is no such folder", folder.display()),
            help: "give the folder that holds the results of runs; without one it is reports/"
                .to_owned(),
        });
    }
    let (mut folders, mut problems) = (Vec::new(), Vec::new());
    let mut looked_into = 0;
    find(
        &folder,
        DEEPEST,
        &mut looked_into,
        &mut folders,
        &mut problems,
    );
    let mut runs: Vec<_> = folders.iter().map(|folder| listed(folder)).collect();
    let newest_first = |l: &Listed| std::cmp::Reverse(l.run.as_ref().map(|r| r.started_at));
    runs.sort_by_key(newest_first);
    runs.extend(problems);
    let text = match args.format {
        ListFormat::Json => {
            listing::json(&runs).map_err(|e| Failure::environment(e.to_string(), ""))?
        }
        ListFormat::Terminal if runs.is_empty() => format!(
            "no runs in {}\n",
            output::inert(&folder.display().to_string())
        ),
        ListFormat::Terminal => listing::terminal(&runs, output::terminal_report().width),
    };
    output::stdout(&text);
    Ok(Exit::Pass)
}

/// Every folder with a run in it. Links are not followed: they may go round in circles.
fn find(
    folder: &Path,
    depth: usize,
    looked_into: &mut usize,
    found: &mut Vec<PathBuf>,
    problems: &mut Vec<Listed>,
) {
    *looked_into += 1;
    if *looked_into > MOST {
        return;
    }
    if stored::file_of(folder).exists() {
        found.push(folder.to_owned());
    }
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) => {
            problems.push(Listed {
                path: folder.display().to_string(),
                run: None,
                problem: Some(e.to_string()),
            });
            return;
        }
    };
    if depth == 0 {
        return;
    }
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|t| t.is_dir()) {
            find(&entry.path(), depth - 1, looked_into, found, problems);
        }
    }
}

fn listed(folder: &Path) -> Listed {
    let path = folder.display().to_string();
    match stored::read(folder) {
        Ok(stored) => Listed {
            path,
            run: Some(ListedRun::of(&stored.result)),
            problem: stored
                .history
                .map(|_| "it has no run.json: lbtest died, or is still at it".to_owned()),
        },
        Err(failure) => Listed {
            path,
            run: None,
            problem: Some(failure.to_string()),
        },
    }
}
