//! Targets that are found at the moment of injection: the database that is primary now, the container that served the
//! last request.

use super::{Site, beside::Beside};
use crate::engine::{Container, EngineError, Join};
use crate::plan::Late;
use crate::sidecar::protocol::Order;
use futures_util::future::join_all;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What workloads saw last: the instance that served a request, by the workload's name.
#[derive(Debug, Clone, Default)]
pub struct LastServed(Arc<Mutex<BTreeMap<String, String>>>);

impl LastServed {
    /// A request of `load` was served by `instance`.
    pub fn saw(&self, load: &str, instance: &str) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match seen.get_mut(load) {
            Some(last) if last == instance => {}
            Some(last) => instance.clone_into(last),
            None => _ = seen.insert(load.to_owned(), instance.to_owned()),
        }
    }

    /// Who served the last one of `load`.
    #[must_use]
    pub fn by(&self, load: &str) -> Option<String> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(load).cloned()
    }
}

/// How the targets of one occurrence are found.
pub struct Finder {
    /// What is looked for.
    pub late: Late,
    /// Where databases are asked for their role; a secret.
    pub dsn: Option<String>,
    /// Sidecars that ask.
    beside: Beside,
}

impl Finder {
    /// Nothing is asked yet.
    #[must_use]
    pub fn new(late: Late, dsn: Option<String>) -> Self {
        Self {
            late,
            dsn,
            beside: Beside::new(Join::Network),
        }
    }

    /// Makes ready to ask a candidate.
    ///
    /// # Errors
    /// What the engine answers.
    pub async fn arm(&self, site: Site<'_>) -> Result<(), EngineError> {
        match self.late {
            Late::Role(_) => self.beside.arm(site).await,
            Late::LastServed(_) => Ok(()),
        }
    }

    /// Those of the candidates that it is now, and in words how it was found out.
    ///
    /// # Errors
    /// None of them is.
    pub async fn find(
        &self,
        sites: &[Site<'_>],
        served: &LastServed,
    ) -> Result<(Vec<Container>, String), EngineError> {
        match &self.late {
            Late::LastServed(load) => {
                let instance = served.by(load);
                let found = instance.as_deref().and_then(|name| called(sites, name));
                match (found, instance) {
                    (Some(container), Some(name)) => Ok((
                        vec![container.clone()],
                        format!("{name} served the last request of {load}"),
                    )),
                    (_, Some(name)) => Err(nobody(
                        &format!("the last request of {load}"),
                        &format!("`{name}` served it, and no container is called so"),
                    )),
                    (_, None) => Err(nobody(
                        &format!("the last request of {load}"),
                        "no answer has named an instance yet",
                    )),
                }
            }
            Late::Role(role) => {
                let asked = join_all(sites.iter().map(|site| self.role_of(*site))).await;
                let mut said = Vec::new();
                let mut found = Vec::new();
                for (site, answer) in sites.iter().zip(asked) {
                    let answer = answer.unwrap_or_else(|e| format!("no answer ({e})"));
                    if answer == *role {
                        found.push(site.target.clone());
                    }
                    said.push(format!("{}: {answer}", site.target.service));
                }
                let said = said.join(", ");
                if found.is_empty() {
                    return Err(nobody(&format!("the databases with role {role}"), &said));
                }
                Ok((found, said))
            }
        }
    }

    async fn role_of(&self, site: Site<'_>) -> Result<String, EngineError> {
        let dsn = self.dsn.clone().unwrap_or_default();
        let done = self.beside.ask(site, Order::Role { dsn }).await?;
        Ok(done.seen)
    }

    /// Lets the sidecars go.
    pub fn let_go(&self) {
        self.beside.let_go();
    }
}

fn nobody(what: &str, answer: &str) -> EngineError {
    EngineError::Refused {
        what: format!("finding {what}"),
        answer: answer.to_owned(),
    }
}

/// The candidate that an instance's name means: its service, its container, or the beginning of its id, which is its
/// host name unless it is given another.
fn called<'a>(sites: &[Site<'a>], name: &str) -> Option<&'a Container> {
    let candidates = || sites.iter().map(|s| s.target);
    let by_name = |c: &&Container| c.is_called(name) || c.name == name;
    let by_id = |c: &&Container| name.len() >= 12 && c.id.starts_with(name);
    candidates()
        .find(by_name)
        .or_else(|| candidates().find(by_id))
}
