//! A topology that is up within a second: the sample application without its database, and a container that
//! sleeps. Enough to be built, loaded, broken and cleaned up after.

use super::Place;
use std::net::TcpListener;
use std::path::PathBuf;

/// The topology, the scenario and their names.
pub struct Tiny {
    pub project: String,
    pub port: u16,
    pub compose: PathBuf,
    pub scenario: PathBuf,
}

/// How a scenario differs from the usual one.
pub struct Shape<'a> {
    /// The path that is asked for; one that the application does not have is never ready.
    pub path: &'a str,
    pub fault: &'a str,
    /// More services, in YAML, indented by two.
    pub services: &'a str,
    /// Offsets in seconds.
    pub inject_at: u32,
    pub heal_after: u32,
    pub duration: u32,
}

impl Default for Shape<'_> {
    fn default() -> Self {
        Self {
            path: "/api/status",
            fault: "pause",
            services: "",
            inject_at: 2,
            heal_after: 20,
            duration: 30,
        }
    }
}

/// A port that nobody has at this moment.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

impl Tiny {
    pub fn new(place: &Place, test: &str, shape: &Shape<'_>) -> Self {
        let project = format!("lbtest-t-tiny-{test}");
        let port = free_port();
        let compose = place.file("compose.yaml", &compose(&project, port, shape.services));
        let scenario = place.file("scenario.toml", &scenario(test, port, shape));
        Self {
            project,
            port,
            compose,
            scenario,
        }
    }

    pub fn compose(&self) -> &str {
        self.compose.to_str().unwrap()
    }

    pub fn scenario(&self) -> &str {
        self.scenario.to_str().unwrap()
    }
}

fn compose(project: &str, port: u16, more: &str) -> String {
    format!(
        r#"name: {project}
services:
  api:
    image: lbtest:self
    init: true
    command: sample-app --listen 0.0.0.0:3025 --instance api
    environment:
      READ_DSN: postgres://app@127.0.0.1:1/app
      WRITE_DSN: postgres://app@127.0.0.1:1/app
    ports:
      - "127.0.0.1:{port}:3025"
    volumes:
      - kept:/kept
  idle:
    image: debian:bookworm-slim
    init: true
    command: ["sleep", "1000"]
{more}
volumes:
  kept:
"#
    )
}

fn scenario(name: &str, port: u16, shape: &Shape<'_>) -> String {
    let Shape {
        path,
        fault,
        inject_at,
        heal_after,
        duration,
        services: _,
    } = shape;
    format!(
        r#"name = "{name}"
topology = "compose.yaml"

[run]
warmup = "500ms"
duration = "{duration}s"

[[load]]
name = "web"
rate = 50
http = {{ url = "http://127.0.0.1:{port}{path}", timeout = "500ms" }}

[[fault]]
name = "broken"
at = "{inject_at}s"
heal_after = "{heal_after}s"
{fault} = {{ target = "api" }}

[gate]
error_rate = "<= 100%"
"#
    )
}
