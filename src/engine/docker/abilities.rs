//! What the engine at hand cannot do of what a topology asks for.

use super::error::UpError;
use crate::compose::topology::{Healthcheck, Mount, Service, Topology};
use crate::notice::{Notice, Notices};

/// An engine that does not know subpaths mounts the whole volume without a word.
pub fn refuse_subpaths(topology: &Topology, known: bool) -> Result<(), UpError> {
    let parts = |service: &Service| {
        service.mounts.iter().any(|m| {
            matches!(
                m,
                Mount::Volume {
                    subpath: Some(_),
                    ..
                }
            )
        })
    };
    match topology.services.iter().find(|(_, s)| !known && parts(s)) {
        None => Ok(()),
        Some((name, _)) => Err(UpError::Impossible(format!(
            "service `{name}` mounts a part of a volume (subpath), which this engine cannot: it needs Docker 26 (API 1.45)"
        ))),
    }
}

/// Tells what the engine at hand leaves out, and where it is if its 127.0.0.1 is not ours.
pub fn warn_of_missing(
    topology: &Topology,
    notices: &Notices,
    start_interval: bool,
    elsewhere: Option<&str>,
) {
    if let Some(host) = elsewhere
        && topology.services.values().any(|s| !s.ports.is_empty())
    {
        notices.tell(Notice::Warning(format!(
            "the engine is at {host}: ports are published on 127.0.0.1 of its machine, not of this one; forward them, or run lbtest there"
        )));
    }
    for (name, service) in &topology.services {
        if let Some(Healthcheck::Test {
            start_interval: Some(_),
            ..
        }) = service.healthcheck
            && !start_interval
        {
            notices.tell(Notice::Warning(format!(
                "service `{name}`: this engine does not know the healthcheck's start_interval; it is left out"
            )));
        }
        if service
            .build
            .as_ref()
            .is_some_and(|build| build.extra_hosts.len() > 1)
        {
            notices.tell(Notice::Warning(format!(
                "service `{name}`: only the first of the build's extra_hosts is carried out"
            )));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subpath_is_refused_where_the_engine_would_mount_the_whole_volume() {
        let part = Mount::Volume {
            volume: Some("v".into()),
            target: "/v".into(),
            read_only: false,
            nocopy: false,
            subpath: Some("a".into()),
        };
        let service = Service {
            mounts: vec![part],
            ..Service::default()
        };
        let topology = Topology {
            services: [("db".to_owned(), service)].into(),
            ..Topology::default()
        };
        let said = refuse_subpaths(&topology, false)
            .expect_err("refused")
            .to_string();
        assert!(said.contains("`db`") && said.contains("subpath"), "{said}");
        assert!(refuse_subpaths(&topology, true).is_ok());
    }

    #[test]
    fn ports_of_an_engine_elsewhere_are_warned_of() {
        use crate::compose::topology::Port;
        let port = Port {
            target: 80,
            published: Some(8080),
            host_ip: None,
            protocol: "tcp".into(),
        };
        let service = Service {
            ports: vec![port],
            ..Service::default()
        };
        let topology = Topology {
            services: [("web".to_owned(), service)].into(),
            ..Topology::default()
        };
        let told = |elsewhere| {
            let (notices, mut told) = Notices::channel();
            warn_of_missing(&topology, &notices, true, elsewhere);
            told.try_recv().ok()
        };
        assert!(
            matches!(told(Some("tcp://h:2376")), Some(Notice::Warning(w)) if w.contains("tcp://h:2376"))
        );
        assert!(told(None).is_none());
    }
}
