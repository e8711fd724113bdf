//! Services by role: `x-lbtest-role` in the compose file, and for databases what they say of themselves.

use super::targets::{Found, Lookup, containers};
use super::{Late, targets};
use crate::compose::Topology;
use crate::compose::topology::Service;
use crate::scenario::Target;
use crate::source::{Mistake, nearest};
use std::collections::BTreeSet;

/// The role of services of which one is asked at the moment of injection whether it is the primary.
const DATABASE: &str = "database";
/// The role as a label, for compose files that others read too.
const LABEL: &str = "io.lbtest.role";
/// Words of an image's name that make it something beside a PostgreSQL server.
const BESIDE: [&str; 9] = [
    "exporter",
    "proxy",
    "haproxy",
    "nginx",
    "pgbouncer",
    "bouncer",
    "pgpool",
    "backup",
    "client",
];

/// A service's role; `replicas` is the same as `replica`.
#[must_use]
pub fn role_of(service: &Service) -> Option<&str> {
    let role = service.extensions.get("role");
    match role.or_else(|| service.labels.get(LABEL))?.as_str() {
        "replicas" => Some("replica"),
        other => Some(other),
    }
}

/// The containers with a role. Who is primary and who replica may change, so unless the compose file says it, it is
/// found at the moment of injection, among the databases.
pub fn find(
    lookup: &Lookup<'_>,
    target: &Target,
    role: &str,
    has_dsn: bool,
) -> Result<Found, Mistake> {
    let fixed = with_role(lookup.topology, role);
    if !fixed.is_empty() {
        return Ok(Found {
            names: fixed,
            late: None,
        });
    }
    if !matches!(role, "primary" | "replica") {
        return Err(unknown(lookup, target, role));
    }
    let mut candidates = with_role(lookup.topology, DATABASE);
    if candidates.is_empty() {
        candidates = postgres(lookup.topology);
    }
    if candidates.is_empty() {
        return Err(lookup.wrong(
            target,
            &format!("no service is known as a database, of which one could be the {role}"),
            "give the databases `x-lbtest-role: database` in the compose file",
        ));
    }
    if !has_dsn && !lookup.has_credentials() {
        return Err(lookup.wrong(
            target,
            &format!("nothing tells how a database is asked whether it is the {role}"),
            "add a `postgres` workload, whose user, password and database are used; or give the target a `dsn`: { role = \"primary\", dsn = \"postgres://user:${PASSWORD}@localhost/database\" }",
        ));
    }
    Ok(Found {
        names: candidates,
        late: Some(Late::Role(role.to_owned())),
    })
}

fn with_role(topology: &Topology, role: &str) -> Vec<String> {
    let services = topology.services.iter();
    services
        .filter(|(_, service)| role_of(service) == Some(role))
        .flat_map(|(name, service)| containers(name, service.replicas))
        .collect()
}

fn unknown(lookup: &Lookup<'_>, target: &Target, role: &str) -> Mistake {
    let services = lookup.topology.services.values();
    let mut known: BTreeSet<&str> = services.filter_map(role_of).collect();
    known.extend(["primary", "replicas"]);
    let near = nearest(role, known.iter().copied());
    let all: Vec<&str> = known.into_iter().collect();
    let help = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!(
            "roles are: {}; give the service `x-lbtest-role: {}` in the compose file",
            all.join(", "),
            role.escape_debug()
        ),
    };
    let message = format!("no service has the role `{}`", role.escape_debug());
    lookup.wrong(target, &message, help)
}

/// Services whose image, or the folder that it is built from, is called PostgreSQL.
fn postgres(topology: &Topology) -> Vec<String> {
    let services = topology.services.iter();
    services
        .filter(|(_, service)| is_postgres(service))
        .flat_map(|(name, service)| targets::containers(name, service.replicas))
        .collect()
}

fn is_postgres(service: &Service) -> bool {
    let folder = service
        .build
        .as_ref()
        .and_then(|b| b.context.file_name())
        .and_then(|f| f.to_str());
    let image = service.image.as_deref().map(|image| {
        let last = image.rsplit('/').next().unwrap_or(image);
        last.split([':', '@']).next().unwrap_or(last)
    });
    folder.is_some_and(names_postgres) || image.is_some_and(names_postgres)
}

fn names_postgres(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let words: Vec<&str> = lower.split(['-', '_', '.']).collect();
    words
        .iter()
        .any(|w| w.starts_with("postgres") || *w == "postgis")
        && !words.iter().any(|w| BESIDE.contains(w))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_postgresql_server_is_told_from_what_stands_beside_it() {
        for (image, is) in [
            ("postgres:16", true),
            ("bitnami/postgresql-repmgr:16", true),
            ("registry:5000/lbtest/postgres-database", true),
            ("postgis/postgis", true),
            ("lbtest/postgres-haproxy", false),
            ("quay.io/postgres_exporter@sha256:1", false),
            ("postgres/app", false),
        ] {
            let service = Service {
                image: Some(image.to_owned()),
                ..Service::default()
            };
            assert_eq!(is_postgres(&service), is, "{image}");
        }
    }
}
