//! What `doctor` asks of the engine.

use super::container::LOOPBACK;
use super::error::Named;
use super::ports::{holder, is_free, process_on};
use super::{Docker, EngineError};

/// What a look at the engine shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Examination {
    /// Where it listens.
    pub host: String,
    /// Engine version.
    pub version: String,
    /// API version that both speak.
    pub api_version: String,
    /// Storage driver.
    pub storage_driver: String,
    /// Cgroup driver and version: `cgroupfs, v1`.
    pub cgroup: String,
    /// Kernel of its machine.
    pub kernel: String,
    /// CPUs of its machine.
    pub cpus: u64,
    /// Memory of its machine, bytes.
    pub memory: u64,
    /// Its containers' processes can be seen from here: effects are timed to the millisecond.
    pub shares_our_kernel: bool,
    /// The images that were asked about, in order.
    pub images: Vec<ImagePresence>,
    /// The ports that were asked about, in order.
    pub ports: Vec<PortUse>,
}

/// Whether an image is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImagePresence {
    /// Its name.
    pub image: String,
    /// It is there.
    pub present: bool,
}

/// Whether a port of 127.0.0.1 is free.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortUse {
    /// The port.
    pub port: u16,
    /// Who has it; none: it is free.
    pub taken_by: Option<String>,
}

impl Docker {
    /// Looks at the engine, at images and at TCP ports of 127.0.0.1.
    ///
    /// # Errors
    /// The engine's refusal.
    pub async fn examine(
        &self,
        images: &[&str],
        ports: &[u16],
    ) -> Result<Examination, EngineError> {
        let info = self
            .client
            .info()
            .await
            .named(|| "asking the engine about itself".into())?;
        let cgroup = [
            info.cgroup_driver.map(|d| d.to_string()),
            info.cgroup_version.map(|v| format!("v{v}")),
        ];
        let mut presences = Vec::new();
        for image in images {
            let present = self.look_at_image(image).await?.is_some();
            presences.push(ImagePresence {
                image: (*image).to_owned(),
                present,
            });
        }
        Ok(Examination {
            host: self.shared.host.clone(),
            version: info.server_version.unwrap_or_default(),
            api_version: self.client.client_version().to_string(),
            storage_driver: info.driver.unwrap_or_default(),
            cgroup: cgroup.into_iter().flatten().collect::<Vec<_>>().join(", "),
            kernel: info.kernel_version.unwrap_or_default(),
            cpus: info
                .ncpu
                .and_then(|n| u64::try_from(n).ok())
                .unwrap_or_default(),
            memory: info
                .mem_total
                .and_then(|n| u64::try_from(n).ok())
                .unwrap_or_default(),
            shares_our_kernel: self.shared.our_kernel,
            images: presences,
            ports: self.port_uses(ports).await?,
        })
    }

    async fn port_uses(&self, ports: &[u16]) -> Result<Vec<PortUse>, EngineError> {
        let running = if ports.is_empty() {
            Vec::new()
        } else {
            self.running().await?
        };
        let uses = ports.iter().map(|port| {
            let container =
                holder(&running, LOOPBACK, *port, "tcp").map(|name| format!("container `{name}`"));
            let program = || {
                (self.listens_here() && !is_free(LOOPBACK, *port, "tcp"))
                    .then(|| process_on(*port).unwrap_or_else(|| "another program".into()))
            };
            PortUse {
                port: *port,
                taken_by: container.or_else(program),
            }
        });
        Ok(uses.collect())
    }
}
