//! The folder of a run's results. Every file is written beside its final name and renamed, so that nobody ever
//! reads half of one. There may be none: then nothing is written.

use crate::analysis::result::RunResult;
use crate::report::{ReportError, Reporter, html, json, junit, markdown};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Name of the history file.
pub const HISTORY: &str = "history.ndjson";

/// The folder.
#[derive(Debug)]
pub struct Output {
    folder: Option<PathBuf>,
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
    pub fn create(folder: Option<&Path>) -> Result<Self, OutputError> {
        if let Some(folder) = folder {
            std::fs::create_dir_all(folder).map_err(|source| OutputError::Io {
                path: folder.to_owned(),
                source,
            })?;
        }
        Ok(Self {
            folder: folder.map(Path::to_owned),
        })
    }

    /// Where the history goes, where it is written.
    #[must_use]
    pub fn history(&self) -> Option<PathBuf> {
        self.folder.as_ref().map(|folder| folder.join(HISTORY))
    }

    /// Writes every report.
    ///
    /// # Errors
    /// Where one cannot be written.
    pub fn write(&self, result: &RunResult) -> Result<(), OutputError> {
        let Some(folder) = &self.folder else {
            return Ok(());
        };
        let reporters: [&dyn Reporter; 4] =
            [&json::Json, &markdown::Markdown, &html::Html, &junit::Junit];
        reporters
            .iter()
            .try_for_each(|reporter| one(folder, *reporter, result))
    }
}

fn one(folder: &Path, reporter: &dyn Reporter, result: &RunResult) -> Result<(), OutputError> {
    let text = reporter.render(result)?;
    whole(&folder.join(reporter.file_name()), &text)
}

/// Writes a file whole or not at all.
///
/// # Errors
/// It cannot be written.
pub fn whole(path: &Path, text: &str) -> Result<(), OutputError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let whole = || {
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(text.as_bytes())?;
        // The temporary file is private to its owner; a report is not.
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        file.as_file().set_permissions(mode)?;
        file.persist(path).map_err(|e| e.error)
    };
    whole().map(drop).map_err(|source| OutputError::Io {
        path: path.to_owned(),
        source,
    })
}
