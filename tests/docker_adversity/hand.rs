//! Somebody else's hands on the engine: what a person, a policy or a script does while lbtest is at work.

use bollard::Docker;
use bollard::exec::StartExecResults;
use bollard::models::{
    ContainerCreateBody, ContainerInspectResponse, ExecConfig, HostConfig,
    NetworkDisconnectRequest, PortBinding,
};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, RemoveContainerOptionsBuilder, RestartContainerOptionsBuilder,
};
use futures_util::StreamExt;
use std::collections::HashMap;
use std::future::Future;

/// A connection of our own, past every proxy.
fn with<T, F: Future<Output = T>>(act: impl FnOnce(Docker) -> F) -> T {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let docker = Docker::connect_with_socket_defaults().unwrap();
        act(docker.negotiate_version().await.unwrap()).await
    })
}

/// `docker rm -f`
pub fn remove(names: &[String]) {
    with(|docker| async move {
        for name in names {
            let options = RemoveContainerOptionsBuilder::new()
                .force(true)
                .v(true)
                .build();
            docker.remove_container(name, Some(options)).await.unwrap();
        }
    });
}

/// `docker restart -t 0`
pub fn restart(names: &[String]) {
    with(|docker| async move {
        for name in names {
            let options = RestartContainerOptionsBuilder::new().t(0).build();
            docker.restart_container(name, Some(options)).await.unwrap();
        }
    });
}

/// `docker exec NAME sh -c SCRIPT`: what it says.
pub fn shell(name: &str, script: &str) -> String {
    with(|docker| async move {
        let words = ["sh", "-c", script].map(str::to_owned).to_vec();
        let config = ExecConfig {
            cmd: Some(words),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            ..ExecConfig::default()
        };
        let made = docker.create_exec(name, config).await.unwrap();
        let started = docker.start_exec(&made.id, None).await.unwrap();
        let StartExecResults::Attached { mut output, .. } = started else {
            panic!("its output is wanted")
        };
        let mut said = String::new();
        while let Some(Ok(part)) = output.next().await {
            said += &part.to_string();
        }
        said
    })
}

/// `docker network disconnect -f`
pub fn take_off(network: &str, container: &str) {
    with(|docker| async move {
        let request = NetworkDisconnectRequest {
            container: container.to_owned(),
            force: Some(true),
        };
        docker.disconnect_network(network, request).await.unwrap();
    });
}

/// `docker network rm`
pub fn remove_network(network: &str) {
    with(|docker| async move { docker.remove_network(network).await.unwrap() });
}

/// `docker inspect`
pub fn inspect(name: &str) -> ContainerInspectResponse {
    with(|docker| async move { docker.inspect_container(name, None).await.unwrap() })
}

/// When it was last started.
pub fn started_at(name: &str) -> String {
    inspect(name).state.unwrap().started_at.unwrap()
}

/// A service of a project that compose made, and not lbtest: the sample application at a port.
pub fn composed(project: &str, service: &str, port: u16) -> String {
    let name = format!("{project}-{service}-1");
    let labels = [
        ("com.docker.compose.project", project),
        ("com.docker.compose.service", service),
        ("com.docker.compose.container-number", "1"),
        ("com.docker.compose.oneoff", "False"),
    ];
    let words = "sample-app --listen 0.0.0.0:3025 --instance api".split(' ');
    let nowhere = "postgres://app@127.0.0.1:1/app";
    let bound = PortBinding {
        host_ip: Some("127.0.0.1".to_owned()),
        host_port: Some(port.to_string()),
    };
    let body = ContainerCreateBody {
        image: Some("lbtest:self".to_owned()),
        cmd: Some(words.map(str::to_owned).collect()),
        env: Some(vec![
            format!("READ_DSN={nowhere}"),
            format!("WRITE_DSN={nowhere}"),
        ]),
        labels: Some(labels.map(|(k, v)| (k.to_owned(), v.to_owned())).into()),
        exposed_ports: Some(vec!["3025/tcp".to_owned()]),
        host_config: Some(HostConfig {
            init: Some(true),
            port_bindings: Some(HashMap::from([("3025/tcp".to_owned(), Some(vec![bound]))])),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    };
    let made = name.clone();
    with(|docker| async move {
        let options = CreateContainerOptionsBuilder::new().name(&made).build();
        docker.create_container(Some(options), body).await.unwrap();
        docker.start_container(&made, None).await.unwrap();
    });
    name
}
