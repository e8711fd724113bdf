//! `lbtest doctor`: what a run needs, whether it is there, and what to do where it is not.

use super::args::{Common, Doctor};
use super::exit::Exit;
use super::failure::Failure;
use super::{down, output, session, topology};
use crate::compose::Topology;
use crate::engine::docker::{Docker, Examination, Scope};
use crate::run::identity::run_id;
use comfy_table::{Table, presets};

/// The image that the shipped topologies are built on.
const BASE_IMAGE: &str = "debian:bookworm-slim";

/// One line of the examination.
struct Finding {
    what: &'static str,
    seen: String,
    /// What to do; none where all is well.
    remedy: Option<String>,
}

/// Looks at the environment and says what to do.
pub fn run(args: &Doctor, common: &Common) -> Result<Exit, Failure> {
    let topology = match &args.files[..] {
        [] => None,
        files => Some(topology::read(&topology::named(files, &[], None)?)?.topology),
    };
    session::run(common, async |session| {
        let findings = findings(topology.as_ref()).await?;
        session.notices.settle().await;
        output::stdout(&table(&findings));
        let well = findings.iter().all(|f| f.remedy.is_none());
        Ok(if well { Exit::Pass } else { Exit::Environment })
    })
}

async fn findings(topology: Option<&Topology>) -> Result<Vec<Finding>, Failure> {
    let docker = match Docker::connect().await {
        Ok(docker) => docker,
        Err(error) => {
            let remedy = "install and start it (Debian, Ubuntu: apt-get install docker.io), or set DOCKER_HOST";
            let (what, seen) = ("Docker engine", error.to_string());
            return Ok(vec![Finding {
                what,
                seen,
                remedy: Some(remedy.to_owned()),
            }]);
        }
    };
    let ports: Vec<u16> = topology.map_or_else(Vec::new, published);
    let seen = docker.examine(&[BASE_IMAGE], &ports).await?;
    let mut findings = of_engine(&seen);
    findings.push(of_packets(&docker).await);
    findings.extend(seen.images.iter().map(|image| Finding {
        what: "base image",
        seen: format!(
            "{} {}",
            image.image,
            if image.present {
                "is there"
            } else {
                "is not there"
            }
        ),
        remedy: (!image.present).then(|| {
            "the first build pulls it; where no registry answers: make base-image".to_owned()
        }),
    }));
    findings.extend(seen.ports.iter().map(|port| {
        Finding {
            what: "port",
            seen: match &port.taken_by {
                None => format!("127.0.0.1:{} is free", port.port),
                Some(who) => format!("127.0.0.1:{} is taken by {who}", port.port),
            },
            remedy: port
                .taken_by
                .as_ref()
                .map(|_| "end what has it, or publish another port".to_owned()),
        }
    }));
    let left = docker.leftovers(&Scope::Everything).await?;
    findings.push(Finding {
        what: "leftovers of runs",
        seen: if left.is_empty() {
            "none".to_owned()
        } else {
            down::counted(&left)
        },
        remedy: (!left.is_empty()).then(|| {
            "lbtest clean, which also takes down what `lbtest up` and `run --keep` left up"
                .to_owned()
        }),
    });
    Ok(findings)
}

/// What faults of the network find, by trying: a container for a moment, without a network.
async fn of_packets(docker: &Docker) -> Finding {
    let what = "network faults";
    let found = match docker.probe(&run_id("doctor")).await {
        Ok(found) => found,
        Err(error) => {
            return Finding {
                what,
                seen: error.to_string(),
                remedy: Some("only faults of the network need it".to_owned()),
            };
        }
    };
    let by = found.queue.as_deref();
    let queue = by.map_or_else(String::new, |by| format!(" (by {by})"));
    let kinds = [
        ("partition", found.filter),
        ("loss", found.loss),
        ("delay and bandwidth", found.queue.is_some()),
        ("reset_connections", found.reset),
    ];
    let named = |wanted: bool| {
        let those = kinds.iter().filter(|(_, can)| *can == wanted);
        those.map(|(kind, _)| *kind).collect::<Vec<_>>().join(", ")
    };
    let (can, cannot) = (named(true), named(false));
    Finding {
        what,
        seen: format!("{can}{queue}"),
        remedy: (!cannot.is_empty())
            .then(|| format!("this kernel cannot: {cannot}; see docs/faults.md for what it lacks")),
    }
}

fn of_engine(seen: &Examination) -> Vec<Finding> {
    let gib = seen.memory >> 30;
    let fine = |what, seen| Finding {
        what,
        seen,
        remedy: None,
    };
    vec![
        fine(
            "Docker engine",
            format!("{} at {}", seen.version, seen.host),
        ),
        fine("API version", seen.api_version.clone()),
        fine(
            "machine",
            format!("{} CPUs, {gib} GiB, kernel {}", seen.cpus, seen.kernel),
        ),
        fine(
            "drivers",
            format!("storage {}, cgroup {}", seen.storage_driver, seen.cgroup),
        ),
        fine(
            "moment of effect",
            if seen.shares_our_kernel {
                "observed directly (the engine's processes are this machine's)".to_owned()
            } else {
                "from the engine's events (its processes are not visible here)".to_owned()
            },
        ),
    ]
}

fn published(topology: &Topology) -> Vec<u16> {
    let ports = topology.services.values().flat_map(|s| &s.ports);
    ports
        .filter(|p| p.protocol == "tcp")
        .filter_map(|p| p.published)
        .collect()
}

fn table(findings: &[Finding]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    for f in findings {
        let mark = if f.remedy.is_none() { "ok" } else { "!!" };
        let seen = output::inert(&f.seen);
        table.add_row([mark, f.what, &seen]);
        if let Some(remedy) = &f.remedy {
            table.add_row(["", "", &format!("→ {remedy}")]);
        }
    }
    format!("{}\n", table.trim_fmt())
}
