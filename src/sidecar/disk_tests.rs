use super::*;
use std::path::Path;

const BYTES: u64 = 3_000_000;

fn order(folder: &str, bytes: u64, leave: u64) -> Fill {
    Fill {
        folder: folder.to_owned(),
        file: "fill".to_owned(),
        bytes,
        leave,
    }
}

fn filled(root: &Path, fill: &Fill) -> Result<Filled, String> {
    let place = Place::open(root, fill)?;
    let way = place.take(fill)?;
    let place = Arc::new(place);
    Ok(Filled { place, way })
}

fn target() -> tempfile::TempDir {
    let root = tempfile::tempdir().expect("a folder");
    std::fs::create_dir_all(root.path().join("var/data")).expect("made");
    root
}

#[tokio::test]
async fn a_file_takes_what_is_asked_and_gives_it_back_however_often() {
    let root = target();
    let mut act = filled(root.path(), &order("/var/data", BYTES, 0)).expect("filled");
    let file = root.path().join("var/data/fill");
    assert_eq!(std::fs::metadata(&file).expect("there").len(), BYTES);
    let done = act.look().await.expect("a look");
    assert!(
        done.count >= BYTES && done.count < BYTES + (1 << 20),
        "{done:?}"
    );
    assert!(done.seen.starts_with("3.0 MB taken, "), "{}", done.seen);
    assert!(act.mend().await.expect("mended").count >= BYTES);
    assert!(!file.exists());
    assert_eq!(act.mend().await.expect("mended").count, 0);
    assert_eq!(act.look().await.expect("a look").count, 0);
}

#[test]
fn what_somebody_left_is_removed_and_only_a_file() {
    let root = target();
    let fill = order("/var/data", BYTES, 0);
    drop(filled(root.path(), &fill).expect("filled"));
    for given_back in [true, false] {
        let done = Place::open(root.path(), &fill).and_then(|p| p.remove());
        assert_eq!(done.expect("mended").count > 0, given_back);
    }
    std::fs::create_dir(root.path().join("var/data/fill")).expect("made");
    let said = Place::open(root.path(), &fill).and_then(|p| p.remove());
    assert!(said.is_err_and(|s| s.contains("no file of ours")));
}

#[test]
fn what_is_to_be_left_free_is_left() {
    let root = target();
    let fill = order("/", u64::MAX, u64::MAX);
    let said = filled(root.path(), &fill).expect_err("nothing is to be had");
    assert!(said.starts_with("nothing can be taken in /: "), "{said}");
    let none = filled(root.path(), &order("/", 0, 0)).expect_err("nothing was asked for");
    assert!(none.starts_with("nothing can be taken in /: "), "{none}");
    assert!(!root.path().join("fill").exists());
}

#[test]
fn as_much_is_taken_as_leaves_what_is_to_be_left() {
    const TAKEN: u64 = 8 << 20;
    // A file system of its own that hardly anybody writes to.
    let Ok(root) = tempfile::tempdir_in("/dev/shm") else {
        return;
    };
    let place = Place::open(root.path(), &order("/", 0, 0)).expect("a folder");
    let leave = place.free().expect("a look").saturating_sub(TAKEN);
    let fill = order("/", u64::MAX, leave);
    let filled = filled(root.path(), &fill).expect("filled");
    let taken = filled.place.seen(filled.way).expect("a look").count;
    assert!(taken > 0 && taken <= TAKEN, "{taken}");
    assert!(place.free().expect("a look") + TAKEN > leave);
}

#[test]
fn a_folder_that_is_missing_or_no_folder_is_named() {
    let root = target();
    std::fs::write(root.path().join("file"), "x").expect("written");
    let said = |folder: &str| filled(root.path(), &order(folder, 1, 0)).expect_err("no folder");
    assert_eq!(
        said("/nowhere"),
        "folder /nowhere does not exist in the target"
    );
    assert_eq!(said("/file"), "/file is not a folder in the target");
    for file in ["", ".", "..", "a/b"] {
        let fill = Fill {
            file: file.into(),
            ..order("/", 1, 0)
        };
        assert!(filled(root.path(), &fill).is_err(), "{file}");
    }
}

#[test]
fn a_link_does_not_lead_out_of_the_target() {
    let (root, outside) = (target(), target());
    std::os::unix::fs::symlink("/var/data", root.path().join("inner")).expect("linked");
    std::os::unix::fs::symlink(outside.path(), root.path().join("outer")).expect("linked");
    std::os::unix::fs::symlink("../../../../..", root.path().join("above")).expect("linked");
    filled(root.path(), &order("/inner", BYTES, 0)).expect("filled");
    assert!(root.path().join("var/data/fill").exists());
    filled(root.path(), &order("/above", BYTES, 0)).expect("filled");
    assert!(root.path().join("fill").exists());
    let said = filled(root.path(), &order("/outer", BYTES, 0)).expect_err("out of the root");
    assert!(said.contains("/outer does not exist"), "{said}");
}

#[test]
fn a_file_that_is_already_there_is_left_as_it_is() {
    let root = target();
    let file = root.path().join("fill");
    std::fs::write(&file, "theirs").expect("written");
    let said = filled(root.path(), &order("/", BYTES, 0)).expect_err("it is there");
    assert_eq!(said, "/fill is already there");
    assert_eq!(std::fs::read(&file).expect("read"), b"theirs");
}

#[test]
fn zeros_take_as_much_where_space_cannot_be_reserved() {
    let root = target();
    let fill = order("/", BYTES, 0);
    let place = Place::open(root.path(), &fill).expect("a folder");
    let file = std::fs::File::create(root.path().join("fill")).expect("made");
    let file = OwnedFd::from(file);
    place.write_zeros(&file, &fill).expect("written");
    assert_eq!(size(&file), Ok(BYTES));
    assert!(place.seen(Way::Written).expect("a look").count >= BYTES);
    // Nothing more where all that is free is to be left.
    ftruncate(&file, 0).expect("emptied");
    let fill = order("/", BYTES, u64::MAX);
    place.write_zeros(&file, &fill).expect("nothing to write");
    assert_eq!(size(&file), Ok(0));
}
