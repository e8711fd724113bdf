//! lbtest's own image: a tar of the executable and what it is linked to, imported without a base image, a
//! registry or a builder. The sample application, helpers and load agents run from it.

use super::error::Named;
use super::{Docker, EngineError, context, labels};
use crate::notice::{Notice, Notices};
use bollard::query_parameters::{CreateImageOptions, RemoveImageOptionsBuilder};
use futures_util::StreamExt;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

/// The image's name.
pub const SELF_IMAGE: &str = "lbtest:self";
/// Where the executable is in it; on the default PATH, so that a healthcheck can say `["CMD", "lbtest", …]`.
pub const EXECUTABLE: &str = "/usr/local/bin/lbtest";
/// Changes whenever the image is put together differently: an image of an earlier form is then made anew.
const FORM: &str = "1";

/// Small files that programs expect: (path, content).
const FILES: &[(&str, &str)] = &[
    (
        "etc/passwd",
        "root:x:0:0:root:/root:/usr/sbin/nologin\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n",
    ),
    ("etc/group", "root:x:0:\nnogroup:x:65534:\n"),
    (
        "etc/nsswitch.conf",
        "passwd: files\ngroup: files\nhosts: files dns\n",
    ),
];
/// Certificate bundles by distribution; the first that exists goes in under its own path.
const BUNDLES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
];

impl Docker {
    /// Makes `lbtest:self` from lbtest's executable, unless the image of just this executable is there.
    ///
    /// # Errors
    /// An executable that cannot be read, or the engine's refusal.
    pub async fn ensure_self_image(&self, notices: &Notices) -> Result<(), EngineError> {
        self.ensure_image_of(&self.shared.executable, SELF_IMAGE, notices)
            .await
    }

    /// Makes an image like `lbtest:self` under another name.
    ///
    /// # Errors
    /// An executable that cannot be read, or the engine's refusal.
    pub async fn ensure_image_of(
        &self,
        executable: &Path,
        image: &str,
        notices: &Notices,
    ) -> Result<(), EngineError> {
        let unreadable = |e: io::Error| EngineError::Refused {
            what: format!("making image {image} from {}", executable.display()),
            answer: e.to_string(),
        };
        let path = executable.to_owned();
        let (content, input) = blocking(move || {
            let content = std::fs::read(&path)?;
            let input = format!("{FORM}-{}", context::hex(&Sha256::digest(&content)));
            Ok((content, input))
        })
        .await
        .map_err(unreadable)?;
        let previous = self.look_at_image(image).await?;
        let known = previous
            .as_ref()
            .and_then(|p| p.config.as_ref())
            .and_then(|c| c.labels.as_ref());
        if known.is_some_and(|labels| labels.get(labels::INPUT) == Some(&input)) {
            return Ok(());
        }
        notices.tell(Notice::Info(format!(
            "making image {image} from lbtest's own executable"
        )));
        let tar = blocking(move || pack(&content)).await.map_err(unreadable)?;
        self.import(image, &input, tar).await?;
        if let Some(id) = previous.and_then(|p| p.id) {
            // The image of an earlier executable has no name any more. It stays where something still uses it.
            let options = RemoveImageOptionsBuilder::new().build();
            let _ = self.client.remove_image(&id, Some(options), None).await;
        }
        Ok(())
    }

    async fn import(&self, image: &str, input: &str, tar: Vec<u8>) -> Result<(), EngineError> {
        let (repo, tag) = image.rsplit_once(':').unwrap_or((image, "latest"));
        let options = CreateImageOptions {
            from_src: Some("-".into()),
            repo: Some(repo.to_owned()),
            tag: Some(tag.to_owned()),
            changes: vec![
                format!("ENTRYPOINT [\"{EXECUTABLE}\"]"),
                format!("LABEL {}=self {}={input}", labels::IMAGE, labels::INPUT),
            ],
            ..CreateImageOptions::default()
        };
        let body = bollard::body_full(tar.into());
        let mut stream = std::pin::pin!(self.client.create_image(Some(options), Some(body), None));
        while let Some(info) = stream.next().await {
            info.doing(|| format!("importing image {image}"))?;
        }
        Ok(())
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(io::Error::other)?
}

/// The root file system: the executable, the libraries that this program has mapped (an executable that is not the
/// running one must be linked to no others), the ELF interpreter, certificates, and a place for temporary files.
fn pack(executable: &[u8]) -> io::Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    for folder in ["tmp/", "root/", "etc/"] {
        let mut header = header(
            tar::EntryType::Directory,
            0,
            if folder == "tmp/" { 0o1777 } else { 0o755 },
        );
        tar.append_data(&mut header, folder, io::empty())?;
    }
    for (path, content) in FILES {
        add(&mut tar, Path::new(path), content.as_bytes(), 0o644)?;
    }
    add(&mut tar, Path::new(EXECUTABLE), executable, 0o755)?;
    let maps = std::fs::read_to_string("/proc/self/maps")?;
    let mut files = libraries(&maps);
    files.extend(name_service_modules(&files));
    files.extend(interpreter(executable));
    for file in &files {
        add(&mut tar, file, &std::fs::read(file)?, 0o755)?;
        for link in links_to(file) {
            let mut header = header(tar::EntryType::Symlink, 0, 0o777);
            tar.append_link(&mut header, relative(&link), file)?;
        }
    }
    if let Some((path, bundle)) = BUNDLES
        .iter()
        .find_map(|path| Some((path, std::fs::read(path).ok()?)))
    {
        add(&mut tar, Path::new(path), &bundle, 0o644)?;
    }
    tar.into_inner()
}

fn header(kind: tar::EntryType, size: u64, mode: u32) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(mode);
    header
}

fn add(tar: &mut tar::Builder<Vec<u8>>, path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    tar.append_data(
        &mut header(tar::EntryType::Regular, content.len() as u64, mode),
        relative(path),
        content,
    )
}

fn relative(path: &Path) -> &Path {
    path.strip_prefix("/").unwrap_or(path)
}

/// Files that are mapped executable and are shared libraries by name. The running executable is not: it goes in
/// under its own path.
fn libraries(maps: &str) -> BTreeSet<PathBuf> {
    maps.lines()
        .filter_map(|line| {
            let path = &line[line.find('/')?..];
            let permissions = line.split_whitespace().nth(1)?;
            let name = path.rsplit('/').next()?;
            let library = name.ends_with(".so") || name.contains(".so.");
            (permissions.contains('x') && library && !path.ends_with(" (deleted)"))
                .then(|| PathBuf::from(path))
        })
        .collect()
}

/// Before glibc 2.34 name resolution was in libraries that are loaded on first use, so not mapped yet.
fn name_service_modules(libraries: &BTreeSet<PathBuf>) -> Vec<PathBuf> {
    let Some(folder) = libraries
        .iter()
        .find(|l| l.ends_with("libc.so.6"))
        .and_then(|l| l.parent())
    else {
        return Vec::new();
    };
    ["libnss_dns.so.2", "libnss_files.so.2", "libresolv.so.2"]
        .into_iter()
        .map(|name| folder.join(name))
        .filter(|path| path.is_file())
        .collect()
}

/// A library is looked for by its soname, which may be a link to the file that was mapped.
fn links_to(file: &Path) -> Vec<PathBuf> {
    let Some(entries) = file
        .parent()
        .and_then(|folder| std::fs::read_dir(folder).ok())
    else {
        return Vec::new();
    };
    entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            path.is_symlink() && std::fs::canonicalize(path).is_ok_and(|target| target == file)
        })
        .collect()
}

/// The path in the PT_INTERP segment of a 64-bit little-endian ELF file. Source: elf(5).
fn interpreter(elf: &[u8]) -> Option<PathBuf> {
    const PT_INTERP: u64 = 3;
    let number = |at: usize, size: usize| -> Option<u64> {
        let bytes = elf.get(at..at.checked_add(size)?)?;
        Some(
            bytes
                .iter()
                .rev()
                .fold(0, |n, byte| n << 8 | u64::from(*byte)),
        )
    };
    let position = |at: usize, size: usize| usize::try_from(number(at, size)?).ok();
    if elf.get(..6)? != b"\x7fELF\x02\x01" {
        return None;
    }
    let (table, entry_size, entries) = (position(0x20, 8)?, position(0x36, 2)?, position(0x38, 2)?);
    (0..entries).find_map(|i| {
        let entry = table.checked_add(i.checked_mul(entry_size)?)?;
        if number(entry, 4)? != PT_INTERP {
            return None;
        }
        let (offset, size) = (
            position(entry.checked_add(8)?, 8)?,
            position(entry.checked_add(32)?, 8)?,
        );
        let text = std::str::from_utf8(elf.get(offset..offset.checked_add(size)?)?).ok()?;
        Some(PathBuf::from(text.trim_end_matches('\0')))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_shared_libraries_that_are_mapped_for_execution_go_in() {
        let maps = "\
55-56 r-xp 00000000 08:01 1    /usr/bin/thing
7f-80 r--p 00000000 08:01 2    /usr/lib/libdata.so.1
7f-80 r-xp 00000000 08:01 3    /usr/lib/with space/libc.so.6
7f-80 r-xp 00000000 08:01 4    /usr/lib/libgone.so.1 (deleted)
7f-80 rw-p 00000000 00:00 0    [heap]
7f-80 r-xp 00000000 00:00 0    [vdso]";
        assert_eq!(
            libraries(maps),
            [PathBuf::from("/usr/lib/with space/libc.so.6")].into()
        );
    }

    #[test]
    fn the_interpreter_of_this_very_program_is_a_file() {
        let own = std::fs::read(std::env::current_exe().expect("own path")).expect("own bytes");
        // A static build has none, and needs none.
        if let Some(path) = interpreter(&own) {
            assert!(path.is_absolute() && path.exists(), "{}", path.display());
        }
    }

    #[test]
    fn a_file_that_is_no_elf_has_no_interpreter_and_does_no_harm() {
        for bytes in [
            &b""[..],
            b"#!/bin/sh",
            b"\x7fELF\x02\x01",
            &[0xff; 64],
            &[b"\x7fELF\x02\x01".as_slice(), &[0xff; 90]].concat(),
        ] {
            assert_eq!(interpreter(bytes), None);
        }
    }

    #[test]
    fn the_image_holds_the_executable_where_the_entrypoint_says() {
        let tar = pack(b"not really").expect("a tar");
        let mut archive = tar::Archive::new(tar.as_slice());
        let paths: Vec<PathBuf> = archive
            .entries()
            .expect("entries")
            .map(|e| e.expect("an entry").path().expect("a path").into_owned())
            .collect();
        assert!(paths.contains(&relative(Path::new(EXECUTABLE)).to_owned()));
        assert!(paths.iter().any(|p| p.ends_with("etc/nsswitch.conf")));
    }
}
