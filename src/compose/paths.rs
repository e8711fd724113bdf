//! Paths without a look at the file system: absolute, without `.` and `..`.

use std::path::{Component, Path, PathBuf};

use super::node::{Env, Node};

/// `path` seen from `base`, with `.` and `..` taken out as text; links are not followed.
pub fn resolve(base: &Path, path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in base.join(path).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => out.push(part),
        }
    }
    out
}

/// A path written in a compose file, seen from its folder; `~` is the home folder.
pub fn of_node(node: &Node, text: &str) -> PathBuf {
    resolve(&node.origin.base, &home(text, &node.origin.env))
}

fn home(text: &str, env: &Env) -> PathBuf {
    match (text.strip_prefix('~'), env.get("HOME")) {
        (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => {
            Path::new(home).join(rest.trim_start_matches('/'))
        }
        _ => PathBuf::from(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_are_taken_out_as_text() {
        for (path, expected) in [
            ("./x", "/a/b/x"),
            ("../x/./y", "/a/x/y"),
            ("../../../..", "/"),
            ("/z/", "/z"),
            (".", "/a/b"),
        ] {
            assert_eq!(
                resolve(Path::new("/a/b"), Path::new(path)),
                Path::new(expected),
                "{path}"
            );
        }
    }
}
