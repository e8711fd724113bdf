//! `ports`: short and long form, ranges expanded.

use std::net::IpAddr;

use super::fields::{Fields, loose_text};
use super::node::{Node, Value};
use super::report::Report;
use super::topology::Port;
use super::values::port_range;

/// Ports of one service: a bound for lists of wide ranges.
const MOST: usize = 10_000;

const HELP: &str =
    "write container, host:container or address:host:container, as in 127.0.0.1:8080:80/tcp";

/// Reads the ports of a service, each with the node that asks for it.
pub fn read<'a>(node: Option<&'a Node>, path: &str, report: &Report) -> Vec<(Port, &'a Node)> {
    let mut ports = Vec::new();
    let Some(node) = node else { return ports };
    let Value::List(items) = &node.value else {
        report.mistake(super::fields::expected(node, path, "a list"));
        return ports;
    };
    for item in items {
        let read = match &item.value {
            Value::Map(_) => long(item, path, report),
            Value::Scalar(_) | Value::List(_) => short(item, path, report),
        };
        let Some(read) = read else { continue };
        if ports.len() + read.len() > MOST {
            report.mistake(
                item.mistake(format!("{path}: more than {MOST} ports"))
                    .with_help("narrow the ranges"),
            );
            break;
        }
        addresses(item, path, &read, report);
        ports.extend(read.into_iter().map(|p| (p, item)));
    }
    ports
}

/// Names what differs from compose, and what other machines can reach.
fn addresses(item: &Node, path: &str, ports: &[Port], report: &Report) {
    let Some(first) = ports.first() else { return };
    let (message, help) = match first.host_ip {
        None => (
            format!("{path}: published on 127.0.0.1 only, where compose takes every address"),
            "put 127.0.0.1: before the port to say so; 0.0.0.0: where other machines shall reach it",
        ),
        Some(ip) if !ip.is_loopback() => (
            format!("{path}: published on {ip}, where other machines can reach it"),
            "put 127.0.0.1: before the port to keep it to this machine",
        ),
        Some(_) => return,
    };
    report.warn(item.mistake(message).with_help(help));
}

fn short(item: &Node, path: &str, report: &Report) -> Option<Vec<Port>> {
    let text = loose_text(item, path, report)?;
    let bad = |what: &str| {
        report.mistake(
            item.mistake(format!("{path}: `{text}` {what}"))
                .with_help(HELP),
        );
    };
    let (rest, protocol) = text.rsplit_once('/').unwrap_or((&text, "tcp"));
    let (rest, target) = rest
        .rsplit_once(':')
        .map_or((None, rest), |(r, t)| (Some(r), t));
    let (ip, published) = match rest {
        None => (None, None),
        Some(rest) => match rest.rsplit_once(':') {
            Some((ip, published)) => (Some(ip), Some(published)),
            None => (None, Some(rest)),
        },
    };
    let ip = match ip.map(|ip| ip.trim_matches(['[', ']']).parse::<IpAddr>()) {
        None => None,
        Some(Ok(ip)) => Some(ip),
        Some(Err(_)) => {
            bad("holds no valid address");
            return None;
        }
    };
    expand(
        item,
        target,
        published.filter(|p| !p.is_empty()),
        ip,
        protocol,
        (path, &text, report),
    )
}

fn long(item: &Node, path: &str, report: &Report) -> Option<Vec<Port>> {
    let mut fields = Fields::of(item, format!("{path}[]"), report)?;
    let target = fields.loose("target");
    let published = fields.loose("published");
    let ip = fields.read("host_ip", "an address", "write 127.0.0.1", |t| {
        t.parse::<IpAddr>().ok()
    });
    let protocol = fields.loose("protocol").unwrap_or_else(|| "tcp".into());
    fields.read("mode", "a mode", "write host or ingress", |t| {
        matches!(t, "host" | "ingress").then_some(())
    });
    // Names for people and for service meshes: nothing to carry out.
    fields.ignore(&["name", "app_protocol"]);
    fields.finish();
    let Some(target) = target else {
        report.mistake(
            item.mistake(format!("{path}: a port needs a target"))
                .with_help("write `target: 80`"),
        );
        return None;
    };
    let shown = format!("{}:{target}", published.as_deref().unwrap_or_default());
    expand(
        item,
        &target,
        published.as_deref(),
        ip,
        &protocol,
        (path, &shown, report),
    )
}

fn expand(
    item: &Node,
    target: &str,
    published: Option<&str>,
    host_ip: Option<IpAddr>,
    protocol: &str,
    (path, shown, report): (&str, &str, &Report),
) -> Option<Vec<Port>> {
    let bad = |what: &str| {
        report.mistake(
            item.mistake(format!("{path}: `{shown}` {what}"))
                .with_help(HELP),
        );
        None
    };
    if !matches!(protocol, "tcp" | "udp" | "sctp") {
        return bad("has a protocol other than tcp, udp and sctp");
    }
    let Some((first, last)) = port_range(target).filter(|(first, _)| *first > 0) else {
        return bad("has no valid container port");
    };
    let range = match published.map(port_range) {
        None => None,
        Some(Some((0, 0))) => None,
        Some(Some(range)) => Some(range),
        Some(None) => return bad("has no valid host port"),
    };
    let port = |target, published| Port {
        target,
        published,
        host_ip,
        protocol: protocol.into(),
    };
    match range {
        None => Some((first..=last).map(|t| port(t, None)).collect()),
        Some((from, to)) if to - from == last - first => Some(
            (first..=last)
                .zip(from..=to)
                .map(|(t, p)| port(t, Some(p)))
                .collect(),
        ),
        Some((from, _)) if first == last => {
            report.warn(
                item.mistake(format!(
                    "{path}: of the host ports of `{shown}` only {from} is used"
                ))
                .with_help("write the one host port that you want, or none for any free one"),
            );
            Some(vec![port(first, Some(from))])
        }
        Some(_) => bad("has ranges of different lengths"),
    }
}
