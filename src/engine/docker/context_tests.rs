use super::*;
use std::collections::BTreeSet;

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        let path = root.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        std::fs::write(path, text).expect("a file");
    }
    root
}

fn names(tar: &[u8]) -> BTreeSet<String> {
    let mut archive = tar::Archive::new(tar);
    let entries = archive.entries().expect("entries");
    entries
        .map(|e| {
            e.expect("an entry")
                .path()
                .expect("a path")
                .to_string_lossy()
                .trim_end_matches('/')
                .to_owned()
        })
        .collect()
}

fn build(root: &tempfile::TempDir) -> Build {
    Build {
        context: root.path().to_owned(),
        ..Build::default()
    }
}

#[test]
fn ignored_files_are_left_out_and_exceptions_taken_in_again() {
    let root = folder(&[
        ("Dockerfile", "FROM scratch"),
        (
            ".dockerignore",
            "# comment\n*.log\ntarget/\n**/secret\n!target/keep.txt\nDockerfile\n",
        ),
        ("a.log", ""),
        ("sub/b.log", ""),
        ("target/x", ""),
        ("target/keep.txt", ""),
        ("deep/er/secret", ""),
        ("main.rs", ""),
    ]);
    let names = names(&pack(&build(&root)).expect("a context").tar);
    for there in [
        "Dockerfile",
        ".dockerignore",
        "sub/b.log",
        "target/keep.txt",
        "main.rs",
        "deep/er",
    ] {
        assert!(names.contains(there), "{there} is missing from {names:?}");
    }
    for absent in ["a.log", "target/x", "deep/er/secret"] {
        assert!(!names.contains(absent), "{absent} is in {names:?}");
    }
}

#[test]
fn the_last_matching_pattern_decides() {
    let ignore = Ignore::parse("*\n!src\nsrc/private").expect("patterns");
    assert!(ignore.excludes("README.md"));
    assert!(!ignore.excludes("src/main.rs"));
    assert!(ignore.excludes("src/private/key"));
}

#[test]
fn a_star_does_not_cross_folders_and_braces_are_literal() {
    let ignore = Ignore::parse("a/*\n{x,y}\n/rooted").expect("patterns");
    assert!(
        ignore.excludes("a/b") && ignore.excludes("a/b/c"),
        "b is a folder that matches"
    );
    assert!(!ignore.excludes("c/a/b"));
    assert!(!ignore.excludes("x") && ignore.excludes("{x,y}"));
    assert!(ignore.excludes("rooted"));
}

#[test]
fn equal_contents_make_equal_contexts_and_a_changed_file_another() {
    let files = [("Dockerfile", "FROM scratch"), ("b", "1"), ("a", "2")];
    let (one, two) = (folder(&files), folder(&files));
    let hash = |root: &tempfile::TempDir| pack(&build(root)).expect("a context").hash;
    assert_eq!(hash(&one), hash(&two));
    std::fs::write(two.path().join("a"), "3").expect("write");
    assert_ne!(hash(&one), hash(&two));
}

#[test]
fn an_inline_dockerfile_is_sent_and_kept_out_of_the_image() {
    let root = folder(&[("a", ""), (".dockerignore", "b\n"), ("b", "")]);
    let inline = Build {
        dockerfile_inline: Some("FROM scratch\nCOPY . /".into()),
        ..build(&root)
    };
    let context = pack(&inline).expect("a context");
    assert_eq!(context.dockerfile, FOREIGN_DOCKERFILE);
    assert_eq!(
        names(&context.tar),
        ["a", FOREIGN_DOCKERFILE, ".dockerignore"]
            .map(str::to_owned)
            .into()
    );
}

#[test]
fn a_dockerfile_outside_of_the_context_is_sent_along() {
    let root = folder(&[("context/a", ""), ("Other", "FROM scratch")]);
    let outside = Build {
        context: root.path().join("context"),
        dockerfile: Some("../Other".into()),
        ..Build::default()
    };
    let context = pack(&outside).expect("a context");
    assert_eq!(context.text, "FROM scratch");
    assert!(names(&context.tar).contains(FOREIGN_DOCKERFILE));
}

#[test]
fn links_stay_links_and_modes_are_kept() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let root = folder(&[("Dockerfile", "FROM scratch"), ("run.sh", "")]);
    std::fs::set_permissions(root.path().join("run.sh"), PermissionsExt::from_mode(0o755))
        .expect("mode");
    symlink("run.sh", root.path().join("link")).expect("a link");
    symlink("nowhere", root.path().join("dangling")).expect("a link");
    let context = pack(&build(&root)).expect("a context");
    let mut archive = tar::Archive::new(context.tar.as_slice());
    let mut seen = 0;
    for entry in archive.entries().expect("entries") {
        let entry = entry.expect("an entry");
        let path = entry.path().expect("a path").to_string_lossy().into_owned();
        match path.as_str() {
            "run.sh" => assert_eq!(entry.header().mode().expect("a mode") & 0o777, 0o755),
            "link" | "dangling" => assert_eq!(entry.header().entry_type(), tar::EntryType::Symlink),
            _ => continue,
        }
        seen += 1;
    }
    assert_eq!(seen, 3);
}

#[test]
fn a_missing_dockerfile_is_named() {
    let root = folder(&[]);
    let said = pack(&build(&root)).err().expect("an error").to_string();
    assert!(said.contains("Dockerfile"), "{said}");
}
