//! How a project is, as seen by those who have no part in it: the engine, the kernel, the application, the database.

use super::eyes::{Eyes, Seen};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// What was seen, by what was looked at.
pub type Snapshot = BTreeMap<String, String>;

/// Folders of which the files count: where faults of the test write.
const FOLDERS: [&str; 2] = ["data", "tmp"];

pub fn take(eyes: &Eyes, marks: &Path) -> Snapshot {
    let mut all = Snapshot::new();
    for seen in eyes.containers() {
        if let Some(target) = &seen.beside {
            all.insert(format!("sidecar beside {target}"), seen.name.clone());
            continue;
        }
        let of = |what: &str| format!("{}: {what}", seen.service);
        all.insert(of("state"), seen.state.clone());
        all.insert(of("networks"), seen.networks.clone());
        if let Some(pid) = seen.pid {
            inside(&mut all, &seen, pid, &of);
        }
    }
    all.insert("files of commands".to_owned(), listing(marks));
    all.insert("application".to_owned(), eyes.application());
    all.insert("locks".to_owned(), eyes.locks());
    all
}

fn inside(all: &mut Snapshot, seen: &Seen, pid: u32, of: &dyn Fn(&str) -> String) {
    all.insert(of("limits"), limits(&seen.id, pid));
    all.insert(of("nft"), within(pid, &["nft", "list", "tables"]));
    let qdisc = within(pid, &["tc", "qdisc", "show"]);
    // An interface that was taken off has another number when it is back.
    let kinds = qdisc.lines().filter_map(|l| l.split_whitespace().nth(1));
    all.insert(of("qdisc"), kinds.collect::<Vec<_>>().join(" "));
    for folder in FOLDERS {
        let root = Path::new("/proc").join(pid.to_string()).join("root");
        all.insert(
            of(folder),
            listing(&root.join(folder.trim_start_matches('/'))),
        );
    }
    let (stopped, foreign) = processes(&seen.id);
    all.insert(of("stopped processes"), stopped);
    all.insert(of("processes of lbtest"), foreign);
}

fn within(pid: u32, command: &[&str]) -> String {
    let output = Command::new("nsenter")
        .args(["-t", &pid.to_string(), "-n"])
        .args(command)
        .output()
        .expect("nsenter, nft and tc: .ci/prerequisites test");
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn listing(folder: &Path) -> String {
    let Ok(files) = std::fs::read_dir(folder) else {
        return "absent".to_owned();
    };
    let mut names: Vec<_> = files
        .flatten()
        .map(|f| f.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names.join(" ")
}

/// What the kernel holds the container to, in the files of its control groups, v1 or v2.
fn limits(id: &str, pid: u32) -> String {
    const FILES: [&str; 6] = [
        "cpu/{}/cpu.cfs_quota_us",
        "cpu/{}/cpu.cfs_period_us",
        "memory/{}/memory.limit_in_bytes",
        "memory/{}/memory.memsw.limit_in_bytes",
        "{}/cpu.max",
        "{}/memory.max",
    ];
    let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    let path = groups
        .lines()
        .filter_map(|l| l.splitn(3, ':').nth(2))
        .find_map(|path| Some(&path[..path.find(id)? + id.len()]));
    // `docker-ID.scope` with systemd's driver.
    let path = path.map(|p| p.trim_start_matches('/').to_owned());
    let Some(path) = path else {
        return "no control group".to_owned();
    };
    let scoped = |p: &str| {
        ["", ".scope"].into_iter().find_map(|end| {
            let file = FILES_ROOT.to_owned() + &p.replace("{}", &format!("{path}{end}"));
            std::fs::read_to_string(file).ok()
        })
    };
    let all: Vec<_> = FILES
        .iter()
        .filter_map(|f| Some(format!("{f}={}", scoped(f)?.trim())))
        .collect();
    assert!(!all.is_empty(), "no file of the control group {path}");
    all.join(" ")
}

const FILES_ROOT: &str = "/sys/fs/cgroup/";

/// Of a container's processes: those that stand still, and those of lbtest that are not the sample application.
fn processes(id: &str) -> (String, String) {
    let (mut stopped, mut foreign) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let text = |name: &str| std::fs::read_to_string(entry.path().join(name));
        if !text("cgroup").is_ok_and(|groups| groups.contains(id)) {
            continue;
        }
        let (Ok(stat), Ok(line)) = (text("stat"), text("cmdline")) else {
            continue;
        };
        let line = line.replace('\0', " ");
        let state = stat.rsplit_once(") ").map(|(_, rest)| rest.to_owned());
        if state.is_some_and(|rest| rest.starts_with(['T', 't'])) {
            stopped.push(line.clone());
        }
        if line.contains("lbtest") && !line.contains("sample-app") {
            foreign.push(line);
        }
    }
    (stopped.join(", "), foreign.join(", "))
}
