//! Ctrl-C, SIGTERM and SIGKILL in every phase: lists, locks, fetching, unpacking, building, booting, running,
//! confirming, shrinking. An interrupted command ends with 130, within two seconds, blames nothing else, reports what
//! it has judged, and leaves neither a process nor half a thing behind. `faults` does the same at random moments.

#![expect(
    clippy::unwrap_used,
    reason = "a test's helper fails the test by panicking"
)]

use std::net::TcpListener;
use std::path::Path;

use relaybed_tests::started::{Ended, Place, Started};
use rustix::process::Signal;

const RELAYBED: &str = env!("CARGO_BIN_EXE_relaybed-under-test");

/// A run that begins with the place's cache, and has QEMU among the things to be fetched.
fn first_run(place: &Place, mirror: Option<&str>) -> Started {
    let mut command = place.command(RELAYBED, &["run", "hello/hello"]);
    command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    if let Some(mirror) = mirror {
        command.env("RELAYBED_MIRROR", mirror);
        command.env("RELAYBED_SECURITY_MIRROR", mirror);
    }
    Started::start(command).unwrap()
}

/// Interrupts a command that is somewhere in its work, and says what it had to say.
#[track_caller]
fn interrupted(place: &Place, run: Started, signal: Signal, whole_group: bool) -> Ended {
    run.signal(signal, whole_group).unwrap();
    let ended = run.end().unwrap();
    assert_eq!(ended.misheard(signal), None);
    assert_eq!(ended.status.code(), Some(130), "{}", ended.stderr);
    assert_eq!(place.outlived_by().unwrap(), Vec::<String>::new());
    assert_eq!(place.leftovers(), Vec::<std::path::PathBuf>::new());
    ended
}

/// A mirror that takes connections and says nothing, and its address.
fn silent_mirror() -> (TcpListener, String) {
    let mirror = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/debian", mirror.local_addr().unwrap());
    (mirror, address)
}

#[test]
fn a_run_that_waits_for_a_mirror_is_interrupted() {
    let (mirror, address) = silent_mirror();
    for (signal, whole_group) in [
        (Signal::INT, false),
        (Signal::INT, true),
        (Signal::TERM, false),
    ] {
        let cache = tempfile::tempdir().unwrap();
        let place = Place::with_cache(cache.path()).unwrap();
        let run = first_run(&place, Some(&address));
        let _connection = mirror.accept().unwrap();
        interrupted(&place, run, signal, whole_group);
    }
}

#[test]
fn a_run_that_waits_for_another_is_interrupted() {
    let (mirror, address) = silent_mirror();
    let cache = tempfile::tempdir().unwrap();
    let first_place = Place::with_cache(cache.path()).unwrap();
    let first = first_run(&first_place, Some(&address));
    let _connection = mirror.accept().unwrap();
    let second_place = Place::with_cache(cache.path()).unwrap();
    let mut second = first_run(&second_place, Some(&address));
    assert!(second.says("waiting for another process"));
    second.signal(Signal::INT, false).unwrap();
    let ended = second.end().unwrap();
    assert_eq!(ended.misheard(Signal::INT), None);
    interrupted(&first_place, first, Signal::INT, false);
}

#[test]
fn a_run_that_is_killed_by_force_leaves_no_process() {
    let (mirror, address) = silent_mirror();
    let cache = tempfile::tempdir().unwrap();
    let place = Place::with_cache(cache.path()).unwrap();
    let run = first_run(&place, Some(&address));
    let _connection = mirror.accept().unwrap();
    assert!(!place.processes().unwrap().is_empty());
    run.signal(Signal::KILL, false).unwrap();
    run.end().unwrap();
    assert_eq!(place.outlived_by().unwrap(), Vec::<String>::new());
}

#[test]
fn a_failure_whose_confirmation_is_interrupted_is_still_a_failure() {
    let place = Place::new().unwrap();
    let fuzz = [
        "fuzz",
        "--seed",
        "1",
        "--count",
        "500",
        "--family",
        "sequential",
        "--plant",
        "torn",
    ];
    for (words, note) in [
        (" failed: ", "interrupted before it was repeated"),
        (
            "it failed again in 3 of 3 runs",
            "it failed again in 3 of 3 runs",
        ),
    ] {
        let mut run = place.start(RELAYBED, &fuzz).unwrap();
        assert!(run.says(words));
        let ended = interrupted(&place, run, Signal::INT, true);
        let said = &ended.stdout;
        assert!(said.contains("  FAIL  fuzz/"), "{said}");
        // A host that is quick may have run it once.
        let again = said.contains("it failed again in ");
        assert!(said.contains(note) || again, "{said}");
        assert!(!said.contains("in 0 of"), "{said}");
        assert!(said.contains(" 1 failed, "), "{said}");
    }
}

#[test]
fn what_was_judged_before_an_interruption_is_reported() {
    let scenario = format!(
        "{}/../fixtures/explore/reader-beside-writer.toml",
        env!("CARGO_MANIFEST_DIR")
    );
    let place = Place::new().unwrap();
    // The first column is through when the second kernel's turn has come.
    let matrix = ["matrix", "hello/hello", "ordering", "--kernels", "6.1,6.1"];
    let mut run = place.start(RELAYBED, &matrix).unwrap();
    assert!(run.says("kernel 2 of 2"));
    let ended = interrupted(&place, run, Signal::TERM, false);
    let said = &ended.stdout;
    assert!(said.contains("14 passed"), "{said}");
    assert!(said.contains("0 of them differ"), "{said}");

    let explore = [
        "explore", &scenario, "--until", "K2", "--seeds", "0..3000", "--format", "json",
    ];
    let mut run = place.start(RELAYBED, &explore).unwrap();
    assert!(run.says("shrinking schedule and scenario"));
    let ended = interrupted(&place, run, Signal::INT, false);
    assert!(ended.stdout.contains("\"K2\""), "{}", ended.stdout);
}

#[test]
fn mutants_that_were_tried_before_an_interruption_are_reported() {
    let place = Place::new().unwrap();
    let mutate = [
        "mutate",
        "hello/hello",
        "--relay",
        "source:6.1",
        "--function",
        "relay_flush,relay_open",
        "--limit",
        "12",
        "--jobs",
        "3",
        "--json",
    ];
    let mut run = place.start(RELAYBED, &mutate).unwrap();
    assert!(run.says("1 of 12"));
    let maker = format!("aside-{}-", run.id());
    let cache = relaybed_guest::Cache::open(None).unwrap();
    let aside = || {
        let all = std::fs::read_dir(cache.root().join("tmp")).unwrap();
        let names = all.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with(&maker)).count()
    };
    assert_eq!(aside(), 3, "one for each job");
    // As timeout(1) does it: the process, and then its group.
    run.signal(Signal::INT, false).unwrap();
    let ended = interrupted(&place, run, Signal::INT, true);
    let told: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    let rows = told["mutation"]["rows"].as_array().unwrap();
    assert!((1..12).contains(&rows.len()), "{}", ended.stdout);
    assert_eq!(aside(), 0);
}

#[test]
#[ignore = "fetches and builds everything once more"]
fn every_phase_of_a_first_run_is_interrupted() {
    let cache = tempfile::tempdir().unwrap();
    every_phase(cache.path());
}

fn every_phase(cache: &Path) {
    let place = Place::with_cache(cache).unwrap();
    let signals = [
        (Signal::INT, false),
        (Signal::INT, true),
        (Signal::TERM, true),
    ];
    let phases = [
        "package lists of",
        "fetching QEMU",
        "unpacking QEMU",
        "fetching headers",
        "extracting",
        "unpacking 5",
        "building the module",
        "scenarios on",
    ];
    for (words, (signal, whole_group)) in phases.iter().zip(signals.iter().cycle()) {
        let mut run = first_run(&place, None);
        if run.says(words) {
            std::thread::sleep(std::time::Duration::from_millis(300));
            interrupted(&place, run, *signal, *whole_group);
        } else {
            // An earlier run was so far ahead of its interruption.
            let ended = run.end().unwrap();
            assert!(ended.status.success(), "before '{words}': {}", ended.stderr);
        }
    }
}
