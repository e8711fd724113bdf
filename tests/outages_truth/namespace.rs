//! A network that the test owns: addresses whose packets vanish at will, and names of its own.
//!
//! The test executable is run again, for one test, by `unshare`: everything made here ends with that process.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::Command;

/// Where lbtest is.
pub const HERE: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
/// Where the target is that vanishes.
pub const THERE: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);
/// Where another one is.
pub const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 3);

/// Set to the file that the inner run writes, to prove that it ran.
const MARK: &str = "LBTEST_INSIDE";

/// A network of its own.
pub struct Network(());

/// Runs `body` in a namespace of its own; `test` is the path of the calling test.
///
/// Where no namespace can be made the test fails: an outage that cannot be made proves nothing.
pub fn inside(test: &str, body: impl FnOnce(&Network)) {
    if let Some(mark) = std::env::var_os(MARK) {
        let network = Network::new();
        body(&network);
        return std::fs::write(mark, test).unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let mark = folder.path().join("ran");
    let mut unshare = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        unshare.args(["--user", "--map-root-user"]);
    }
    unshare
        .args(["--net", "--mount", "--fork", "--kill-child", "--"])
        .arg(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(MARK, &mark);
    let output = unshare.output().expect("`unshare` of util-linux is needed");
    println!("{}", String::from_utf8_lossy(&output.stdout));
    println!("{}", String::from_utf8_lossy(&output.stderr));
    assert!(
        output.status.success(),
        "{test} failed in its network namespace, or there is none for it (root or user namespaces are needed)"
    );
    // A name that no test has runs none, and succeeds.
    assert_eq!(std::fs::read_to_string(mark).ok().as_deref(), Some(test));
}

fn ip(args: &str) {
    let output = Command::new("ip").args(args.split(' ')).output();
    let output = output.expect("`ip` of iproute2 is needed: .ci/prerequisites test installs it");
    assert!(
        output.status.success(),
        "ip {args}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

impl Network {
    /// Addresses that are here, and a wire that leads nowhere for when they are not.
    ///
    /// An address is local by a route and by nothing else. Without that route its packets leave on a wire whose other
    /// end is addressed to somebody else, and are dropped there without a word: no ARP, no ICMP, no reset. What is
    /// sent from it finds no way either.
    fn new() -> Self {
        ip("link set lo up");
        ip(&format!("address add {HERE}/32 dev lo"));
        ip("link add wire type veth peer name end");
        ip("link set wire up");
        ip("link set end up");
        ip(&format!("route add 10.77.0.0/24 dev wire src {HERE}"));
        let network = Self(());
        for address in [THERE, ELSEWHERE] {
            ip(&format!(
                "neighbour add {address} lladdr 02:00:00:00:00:99 dev wire nud permanent"
            ));
            network.appear(address);
        }
        network
    }

    /// Its packets arrive again.
    pub fn appear(&self, address: Ipv4Addr) {
        ip(&format!("route add local {address}/32 dev lo src {HERE}"));
    }

    /// Packets to it and from it vanish.
    pub fn vanish(&self, address: Ipv4Addr) {
        ip(&format!("route del local {address}/32 dev lo"));
    }

    /// Names that only this process knows.
    pub fn names(&self) -> Names {
        let folder = tempfile::tempdir().unwrap();
        let bind = |name: &str, text: &str| {
            let (from, to) = (folder.path().join(name), format!("/etc/{name}"));
            std::fs::write(&from, text).unwrap();
            let mut mount = Command::new("mount");
            let status = mount.arg("--bind").arg(&from).arg(&to).status();
            let status = status.expect("`mount` is needed");
            assert!(status.success(), "mount --bind over {to}");
            from
        };
        let hosts = bind("hosts", &Names::padded(""));
        // A name server at an address whose packets vanish.
        bind(
            "resolv.conf",
            "nameserver 10.77.0.53\noptions timeout:2 attempts:1\n",
        );
        Names {
            hosts,
            _folder: folder,
        }
    }
}

/// The hosts file of this namespace.
pub struct Names {
    hosts: PathBuf,
    _folder: tempfile::TempDir,
}

impl Names {
    /// Written in place and in one piece, so that nobody reads half of it.
    fn padded(line: &str) -> String {
        format!("{line:<200}\n")
    }

    /// `name` is at `address` from now on, and nothing else is known.
    pub fn say(&self, name: &str, address: Ipv4Addr) {
        self.write(&format!("{address} {name}"));
    }

    /// No name is known.
    pub fn forget(&self) {
        self.write("");
    }

    fn write(&self, line: &str) {
        use std::os::unix::fs::FileExt;
        let file = std::fs::File::options().write(true).open(&self.hosts);
        file.unwrap()
            .write_all_at(Self::padded(line).as_bytes(), 0)
            .unwrap();
    }
}

/// A counter of this namespace's network stack, from `/proc/net/snmp` or `/proc/net/netstat`.
pub fn counter(file: &str, group: &str, name: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/self/net/{file}")).unwrap();
    let rows: Vec<Vec<&str>> = text
        .lines()
        .filter(|l| l.starts_with(group))
        .map(|l| l.split_whitespace().collect())
        .collect();
    let at = rows[0].iter().position(|n| *n == name).unwrap();
    rows[1][at].parse().unwrap()
}

/// Connections that anybody in this namespace began.
pub fn attempts() -> u64 {
    counter("snmp", "Tcp:", "ActiveOpens")
}
