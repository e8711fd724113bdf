use super::*;
use crate::compose::topology::{Network, Resources};
use std::path::PathBuf;

fn made_of(service: Service) -> ContainerCreateBody {
    let topology = Topology {
        project: "p".into(),
        networks: [("back", "p_back"), ("front", "shared-front")]
            .map(|(key, name)| {
                (
                    key.to_owned(),
                    Network {
                        name: name.into(),
                        ..Network::default()
                    },
                )
            })
            .into(),
        ..Topology::default()
    };
    body(&Request {
        topology: &topology,
        service_name: "web",
        service: &service,
        number: 1,
        run: "r",
        image: "img",
        peers: &HashMap::from([("db".to_owned(), "id-of-db".to_owned())]),
        start_interval: false,
    })
}

#[test]
fn a_port_without_an_address_is_bound_to_the_loopback_only() {
    let port = Port {
        target: 80,
        published: Some(8080),
        host_ip: None,
        protocol: "tcp".into(),
    };
    let host = made_of(Service {
        ports: vec![port],
        ..Service::default()
    })
    .host_config
    .expect("host config");
    let bindings = host.port_bindings.expect("bindings");
    let binding = &bindings["80/tcp"].as_ref().expect("some")[0];
    assert_eq!(binding.host_ip.as_deref(), Some("127.0.0.1"));
    assert_eq!(binding.host_port.as_deref(), Some("8080"));
}

#[test]
fn one_container_port_can_be_published_twice() {
    let port = |p| Port {
        target: 80,
        published: Some(p),
        host_ip: None,
        protocol: "tcp".into(),
    };
    let host = made_of(Service {
        ports: vec![port(8080), port(8081)],
        ..Service::default()
    })
    .host_config;
    let bindings = host.and_then(|h| h.port_bindings).expect("bindings");
    assert_eq!(bindings["80/tcp"].as_ref().map(Vec::len), Some(2));
}

#[test]
fn the_network_of_highest_priority_comes_first_and_the_services_name_is_an_alias() {
    let attachment = |priority| Attachment {
        priority,
        aliases: vec!["www".into()],
        ..Attachment::default()
    };
    let networks = [
        ("back".to_owned(), attachment(1)),
        ("front".to_owned(), attachment(5)),
    ]
    .into();
    let made = made_of(Service {
        networks,
        ..Service::default()
    });
    assert_eq!(
        made.host_config.and_then(|h| h.network_mode).as_deref(),
        Some("shared-front")
    );
    let endpoints = made
        .networking_config
        .and_then(|n| n.endpoints_config)
        .expect("endpoints");
    assert_eq!(
        endpoints.len(),
        1,
        "engines before API 1.44 take one network in the create call"
    );
    assert_eq!(
        endpoints["shared-front"].aliases,
        Some(vec!["web".to_owned(), "www".to_owned()])
    );
}

#[test]
fn a_mode_that_names_a_service_means_its_container() {
    let made = made_of(Service {
        network_mode: Some("service:db".into()),
        pid: Some("host".into()),
        ..Service::default()
    });
    let host = made.host_config.expect("host config");
    assert_eq!(host.network_mode.as_deref(), Some("container:id-of-db"));
    assert_eq!(host.pid_mode.as_deref(), Some("host"));
    assert!(made.networking_config.is_none());
}

#[test]
fn an_empty_entrypoint_clears_the_images() {
    let made = made_of(Service {
        entrypoint: Some(vec![]),
        ..Service::default()
    });
    assert_eq!(made.entrypoint, Some(vec![String::new()]));
    assert_eq!(made_of(Service::default()).entrypoint, None);
}

#[test]
fn a_healthcheck_is_carried_in_nanoseconds_and_can_be_disabled() {
    let check = Healthcheck::Test {
        test: vec!["CMD".into(), "true".into()],
        interval: Some(Duration::from_millis(500)),
        timeout: None,
        retries: Some(3),
        start_period: None,
        start_interval: Some(Duration::from_secs(1)),
    };
    let made = made_of(Service {
        healthcheck: Some(check),
        ..Service::default()
    })
    .healthcheck
    .expect("check");
    assert_eq!(
        (made.interval, made.timeout, made.retries),
        (Some(500_000_000), None, Some(3))
    );
    assert_eq!(
        made.start_interval, None,
        "an engine that does not know it refuses it"
    );
    let made = made_of(Service {
        healthcheck: Some(Healthcheck::Disabled),
        ..Service::default()
    });
    assert_eq!(
        made.healthcheck.and_then(|h| h.test),
        Some(vec!["NONE".to_owned()])
    );
}

#[test]
fn a_bind_that_may_be_made_uses_the_short_form_and_others_the_long() {
    let bind = |source: &str, create| TopologyMount::Bind {
        source: PathBuf::from(source),
        target: "/data".into(),
        read_only: true,
        create,
        propagation: None,
    };
    let mounts = vec![bind("/a", true), bind("/b", false), bind("/c:d", true)];
    let host = made_of(Service {
        mounts,
        ..Service::default()
    })
    .host_config
    .expect("host config");
    assert_eq!(host.binds, Some(vec!["/a:/data:ro".to_owned()]));
    let long: Vec<_> = host
        .mounts
        .expect("mounts")
        .into_iter()
        .filter_map(|m| m.source)
        .collect();
    assert_eq!(long, ["/b", "/c:d"]);
}

#[test]
fn an_anonymous_volume_carries_the_runs_label() {
    let volume = TopologyMount::Volume {
        volume: None,
        target: "/data".into(),
        read_only: false,
        nocopy: false,
        subpath: None,
    };
    let host = made_of(Service {
        mounts: vec![volume],
        ..Service::default()
    })
    .host_config;
    let mount = host.and_then(|h| h.mounts).expect("mounts").remove(0);
    let labels = mount.volume_options.and_then(|o| o.labels).expect("labels");
    assert_eq!(labels[labels::RUN], "r");
    assert_eq!(mount.source, None);
}

#[test]
fn limits_are_carried() {
    let resources = Resources {
        memory: Some(64 << 20),
        nano_cpus: Some(500_000_000),
        pids: Some(9),
        ..Resources::default()
    };
    let host = made_of(Service {
        resources,
        init: Some(true),
        ..Service::default()
    })
    .host_config
    .expect("host");
    assert_eq!(
        (host.memory, host.nano_cpus, host.pids_limit),
        (Some(64 << 20), Some(500_000_000), Some(9))
    );
    assert_eq!(host.init, Some(true));
}

#[test]
fn a_device_is_read_as_the_docker_command_reads_it() {
    let read = |text| {
        let d = device(text);
        [d.path_on_host, d.path_in_container, d.cgroup_permissions].map(Option::unwrap_or_default)
    };
    assert_eq!(read("/dev/fuse"), ["/dev/fuse", "/dev/fuse", "rwm"]);
    assert_eq!(read("/dev/a:/dev/b"), ["/dev/a", "/dev/b", "rwm"]);
    assert_eq!(read("/dev/a:r"), ["/dev/a", "/dev/a", "r"]);
    assert_eq!(read("/dev/a:/dev/b:rw"), ["/dev/a", "/dev/b", "rw"]);
}
