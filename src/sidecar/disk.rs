//! A folder of the target that is full: one file takes what is free.
//!
//! The folder is reached through /proc/1/root, the root of the target's first process, whose process namespace the
//! sidecar is in; or under `LBTEST_ROOT`, where the target's volumes are mounted into the sidecar itself.

use super::act::Act;
use super::clock::monotonic_ns;
use super::figures::megabytes;
use super::protocol::{Done, Fill};
use async_trait::async_trait;
use rustix::fs::{
    AtFlags, CWD, FallocateFlags, FileType, Mode, OFlags, ResolveFlags, fallocate, fdatasync,
    fstat, fstatvfs, ftruncate, openat, openat2, statat, unlinkat,
};
use rustix::io::{Errno, write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

const ROOT: &str = "/proc/1/root";
const ROOT_VARIABLE: &str = "LBTEST_ROOT";
/// What is written at once where space cannot be reserved. Free space is looked at before each.
const CHUNK: u64 = 1 << 20;
/// Writing is given up after this long: a sidecar that writes hears no order.
const PATIENCE: Duration = Duration::from_secs(60);
/// Blocks of a file are counted in these, whatever the file system's own are. Source: stat(2).
const BLOCK: u64 = 512;

/// The folder, held open: a rename of it does not lose the file.
#[derive(Debug)]
struct Place {
    folder: OwnedFd,
    file: String,
    /// For messages.
    named: String,
}

/// How space was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Reserved,
    Written,
}

impl Way {
    const fn named(self) -> &'static str {
        match self {
            Self::Reserved => "fallocate",
            Self::Written => "zeros written",
        }
    }
}

/// A file that fills a folder.
#[derive(Debug)]
struct Filled {
    place: Arc<Place>,
    way: Way,
}

/// Takes what is free in a folder.
///
/// # Errors
/// The folder is not there, the file is, nothing can be taken, or the disk refuses; then nothing stays.
pub async fn fill(fill: Fill) -> Result<(Box<dyn Act>, Done), String> {
    let filled = blocking(move || {
        let place = Place::open(&root(), &fill)?;
        let from_ns = monotonic_ns();
        let way = place.take(&fill)?;
        let until_ns = monotonic_ns();
        let filled = Filled {
            place: Arc::new(place),
            way,
        };
        let done = Done {
            from_ns,
            until_ns,
            ..filled.place.seen(way)?
        };
        Ok((filled, done))
    });
    let (filled, done) = filled.await?;
    Ok((Box::new(filled), done))
}

/// Removes a file that somebody before us left.
///
/// # Errors
/// It cannot be removed, or is no file of ours.
pub async fn mend_leftover(fill: &Fill) -> Result<Done, String> {
    let fill = fill.clone();
    blocking(move || Place::open(&root(), &fill)?.remove()).await
}

#[async_trait]
impl Act for Filled {
    async fn look(&mut self) -> Result<Done, String> {
        let (place, way) = (Arc::clone(&self.place), self.way);
        blocking(move || place.seen(way)).await
    }

    async fn mend(&mut self) -> Result<Done, String> {
        let place = Arc::clone(&self.place);
        blocking(move || place.remove()).await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|e| format!("filling a folder: {e}"))?
}

fn root() -> PathBuf {
    std::env::var_os(ROOT_VARIABLE).map_or_else(|| ROOT.into(), PathBuf::from)
}

impl Place {
    /// Opens the folder. Whatever links are in its path, it stays below the root.
    fn open(root: &std::path::Path, fill: &Fill) -> Result<Self, String> {
        let (folder, file) = (&fill.folder, &fill.file);
        if file.is_empty() || file.contains('/') || file == "." || file == ".." {
            return Err(format!("`{file}` is not the name of a file"));
        }
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
        let top = openat(CWD, root, flags | OFlags::PATH, Mode::empty())
            .map_err(|e| format!("cannot reach the target's files at {}: {e}", root.display()))?;
        let within = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let opened = openat2(&top, folder.as_str(), flags, Mode::empty(), within);
        Ok(Self {
            folder: opened.map_err(|e| match e {
                Errno::NOENT => format!("folder {folder} does not exist in the target"),
                Errno::NOTDIR => format!("{folder} is not a folder in the target"),
                e => format!("cannot open folder {folder} of the target: {e}"),
            })?,
            file: file.clone(),
            named: format!("{}/{file}", folder.trim_end_matches('/')),
        })
    }

    /// Bytes that the target can still write: what is reserved for the administrator is not counted.
    fn free(&self) -> Result<u64, String> {
        let all = fstatvfs(&self.folder)
            .map_err(|e| format!("cannot see how much is free beside {}: {e}", self.named))?;
        Ok(all.f_bavail.saturating_mul(all.f_frsize))
    }

    fn take(&self, fill: &Fill) -> Result<Way, String> {
        let free = self.free()?;
        if fill.bytes.min(free.saturating_sub(fill.leave)) == 0 {
            return Err(format!(
                "nothing can be taken in {}: {} free, {} to be left",
                fill.folder,
                megabytes(free),
                megabytes(fill.leave)
            ));
        }
        let flags =
            OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(
            &self.folder,
            self.file.as_str(),
            flags,
            Mode::from_raw_mode(0o600),
        )
        .map_err(|e| match e {
            Errno::EXIST => format!("{} is already there", self.named),
            e => format!("cannot make {}: {e}", self.named),
        })?;
        self.take_into(&file, fill).inspect_err(|_| {
            // The error is what counts; what cannot be removed is removed by the one that cleans up.
            let _ = self.remove();
        })
    }

    fn take_into(&self, file: &OwnedFd, fill: &Fill) -> Result<Way, String> {
        let refused = |e: Errno| format!("cannot fill {}: {e}", self.named);
        let want = fill.bytes.min(self.free()?.saturating_sub(fill.leave));
        let way = match fallocate(file, FallocateFlags::empty(), 0, want) {
            Ok(()) => Way::Reserved,
            // The file system cannot, or somebody else was quicker.
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL | Errno::NOSPC | Errno::DQUOT) => {
                ftruncate(file, 0).map_err(refused)?;
                self.write_zeros(file, fill)?;
                Way::Written
            }
            Err(e) => return Err(refused(e)),
        };
        // A file system's own records take space too, and somebody else may have written meanwhile.
        let short = fill.leave.saturating_sub(self.free()?);
        if short > 0 {
            let size = size(file).map_err(refused)?;
            ftruncate(file, size.saturating_sub(short)).map_err(refused)?;
        }
        match size(file).map_err(refused)? {
            0 => Err(format!(
                "nothing can be taken for {}: somebody else took it",
                self.named
            )),
            _ => Ok(way),
        }
    }

    fn write_zeros(&self, file: &OwnedFd, fill: &Fill) -> Result<(), String> {
        let zeros = vec![0_u8; usize::try_from(CHUNK).unwrap_or(1 << 20)];
        let mut left = fill.bytes;
        let began = Instant::now();
        loop {
            if began.elapsed() > PATIENCE {
                return Err(format!(
                    "{} took longer than {} s to write, {} are missing",
                    self.named,
                    PATIENCE.as_secs(),
                    megabytes(left)
                ));
            }
            let now = CHUNK.min(left).min(self.free()?.saturating_sub(fill.leave));
            let chunk = zeros
                .get(..usize::try_from(now).unwrap_or(0))
                .unwrap_or(&[]);
            if chunk.is_empty() {
                break;
            }
            match write(file, chunk) {
                Ok(written) => left = left.saturating_sub(written as u64),
                Err(Errno::INTR) => {}
                Err(Errno::NOSPC | Errno::DQUOT) => break,
                Err(e) => return Err(format!("cannot fill {}: {e}", self.named)),
            }
        }
        match fdatasync(file) {
            Ok(()) | Err(Errno::NOSPC | Errno::DQUOT) => Ok(()),
            Err(e) => Err(format!("cannot fill {}: {e}", self.named)),
        }
    }

    /// The file as the file system shows it, and what is left beside it.
    fn seen(&self, way: Way) -> Result<Done, String> {
        let from_ns = monotonic_ns();
        let taken = match statat(&self.folder, self.file.as_str(), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => u64::try_from(stat.st_blocks).unwrap_or(0) * BLOCK,
            Err(Errno::NOENT) => 0,
            Err(e) => return Err(format!("cannot look at {}: {e}", self.named)),
        };
        let free = self.free()?;
        Ok(Done {
            from_ns,
            until_ns: monotonic_ns(),
            mechanism: way.named().to_owned(),
            seen: format!("{} taken, {} left free", megabytes(taken), megabytes(free)),
            count: taken,
            abilities: None,
        })
    }

    /// Removes the file. Where it is not there, nothing is to be done.
    fn remove(&self) -> Result<Done, String> {
        let look = || statat(&self.folder, self.file.as_str(), AtFlags::SYMLINK_NOFOLLOW);
        let cannot = |e: Errno| format!("cannot remove {}: {e}", self.named);
        let from_ns = monotonic_ns();
        let given_back = match look() {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile => {
                match unlinkat(&self.folder, self.file.as_str(), AtFlags::empty()) {
                    Ok(()) | Err(Errno::NOENT) => {}
                    Err(e) => return Err(cannot(e)),
                }
                u64::try_from(stat.st_blocks).unwrap_or(0) * BLOCK
            }
            Ok(_) => return Err(format!("{} is no file of ours: left as it is", self.named)),
            Err(Errno::NOENT) => 0,
            Err(e) => return Err(cannot(e)),
        };
        let until_ns = monotonic_ns();
        match look() {
            Err(Errno::NOENT) => {}
            Err(e) => return Err(cannot(e)),
            Ok(_) => return Err(format!("{} is still there", self.named)),
        }
        Ok(Done {
            from_ns,
            until_ns,
            mechanism: "unlink".to_owned(),
            seen: format!(
                "{} given back, {} free",
                megabytes(given_back),
                megabytes(self.free()?)
            ),
            count: given_back,
            abilities: None,
        })
    }
}

fn size(file: impl AsFd) -> Result<u64, Errno> {
    Ok(u64::try_from(fstat(file)?.st_size).unwrap_or(0))
}

#[cfg(test)]
#[path = "disk_tests.rs"]
mod tests;
