//! With which name and password a database is asked for its role.

use crate::scenario::{ClientSpec, Fault, Scenario, TargetChoice};
use tokio_postgres::Config;
use url::Url;

/// PostgreSQL's own port, at which it is asked from within its network namespace.
const PORT: u16 = 5432;

/// The DSN at which a candidate is asked from within its own network namespace: the target's own, or else made of the
/// user, the password and the database of the first PostgreSQL workload. A secret.
#[must_use]
pub fn dsn(scenario: &Scenario, fault: Option<&Fault>) -> Option<String> {
    let TargetChoice::Role { dsn, .. } = &fault?.target.as_ref()?.choice else {
        return None;
    };
    if dsn.is_some() {
        return dsn.clone();
    }
    let of_load = scenario.loads.iter().find_map(|load| match &load.client {
        ClientSpec::Postgres(spec) => Some(&spec.dsn),
        ClientSpec::Http(_) => None,
    });
    here(&of_load?.parse().ok()?)
}

fn here(config: &Config) -> Option<String> {
    let mut url = Url::parse(&format!("postgres://127.0.0.1:{PORT}")).ok()?;
    url.set_username(config.get_user().unwrap_or("postgres"))
        .ok()?;
    let password = config.get_password().map(String::from_utf8_lossy);
    url.set_password(password.as_deref()).ok()?;
    let mut path = url.path_segments_mut().ok()?;
    path.clear().push(config.get_dbname().unwrap_or("postgres"));
    drop(path);
    Some(url.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_asked_at_its_own_address_with_the_workloads_password() {
        let config: Config = "postgres://app:p%40ss%2Fword@127.0.0.1:5433/shop"
            .parse()
            .unwrap();
        let dsn = here(&config).unwrap();
        let asked: Config = dsn.parse().unwrap();
        assert_eq!(asked.get_password(), Some(&b"p@ss/word"[..]), "{dsn}");
        assert_eq!(
            (asked.get_user(), asked.get_dbname()),
            (Some("app"), Some("shop"))
        );
        assert_eq!(asked.get_ports(), [PORT]);
    }
}
