//! Results that are on disk, read with care: a path is whatever somebody typed.

use super::failure::Failure;
use crate::analysis::analyze;
use crate::analysis::result::RunResult;
use crate::history::{History, file};
use crate::report::Reporter;
use crate::report::json::{self, Json};
use crate::run::output::{HISTORY, whole};
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// Largest run.json (or repeat.json) that is read, in bytes: a run of 24 hours takes a tenth of it.
pub const MAX_RESULT: u64 = 256 << 20;
/// Largest history that is read, in bytes.
pub const MAX_HISTORY: u64 = 2 << 30;

/// A run that is over.
#[derive(Debug)]
pub struct Stored {
    /// What was measured, and the verdict.
    pub result: RunResult,
    /// Everything that happened, where it was read from its history.
    pub history: Option<History>,
}

/// The file that holds a run: the path itself, or in a folder run.json, else history.ndjson.
#[must_use]
pub fn file_of(path: &Path) -> PathBuf {
    if !path.is_dir() {
        return path.to_owned();
    }
    let [result, history] = [path.join(Json.file_name()), path.join(HISTORY)];
    if result.exists() || !history.exists() {
        result
    } else {
        history
    }
}

/// Reads a run: a run.json, a history (analysed anew), or the folder of either.
pub fn read(path: &Path) -> Result<Stored, Failure> {
    let path = file_of(path);
    if path.extension().is_some_and(|e| e == "ndjson") {
        regular(&path, MAX_HISTORY)?;
        let history = file::read(&path).map_err(|e| usage(e.to_string()))?;
        return Ok(Stored {
            result: analyze(&history),
            history: Some(history),
        });
    }
    let text = text(&path, MAX_RESULT)?;
    let result = json::read(&text).map_err(|e| unreadable(&path, &e))?;
    Ok(Stored {
        result,
        history: None,
    })
}

/// Reads a text up to a size; of what does not end (a device, a pipe) nothing.
pub fn text(path: &Path, most: u64) -> Result<String, Failure> {
    regular(path, most)?;
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(most + 1).read_to_string(&mut text));
    match read {
        Err(e) => Err(unreadable(path, &e)),
        Ok(n) if u64::try_from(n).is_ok_and(|n| n > most) => Err(too_large(path, most)),
        Ok(_) => Ok(text),
    }
}

/// Refuses what is no regular file, or too large.
fn regular(path: &Path, most: u64) -> Result<(), Failure> {
    let metadata = std::fs::metadata(path).map_err(|e| unreadable(path, &e))?;
    if !metadata.is_file() {
        return Err(unreadable(path, &"it is not a regular file"));
    }
    if metadata.len() > most {
        return Err(too_large(path, most));
    }
    Ok(())
}

fn too_large(path: &Path, most: u64) -> Failure {
    unreadable(path, &format!("it is larger than {} MiB", most >> 20))
}

fn unreadable(path: &Path, why: &dyn std::fmt::Display) -> Failure {
    usage(format!("{}: {why}", path.display()))
}

fn usage(message: String) -> Failure {
    Failure::Usage {
        message,
        help: "give a run.json, a history.ndjson, or the folder of a run".to_owned(),
    }
}

/// Writes a report to a file, whole or not at all.
pub fn write(path: &Path, text: &str) -> Result<(), Failure> {
    // What is there and no regular file (a pipe, /dev/stdout) is written to, not replaced.
    if std::fs::metadata(path).is_ok_and(|m| !m.is_file() && !m.is_dir()) {
        let file = std::fs::OpenOptions::new().write(true).open(path);
        let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
        let failed = |e| Failure::environment(format!("cannot write {}: {e}", path.display()), "");
        return written.map_err(failed);
    }
    whole(&Path::new(".").join(path), text).map_err(|e| Failure::environment(e.to_string(), ""))
}
