//! Several files that become one: laid on each other, extended, included.

use super::*;

#[test]
fn files_are_merged_by_the_rules_of_the_specification() {
    let base = "services:\n  a:\n    image: one\n    command: [x]\n    ports: ['127.0.0.1:1:1']\n    \
        environment: {A: 1, B: 2}\n    volumes: ['v:/data', './x:/x']\n    dns: 1.1.1.1\n    \
        depends_on: [b]\n    cap_add: [A]\n    logging: {driver: x, options: {k: v}}\n    \
        labels: {gone: 1}\n    devices: [/dev/a]\n  b: {image: b}\nvolumes: {v: }\n";
    let over = "services:\n  a:\n    image: two\n    command: y z\n    ports: ['127.0.0.1:1:1', '127.0.0.1:2:2']\n    \
        environment: [B=3, C=4]\n    volumes: ['./other:/data']\n    dns: [8.8.8.8]\n    \
        depends_on: {b: {condition: service_completed_successfully}}\n    cap_add: [A, B]\n    \
        logging: {driver: y}\n    labels: !reset {}\n    devices: !override [/dev/b]\n";
    let case = Case::new(&[("base.yaml", base), ("over.yaml", over)]).and("over.yaml");
    let a = case.service("a");
    assert_eq!(a.image.as_deref(), Some("two"));
    assert_eq!(a.command, Some(vec!["y".into(), "z".into()]));
    assert_eq!(a.ports.len(), 2);
    assert_eq!(
        strings(&a.environment),
        [("A", "1"), ("B", "3"), ("C", "4")]
    );
    assert_eq!(a.mounts.len(), 2);
    assert!(matches!(&a.mounts[0], Mount::Bind { target, .. } if target == "/data"));
    assert_eq!(a.dns, ["1.1.1.1", "8.8.8.8"]);
    assert_eq!(
        a.depends_on["b"].condition,
        Condition::CompletedSuccessfully
    );
    assert_eq!(a.cap_add, ["A", "B"]);
    assert!(a.logging.unwrap().options.is_empty());
    assert!(a.labels.is_empty());
    assert_eq!(a.devices, ["/dev/b"]);
}

#[test]
fn the_platform_of_a_service_is_read() {
    let a = one("services: {a: {image: i, platform: linux/arm64}}").service("a");
    assert_eq!(a.platform.as_deref(), Some("linux/arm64"));
}

#[test]
fn logging_without_a_driver_goes_on_with_the_other_files_driver() {
    let named =
        "services:\n  a: {image: i, logging: {driver: json-file, options: {max-size: 1m}}}\n";
    let unnamed = "services:\n  a: {logging: {options: {max-file: '3'}}}\n";
    for (first, second) in [(named, unnamed), (unnamed, named)] {
        let case = Case::new(&[("a.yaml", first), ("b.yaml", second)]).and("b.yaml");
        let logging = case.service("a").logging.unwrap();
        assert_eq!(logging.driver.as_deref(), Some("json-file"));
        assert_eq!(
            strings(&logging.options),
            [("max-file", "3"), ("max-size", "1m")]
        );
    }
}

#[test]
fn extends_and_include_of_other_folders_keep_their_relative_paths() {
    let case = Case::new(&[
        (
            "compose.yaml",
            "include:\n  - sub/inc.yaml\nservices:\n  a:\n    extends: {file: sub/common.yaml, service: base}\n    environment: {X: 2}\n",
        ),
        (
            "sub/common.yaml",
            "services:\n  base:\n    image: i\n    volumes: ['./d:/d']\n    environment: {X: 1, Y: 1}\n    env_file: e.env\n",
        ),
        ("sub/e.env", "FILE=1\nX=0\n"),
        (
            "sub/inc.yaml",
            "services:\n  inc: {build: ., environment: {Z: '$FROM_SUB'}}\n",
        ),
        ("sub/.env", "FROM_SUB=sub\n"),
    ]);
    let topology = case.load().unwrap().topology;
    let sub = topology.working_dir.join("sub");
    let a = &topology.services["a"];
    assert_eq!(
        strings(&a.environment),
        [("FILE", "1"), ("X", "2"), ("Y", "1")]
    );
    assert!(matches!(&a.mounts[0], Mount::Bind { source, .. } if *source == sub.join("d")));
    assert_eq!(
        topology.services["inc"].build.as_ref().unwrap().context,
        sub
    );
    assert_eq!(topology.services["inc"].environment["Z"], "sub");
}
