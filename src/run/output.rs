//! The folder of a run's results. Every file is written beside its final name and renamed, so that nobody ever
//! reads half of one.

use crate::analysis::result::RunResult;
use crate::report::{ReportError, Reporter, json, markdown};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Name of the history file.
pub const HISTORY: &str = "history.ndjson";

/// The folder.
#[derive(Debug)]
pub struct Output {
    folder: PathBuf,
}

/// Results that could not be written.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// The file or folder cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The report cannot be made.
    #[error(transparent)]
    Report(#[from] ReportError),
}

impl Output {
    /// Makes the folder where it is missing.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub fn create(folder: &Path) -> Result<Self, OutputError> {
        std::fs::create_dir_all(folder).map_err(|source| OutputError::Io {
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
        let reporters: [&dyn Reporter; 2] = [&json::Json, &markdown::Markdown];
        reporters
            .iter()
            .try_for_each(|reporter| self.one(*reporter, result))
    }

    fn one(&self, reporter: &dyn Reporter, result: &RunResult) -> Result<(), OutputError> {
        let text = reporter.render(result)?;
        let path = self.folder.join(reporter.file_name());
        let whole = || {
            let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
            file.write_all(text.as_bytes())?;
            // The temporary file is private to its owner; a report is not.
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
            file.as_file().set_permissions(mode)?;
            file.persist(&path).map_err(|e| e.error)
        };
        whole().map(drop).map_err(|source| OutputError::Io {
            path: path.clone(),
            source,
        })
    }
}
