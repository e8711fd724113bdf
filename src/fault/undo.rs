//! What mends a fault. An undo is data, so that the journal can hold it and anyone — the conductor, the
//! guardian, `lbtest clean` — can carry it out. Carrying it out twice does no harm.

use super::{Effect, Truth, command, http, sql};
use crate::engine::{ContainerState, Endpoint, Engine, EngineError, Limits, SidecarSpec};
use crate::sidecar::protocol::{HttpCall, Leftover};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How a target is mended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Undo {
    /// Start it.
    Start,
    /// Thaw it.
    Unpause,
    /// Stop it.
    Stop,
    /// Put it back into these networks.
    Connect(Vec<Endpoint>),
    /// Set these limits.
    Limits(Limits),
    /// Remove a sidecar and what it left.
    Sidecar {
        /// Which.
        spec: Box<SidecarSpec>,
        /// What may remain when it is gone.
        leftover: Option<Leftover>,
    },
    /// Send a request.
    Http {
        /// The request.
        call: Box<HttpCall>,
        /// One that is answered as expected while the fault shows; none: the answer to `call` is all there is to see.
        shows: Option<Box<HttpCall>>,
        /// From within the target's network; none: from here.
        from: Option<Box<SidecarSpec>>,
    },
    /// Run a command in the container.
    Exec {
        /// Argument list.
        command: Vec<String>,
        /// Ends with 0 while the fault shows.
        shows: Option<Vec<String>>,
        /// How long it may take.
        timeout: Duration,
    },
    /// Run a command here.
    Command {
        /// Argument list.
        command: Vec<String>,
        /// Ends with 0 while the fault shows.
        shows: Option<Vec<String>>,
        /// How long it may take.
        timeout: Duration,
    },
    /// Run statements.
    Sql {
        /// A secret: the journal can be read by its owner only.
        dsn: String,
        /// Empty where the end of the session is enough.
        statements: Vec<String>,
        /// A query that is true while the fault shows.
        shows: Option<String>,
        /// How long each may take.
        timeout: Duration,
    },
}

impl Undo {
    /// Does it, unless it is done already.
    ///
    /// # Errors
    /// What the engine, the server or the command answers.
    pub async fn apply(&self, engine: &dyn Engine, container: &str) -> Result<Effect, EngineError> {
        if let Some(seen) = self.look(engine, container).await? {
            return Ok(said(seen));
        }
        self.carry_out(engine, container).await
    }

    /// Does it, whatever a look says.
    ///
    /// # Errors
    /// What the engine, the server or the command answers.
    pub async fn carry_out(
        &self,
        engine: &dyn Engine,
        container: &str,
    ) -> Result<Effect, EngineError> {
        match self {
            Self::Start => engine.start(container).await?,
            Self::Unpause => engine.unpause(container).await?,
            Self::Stop => engine.stop(container, None).await?,
            Self::Connect(endpoints) => {
                for endpoint in missing(endpoints, &engine.endpoints(container).await?) {
                    engine.connect(container, endpoint).await?;
                }
            }
            Self::Limits(limits) => engine.set_limits(container, limits).await?,
            Self::Sidecar { spec, leftover } => {
                return engine.mend(spec, leftover.as_ref()).await.map(said);
            }
            Self::Http { call, shows, from } => {
                let effect = http::send_by(engine, from.as_deref(), call).await?;
                return Ok(effect.unless(shows.is_some()));
            }
            Self::Exec {
                command,
                shows,
                timeout,
            } => {
                let ended = engine.exec(container, command, *timeout).await?;
                let effect = super::exec::ended(command, &ended).map(said)?;
                return Ok(effect.unless(shows.is_some()));
            }
            Self::Command {
                command,
                shows,
                timeout,
            } => {
                let effect = command::run(command, *timeout).await.map(said)?;
                return Ok(effect.unless(shows.is_some()));
            }
            Self::Sql {
                dsn,
                statements,
                shows,
                timeout,
            } => {
                let effect = sql::execute(dsn, statements, *timeout).await.map(said)?;
                return Ok(effect.unless(shows.is_some()));
            }
        }
        Ok(Effect::default())
    }

    /// Looks whether it is done: in words, or none. Of a request, a command or a statement without anything that shows
    /// the fault only the answer tells, so that a look never does.
    ///
    /// # Errors
    /// It cannot be looked at.
    pub async fn look(
        &self,
        engine: &dyn Engine,
        container: &str,
    ) -> Result<Option<String>, EngineError> {
        match self {
            Self::Start | Self::Unpause | Self::Stop => {
                Ok(self.shown_by(&engine.state(container).await?))
            }
            Self::Connect(endpoints) => {
                let there = engine.endpoints(container).await?;
                let names = endpoints.iter().map(|e| e.name.as_str());
                let back = || format!("in {} again", names.collect::<Vec<_>>().join(", "));
                Ok(missing(endpoints, &there).next().is_none().then(back))
            }
            Self::Limits(limits) => {
                let now = engine.limits(container).await?;
                Ok((now == *limits).then(|| "its former limits read back".to_owned()))
            }
            // That the sidecar is gone does not show that nothing is left of what it did.
            Self::Sidecar { .. } => Ok(None),
            Self::Http { shows, from, .. } => match shows {
                Some(shows) => http::no_longer(engine, from.as_deref(), shows).await,
                None => Ok(None),
            },
            Self::Exec { shows, timeout, .. } => match shows {
                Some(shows) => {
                    let ended = engine.exec(container, shows, *timeout).await?;
                    Ok(super::exec::no_longer(shows, &ended))
                }
                None => Ok(None),
            },
            Self::Command { shows, timeout, .. } => match shows {
                Some(shows) => {
                    let ended = command::execute(shows, *timeout).await?;
                    Ok(super::exec::no_longer(shows, &ended))
                }
                None => Ok(None),
            },
            Self::Sql {
                dsn,
                shows,
                timeout,
                ..
            } => match shows {
                Some(query) => {
                    let shows = sql::is_true(dsn, query, *timeout).await?;
                    Ok((!shows).then(|| format!("`{query}` is no longer true")))
                }
                None => Ok(None),
            },
        }
    }

    fn shown_by(&self, state: &ContainerState) -> Option<String> {
        let (done, words) = match self {
            Self::Start => (state.running, "running"),
            Self::Unpause => (!state.paused, "not paused"),
            Self::Stop => (!state.running, "not running"),
            _ => return None,
        };
        done.then(|| words.to_owned())
    }

    /// True where what it restores is a state that can be looked at; false where only something that the user named
    /// tells, which may tell nothing.
    #[must_use]
    pub fn is_a_state(&self) -> bool {
        match self {
            Self::Start
            | Self::Unpause
            | Self::Stop
            | Self::Connect(_)
            | Self::Limits(_)
            | Self::Sidecar { .. } => true,
            Self::Http { .. } | Self::Exec { .. } | Self::Command { .. } | Self::Sql { .. } => {
                false
            }
        }
    }

    /// True where a container that is gone needs no mending.
    #[must_use]
    pub fn ends_with_the_container(&self) -> bool {
        match self {
            Self::Start
            | Self::Unpause
            | Self::Stop
            | Self::Connect(_)
            | Self::Limits(_)
            | Self::Sidecar { .. }
            | Self::Exec { .. } => true,
            Self::Http { from, .. } => from.is_some(),
            Self::Command { .. } | Self::Sql { .. } => false,
        }
    }

    /// The observation that shows when it took effect.
    #[must_use]
    pub fn truth(&self) -> Truth {
        match self {
            Self::Unpause => Truth::Thawed,
            Self::Stop => Truth::ProcessDeath,
            Self::Start
            | Self::Connect(_)
            | Self::Limits(_)
            | Self::Sidecar { .. }
            | Self::Http { .. }
            | Self::Exec { .. }
            | Self::Command { .. }
            | Self::Sql { .. } => Truth::Event,
        }
    }

    /// The engine's event that goes with it; empty: none.
    #[must_use]
    pub fn event(&self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Unpause => "unpause",
            Self::Stop => "die",
            Self::Connect(_)
            | Self::Limits(_)
            | Self::Sidecar { .. }
            | Self::Http { .. }
            | Self::Exec { .. }
            | Self::Command { .. }
            | Self::Sql { .. } => "",
        }
    }

    /// The command that does it by hand, for the moment when lbtest cannot.
    #[must_use]
    pub fn by_hand(&self, container: &str) -> String {
        match self {
            Self::Start => format!("docker start {container}"),
            Self::Unpause => format!("docker unpause {container}"),
            Self::Stop => format!("docker stop {container}"),
            Self::Connect(endpoints) => connecting(endpoints, container),
            Self::Limits(limits) => updating(limits, container),
            Self::Sidecar { .. } => "lbtest clean".to_owned(),
            Self::Http { call, .. } => {
                format!("curl -X {} {}", call.method, quoted(&call.url))
            }
            Self::Exec { command, .. } => {
                format!("docker exec {container} {}", in_words(command))
            }
            Self::Command { command, .. } => in_words(command),
            Self::Sql { statements, .. } => format!("psql -c {}", quoted(&statements.join("; "))),
        }
    }
}

fn said(seen: String) -> Effect {
    Effect {
        seen: Some(seen),
        ..Effect::default()
    }
}

/// Those of `wanted` whose network is not among those that are there.
fn missing<'a>(
    wanted: &'a [Endpoint],
    there: &'a [Endpoint],
) -> impl Iterator<Item = &'a Endpoint> {
    wanted
        .iter()
        .filter(|w| !there.iter().any(|t| t.network == w.network))
}

fn connecting(endpoints: &[Endpoint], container: &str) -> String {
    let one = |e: &Endpoint| {
        let aliases = e.aliases.iter().map(|a| format!(" --alias {a}"));
        let fixed = e.fixed_ipv4.iter().map(|a| format!(" --ip {a}"));
        let options: String = aliases.chain(fixed).collect();
        format!("docker network connect{options} {} {container}", e.name)
    };
    let all: Vec<_> = endpoints.iter().map(one).collect();
    all.join(" && ")
}

fn updating(limits: &Limits, container: &str) -> String {
    let or_none = |n: i64| if n == 0 { -1 } else { n };
    let (memory, swap) = (or_none(limits.memory), or_none(limits.memory_swap));
    let cpu = match limits.nano_cpus {
        0 => format!("--cpu-quota {}", or_none(limits.cpu_quota)),
        nano => format!(
            "--cpus {}.{:09}",
            nano / 1_000_000_000,
            nano % 1_000_000_000
        ),
    };
    format!("docker update {cpu} --memory {memory} --memory-swap {swap} {container}")
}

/// A command line as a person would type it.
#[must_use]
pub fn in_words(command: &[String]) -> String {
    let words: Vec<_> = command.iter().map(|w| quoted(w)).collect();
    words.join(" ")
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_to_be_done_by_hand_can_be_pasted_into_a_shell() {
        let undo = Undo::Exec {
            command: vec!["sh".into(), "-c".into(), "echo it's on".into()],
            shows: None,
            timeout: Duration::from_secs(1),
        };
        assert_eq!(
            undo.by_hand("p-app-1"),
            "docker exec p-app-1 sh -c 'echo it'\\''s on'"
        );
        let endpoint = Endpoint {
            name: "p_default".into(),
            aliases: vec!["app".into()],
            fixed_ipv4: Some("10.1.2.3".into()),
            ..Endpoint::default()
        };
        assert_eq!(
            Undo::Connect(vec![endpoint]).by_hand("p-app-1"),
            "docker network connect --alias app --ip 10.1.2.3 p_default p-app-1"
        );
        assert_eq!(
            Undo::Limits(Limits::default()).by_hand("c"),
            "docker update --cpu-quota -1 --memory -1 --memory-swap -1 c"
        );
    }
}
