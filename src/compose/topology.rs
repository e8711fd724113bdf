//! What a set of compose files means: services, networks and volumes with everything resolved.
//!
//! Nothing here knows of Docker's API or of YAML. Sizes are bytes, times are `Duration`.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// A resolved topology.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Topology {
    /// Compose project name (lower case letters, digits, `-`, `_`).
    pub project: String,
    /// The compose files, in merge order (for the `config_files` label).
    pub files: Vec<PathBuf>,
    /// The folder that relative paths are resolved against (the `working_dir` label).
    pub working_dir: PathBuf,
    /// Services of the active profiles, by name.
    pub services: BTreeMap<String, Service>,
    /// Networks that a service uses, by key.
    pub networks: BTreeMap<String, Network>,
    /// Volumes that a service uses, by key.
    pub volumes: BTreeMap<String, Volume>,
}

/// One service.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Service {
    /// Image reference; none where only `build` is given (then `<project>-<service>` is built).
    pub image: Option<String>,
    /// Platform of its image, `linux/arm64`; none: the engine's own.
    pub platform: Option<String>,
    /// How to build it.
    pub build: Option<Build>,
    /// `pull_policy`: `always`, `never`, `missing`, `build`.
    pub pull_policy: Option<String>,
    /// Replaces the image's CMD. An empty list clears it.
    pub command: Option<Vec<String>>,
    /// Replaces the image's ENTRYPOINT. An empty list clears it.
    pub entrypoint: Option<Vec<String>>,
    /// Environment; a value of none is taken from the environment of lbtest where set there (already resolved: absent keys are dropped).
    pub environment: BTreeMap<String, String>,
    /// `container_name`.
    pub container_name: Option<String>,
    /// Containers of this service (`deploy.replicas` or `scale`); usually one.
    pub replicas: u32,
    /// Published and exposed ports.
    pub ports: Vec<Port>,
    /// `expose`: `80`, `80/udp`.
    pub expose: Vec<String>,
    /// Mounts of every kind; configs and secrets among them.
    pub mounts: Vec<Mount>,
    /// Networks by key; `default` unless it says otherwise. Empty with `network_mode`.
    pub networks: BTreeMap<String, Attachment>,
    /// `network_mode`: `host`, `none`, `service:x`, `container:x`.
    pub network_mode: Option<String>,
    /// Services that must have reached a state before this one starts.
    pub depends_on: BTreeMap<String, Dependency>,
    /// The healthcheck; `None`: the image's own.
    pub healthcheck: Option<Healthcheck>,
    /// `no`, `always`, `on-failure[:n]`, `unless-stopped`.
    pub restart: Option<Restart>,
    /// `user`.
    pub user: Option<String>,
    /// `working_dir`.
    pub working_dir: Option<String>,
    /// `hostname`.
    pub hostname: Option<String>,
    /// `domainname`.
    pub domainname: Option<String>,
    /// An init process as PID 1.
    pub init: Option<bool>,
    /// `cap_add`.
    pub cap_add: Vec<String>,
    /// `cap_drop`.
    pub cap_drop: Vec<String>,
    /// `security_opt`.
    pub security_opt: Vec<String>,
    /// `privileged`.
    pub privileged: bool,
    /// `read_only`.
    pub read_only: bool,
    /// `tty`.
    pub tty: bool,
    /// `stdin_open`.
    pub stdin_open: bool,
    /// `sysctls`.
    pub sysctls: BTreeMap<String, String>,
    /// `ulimits`: name → (soft, hard).
    pub ulimits: BTreeMap<String, (i64, i64)>,
    /// `shm_size`, bytes.
    pub shm_size: Option<u64>,
    /// `extra_hosts` as Docker takes them: `name:address`.
    pub extra_hosts: Vec<String>,
    /// `dns`.
    pub dns: Vec<String>,
    /// `dns_search`.
    pub dns_search: Vec<String>,
    /// `dns_opt`.
    pub dns_opt: Vec<String>,
    /// `group_add`.
    pub group_add: Vec<String>,
    /// `devices` as written: `host:container:rwm`.
    pub devices: Vec<String>,
    /// `pid`: `host`, `container:x`, `service:x`.
    pub pid: Option<String>,
    /// `ipc`.
    pub ipc: Option<String>,
    /// `stop_signal`.
    pub stop_signal: Option<String>,
    /// `stop_grace_period`.
    pub stop_grace_period: Option<Duration>,
    /// The user's labels (compose's own are added by the engine); `x-lbtest-*` are not labels.
    pub labels: BTreeMap<String, String>,
    /// `logging`: driver and options.
    pub logging: Option<Logging>,
    /// Limits and reservations.
    pub resources: Resources,
    /// `x-lbtest-…` extensions of the service, without the prefix, as strings.
    pub extensions: BTreeMap<String, String>,
    /// Hash of everything above, for the `config-hash` label.
    pub config_hash: String,
}

/// How to build an image with the classic builder.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Build {
    /// The context folder, absolute.
    pub context: PathBuf,
    /// Dockerfile, relative to the context (or absolute).
    pub dockerfile: Option<PathBuf>,
    /// `dockerfile_inline`.
    pub dockerfile_inline: Option<String>,
    /// Build arguments; those without a value are taken from the environment (already resolved).
    pub args: BTreeMap<String, String>,
    /// Stage to build.
    pub target: Option<String>,
    /// Labels for the image.
    pub labels: BTreeMap<String, String>,
    /// `network` during the build.
    pub network: Option<String>,
    /// `no_cache`.
    pub no_cache: bool,
    /// `pull`.
    pub pull: bool,
    /// `shm_size`, bytes.
    pub shm_size: Option<u64>,
    /// `extra_hosts`.
    pub extra_hosts: Vec<String>,
    /// `cache_from`.
    pub cache_from: Vec<String>,
    /// `platform(s)`: the first one.
    pub platform: Option<String>,
    /// Further tags.
    pub tags: Vec<String>,
}

/// One published port; ranges are already expanded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// Port in the container.
    pub target: u16,
    /// Port on the host; none: one that is free.
    pub published: Option<u16>,
    /// Address on the host; none: the engine's default (lbtest warns: it is not 127.0.0.1).
    pub host_ip: Option<IpAddr>,
    /// `tcp`, `udp` or `sctp`.
    pub protocol: String,
}

/// One mount.
#[derive(Debug, Clone, PartialEq)]
pub enum Mount {
    /// A named (or, without key, anonymous) volume.
    Volume {
        /// Key in [`Topology::volumes`]; none: anonymous.
        volume: Option<String>,
        /// Path in the container.
        target: String,
        /// Mounted read only.
        read_only: bool,
        /// Do not copy the image's content into a new volume.
        nocopy: bool,
        /// Sub-path within the volume.
        subpath: Option<String>,
    },
    /// A file or folder of the host.
    Bind {
        /// Absolute path on the host.
        source: PathBuf,
        /// Path in the container.
        target: String,
        /// Mounted read only.
        read_only: bool,
        /// Make the source folder where it is missing (the short form does).
        create: bool,
        /// Propagation, where given.
        propagation: Option<String>,
    },
    /// Memory.
    Tmpfs {
        /// Path in the container.
        target: String,
        /// Size in bytes.
        size: Option<u64>,
        /// Mode bits.
        mode: Option<u32>,
    },
    /// A config or secret with its content, to be put into the container before it starts.
    Content {
        /// Path in the container.
        target: String,
        /// The content.
        content: Vec<u8>,
        /// Owner.
        uid: u32,
        /// Group.
        gid: u32,
        /// Mode bits.
        mode: u32,
    },
}

/// How a service joins a network.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Attachment {
    /// Further names in this network (the service's own name is added by the engine).
    pub aliases: Vec<String>,
    /// Fixed IPv4 address.
    pub ipv4_address: Option<String>,
    /// Fixed IPv6 address.
    pub ipv6_address: Option<String>,
    /// Link-local addresses.
    pub link_local_ips: Vec<String>,
    /// Fixed MAC address.
    pub mac_address: Option<String>,
    /// Networks of higher priority are connected first.
    pub priority: i64,
}

/// What a service waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// The state to wait for.
    pub condition: Condition,
    /// False: a missing dependency is only a warning.
    pub required: bool,
}

/// A state that a dependency must have reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Started.
    Started,
    /// Healthy.
    Healthy,
    /// Ended with exit code 0.
    CompletedSuccessfully,
}

/// A healthcheck.
#[derive(Debug, Clone, PartialEq)]
pub enum Healthcheck {
    /// `disable: true`, or `test: NONE`.
    Disabled,
    /// A command.
    Test {
        /// As Docker takes it: `["CMD", …]` or `["CMD-SHELL", "…"]`; empty: the image's own command.
        test: Vec<String>,
        /// Between two checks.
        interval: Option<Duration>,
        /// For one check.
        timeout: Option<Duration>,
        /// Failures in a row until unhealthy.
        retries: Option<u32>,
        /// Failures are not counted so long after the start.
        start_period: Option<Duration>,
        /// Between two checks during the start period (API 1.44 and later).
        start_interval: Option<Duration>,
    },
}

/// Restart policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restart {
    /// Never.
    No,
    /// Always.
    Always,
    /// When it ends with an error, at most so many times.
    OnFailure(Option<u32>),
    /// Always, unless it was stopped.
    UnlessStopped,
}

/// Log driver and options.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Logging {
    /// Driver; none: the engine's default.
    pub driver: Option<String>,
    /// Options.
    pub options: BTreeMap<String, String>,
}

/// Limits (`mem_limit`, `cpus`, `deploy.resources`).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Resources {
    /// Memory, bytes.
    pub memory: Option<u64>,
    /// Memory and swap, bytes; -1: unlimited.
    pub memory_swap: Option<i64>,
    /// Soft memory limit, bytes.
    pub memory_reservation: Option<u64>,
    /// CPUs, in billionths.
    pub nano_cpus: Option<i64>,
    /// Relative CPU weight.
    pub cpu_shares: Option<i64>,
    /// CPUs it may run on: `0-2`.
    pub cpuset: Option<String>,
    /// Processes.
    pub pids: Option<i64>,
    /// OOM score adjustment.
    pub oom_score_adj: Option<i64>,
}

/// A network.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Network {
    /// Its name in the engine: `<project>_<key>` unless it says otherwise.
    pub name: String,
    /// Made and removed by somebody else.
    pub external: bool,
    /// Driver; none: bridge.
    pub driver: Option<String>,
    /// Driver options.
    pub driver_opts: BTreeMap<String, String>,
    /// Cut off from outside.
    pub internal: bool,
    /// Containers may be attached by hand.
    pub attachable: bool,
    /// IPv6.
    pub enable_ipv6: bool,
    /// IPAM driver.
    pub ipam_driver: Option<String>,
    /// IPAM options.
    pub ipam_options: BTreeMap<String, String>,
    /// IPAM pools.
    pub ipam: Vec<IpamPool>,
    /// The user's labels.
    pub labels: BTreeMap<String, String>,
}

/// One address pool of a network.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IpamPool {
    /// `172.28.0.0/16`.
    pub subnet: Option<String>,
    /// Range that containers get addresses from.
    pub ip_range: Option<String>,
    /// Gateway.
    pub gateway: Option<String>,
    /// Addresses that are taken, by host name.
    pub aux_addresses: BTreeMap<String, String>,
}

/// A volume.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Volume {
    /// Its name in the engine: `<project>_<key>` unless it says otherwise.
    pub name: String,
    /// Made and removed by somebody else.
    pub external: bool,
    /// Driver; none: local.
    pub driver: Option<String>,
    /// Driver options.
    pub driver_opts: BTreeMap<String, String>,
    /// The user's labels.
    pub labels: BTreeMap<String, String>,
}
