//! The target's control group: where it is, who is in it, and how a process gets into it.
//!
//! cgroup v1 has one tree for each controller, each with a folder for the container; v2 has one tree. The folder's
//! name holds the container's id with every runtime: `docker/ID` (cgroupfs), `system.slice/docker-ID.scope` (systemd).

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The v1 trees that meter what a stress uses up. Not the freezer: what is frozen there cannot be killed. Not
/// devices and pids: they meter nothing of it, and the runtime takes whom it finds in devices for the container's own.
const METERS: &[&str] = &["cpu", "cpuacct", "cpuset", "memory", "blkio"];
const MEMBERS: &str = "cgroup.procs";
/// Only the root of a v2 tree and its groups have it.
const UNIFIED: &str = "cgroup.controllers";
/// An id is 64 hexadecimal digits; fewer than this could name more than one container.
const SHORTEST_ID: usize = 12;
/// Groups of groups: a machine in a container in a pod is not this deep.
const DEEPEST: usize = 12;

/// The folders of one container's control group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cgroup {
    folders: Vec<PathBuf>,
    /// The container's folders in v1 trees that nobody enters: the runtime removes them as the container ends.
    signs: Vec<PathBuf>,
    unified: bool,
}

impl Cgroup {
    /// Looks for it below a root, usually /sys/fs/cgroup.
    ///
    /// # Errors
    /// No folder has the id in its name, or a tree cannot be read.
    pub fn find(root: &Path, container: &str) -> Result<Self, String> {
        if container.len() < SHORTEST_ID || !container.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(format!("`{container}` is not the id of a container"));
        }
        let unreadable = |e: io::Error| format!("cannot read {}: {e}", root.display());
        let unified = root.join(UNIFIED).exists();
        let (trees, others) = if unified {
            (vec![root.to_owned()], Vec::new())
        } else {
            let all = folders_of(root).map_err(unreadable)?;
            all.into_iter().partition(|tree| meters(tree))
        };
        let in_each = |trees: Vec<PathBuf>| -> Vec<PathBuf> {
            trees.iter().filter_map(|t| below(t, container)).collect()
        };
        let (folders, signs) = (in_each(trees), in_each(others));
        if folders.is_empty() {
            return Err(format!(
                "the control group of container {} is not under {}: does it run, and does the sidecar see the host's tree?",
                &container[..SHORTEST_ID],
                root.display()
            ));
        }
        Ok(Self {
            folders,
            signs,
            unified,
        })
    }

    /// Puts a process into every folder.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn enter(&self, pid: u32) -> Result<(), String> {
        for folder in &self.folders {
            let members = folder.join(MEMBERS);
            File::options()
                .append(true)
                .open(&members)
                .and_then(|mut file| file.write_all(format!("{pid}\n").as_bytes()))
                .map_err(|e| format!("cannot put a process into {}: {e}", members.display()))?;
        }
        Ok(())
    }

    /// The kernel lists the process in every folder.
    #[must_use]
    pub fn holds(&self, pid: u32) -> bool {
        let pid = pid.to_string();
        self.folders.iter().all(|folder| {
            fs::read_to_string(folder.join(MEMBERS))
                .is_ok_and(|text| text.lines().any(|line| line == pid))
        })
    }

    /// The container itself still runs, beside these processes of ours.
    #[must_use]
    pub fn lives_beside(&self, ours: &[u32]) -> bool {
        if !self.unified {
            // The kernel does not list processes of other namespaces here.
            return self.signs.is_empty() || self.signs.iter().any(|folder| folder.exists());
        }
        let ours: Vec<String> = ours.iter().map(u32::to_string).collect();
        self.folders.iter().any(|folder| has_others(folder, &ours))
    }

    /// How many processes the kernel has killed in it because memory ran out, as far as it says so.
    #[must_use]
    pub fn memory_kills(&self) -> u64 {
        let file = if self.unified {
            "memory.events"
        } else {
            "memory.oom_control"
        };
        self.folders
            .iter()
            .filter_map(|folder| fs::read_to_string(folder.join(file)).ok())
            .flat_map(|text| {
                text.lines()
                    .filter_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
                    .collect::<Vec<u64>>()
            })
            .sum()
    }

    /// `cgroup v2`, or which trees of v1.
    #[must_use]
    pub fn named(&self) -> &'static str {
        if self.unified {
            "cgroup v2"
        } else {
            "cgroup v1"
        }
    }
}

/// Processes of other namespaces are listed as 0. A container may have groups of its own.
fn has_others(folder: &Path, ours: &[String]) -> bool {
    let members = fs::read_to_string(folder.join(MEMBERS)).unwrap_or_default();
    members
        .lines()
        .any(|line| !ours.iter().any(|pid| pid == line))
        || folders_of(folder)
            .unwrap_or_default()
            .iter()
            .any(|inner| has_others(inner, ours))
}

/// `cpu`, or `cpu,cpuacct` where two controllers share a tree.
fn meters(tree: &Path) -> bool {
    tree.file_name()
        .and_then(|name| name.to_str())
        .is_some_and(|name| name.split(',').any(|part| METERS.contains(&part)))
}

/// The first folder, from the top, with the id in its name.
fn below(tree: &Path, container: &str) -> Option<PathBuf> {
    let mut waiting = VecDeque::from([(tree.to_owned(), 0)]);
    while let Some((folder, depth)) = waiting.pop_front() {
        for inner in folders_of(&folder).unwrap_or_default() {
            let name = inner.file_name().and_then(|n| n.to_str());
            if name.is_some_and(|name| name.contains(container)) {
                return Some(inner);
            }
            if depth < DEEPEST {
                waiting.push_back((inner, depth + 1));
            }
        }
    }
    None
}

/// Links are left out: `cpu` is one to `cpu,cpuacct` on many machines.
fn folders_of(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef";

    fn tree(files: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().expect("a folder");
        for file in files {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, "").expect("written");
        }
        root
    }

    #[test]
    fn every_metering_tree_of_v1_is_entered_and_no_other() {
        let root = tree(&[
            "cpu,cpuacct/docker/0123456789abcdef/cgroup.procs",
            "memory/docker/0123456789abcdef/cgroup.procs",
            "freezer/docker/0123456789abcdef/cgroup.procs",
            "unified/docker/0123456789abcdef/cgroup.procs",
        ]);
        std::os::unix::fs::symlink("cpu,cpuacct", root.path().join("cpu")).expect("linked");
        let group = Cgroup::find(root.path(), ID).expect("found");
        assert_eq!(group.folders.len(), 2);
        assert_eq!(group.named(), "cgroup v1");
        assert!(!group.holds(42));
        group.enter(42).expect("entered");
        group.enter(43).expect("entered");
        assert!(group.holds(42) && group.holds(43) && !group.holds(4));
        let freezer = root
            .path()
            .join("freezer/docker/0123456789abcdef/cgroup.procs");
        assert_eq!(fs::read_to_string(&freezer).expect("read"), "");
        assert!(group.lives_beside(&[42, 43]));
        for tree in ["freezer", "unified"] {
            let folder = root.path().join(tree).join("docker/0123456789abcdef");
            fs::remove_dir_all(folder).expect("removed");
        }
        assert!(!group.lives_beside(&[42, 43]));
    }

    #[test]
    fn the_one_tree_of_v2_is_found_by_what_a_scope_holds() {
        let root = tree(&[
            "cgroup.controllers",
            "cpu/fedcba9876543210/cgroup.procs",
            "system.slice/docker-0123456789abcdef.scope/cgroup.procs",
        ]);
        let group = Cgroup::find(root.path(), ID).expect("found");
        let scope = root
            .path()
            .join("system.slice/docker-0123456789abcdef.scope");
        assert_eq!(group.folders.first(), Some(&scope));
        assert_eq!(group.folders.len(), 1);
        assert_eq!((group.named(), group.memory_kills()), ("cgroup v2", 0));
        fs::write(scope.join("memory.events"), "oom 3\noom_kill 2\n").expect("written");
        assert_eq!(group.memory_kills(), 2);
        group.enter(42).expect("entered");
        assert!(!group.lives_beside(&[42]) && group.lives_beside(&[4]));
        let inner = scope.join("init.scope");
        fs::create_dir(&inner).expect("made");
        fs::write(inner.join("cgroup.procs"), "0\n").expect("written");
        assert!(group.lives_beside(&[42]));
    }

    #[test]
    fn a_container_that_is_nowhere_and_an_id_that_is_none_are_errors() {
        let root = tree(&["memory/docker/cgroup.procs"]);
        let said = Cgroup::find(root.path(), ID).expect_err("nowhere");
        assert!(
            said.contains("container 0123456789ab is not under"),
            "{said}"
        );
        for id in ["", "docker", "0123", "../0123456789abcdef"] {
            let said = Cgroup::find(root.path(), id).expect_err("no id");
            assert!(said.contains("is not the id of a container"), "{said}");
        }
    }
}
