//! Whole files, as users write them.

mod merging;
mod mistakes;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use tempfile::TempDir;

use super::topology::{Condition, Healthcheck, Mount, Restart, Service};
use super::{ComposeError, LoadRequest, Loaded, load};

const BLOG: &str = include_str!("../fixtures/blog.yaml");
const KAFKA: &str = include_str!("../fixtures/kafka.yaml");
const MONITORING: &str = include_str!("../fixtures/monitoring.yaml");

/// Files in a folder of their own.
struct Case {
    folder: TempDir,
    request: LoadRequest,
}

impl Case {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = TempDir::with_prefix("compose").unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let first = folder
            .path()
            .join(files.first().map_or("none.yaml", |f| f.0));
        let request = LoadRequest {
            files: vec![first],
            project: Some("p".into()),
            ..LoadRequest::default()
        };
        Self { folder, request }
    }

    fn env(mut self, pairs: &[(&str, &str)]) -> Self {
        self.request.env = pairs
            .iter()
            .map(|(k, v)| ((*k).into(), (*v).into()))
            .collect();
        self
    }

    fn and(mut self, file: &str) -> Self {
        self.request.files.push(self.folder.path().join(file));
        self
    }

    fn load(&self) -> Result<Loaded, ComposeError> {
        load(&self.request)
    }

    fn service(&self, name: &str) -> Service {
        self.load().unwrap().topology.services.remove(name).unwrap()
    }
}

fn one(text: &str) -> Case {
    Case::new(&[("compose.yaml", text)])
}

fn strings(map: &BTreeMap<String, String>) -> Vec<(&str, &str)> {
    map.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect()
}

#[test]
fn a_blog_with_its_database_is_read_as_it_was_meant() {
    let mut case = one(BLOG).env(&[("FROM_OUTSIDE", "yes")]);
    case.request.project = None;
    let loaded = case.load().unwrap();
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    let topology = loaded.topology;
    assert_eq!(topology.project, "blog");
    let db = &topology.services["db"];
    assert_eq!(
        strings(&db.environment),
        [
            ("FROM_OUTSIDE", "yes"),
            ("MYSQL_DATABASE", "wordpress"),
            ("MYSQL_ROOT_PASSWORD", "somewordpress")
        ]
    );
    assert_eq!(
        db.command.as_deref(),
        Some(
            &[
                "--default-authentication-plugin=mysql_native_password".into(),
                "--sql-mode=".into()
            ][..]
        )
    );
    let Some(Healthcheck::Test {
        test,
        timeout,
        start_period,
        ..
    }) = &db.healthcheck
    else {
        panic!("no test")
    };
    assert_eq!(test.len(), 5);
    assert_eq!(*timeout, Some(Duration::from_secs(90)));
    assert_eq!(*start_period, Some(Duration::from_millis(500)));
    assert_eq!(db.restart, Some(Restart::Always));
    assert!(
        matches!(&db.mounts[1], Mount::Bind { source, read_only: true, create: true, .. }
        if *source == topology.working_dir.join("initdb"))
    );

    let wordpress = &topology.services["wordpress"];
    assert_eq!(wordpress.image.as_deref(), Some("wordpress:latest"));
    assert_eq!(wordpress.environment["PRICE"], "$5");
    assert_eq!(wordpress.environment["WORDPRESS_TLS"], "true");
    let ports: Vec<_> = wordpress
        .ports
        .iter()
        .map(|p| (p.target, p.published, p.protocol.as_str()))
        .collect();
    let expected = [
        (80, Some(8080), "tcp"),
        (443, Some(8443), "tcp"),
        (9000, Some(9000), "udp"),
        (9001, Some(9001), "udp"),
    ];
    assert_eq!(ports, expected);
    assert!(
        wordpress
            .ports
            .iter()
            .all(|p| p.host_ip == Some(IpAddr::from([127, 0, 0, 1])))
    );
    assert_eq!(wordpress.depends_on["db"].condition, Condition::Healthy);
    assert_eq!(wordpress.networks["back"].aliases, ["wp", "blog"]);
    assert_eq!(wordpress.resources.memory, Some(512 << 20));
    assert_eq!(wordpress.resources.nano_cpus, Some(500_000_000));
    assert_eq!(wordpress.ulimits["nofile"], (20_000, 40_000));
    assert_eq!(strings(&wordpress.extensions), [("role", "app")]);
    assert_eq!(
        topology.networks.keys().collect::<Vec<_>>(),
        ["back", "front"]
    );
    assert_eq!(topology.networks["back"].name, "blog_back");
    assert_eq!(topology.volumes["db_data"].name, "blog_db_data");
}

#[test]
fn anchors_and_merge_keys_are_followed() {
    let loaded = one(KAFKA).load().unwrap();
    let topology = loaded.topology;
    assert_eq!(
        topology.services.keys().collect::<Vec<_>>(),
        ["kafka1", "kafka2", "topics"]
    );
    let kafka2 = &topology.services["kafka2"];
    assert_eq!(kafka2.environment["KAFKA_NODE_ID"], "2");
    assert_eq!(
        kafka2.environment["KAFKA_PROCESS_ROLES"],
        "broker,controller"
    );
    assert_eq!(kafka2.stop_grace_period, Some(Duration::from_secs(60)));
    assert!(
        matches!(&kafka2.healthcheck, Some(Healthcheck::Test { interval, retries: Some(5), test, .. })
        if *interval == Some(Duration::from_secs(20)) && test[0] == "CMD-SHELL")
    );
    assert_eq!(topology.volumes["k2"].name, "second-broker");
    assert_eq!(topology.networks["default"].name, "p_default");
    assert_eq!(
        topology.services["topics"].command.as_deref(),
        Some(&["kafka-topics.sh --create --topic orders".to_owned()][..])
    );
}

#[test]
fn monitoring_with_extends_configs_secrets_and_deploy_is_read() {
    let case = one(MONITORING).env(&[("TOKEN", "s3cret"), ("FROM_OUTSIDE", "x")]);
    let topology = case.load().unwrap().topology;
    let prometheus = &topology.services["prometheus"];
    assert_eq!(
        strings(&prometheus.labels),
        [("level", ""), ("tier", "monitoring")]
    );
    assert_eq!(prometheus.replicas, 2);
    assert_eq!(prometheus.resources.memory, Some(256 << 20));
    assert_eq!(prometheus.resources.memory_reservation, Some(64 << 20));
    assert_eq!(
        prometheus.logging.as_ref().unwrap().options["max-file"],
        "3"
    );
    let contents: Vec<(&str, &[u8], u32)> = prometheus
        .mounts
        .iter()
        .filter_map(|m| match m {
            Mount::Content {
                target,
                content,
                mode,
                ..
            } => Some((target.as_str(), &content[..], *mode)),
            _ => None,
        })
        .collect();
    assert_eq!(
        contents,
        [
            (
                "/etc/prometheus/prometheus.yml",
                &b"scrape_interval: 10s\n"[..],
                0o440
            ),
            ("/run/secrets/token", &b"s3cret"[..], 0o444),
        ]
    );
    assert!(topology.volumes["data"].external);
    assert_eq!(topology.volumes["data"].name, "data");
    let grafana = &topology.services["grafana"];
    assert_eq!(
        strings(&grafana.build.as_ref().unwrap().args),
        [("FROM_OUTSIDE", "x"), ("VERSION", "11")]
    );
    assert!(grafana.networks.is_empty());
    assert_eq!(
        grafana.depends_on["prometheus"].condition,
        Condition::Started
    );
    assert_eq!(grafana.healthcheck, Some(Healthcheck::Disabled));
}

#[test]
fn the_env_file_beside_the_compose_file_is_below_the_given_environment() {
    let text = "services: {a: {image: '${A}-${B}-${COMPOSE_PROJECT_NAME}'}}";
    let case =
        Case::new(&[("compose.yaml", text), (".env", "A=file\nB=file\n")]).env(&[("A", "given")]);
    assert_eq!(case.service("a").image.as_deref(), Some("given-file-p"));
}

#[test]
fn the_project_name_comes_from_request_environment_file_and_folder_in_this_order() {
    let folder = (
        "My.App-1/compose.yaml",
        "name: ${N}\nservices: {a: {image: i}}",
    );
    let mut case = Case::new(&[folder]).env(&[("COMPOSE_PROJECT_NAME", "env"), ("N", "file")]);
    let name = |case: &Case| case.load().unwrap().topology.project;
    assert_eq!(name(&case), "p");
    case.request.project = None;
    assert_eq!(name(&case), "env");
    case.request.env.remove("COMPOSE_PROJECT_NAME");
    assert_eq!(name(&case), "file");
    let mut case = Case::new(&[("My.App-1/compose.yaml", "services: {a: {image: i}}")]);
    case.request.project = None;
    assert_eq!(name(&case), "myapp-1");
}

#[test]
fn profiles_choose_services_and_the_hash_depends_on_content_alone() {
    let mut case = one(KAFKA);
    let before = case.service("kafka1").config_hash;
    assert_eq!(before.len(), 64);
    case.request.profiles = vec!["debug".into()];
    assert_eq!(
        case.service("ui").image.as_deref(),
        Some("provectuslabs/kafka-ui")
    );
    assert_eq!(case.service("kafka1").config_hash, before);
    case.request
        .env
        .insert("KAFKA_IMAGE".into(), "other".into());
    assert_ne!(case.service("kafka1").config_hash, before);
}

#[test]
fn short_and_long_forms_mean_the_same() {
    for (short, long) in [
        (
            "ports: ['127.0.0.1:80:81/udp']",
            "ports: [{target: 81, published: '80', host_ip: 127.0.0.1, protocol: udp}]",
        ),
        (
            "ports: ['[::1]:5-6:7-8']",
            "ports: [{target: 7-8, published: 5-6, host_ip: '::1'}]",
        ),
        (
            "ports: ['127.0.0.1::90']",
            "ports: [{target: 90, host_ip: 127.0.0.1}]",
        ),
        (
            "volumes: ['v:/v:ro']",
            "volumes: [{type: volume, source: v, target: /v, read_only: true}]",
        ),
        (
            "volumes: [/anonymous]",
            "volumes: [{type: volume, target: /anonymous}]",
        ),
        (
            "volumes: ['./x:/x']",
            "volumes: [{type: bind, source: ./x, target: /x, bind: {}}]",
        ),
        (
            "volumes: ['../../../../../../x/./y:/x:rslave']",
            "volumes: [{type: bind, source: /x/y, target: /x, bind: {propagation: rslave}}]",
        ),
        (
            "tmpfs: '/t:rw,noexec,nosuid,size=1m,mode=1777'",
            "volumes: [{type: tmpfs, target: /t, tmpfs: {size: 1m, mode: 0o1777}}]",
        ),
        ("build: ./b", "build: {context: b}"),
        ("command: a 'b c'", "command: [a, b c]"),
        (
            "environment: [A=1=2, B, D=]",
            "environment: {A: 1=2, B: , D: ''}",
        ),
        (
            "depends_on: [b]",
            "depends_on: {b: {condition: service_started, required: true}}",
        ),
        ("networks: [default]", "networks: {default: }"),
        (
            "extra_hosts: ['h:1.2.3.4', 'i=::1']",
            "extra_hosts: {h: 1.2.3.4, i: '::1'}",
        ),
        (
            "ulimits: {nofile: 5}",
            "ulimits: {nofile: {soft: 5, hard: 5}}",
        ),
        (
            "healthcheck: {test: ls}",
            "healthcheck: {test: [CMD-SHELL, ls]}",
        ),
        (
            "healthcheck: {test: [NONE]}",
            "healthcheck: {disable: true}",
        ),
        (
            "mem_limit: 1m",
            "deploy: {resources: {limits: {memory: 1m}}}",
        ),
        ("scale: 3", "deploy: {replicas: 3}"),
        ("expose: [3000-3001/udp]", "expose: [3000/udp, 3001/udp]"),
        (
            "restart: on-failure:3",
            "deploy: {restart_policy: {condition: on-failure, max_attempts: 3}}",
        ),
    ] {
        let read = |form: &str| {
            // One folder for both would do; the folder's name must not tell them apart.
            let text = format!(
                "services:\n  a:\n    image: i\n    {form}\n  b: {{image: i}}\nvolumes: {{v: }}\n"
            );
            let case = one(&text).env(&[("B", "outer")]);
            let folder = case.folder.path().display().to_string();
            let service = case.service("a");
            format!(
                "{:?}",
                Service {
                    config_hash: String::new(),
                    ..service
                }
            )
            .replace(&folder, "")
        };
        assert_eq!(read(short), read(long));
        assert_ne!(read(short), read("init: false"), "{short} says something");
    }
}
