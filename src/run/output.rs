//! The folder of a run's results. Every file is written beside its final name and renamed, so that nobody ever
//! reads half of one.

use crate::analysis::result::RunResult;
use crate::report::{Reporter, json, markdown};
use std::io;
use std::path::{Path, PathBuf};

/// Name of the history file.
pub const HISTORY: &str = "history.ndjson";
/// Name of the result file.
pub const RESULT: &str = "run.json";

/// The folder.
#[derive(Debug)]
pub struct Output {
    folder: PathBuf,
}

/// Results that could not be written; names the file.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}: {source}", path.display())]
pub struct OutputError {
    /// The file or folder.
    pub path: PathBuf,
    /// Why.
    pub source: io::Error,
}

impl Output {
    /// Makes the folder where it is missing.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub fn create(folder: &Path) -> Result<Self, OutputError> {
        std::fs::create_dir_all(folder).map_err(|source| OutputError {
            path: folder.to_owned(),
            source,
        })?;
        Ok(Self {
            folder: folder.to_owned(),
        })
    }

    /// Where the history goes.
    #[must_use]
    pub fn history(&self) -> PathBuf {
        self.folder.join(HISTORY)
    }

    /// Writes every report.
    ///
    /// # Errors
    /// Where one cannot be written.
    pub fn write(&self, result: &RunResult) -> Result<(), OutputError> {
        self.one(RESULT, &json::Json, result)?;
        self.one("report.md", &markdown::Markdown, result)
    }

    fn one(
        &self,
        name: &str,
        reporter: &dyn Reporter,
        result: &RunResult,
    ) -> Result<(), OutputError> {
        let path = self.folder.join(name);
        let whole = || {
            let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
            reporter.render(result, &mut file)?;
            // The temporary file is private to its owner; a report is not.
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
            file.as_file().set_permissions(mode)?;
            file.persist(&path).map_err(|e| e.error)
        };
        whole().map(drop).map_err(|source| OutputError {
            path: path.clone(),
            source,
        })
    }
}
