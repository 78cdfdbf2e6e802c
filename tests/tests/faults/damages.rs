//! Damage to the files of a cache: each is noticed before it does harm, and mended.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use relaybed_tests::started::Place;

use super::cache::{copy_what_a_run_needs, hello};
use super::lots::Lots;

/// A way to spoil a file, and what it is called.
type Way = (&'static str, fn(&Path, &mut Lots));

const WAYS: [Way; 9] = [
    ("bits flipped, size and time kept", flip),
    ("cut", |path, lots| {
        let size = fs::metadata(path).unwrap().len();
        let keep = lots.below(usize::try_from(size).unwrap().max(1));
        open(path).set_len(u64::try_from(keep).unwrap()).unwrap();
    }),
    ("emptied", |path, _| open(path).set_len(0).unwrap()),
    ("lengthened", |path, _| {
        let size = fs::metadata(path).unwrap().len();
        open(path).write_all_at(b"more", size).unwrap();
    }),
    ("removed", |path, _| fs::remove_file(path).unwrap()),
    ("a folder in its place", |path, _| {
        fs::remove_file(path).unwrap();
        fs::create_dir(path).unwrap();
    }),
    ("a link in its place", |path, _| {
        fs::remove_file(path).unwrap();
        symlink("/etc/passwd", path).unwrap();
    }),
    ("writable by all", |path, _| {
        fs::set_permissions(path, fs::Permissions::from_mode(0o666)).unwrap();
    }),
    ("its folder replaced by a file", |path, _| {
        let folder = path.parent().unwrap();
        fs::remove_dir_all(folder).unwrap();
        fs::write(folder, "no folder").unwrap();
    }),
];

fn open(path: &Path) -> File {
    File::options().write(true).open(path).unwrap()
}

fn flip(path: &Path, lots: &mut Lots) {
    let mut bytes = fs::read(path).unwrap();
    if bytes.is_empty() {
        return;
    }
    let time = fs::metadata(path).unwrap().modified().unwrap();
    for _ in 0..1 + lots.below(200) {
        let at = lots.below(bytes.len());
        bytes[at] ^= 1 << lots.below(8);
    }
    let file = open(path);
    file.write_all_at(&bytes, 0).unwrap();
    file.set_modified(time).unwrap();
}

/// So many damages, one at a time, and a run after each.
pub(crate) fn round(times: u32) {
    let mut lots = Lots::new("damages");
    let dir = tempfile::tempdir().unwrap();
    copy_what_a_run_needs(dir.path());
    let mut figures: BTreeMap<String, u32> = BTreeMap::new();
    for number in 0..times {
        let place = Place::with_cache(dir.path()).unwrap();
        let path = some_file(dir.path(), &mut lots);
        let (way, spoil) = lots.of(&WAYS);
        let under = path.strip_prefix(dir.path()).unwrap();
        println!("{number}: {}: {way}", under.display());
        spoil(&path, &mut lots);
        // What modules are built with is looked at only when one is built.
        if lots.below(2) == 0 {
            drop(fs::remove_dir_all(dir.path().join("module")));
        }
        let said = hello(&place);
        assert!(!said.contains("panicked"), "{said}");
        let kind = under.components().next().unwrap().as_os_str();
        *figures
            .entry(kind.to_string_lossy().into_owned())
            .or_default() += 1;
    }
    println!("{times} damages: {figures:?}");
}

/// A file of the cache: first a kind is drawn, then an entry, then a file, so that each kind has its turn.
fn some_file(cache: &Path, lots: &mut Lots) -> PathBuf {
    loop {
        let mut path = cache.to_owned();
        while path.is_dir() && !path.is_symlink() {
            let mut inner: Vec<PathBuf> = fs::read_dir(&path)
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .collect();
            if inner.is_empty() {
                break;
            }
            inner.sort();
            path = lots.of(&inner).clone();
        }
        // Links and what is empty are left alone.
        if path.is_file() && !path.is_symlink() {
            return path;
        }
    }
}
