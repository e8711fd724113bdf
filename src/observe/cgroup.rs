//! What the containers' control groups have used, read from the kernel's own files: some ten microseconds a look, where
//! the engine's stream of statistics costs it milliseconds of CPU for each container and second.
//!
//! v1: `cpuacct.usage` (nanoseconds) and `memory.usage_in_bytes`, each in a tree of its own; v2: `usage_usec` of `cpu.stat`
//! and `memory.current`, in one. A container's folder bears its id, whatever else stands in its name
//! (`docker/<id>`, `docker-<id>.scope`): it is looked for by that. Memory is as the kernel accounts it, page cache
//! included.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where the trees are mounted.
pub const ROOT: &str = "/sys/fs/cgroup";
/// Only the root of a v2 tree has it.
const UNIFIED: &str = "cgroup.controllers";
/// Groups of groups: a machine in a container in a pod is not this deep.
const DEEPEST: usize = 12;

/// One container's control group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    cpu: PathBuf,
    memory: PathBuf,
    unified: bool,
}

/// What it has used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Used {
    /// CPU time since it was made.
    pub cpu: Duration,
    /// Bytes now; none where the kernel does not account for them.
    pub memory: Option<u64>,
    /// Tells it from a later one of the same name: a container that is started again has a new one.
    pub generation: u64,
}

/// The groups of containers, by id; those that are not there are left out.
#[must_use]
pub fn find(root: &Path, ids: &[&str]) -> BTreeMap<String, Group> {
    let mut found = BTreeMap::new();
    let unified = root.join(UNIFIED).exists();
    let Some(cpu) = tree(root, unified, "cpuacct") else {
        return found;
    };
    let memory = tree(root, unified, "memory").unwrap_or_default();
    walk(&cpu, ids, DEEPEST, &mut |id: &str, folder: &Path| {
        let within = folder.strip_prefix(&cpu).unwrap_or(folder);
        let group = Group {
            cpu: folder.to_owned(),
            memory: memory.join(within),
            unified,
        };
        found.insert(id.to_owned(), group);
    });
    found
}

/// The root of the tree of a controller.
fn tree(root: &Path, unified: bool, controller: &str) -> Option<PathBuf> {
    if unified {
        return Some(root.to_owned());
    }
    let named = |folder: &PathBuf| {
        let name = folder.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.split(',').any(|part| part == controller))
    };
    folders(root).into_iter().find(named)
}

fn folders(of: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(of) else {
        return Vec::new();
    };
    let entries = entries.flatten();
    // Not through links: a v1 tree may have a second name.
    let folders = entries.filter(|e| e.file_type().is_ok_and(|kind| kind.is_dir()));
    folders.map(|e| e.path()).collect()
}

fn walk(folder: &Path, ids: &[&str], deep: usize, found: &mut impl FnMut(&str, &Path)) {
    for inner in folders(folder) {
        let name = inner.file_name().and_then(|name| name.to_str());
        let id = name.and_then(|name| ids.iter().find(|id| is_of(name, id)));
        match id {
            Some(id) => found(id, &inner),
            None if deep > 0 => walk(&inner, ids, deep - 1, found),
            None => {}
        }
    }
}

/// `<id>`, `docker-<id>.scope`: not systemd's mount units, which bear it too, nor podman's monitor.
fn is_of(name: &str, id: &str) -> bool {
    let name = name.strip_suffix(".scope").unwrap_or(name);
    name.strip_suffix(id).is_some_and(|before| {
        before.is_empty() || before.ends_with('-') && !before.ends_with("conmon-")
    })
}

impl Group {
    /// What it has used; none while it is not there: its container does not run.
    #[must_use]
    pub fn used(&self) -> Option<Used> {
        let generation = fs::metadata(&self.cpu).ok()?.ino();
        let (cpu, memory) = if self.unified {
            let stat = fs::read_to_string(self.cpu.join("cpu.stat")).ok()?;
            let micros = stat
                .lines()
                .find_map(|line| line.strip_prefix("usage_usec "))?;
            (
                Duration::from_micros(micros.trim().parse().ok()?),
                "memory.current",
            )
        } else {
            let nanos = fs::read_to_string(self.cpu.join("cpuacct.usage")).ok()?;
            (
                Duration::from_nanos(nanos.trim().parse().ok()?),
                "memory.usage_in_bytes",
            )
        };
        let memory = fs::read_to_string(self.memory.join(memory)).ok();
        Some(Used {
            cpu,
            memory: memory.and_then(|text| text.trim().parse().ok()),
            generation,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn a_group_is_found_by_its_containers_id_in_trees_of_both_versions() {
        let v1 = tempfile::tempdir().unwrap();
        let docker = format!("docker/{ID}");
        write(
            v1.path(),
            &format!("cpu,cpuacct/{docker}/cpuacct.usage"),
            "1500000000\n",
        );
        write(
            v1.path(),
            &format!("memory/{docker}/memory.usage_in_bytes"),
            "4096\n",
        );
        let v2 = tempfile::tempdir().unwrap();
        let scope = format!("system.slice/docker-{ID}.scope");
        write(v2.path(), UNIFIED, "cpu memory\n");
        write(
            v2.path(),
            &format!("{scope}/cpu.stat"),
            "usage_usec 1500000\nuser_usec 1\n",
        );
        write(v2.path(), &format!("{scope}/memory.current"), "4096\n");
        for root in [v1.path(), v2.path()] {
            let found = find(root, &["feed", ID]);
            assert_eq!(found.len(), 1, "{root:?}");
            let used = found[ID].used().unwrap();
            assert_eq!(
                (used.cpu, used.memory),
                (Duration::from_millis(1500), Some(4096))
            );
        }
    }

    #[test]
    fn a_group_that_is_gone_has_used_nothing_and_where_there_is_no_tree_none_is_found() {
        let root = tempfile::tempdir().unwrap();
        assert!(find(root.path(), &[ID]).is_empty());
        let file = format!("cpuacct/docker/{ID}/cpuacct.usage");
        write(root.path(), &file, "7");
        let group = &find(root.path(), &[ID])[ID];
        assert_eq!(group.used().unwrap().memory, None);
        fs::remove_dir_all(root.path().join("cpuacct/docker")).unwrap();
        assert_eq!(group.used(), None);
    }
}
