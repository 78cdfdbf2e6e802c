//! The cache as a user meets it: nothing to fetch from, and two runs that begin with nothing.

use std::process::Command;

use relaybed_tests::call_command;

const RELAYBED: &str = env!("CARGO_BIN_EXE_relaybed-under-test");

#[test]
fn a_cold_cache_without_a_mirror_says_what_is_missing() {
    let cache = tempfile::tempdir().unwrap();
    let mut command = Command::new(RELAYBED);
    // Port 9 of this machine: nobody listens.
    command
        .args(["run", "hello"])
        .env("RELAYBED_CACHE", cache.path())
        .env("RELAYBED_MIRROR", "http://127.0.0.1:9/debian")
        .env("RELAYBED_SECURITY_MIRROR", "http://127.0.0.1:9/security");
    let ran = call_command(command).expect_code(3);
    for word in ["RELAYBED_MIRROR", "--build-dir"] {
        assert!(ran.stderr.contains(word), "no '{word}' in:\n{}", ran.stderr);
    }
}

#[test]
fn a_cache_that_cannot_be_written_is_a_set_up_error() {
    let mut command = Command::new(RELAYBED);
    command
        .args(["run", "hello"])
        .env("RELAYBED_CACHE", "/dev/null/cache");
    assert!(
        call_command(command)
            .expect_code(3)
            .stderr
            .contains("/dev/null/cache")
    );
}
