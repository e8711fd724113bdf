//! The engine, the application and the database of one project, asked without lbtest.

use bollard::models::{ContainerCreateBody, ContainerSummary, HostConfig, PortBinding};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, ListContainersOptionsBuilder, RemoveContainerOptionsBuilder,
    StopContainerOptionsBuilder,
};
use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;
use tokio::runtime::Runtime;

/// For an answer of the application.
const PATIENCE: Duration = Duration::from_millis(1500);

pub struct Eyes {
    pub project: String,
    pub port: u16,
    pub database: u16,
    docker: bollard::Docker,
    runtime: Runtime,
}

/// A container, as the engine tells of it.
pub struct Seen {
    pub id: String,
    pub name: String,
    pub service: String,
    pub state: String,
    pub networks: String,
    pub pid: Option<u32>,
    /// The target, where it is a sidecar.
    pub beside: Option<String>,
}

impl Eyes {
    pub fn new(project: &str, port: u16, database: u16) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let docker = runtime.block_on(async {
            let docker = bollard::Docker::connect_with_defaults().unwrap();
            docker.negotiate_version().await.unwrap()
        });
        Self {
            project: project.to_owned(),
            port,
            database,
            docker,
            runtime,
        }
    }

    pub fn containers(&self) -> Vec<Seen> {
        let label = format!("com.docker.compose.project={}", self.project);
        let filters = HashMap::from([("label".to_owned(), vec![label])]);
        let options = ListContainersOptionsBuilder::new()
            .all(true)
            .filters(&filters)
            .build();
        let listed = self.docker.list_containers(Some(options));
        let listed = self.runtime.block_on(listed).unwrap();
        listed.into_iter().filter_map(|c| self.seen(c)).collect()
    }

    /// None where it is gone by now.
    fn seen(&self, summary: ContainerSummary) -> Option<Seen> {
        let id = summary.id.unwrap();
        let labels = summary.labels.unwrap_or_default();
        let inspect = self.docker.inspect_container(&id, None);
        let inspected = self.runtime.block_on(inspect).ok()?;
        let state = inspected.state.unwrap();
        let networks = inspected.network_settings.and_then(|s| s.networks);
        let mut networks: Vec<_> = networks
            .unwrap_or_default()
            .into_iter()
            .map(|(name, e)| {
                let mut aliases = e.aliases.unwrap_or_default();
                aliases.sort();
                // An address that nobody asked for may be another one after every start.
                let asked = e.ipam_config.and_then(|c| c.ipv4_address);
                let given = e.ip_address.filter(|a| !a.is_empty());
                let at = match asked.filter(|a| !a.is_empty()) {
                    Some(_) => given.unwrap_or_default(),
                    None => given.map_or_else(|| "nowhere", |_| "somewhere").to_owned(),
                };
                format!("{name}: {} as {}", at, aliases.join(","))
            })
            .collect();
        networks.sort();
        let pid = state.pid.and_then(|pid| u32::try_from(pid).ok());
        Some(Seen {
            id,
            name: inspected.name.unwrap_or_default(),
            service: labels
                .get("com.docker.compose.service")
                .cloned()
                .unwrap_or_default(),
            state: state.status.unwrap().to_string(),
            networks: networks.join("; "),
            pid: pid.filter(|pid| *pid > 0),
            beside: labels.get("io.lbtest.sidecar").cloned(),
        })
    }

    /// A container of this project that lbtest has not made, running; its port 3025 published where it is `api`.
    pub fn make(&self, service: &str, image: &str, command: &[&str]) {
        let labels = [
            ("com.docker.compose.project", self.project.as_str()),
            ("com.docker.compose.service", service),
            ("com.docker.compose.container-number", "1"),
        ];
        let published = PortBinding {
            host_ip: Some("127.0.0.1".to_owned()),
            host_port: Some(self.port.to_string()),
        };
        let ports = (service == "api")
            .then(|| HashMap::from([("3025/tcp".to_owned(), Some(vec![published]))]));
        let body = ContainerCreateBody {
            image: Some(image.to_owned()),
            cmd: Some(command.iter().map(|w| (*w).to_owned()).collect()),
            labels: Some(labels.map(|(k, v)| (k.to_owned(), v.to_owned())).into()),
            // There is no database, and nobody asks for one.
            env: Some(
                ["READ", "WRITE"]
                    .map(|which| format!("{which}_DSN=postgres://app@127.0.0.1:1/app"))
                    .into(),
            ),
            exposed_ports: Some(vec!["3025/tcp".to_owned()]),
            host_config: Some(HostConfig {
                init: Some(true),
                port_bindings: ports,
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        };
        let name = format!("{}-{service}-1", self.project);
        let options = CreateContainerOptionsBuilder::new().name(&name).build();
        self.runtime.block_on(async {
            let made = self.docker.create_container(Some(options), body).await;
            let id = made.unwrap().id;
            self.docker.start_container(&id, None).await.unwrap();
        });
    }

    pub fn remove_all(&self) {
        for container in self.containers() {
            let options = RemoveContainerOptionsBuilder::new().force(true).build();
            let gone = self.docker.remove_container(&container.id, Some(options));
            let _ = self.runtime.block_on(gone);
        }
    }

    fn of(&self, service: &str) -> String {
        let found = self.containers().into_iter();
        let mut found = found.filter(|c| c.service == service && c.beside.is_none());
        found.next().unwrap().id
    }

    pub fn start(&self, service: &str) {
        let id = self.of(service);
        let start = self.docker.start_container(&id, None);
        self.runtime.block_on(start).unwrap();
    }

    pub fn stop(&self, service: &str) {
        let id = self.of(service);
        let options = StopContainerOptionsBuilder::new().t(1).build();
        let stop = self.docker.stop_container(&id, Some(options));
        self.runtime.block_on(stop).unwrap();
    }

    /// What the application answers: its switch, and its way to the database.
    pub fn application(&self) -> String {
        let status = ask(self.port, "/api/status", PATIENCE);
        let data = ask(self.port, "/api/data", PATIENCE);
        format!("{} {}", first_line(status), first_line(data))
    }

    /// What sessions of lbtest hold in the database.
    pub fn locks(&self) -> String {
        let dsn = format!("postgres://app:app@127.0.0.1:{}/app", self.database);
        let count = async {
            let (client, connection) = tokio_postgres::connect(&dsn, tokio_postgres::NoTls).await?;
            tokio::spawn(connection);
            let query =
                "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'lbtest%'";
            let row = client.query_one(query, &[]).await?;
            row.try_get::<_, i64>(0)
        };
        match self.runtime.block_on(count) {
            Ok(sessions) => format!("{sessions} sessions"),
            Err(error) => format!("cannot be seen: {error}"),
        }
    }
}

fn first_line(answer: std::io::Result<String>) -> String {
    match answer {
        Ok(text) => text.lines().next().unwrap_or_default().to_owned(),
        Err(error) => error.kind().to_string(),
    }
}

/// One request on a connection of its own.
pub fn ask(port: u16, path: &str, patience: Duration) -> std::io::Result<String> {
    let address = ([127, 0, 0, 1], port).into();
    let mut stream = TcpStream::connect_timeout(&address, patience)?;
    stream.set_read_timeout(Some(patience))?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
