//! A PostgreSQL workload, checked and prepared.

use super::parameter::Text;
use crate::load::SpecError;
use crate::load::values::{Draw, Escape, Template, Weights};
use crate::scenario::PostgresSpec;
use std::time::Duration;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, LoadBalanceHosts, SslMode, TargetSessionAttrs};

/// Everything that the clients of a workload share. Holds the password: not `Debug`.
pub struct PostgresPlan {
    /// The connection's settings.
    pub config: Config,
    /// Hosts and ports, tried in order.
    pub peers: Vec<(String, u16)>,
    /// The statements.
    pub statements: Vec<PreparedStatement>,
    /// Their shares.
    weights: Weights,
    /// Time-out for an operation, from its dispatch.
    pub timeout: Duration,
    /// Time-out for a connection to one of the hosts: authentication and preparing included.
    pub connect_timeout: Duration,
    /// A connection is closed and made anew after this.
    pub lifetime: Option<Duration>,
    /// One connection per operation.
    pub reconnect: bool,
    /// Names the instance, once per connection.
    pub instance_query: Option<String>,
}

/// One statement.
pub struct PreparedStatement {
    /// SQL with `$1`, ….
    pub query: String,
    /// One template per parameter.
    pub parameters: Vec<Template>,
    /// A write.
    pub write: bool,
    /// Rows that must come back or be affected.
    pub expect_rows: Option<u64>,
}

impl PostgresPlan {
    /// Checks a specification and prepares it.
    ///
    /// # Errors
    /// Where the DSN cannot be used. The DSN itself, a secret, is in no error.
    pub fn new(spec: &PostgresSpec) -> Result<Self, SpecError> {
        let mut config: Config = spec
            .dsn
            .parse()
            .map_err(|_| SpecError::Dsn("it cannot be parsed"))?;
        match config.get_ssl_mode() {
            SslMode::Disable | SslMode::Prefer => config.ssl_mode(SslMode::Disable),
            _ => {
                return Err(SpecError::Dsn(
                    "sslmode=require is not supported for PostgreSQL: use disable or prefer",
                ));
            }
        };
        // Followed only by the library's own way to connect, which is not used here.
        if config.get_target_session_attrs() != TargetSessionAttrs::Any
            || config.get_load_balance_hosts() != LoadBalanceHosts::Disable
        {
            return Err(SpecError::Dsn(
                "target_session_attrs and load_balance_hosts are not supported: name the host that is meant",
            ));
        }
        if config.get_application_name().is_none() {
            config.application_name("lbtest");
        }
        if spec.statements.is_empty() {
            return Err(SpecError::Empty);
        }
        let statements = spec.statements.iter().map(|s| PreparedStatement {
            query: s.query.clone(),
            parameters: s
                .parameters
                .iter()
                .map(|p| Template::new(p, &spec.variables, Escape::None))
                .collect(),
            write: s.write,
            expect_rows: s.expect_rows,
        });
        Ok(Self {
            peers: peers(&config)?,
            config,
            statements: statements.collect(),
            weights: Weights::new(spec.statements.iter().map(|s| s.weight)),
            timeout: spec.timeout,
            connect_timeout: spec.connect_timeout,
            lifetime: spec.connection_lifetime,
            reconnect: spec.reconnect,
            instance_query: spec.instance_query.clone(),
        })
    }

    /// The statement of one arrival and its index.
    #[must_use]
    pub fn choose(&self, draw: Draw) -> (usize, &PreparedStatement) {
        let index = self.weights.choose(draw).min(self.statements.len() - 1);
        (index, &self.statements[index])
    }
}

impl PreparedStatement {
    /// The parameters of one arrival.
    #[must_use]
    pub fn render(&self, draw: Draw) -> Vec<Text> {
        let text = |template: &Template| {
            let mut text = Vec::new();
            template.render(draw, &mut text);
            Text(text)
        };
        self.parameters.iter().map(text).collect()
    }
}

/// Hosts with their ports: one port for all or one each, 5432 by default. Where there are addresses (`hostaddr`) they
/// are connected to and not the hosts, as with libpq: the names beside them are for authentication only.
fn peers(config: &Config) -> Result<Vec<(String, u16)>, SpecError> {
    let ports = config.get_ports();
    let port = |i: usize| ports.get(i).or(ports.first()).copied().unwrap_or(5432);
    let addresses = config.get_hostaddrs().iter().enumerate();
    let mut peers: Vec<_> = addresses.map(|(i, a)| (a.to_string(), port(i))).collect();
    if peers.is_empty() {
        for (i, host) in config.get_hosts().iter().enumerate() {
            match host {
                Host::Tcp(name) => peers.push((name.clone(), port(i))),
                Host::Unix(_) => return Err(SpecError::Dsn("Unix sockets are not supported")),
            }
        }
    }
    if peers.is_empty() {
        Err(SpecError::Dsn("it names no host"))
    } else {
        Ok(peers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Statement;

    fn plan(dsn: &str) -> Result<PostgresPlan, SpecError> {
        let statement = Statement {
            query: "SELECT 1".into(),
            parameters: vec![],
            weight: 1,
            write: false,
            expect_rows: None,
        };
        PostgresPlan::new(&PostgresSpec {
            dsn: dsn.into(),
            statements: vec![statement],
            timeout: Duration::from_secs(1),
            connect_timeout: Duration::from_secs(1),
            connection_lifetime: None,
            reconnect: false,
            instance_query: None,
            variables: vec![],
        })
    }

    #[test]
    fn several_hosts_have_one_port_or_one_each() {
        assert_eq!(
            plan("postgres://u:p@a:1,b:2/d").ok().unwrap().peers,
            [("a".to_owned(), 1), ("b".to_owned(), 2)]
        );
        assert_eq!(
            plan("host=a,b port=7").ok().unwrap().peers,
            [("a".to_owned(), 7), ("b".to_owned(), 7)]
        );
        assert_eq!(
            plan("postgres://u@h/d").ok().unwrap().peers,
            [("h".to_owned(), 5432)]
        );
        assert_eq!(
            plan("host=db hostaddr=10.0.0.7 port=7 user=u")
                .ok()
                .unwrap()
                .peers,
            [("10.0.0.7".to_owned(), 7)],
            "an address is where the host is"
        );
    }

    #[test]
    fn an_unusable_dsn_is_refused_without_showing_its_password() {
        for dsn in [
            "postgres://u:sesame@h/d?sslmode=require",
            "postgres://u:sesame@h:x/d",
            "postgres://u:sesame@a,b/d?target_session_attrs=read-write",
            "postgres://u:sesame@a,b/d?load_balance_hosts=random",
            "sesame",
            "user=sesame",
        ] {
            let error = plan(dsn).err().unwrap();
            assert!(!format!("{error} {error:?}").contains("sesame"), "{error}");
        }
    }
}
