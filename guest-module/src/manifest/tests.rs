//! What a manifest notices, and that it comes back as it was stored.

use super::*;
use std::os::unix::fs::{PermissionsExt, symlink};

/// An entry with a file, a program in a folder, and a link.
fn entry() -> (tempfile::TempDir, Manifest) {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    fs::write(path("file"), "content").unwrap();
    fs::create_dir(path("bin")).unwrap();
    fs::write(path("bin/program"), "program").unwrap();
    set(&path("bin/program"), 0o700);
    set(&path("file"), 0o666);
    symlink("file", path("link")).unwrap();
    let manifest = Manifest::of_dir(dir.path(), BTreeMap::new(), Value::Null).unwrap();
    assert_eq!(manifest.outputs.len(), 3);
    (dir, manifest)
}

fn set(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn modes_are_set_whatever_the_umask() {
    let (dir, _) = entry();
    for (name, expected) in [
        ("file", 0o644),
        ("bin/program", 0o755),
        ("bin", 0o755),
        ("", 0o755),
    ] {
        let mode = fs::metadata(dir.path().join(name)).unwrap().mode();
        assert_eq!(mode & 0o7777, expected, "{name}");
    }
}

#[test]
fn every_difference_is_found() {
    type Damage = fn(&Path);
    let damages: [(&str, bool, Damage); 10] = [
        ("file", true, |dir| {
            fs::write(dir.join("file"), "CONTENT").unwrap();
        }),
        ("file", false, |dir| {
            fs::write(dir.join("file"), "longer content").unwrap();
        }),
        ("file", false, |dir| {
            fs::remove_file(dir.join("file")).unwrap();
        }),
        ("file", false, |dir| {
            fs::remove_file(dir.join("file")).unwrap();
            fs::create_dir(dir.join("file")).unwrap();
        }),
        ("file", false, |dir| set(&dir.join("file"), 0o755)),
        ("file", false, |dir| set(&dir.join("file"), 0o646)),
        ("bin", false, |dir| set(&dir.join("bin"), 0o777)),
        ("link", true, |dir| {
            fs::remove_file(dir.join("link")).unwrap();
            symlink("fi1e", dir.join("link")).unwrap();
        }),
        ("link", false, |dir| {
            fs::remove_file(dir.join("link")).unwrap();
            fs::write(dir.join("link"), "file").unwrap();
        }),
        ("z", false, |dir| fs::write(dir.join("z"), "added").unwrap()),
    ];
    for (number, (name, only_read, damage)) in damages.into_iter().enumerate() {
        let (dir, manifest) = entry();
        assert_eq!(manifest.check(dir.path(), true), State::Whole);
        damage(dir.path());
        let damaged = State::Damaged(dir.path().join(name));
        assert_eq!(manifest.check(dir.path(), true), damaged, "damage {number}");
        let unread = manifest.check(dir.path(), false);
        assert_eq!(unread == State::Whole, only_read, "damage {number}");
    }
}

#[test]
fn a_stored_manifest_is_loaded_again_and_a_torn_one_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = Manifest::of_dir(dir.path(), BTreeMap::new(), Value::Null).unwrap();
    manifest.store(dir.path()).unwrap();
    assert_eq!(Manifest::load(dir.path()), Some(manifest));
    fs::write(dir.path().join(NAME), "{\"inputs\":").unwrap();
    assert_eq!(Manifest::load(dir.path()), None);
}
