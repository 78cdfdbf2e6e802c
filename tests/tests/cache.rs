//! The cache as a user meets it: nothing to fetch from, and two runs that begin with nothing.

use std::fs;
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

/// The host may believe unsigned archives; programs out of them would be run by us.
#[test]
fn the_host_s_trust_in_unsigned_archives_is_not_ours() {
    let dir = tempfile::tempdir().unwrap();
    let archive = dir.path().join("archive");
    for suite in [
        "bookworm",
        "bookworm-updates",
        "bookworm-backports",
        "bookworm-security",
    ] {
        let folder = archive.join("dists").join(suite);
        fs::create_dir_all(&folder).unwrap();
        let release =
            format!("Origin: Debian\nCodename: {suite}\nDate: Sat, 07 Nov 2026 10:00:00 UTC\n");
        fs::write(folder.join("Release"), release).unwrap();
    }
    let configuration = dir.path().join("apt.conf");
    let lax = "Acquire::AllowInsecureRepositories \"true\";\nAcquire::AllowWeakRepositories \"true\";\n\
               Acquire::AllowDowngradeToInsecureRepositories \"true\";\nAPT::Get::AllowUnauthenticated \"true\";\n";
    fs::write(&configuration, lax).unwrap();
    let mirror = format!("file:{}", archive.display());
    let mut command = Command::new(RELAYBED);
    command
        .args(["run", "hello"])
        .env("APT_CONFIG", &configuration)
        .env("RELAYBED_CACHE", dir.path().join("cache"))
        .env("RELAYBED_MIRROR", &mirror)
        .env("RELAYBED_SECURITY_MIRROR", &mirror);
    let said = call_command(command).expect_code(3).stderr;
    assert!(said.contains("not signed"), "{said}");
}

/// Nothing that is unpacked into the cache leads to the host when the host follows it.
#[test]
fn no_link_leads_out_of_a_root_in_the_cache() {
    let cache = relaybed_guest::Cache::open(None).unwrap();
    let progress = relaybed_guest::Terminal::new();
    let request = relaybed_guest::KernelRequest::default();
    relaybed_guest::prepare(&request, &cache, &progress).unwrap();
    relaybed_guest::qemu(&cache, &progress).unwrap();
    let mut roots = 0;
    for item in cache.items().unwrap() {
        let root = item.path.join("root");
        if root.is_dir() && !item.what.contains("not an entry") {
            let out = relaybed_guest::check_root(&root).unwrap();
            assert_eq!(out, None, "in {}", root.display());
            roots += 1;
        }
    }
    // Those of QEMU (unless the host's is used), of the compiler and of the headers; a cache that was copied may lack
    // what a module is built with.
    println!("{roots} roots looked at");
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
