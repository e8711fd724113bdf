//! Sidecars: lbtest's own image beside a target, driven through the container's input and output.
//!
//! A sidecar's life hangs on the connection that drives it: when that ends, however it ends, the engine closes the
//! container's input, the sidecar undoes what it did and leaves, and the engine removes it.

use super::error::{Named, is_missing};
use super::{Docker, EngineError, Join, SELF_IMAGE, Sidecar, SidecarSpec, labels, state_of};
use crate::notice::Notices;
use crate::sidecar::protocol::{Answer, Done, Leftover, Order, Request};
use async_trait::async_trait;
use bollard::container::AttachContainerResults;
use bollard::models::{
    ContainerCreateBody, HostConfig, HostConfigCgroupnsModeEnum, HostConfigLogConfig,
};
use bollard::query_parameters::{
    AttachContainerOptions, CreateContainerOptionsBuilder, ListContainersOptionsBuilder,
    LogsOptionsBuilder, RemoveContainerOptionsBuilder, WaitContainerOptionsBuilder,
};
use futures_util::StreamExt;
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::{Mutex as AsyncMutex, oneshot};
use tokio::task::AbortHandle;

/// From the call that makes it to its first word. Starts of containers queue up on a busy machine.
const READY_WITHIN: Duration = Duration::from_secs(30);
/// For an answer to any order.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// The tree of cgroups.
const CGROUPS: &str = "/sys/fs/cgroup";
/// Where a sidecar finds the target's files, when not through its processes.
const ROOT: &str = "LBTEST_ROOT";

type Waiting = Arc<Mutex<HashMap<u64, oneshot::Sender<Result<Done, String>>>>>;

struct Attached {
    name: String,
    joined: Option<u32>,
    input: AsyncMutex<Pin<Box<dyn AsyncWrite + Send>>>,
    waiting: Waiting,
    next: AtomicU64,
    /// Its output has ended: nobody answers any more.
    ended: Arc<AtomicBool>,
    reader: AbortHandle,
}

impl Drop for Attached {
    fn drop(&mut self) {
        // The input closes with this; the reader holds the other half of the connection.
        self.reader.abort();
    }
}

#[async_trait]
impl Sidecar for Attached {
    async fn ask(&self, order: Order) -> Result<Done, EngineError> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let refused = |answer: String| EngineError::Refused {
            what: format!("sidecar {}", self.name),
            answer,
        };
        let (tell, told) = oneshot::channel();
        {
            let mut waiting = lock(&self.waiting);
            if self.ended.load(Ordering::Acquire) {
                return Err(refused("it is gone".to_owned()));
            }
            waiting.insert(id, tell);
        }
        let mut line =
            serde_json::to_vec(&Request { id, order }).map_err(|e| refused(e.to_string()))?;
        line.push(b'\n');
        {
            let mut input = self.input.lock().await;
            let sent = async {
                input.write_all(&line).await?;
                input.flush().await
            };
            sent.await
                .map_err(|e| refused(format!("it is gone: {e}")))?;
        }
        match tokio::time::timeout(ANSWER_WITHIN, told).await {
            Ok(Ok(answer)) => answer.map_err(refused),
            Ok(Err(_)) => Err(refused("it is gone".to_owned())),
            Err(_) => Err(refused(format!("no answer within {ANSWER_WITHIN:?}"))),
        }
    }

    fn joined(&self) -> Option<u32> {
        self.joined
    }

    fn lives(&self) -> bool {
        !self.ended.load(Ordering::Acquire)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Docker {
    pub(super) async fn attach_sidecar(
        &self,
        spec: &SidecarSpec,
    ) -> Result<Arc<dyn Sidecar>, EngineError> {
        self.guard(&spec.target).await?;
        let (silent, _) = Notices::channel();
        self.ensure_self_image(&silent).await?;
        let joined = self.pid_of(&spec.target).await?;
        let body = ContainerCreateBody {
            open_stdin: Some(true),
            stdin_once: Some(true),
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            host_config: Some(HostConfig {
                auto_remove: Some(true),
                ..host_config(spec, true)
            }),
            ..body(spec, vec!["sidecar".to_owned()])
        };
        let name = format!("{}-{}", base_name(spec), unique());
        let id = self.create_sidecar(&name, body).await?;
        let started = async {
            let attached = self.attach(&id, &name).await?;
            self.client
                .start_container(&id, None)
                .await
                .named(|| format!("starting sidecar {name}"))?;
            ready(attached, name.clone(), joined).await
        };
        let outcome = match tokio::time::timeout(READY_WITHIN, started).await {
            Ok(outcome) => outcome,
            Err(_) => Err(EngineError::Refused {
                what: format!("starting sidecar {name}"),
                answer: format!("it is not ready after {READY_WITHIN:?}"),
            }),
        };
        if outcome.is_err() {
            // What was made and cannot be used must not stay.
            let _ = self.remove_by_force(&id).await;
        }
        outcome
    }

    async fn pid_of(&self, target: &str) -> Result<Option<u32>, EngineError> {
        let inspected = self
            .client
            .inspect_container(target, None)
            .await
            .named(|| format!("container {target}"))?;
        Ok(state_of(&inspected).pid)
    }

    async fn create_sidecar(
        &self,
        name: &str,
        body: ContainerCreateBody,
    ) -> Result<String, EngineError> {
        let options = CreateContainerOptionsBuilder::new().name(name).build();
        let created = self.client.create_container(Some(options), body).await;
        Ok(created.doing(|| format!("making sidecar {name}"))?.id)
    }

    async fn attach(&self, id: &str, name: &str) -> Result<AttachContainerResults, EngineError> {
        let options = AttachContainerOptions {
            stream: true,
            stdin: true,
            stdout: true,
            stderr: true,
            ..AttachContainerOptions::default()
        };
        let attached = self.client.attach_container(id, Some(options)).await;
        attached.named(|| format!("attaching to sidecar {name}"))
    }

    async fn remove_by_force(&self, id: &str) -> Result<(), EngineError> {
        let options = RemoveContainerOptionsBuilder::new().force(true).build();
        match self.client.remove_container(id, Some(options)).await {
            Err(e) if is_missing(&e) => Ok(()),
            // It removes itself: somebody was faster.
            Err(bollard::errors::Error::DockerResponseServerError {
                status_code: 409, ..
            }) => Ok(()),
            other => other.named(|| format!("removing sidecar {id}")),
        }
    }

    /// Ids and names of sidecars with all of these labels.
    async fn sidecars_with(&self, wanted: &[String]) -> Result<Vec<(String, String)>, EngineError> {
        let filters = labels::filter(wanted);
        let options = ListContainersOptionsBuilder::new()
            .all(true)
            .filters(&filters)
            .build();
        let listed = self
            .client
            .list_containers(Some(options))
            .await
            .named(|| "listing sidecars".to_owned())?;
        let named = listed.into_iter().filter_map(|c| {
            let name = c.names.and_then(|n| n.into_iter().next());
            let id = c.id?;
            let name = name.unwrap_or_else(|| id.clone());
            Some((id, name.trim_start_matches('/').to_owned()))
        });
        Ok(named.collect())
    }

    pub(super) async fn sidecars_of(
        &self,
        spec: &SidecarSpec,
    ) -> Result<Vec<(String, String)>, EngineError> {
        self.sidecars_with(&[
            format!("{}={}", labels::SIDECAR, spec.target),
            format!("{}={}", labels::TAG, spec.tag),
            format!("{}={}", labels::RUN, spec.run),
        ])
        .await
    }

    /// Removes every sidecar of a run: those that were made and never used as well.
    ///
    /// # Errors
    /// The engine's refusal.
    pub async fn remove_sidecars(&self, run: &str) -> Result<Vec<String>, EngineError> {
        let wanted = [labels::SIDECAR.to_owned(), format!("{}={run}", labels::RUN)];
        let found = self.sidecars_with(&wanted).await?;
        for (id, _) in &found {
            self.remove_by_force(id).await?;
        }
        Ok(found.into_iter().map(|(_, name)| name).collect())
    }

    pub(super) async fn mend_after(
        &self,
        spec: &SidecarSpec,
        leftover: Option<&Leftover>,
    ) -> Result<String, EngineError> {
        for (id, _) in self.sidecars_of(spec).await? {
            self.remove_by_force(&id).await?;
        }
        let Some(leftover) = leftover else {
            return Ok("its sidecar is gone, and everything with it".to_owned());
        };
        self.guard(&spec.target).await?;
        let running = self.pid_of(&spec.target).await?.is_some();
        match leftover {
            Leftover::Rules | Leftover::Frozen(_) if !running => {
                Ok("it does not run: what was in it is gone".to_owned())
            }
            Leftover::Filled(fill) if !running => {
                self.in_a_volume(&spec.target, &fill.folder).await?;
                self.mend_once(spec, leftover, false).await
            }
            Leftover::Rules | Leftover::Frozen(_) | Leftover::Filled(_) => {
                self.mend_once(spec, leftover, true).await
            }
        }
    }

    /// Files of a container that does not run can be reached only where they are in a volume.
    async fn in_a_volume(&self, target: &str, folder: &str) -> Result<(), EngineError> {
        let inspected = self
            .client
            .inspect_container(target, None)
            .await
            .named(|| format!("container {target}"))?;
        let mounts = inspected.mounts.unwrap_or_default();
        let within = mounts
            .iter()
            .filter_map(|m| m.destination.as_deref())
            .any(|at| std::path::Path::new(folder).starts_with(at));
        if within {
            return Ok(());
        }
        Err(EngineError::Refused {
            what: format!("emptying {folder} of container {target}"),
            answer: "it does not run, and the folder is in no volume; start it first".to_owned(),
        })
    }

    async fn mend_once(
        &self,
        spec: &SidecarSpec,
        leftover: &Leftover,
        running: bool,
    ) -> Result<String, EngineError> {
        let json = serde_json::to_string(leftover).unwrap_or_default();
        let command = vec!["sidecar".to_owned(), "--mend".to_owned(), json];
        let (code, said) = self.once(spec, command, running).await?;
        let answer = said
            .lines()
            .find_map(|line| serde_json::from_str::<Answer>(line).ok());
        match answer.map(|a| a.result) {
            Some(Ok(done)) if code == 0 => Ok(done.seen),
            Some(Err(why)) => Err(EngineError::Refused {
                what: format!("cleaning up in container {}", spec.name),
                answer: why,
            }),
            Some(Ok(_)) | None => Err(EngineError::Refused {
                what: format!("cleaning up in container {}", spec.name),
                answer: format!("exit code {code}: {}", said.trim()),
            }),
        }
    }

    /// Runs a command of lbtest's beside a target, to its end: exit code and output.
    async fn once(
        &self,
        spec: &SidecarSpec,
        command: Vec<String>,
        running: bool,
    ) -> Result<(i64, String), EngineError> {
        let (silent, _) = Notices::channel();
        self.ensure_self_image(&silent).await?;
        let mut body = body(spec, command);
        body.host_config = Some(HostConfig {
            log_config: None,
            ..host_config(spec, running)
        });
        if !running {
            body.env = Some(vec![format!("{ROOT}=/")]);
        }
        let name = format!("{}-mend-{}", base_name(spec), unique());
        let id = self.create_sidecar(&name, body).await?;
        let ended = tokio::time::timeout(READY_WITHIN, self.run_to_its_end(&id)).await;
        let removed = self.remove_by_force(&id).await;
        let ended = ended.unwrap_or_else(|_| {
            Err(EngineError::Refused {
                what: format!("sidecar {name}"),
                answer: format!("it has not ended within {READY_WITHIN:?}"),
            })
        })?;
        removed.map(|()| ended)
    }

    async fn run_to_its_end(&self, id: &str) -> Result<(i64, String), EngineError> {
        use bollard::errors::Error;
        let what = || format!("sidecar {id}");
        self.client.start_container(id, None).await.named(what)?;
        let options = WaitContainerOptionsBuilder::new().build();
        let mut wait = self.client.wait_container(id, Some(options));
        let code = match wait.next().await {
            Some(Ok(ended)) => ended.status_code,
            Some(Err(Error::DockerContainerWaitError { code, .. })) => code,
            Some(Err(error)) => return Err(error).named(what),
            None => -1,
        };
        let options = LogsOptionsBuilder::new().stdout(true).stderr(true).build();
        let mut log = self.client.logs(id, Some(options));
        let mut said = Vec::new();
        while let Some(part) = log.next().await {
            said.extend_from_slice(&part.named(what)?.into_bytes());
        }
        Ok((code, String::from_utf8_lossy(&said).into_owned()))
    }

    /// What the engine's kernel can do to packets, found out by a container that has no network but its own.
    ///
    /// # Errors
    /// The engine's refusal, or what the sidecar says.
    pub async fn probe(
        &self,
        run: &str,
    ) -> Result<crate::sidecar::protocol::Abilities, EngineError> {
        let spec = SidecarSpec {
            target: String::new(),
            name: "probe".to_owned(),
            join: Join::Network,
            run: run.to_owned(),
            project: String::new(),
            tag: "probe".to_owned(),
        };
        let command = vec!["sidecar".to_owned(), "--probe".to_owned()];
        let (code, said) = self.once(&spec, command, true).await?;
        let answers = said.lines().filter_map(|l| serde_json::from_str(l).ok());
        let found = answers
            .filter_map(|a: Answer| a.result.ok()?.abilities)
            .next();
        found.ok_or_else(|| EngineError::Refused {
            what: "looking at what the kernel can do to packets".to_owned(),
            answer: format!("exit code {code}: {}", said.trim()),
        })
    }
}

async fn ready(
    attached: AttachContainerResults,
    name: String,
    joined: Option<u32>,
) -> Result<Arc<dyn Sidecar>, EngineError> {
    let waiting: Waiting = Arc::default();
    let (tell, told) = oneshot::channel();
    lock(&waiting).insert(0, tell);
    let answers = Arc::clone(&waiting);
    let ended = Arc::new(AtomicBool::new(false));
    let over = Arc::clone(&ended);
    let mut output = attached.output;
    let reader = tokio::spawn(async move {
        let mut pending = Vec::new();
        while let Some(Ok(part)) = output.next().await {
            pending.extend_from_slice(&part.into_bytes());
            while let Some(end) = pending.iter().position(|b| *b == b'\n') {
                let line: Vec<u8> = pending.drain(..=end).collect();
                let Ok(answer) = serde_json::from_slice::<Answer>(&line) else {
                    continue;
                };
                if let Some(tell) = lock(&answers).remove(&answer.id) {
                    let _ = tell.send(answer.result);
                }
            }
        }
        // Whoever still waits for an answer waits in vain.
        let mut answers = lock(&answers);
        over.store(true, Ordering::Release);
        answers.clear();
    });
    let sidecar = Attached {
        name,
        joined,
        input: AsyncMutex::new(attached.input),
        waiting,
        next: AtomicU64::new(1),
        ended,
        reader: reader.abort_handle(),
    };
    match told.await {
        Ok(Ok(_)) => Ok(Arc::new(sidecar)),
        Ok(Err(answer)) => Err(EngineError::Refused {
            what: format!("sidecar {}", sidecar.name),
            answer,
        }),
        Err(_) => Err(EngineError::Refused {
            what: format!("sidecar {}", sidecar.name),
            answer: "it ended before it was ready".to_owned(),
        }),
    }
}

fn base_name(spec: &SidecarSpec) -> String {
    format!("lbtest-{}-sidecar", spec.name)
}

/// No two containers of one engine may have one name.
fn unique() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let n = COUNT.fetch_add(1, Ordering::Relaxed);
    let now = jiff::Timestamp::now().as_microsecond();
    format!("{:x}-{:x}-{n}", std::process::id(), now & 0xff_ffff_ffff)
}

fn body(spec: &SidecarSpec, command: Vec<String>) -> ContainerCreateBody {
    let mut marks = labels::common(&spec.project, &spec.run);
    if spec.project.is_empty() {
        marks.remove(labels::PROJECT);
    }
    marks.insert(labels::SIDECAR.to_owned(), spec.target.clone());
    marks.insert(labels::TAG.to_owned(), spec.tag.clone());
    ContainerCreateBody {
        image: Some(SELF_IMAGE.to_owned()),
        cmd: Some(command),
        labels: Some(marks),
        host_config: Some(host_config(spec, true)),
        ..ContainerCreateBody::default()
    }
}

/// As little as the work needs: no capability but those named, and no way to more.
fn host_config(spec: &SidecarSpec, running: bool) -> HostConfig {
    let joined = || format!("container:{}", spec.target);
    let capabilities: &[&str] = match spec.join {
        // The second is for delayed packets, which are sent again.
        Join::Network => &["NET_ADMIN", "NET_RAW"],
        Join::Processes => &["KILL"],
        Join::Files => &["SYS_PTRACE", "DAC_OVERRIDE", "DAC_READ_SEARCH"],
        Join::Cgroup => &["DAC_OVERRIDE"],
    };
    let plain = HostConfig {
        cap_drop: Some(vec!["ALL".to_owned()]),
        cap_add: Some(capabilities.iter().map(|c| (*c).to_owned()).collect()),
        security_opt: Some(vec!["no-new-privileges".to_owned()]),
        log_config: Some(HostConfigLogConfig {
            typ: Some("none".to_owned()),
            config: None,
        }),
        ..HostConfig::default()
    };
    match spec.join {
        // A probe stands beside nobody.
        Join::Network if spec.target.is_empty() => HostConfig {
            network_mode: Some("none".to_owned()),
            ..plain
        },
        Join::Network => HostConfig {
            network_mode: Some(joined()),
            ..plain
        },
        Join::Processes => HostConfig {
            network_mode: Some("none".to_owned()),
            pid_mode: Some(joined()),
            ..plain
        },
        Join::Files if running => HostConfig {
            network_mode: Some("none".to_owned()),
            pid_mode: Some(joined()),
            ..plain
        },
        Join::Files => HostConfig {
            network_mode: Some("none".to_owned()),
            volumes_from: Some(vec![spec.target.clone()]),
            ..plain
        },
        Join::Cgroup => HostConfig {
            network_mode: Some("none".to_owned()),
            cgroupns_mode: Some(HostConfigCgroupnsModeEnum::HOST),
            binds: Some(vec![format!("{CGROUPS}:{CGROUPS}:rw")]),
            ..plain
        },
    }
}
