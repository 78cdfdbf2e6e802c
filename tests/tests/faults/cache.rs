//! A cache of our own to spoil: a copy of what one run needs.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::SystemTime;

use relaybed_tests::started::Place;

use super::RELAYBED;

/// What is fetched and unpacked. All else is made of it.
const FETCHED: [&str; 6] = [
    "qemu",
    "kernel",
    "headers",
    "tools",
    "resolved",
    "archive-dates",
];

/// Makes the folder `to` a cache that is warm for `run hello/hello`: with everything that was fetched for it, copied
/// from the usual cache, and everything that was made of that, made anew.
pub(crate) fn copy_what_a_run_needs(to: &Path) {
    let usual = relaybed_guest::Cache::open(None).unwrap();
    // Made there if it is not yet.
    let progress = relaybed_guest::Terminal::new();
    relaybed_guest::qemu(&usual, &progress).unwrap();
    relaybed_guest::prepare(&relaybed_guest::KernelRequest::default(), &usual, &progress).unwrap();
    for kind in FETCHED {
        let from = usual.root().join(kind);
        if from.exists() {
            symlink(&from, to.join(kind)).unwrap();
        }
    }
    let since = SystemTime::now();
    hello(&Place::with_cache(to).unwrap());
    // What was used was touched.
    for kind in FETCHED {
        let (from, there) = (usual.root().join(kind), to.join(kind));
        if !there.exists() {
            continue;
        }
        fs::remove_file(&there).unwrap();
        fs::create_dir(&there).unwrap();
        for entry in fs::read_dir(&from).unwrap().flatten() {
            let metadata = entry.metadata().unwrap();
            if metadata.is_file() || metadata.modified().unwrap() >= since {
                copy(&entry.path(), &there.join(entry.file_name()));
            }
        }
    }
    hello(&Place::with_cache(to).unwrap());
}

/// Copies a file, a link or a folder with modes.
fn copy(from: &Path, to: &Path) {
    let metadata = fs::symlink_metadata(from).unwrap();
    if metadata.is_symlink() {
        symlink(fs::read_link(from).unwrap(), to).unwrap();
    } else if metadata.is_dir() {
        fs::create_dir(to).unwrap();
        for entry in fs::read_dir(from).unwrap().flatten() {
            copy(&entry.path(), &to.join(entry.file_name()));
        }
        fs::set_permissions(to, metadata.permissions()).unwrap();
    } else {
        fs::copy(from, to).unwrap();
    }
}

/// Runs a scenario, which must pass and leave nothing; what it said.
#[track_caller]
pub(crate) fn hello(place: &Place) -> String {
    let mut command = place.command(RELAYBED, &["run", "hello/hello"]);
    command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    let run = relaybed_tests::started::Started::start(command).unwrap();
    let ended = run.end().unwrap();
    assert_eq!(
        ended.status.code(),
        Some(0),
        "{}{}",
        ended.stdout,
        ended.stderr
    );
    assert!(ended.stdout.contains("1 passed"), "{}", ended.stdout);
    assert_eq!(place.outlived_by().unwrap(), Vec::<String>::new());
    assert_eq!(place.leftovers(), Vec::<std::path::PathBuf>::new());
    ended.stderr
}
