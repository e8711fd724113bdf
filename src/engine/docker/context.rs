//! The build context as a tar in memory, without what `.dockerignore` names.

use crate::compose::topology::Build;
use globset::{GlobBuilder, GlobMatcher};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::io;
use std::path::{Component, Path, PathBuf};

/// Name of a Dockerfile in the tar that is not one of the context's files.
const FOREIGN_DOCKERFILE: &str = ".lbtest.Dockerfile";

/// A context, ready to be sent.
pub struct Context {
    /// The tar.
    pub tar: Vec<u8>,
    /// Path of the Dockerfile in it.
    pub dockerfile: String,
    /// Text of the Dockerfile.
    pub text: String,
    /// SHA-256 of the tar, in hex.
    pub hash: String,
}

/// Packs a context. Owners and times are left out, so that equal contents make equal tars.
///
/// # Errors
/// A file that cannot be read, or a pattern that is none; the message names it.
pub fn pack(build: &Build) -> io::Result<Context> {
    let (dockerfile, text, foreign) = dockerfile(build)?;
    let ignore = Ignore::read(&build.context, &dockerfile)?;
    let mut tar = tar::Builder::new(Vec::new());
    tar.follow_symlinks(false);
    let always = [dockerfile.clone(), ".dockerignore".to_owned()];
    let mut walk = Walk {
        root: &build.context,
        ignore: &ignore,
        always: &always,
        skip_ignore_file: foreign,
    };
    walk.folder(Path::new(""), &mut tar)?;
    if foreign {
        // It must not be copied into the image by `COPY . .`: the builder leaves out what .dockerignore names.
        let patterns = format!("{}\n.dockerignore\n{FOREIGN_DOCKERFILE}\n", ignore.text);
        append_bytes(&mut tar, FOREIGN_DOCKERFILE, text.as_bytes())?;
        append_bytes(&mut tar, ".dockerignore", patterns.as_bytes())?;
    }
    let tar = tar.into_inner()?;
    let hash = hex(&Sha256::digest(&tar));
    Ok(Context {
        tar,
        dockerfile,
        text,
        hash,
    })
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// Its path in the tar, its text, and whether it comes from outside the context.
fn dockerfile(build: &Build) -> io::Result<(String, String, bool)> {
    if let Some(text) = &build.dockerfile_inline {
        return Ok((FOREIGN_DOCKERFILE.into(), text.clone(), true));
    }
    let relative = build
        .dockerfile
        .clone()
        .unwrap_or_else(|| PathBuf::from("Dockerfile"));
    let path = build.context.join(&relative);
    let text = std::fs::read_to_string(&path).map_err(|e| about(&path, &e))?;
    match clean(path.strip_prefix(&build.context).unwrap_or(&path)) {
        Some(inside) => Ok((inside, text, false)),
        None => Ok((FOREIGN_DOCKERFILE.into(), text, true)),
    }
}

/// A relative path without `.` and `..`; none where it leaves its root.
fn clean(path: &Path) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(part) => parts.push(part.to_str()?),
            Component::CurDir => {}
            Component::ParentDir => {
                parts.pop()?;
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(parts.join("/"))
}

fn about(path: &Path, e: &io::Error) -> io::Error {
    io::Error::new(e.kind(), format!("{}: {e}", path.display()))
}

struct Walk<'a> {
    root: &'a Path,
    ignore: &'a Ignore,
    always: &'a [String],
    skip_ignore_file: bool,
}

impl Walk<'_> {
    fn folder(&mut self, relative: &Path, tar: &mut tar::Builder<Vec<u8>>) -> io::Result<()> {
        let folder = self.root.join(relative);
        let mut entries = std::fs::read_dir(&folder)
            .and_then(Iterator::collect::<io::Result<Vec<_>>>)
            .map_err(|e| about(&folder, &e))?;
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let inside = relative.join(entry.file_name());
            let name = inside.to_string_lossy().into_owned();
            if self.skip_ignore_file && name == ".dockerignore" {
                continue;
            }
            let excluded = self.ignore.excludes(&name) && !self.always.contains(&name);
            let kind = entry.file_type().map_err(|e| about(&entry.path(), &e))?;
            if !excluded {
                append(tar, &entry.path(), &inside)?;
            }
            // Below an excluded folder something may be taken in again, or be the Dockerfile.
            let look_below = !excluded
                || self.ignore.has_exceptions
                || self
                    .always
                    .iter()
                    .any(|path| path.starts_with(&format!("{name}/")));
            if kind.is_dir() && look_below {
                self.folder(&inside, tar)?;
            }
        }
        Ok(())
    }
}

fn append(tar: &mut tar::Builder<Vec<u8>>, path: &Path, inside: &Path) -> io::Result<()> {
    let meta = std::fs::symlink_metadata(path).map_err(|e| about(path, &e))?;
    let mut header = tar::Header::new_gnu();
    header.set_metadata_in_mode(&meta, tar::HeaderMode::Complete);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    if meta.is_file() {
        let content = std::fs::read(path).map_err(|e| about(path, &e))?;
        header.set_size(content.len() as u64);
        tar.append_data(&mut header, inside, content.as_slice())
    } else if meta.is_dir() {
        header.set_size(0);
        tar.append_data(&mut header, inside, io::empty())
    } else if meta.file_type().is_symlink() {
        header.set_size(0);
        tar.append_link(
            &mut header,
            inside,
            std::fs::read_link(path).map_err(|e| about(path, &e))?,
        )
    } else {
        // Sockets and pipes: docker's own client leaves them out too.
        Ok(())
    }
}

fn append_bytes(tar: &mut tar::Builder<Vec<u8>>, name: &str, content: &[u8]) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    tar.append_data(&mut header, name, content)
}

/// The patterns of a `.dockerignore`: the last one that matches a path, or a folder it is in, decides.
struct Ignore {
    patterns: Vec<(GlobMatcher, bool)>,
    has_exceptions: bool,
    text: String,
}

impl Ignore {
    /// `<Dockerfile>.dockerignore` where there is one, else `.dockerignore`.
    fn read(context: &Path, dockerfile: &str) -> io::Result<Self> {
        for name in [
            format!("{dockerfile}.dockerignore"),
            ".dockerignore".to_owned(),
        ] {
            let path = context.join(name);
            match std::fs::read_to_string(&path) {
                Ok(text) => return Self::parse(&text).map_err(|e| about(&path, &e)),
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(about(&path, &e)),
            }
        }
        Self::parse("")
    }

    fn parse(text: &str) -> io::Result<Self> {
        let mut patterns = Vec::new();
        for line in text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
        {
            let (exception, pattern) = match line.strip_prefix('!') {
                Some(rest) => (true, rest.trim()),
                None => (false, line),
            };
            let Some(pattern) =
                clean(Path::new(pattern.trim_start_matches('/'))).filter(|p| !p.is_empty())
            else {
                continue;
            };
            // Go's patterns have no alternatives: a brace is a brace.
            let pattern = pattern.replace('{', "[{]").replace('}', "[}]");
            let glob = GlobBuilder::new(&pattern)
                .literal_separator(true)
                .backslash_escape(true)
                .build()
                .map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?;
            patterns.push((glob.compile_matcher(), exception));
        }
        let has_exceptions = patterns.iter().any(|(_, exception)| *exception);
        Ok(Self {
            patterns,
            has_exceptions,
            text: text.to_owned(),
        })
    }

    fn excludes(&self, path: &str) -> bool {
        let matches = |glob: &GlobMatcher| {
            Path::new(path)
                .ancestors()
                .filter(|p| !p.as_os_str().is_empty())
                .any(|p| glob.is_match(p))
        };
        self.patterns
            .iter()
            .rev()
            .find(|(glob, _)| matches(glob))
            .is_some_and(|(_, exception)| !exception)
    }
}

#[cfg(test)]
#[path = "context_tests.rs"]
mod tests;
