//! `environment`, `env_file` and `label_file`.

use super::fields::{Fields, expected};
use super::files::Files;
use super::node::{Env, Node, Value};
use super::{build, dotenv, paths};

/// The variables of a service; those written out win over those of files.
pub fn environment(fields: &mut Fields<'_>, active: bool, files: &mut Files<'_>) -> Env {
    let mut env = env_files(fields.take("env_file"), active, files);
    if let Some(node) = fields.take("environment") {
        env.extend(build::from_environment(
            node,
            &fields.path_of("environment"),
            fields.report,
        ));
    }
    env
}

/// The variables of files, read for an active service only.
pub fn env_files(node: Option<&Node>, active: bool, files: &mut Files<'_>) -> Env {
    let mut env = Env::new();
    let Some(node) = node else { return env };
    let Value::List(items) = &node.value else {
        files
            .report
            .mistake(expected(node, "env_file", "a path or a list"));
        return env;
    };
    for item in items {
        let (path, required, raw) = match item.text() {
            Some(path) => (Some(path.to_owned()), true, false),
            None => {
                let Some(mut fields) = Fields::of(item, "env_file[]", files.report) else {
                    continue;
                };
                let path = fields.text("path");
                let required = fields.flag("required").unwrap_or(true);
                let raw = fields.text("format").is_some_and(|f| f == "raw");
                fields.finish();
                (path, required, raw)
            }
        };
        let Some(path) = path else {
            files.report.mistake(
                item.mistake("an env_file needs a path")
                    .with_help("write `path: ./file.env`"),
            );
            continue;
        };
        let path = paths::of_node(item, &path);
        if !active || (!required && !path.exists()) {
            continue;
        }
        let at = item.get("path").unwrap_or(item);
        if let Some(file) = files.read(&path, Some(at)) {
            env.extend(dotenv::read(&file, &item.origin.env, raw, files.report));
        }
    }
    env
}
