use super::*;
use crate::compose::topology::{Attachment, Condition, Dependency, Port};

fn service(networks: &[&str], needs: &[&str], published: Option<u16>) -> Service {
    let dependency = Dependency {
        condition: Condition::Started,
        required: true,
    };
    Service {
        replicas: 1,
        networks: networks
            .iter()
            .map(|n| ((*n).to_owned(), Attachment::default()))
            .collect(),
        depends_on: needs
            .iter()
            .map(|n| ((*n).to_owned(), dependency.clone()))
            .collect(),
        ports: vec![Port {
            target: 80,
            published,
            host_ip: Some([127, 0, 0, 1].into()),
            protocol: "tcp".to_owned(),
        }],
        ..Service::default()
    }
}

/// web → app → db; cache beside db; other alone.
fn topology() -> Topology {
    let services = [
        ("web", service(&["front"], &["app"], Some(8080))),
        ("app", service(&["front", "back"], &["db"], None)),
        ("db", service(&["back"], &[], Some(5432))),
        ("cache", service(&["back"], &[], Some(6379))),
        ("other", service(&["far"], &[], Some(1))),
    ];
    Topology {
        services: services.map(|(n, s)| (n.to_owned(), s)).into(),
        ..Topology::default()
    }
}

fn hit(targets: &[&str]) -> Blast {
    let fault = PlannedFault {
        targets: targets.iter().map(|t| (*t).to_owned()).collect(),
        ..PlannedFault::default()
    };
    of(&fault, &topology())
}

#[test]
fn who_depends_on_what_is_hit_is_found_however_far_away() {
    let blast = hit(&["db"]);
    assert_eq!(blast.dependants, ["app", "web"]);
    assert_eq!(blast.neighbours, ["cache"], "the app is named once");
    assert_eq!(blast.ports, ["db 127.0.0.1:5432", "web 127.0.0.1:8080"]);
}

#[test]
fn what_shares_no_network_and_depends_on_nothing_is_left_alone() {
    let blast = hit(&["other"]);
    assert!(blast.dependants.is_empty() && blast.neighbours.is_empty());
    let nobody = hit(&[]);
    assert!(nobody.hit.is_empty() && nobody.ports.is_empty());
}

#[test]
fn a_circle_of_dependencies_ends() {
    let mut topology = topology();
    topology
        .services
        .insert("db".to_owned(), service(&["back"], &["web"], None));
    let fault = PlannedFault {
        targets: vec!["app".to_owned()],
        ..PlannedFault::default()
    };
    assert_eq!(of(&fault, &topology).dependants, ["db", "web"]);
}
