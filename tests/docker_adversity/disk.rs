//! A disk of a megabyte that can be filled.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

pub struct SmallDisk {
    at: PathBuf,
}

impl SmallDisk {
    pub fn mounted(at: PathBuf) -> Self {
        std::fs::create_dir(&at).unwrap();
        let done = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=1m", "none"])
            .arg(&at)
            .status();
        let mounted = done.is_ok_and(|status| status.success());
        assert!(
            mounted,
            "a small disk can be mounted by root only: run the Docker tests as root"
        );
        Self { at }
    }

    pub fn path(&self) -> &Path {
        &self.at
    }

    /// Takes what is left of it.
    pub fn fill(&self) {
        let mut file = std::fs::File::create(self.at.join("filler")).unwrap();
        while file.write_all(&[1; 4096]).is_ok() {}
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.at).status();
    }
}
