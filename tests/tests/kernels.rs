//! Other kernels than the default: the module builds without a warning for the headers of each series that
//! Debian has, the suites hold on the oldest and the newest, and what every scenario comes to on a kernel is
//! as it was (`fixtures/golden`). Fetches what the cache lacks, as a user's run would.

#![expect(
    clippy::unwrap_used,
    reason = "a test's helper fails the test by panicking"
)]

use std::fs;

use relaybed_guest::{Cache, KernelRequest, Options, Terminal, prepare_with};
use relaybed_tests::call;
use relaybed_tests::golden::is_as_it_was;
use serde_json::{Value, json};

const RELAYBED: &str = env!("CARGO_BIN_EXE_relaybed-under-test");

/// The newest series that Debian builds and ships headers for.
const NEWEST: &str = "trixie-backports:7.3";

/// The oldest, of Debian's oldest release that is still mended.
const OLDEST: &str = "bullseye:5.10";

/// Builds the module with kbuild's extra warnings; there must be none.
#[track_caller]
fn builds_without_a_warning(kernel: &str) {
    let request: KernelRequest = kernel.parse().unwrap();
    let cache = Cache::open(None).unwrap();
    let options = Options {
        module_warnings: true,
        relay: None,
    };
    let guest = prepare_with(&request, &cache, &Terminal::new(), &options).unwrap();
    let log = fs::read_to_string(&guest.module_log).unwrap();
    assert!(
        log.contains("relaybed.ko") || log.contains("LD [M]"),
        "nothing was built:\n{log}"
    );
    let warned: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("warning:"))
        .collect();
    assert!(warned.is_empty(), "{kernel}:\n{}", warned.join("\n"));
}

#[test]
fn the_module_builds_without_a_warning_for_5_10() {
    builds_without_a_warning(OLDEST);
}

#[test]
fn the_module_builds_without_a_warning_for_6_1() {
    builds_without_a_warning("bookworm:6.1");
}

#[test]
fn the_module_builds_without_a_warning_for_6_12() {
    builds_without_a_warning("bookworm-backports:6.12");
}

#[test]
fn the_module_builds_without_a_warning_for_preempt_rt() {
    builds_without_a_warning("bookworm:6.1-rt");
}

#[test]
fn the_module_builds_without_a_warning_for_the_newest() {
    builds_without_a_warning(NEWEST);
}

#[track_caller]
fn the_suites_hold_on(kernel: &str, name: &str) {
    let ran = call(RELAYBED, &["run", "--format", "json", "--kernel", kernel]).expect_code(0);
    let summary = ran.summary();
    assert!(summary["passed"].as_u64().unwrap() >= 30, "{summary:#}");
    assert!(summary["records"].as_u64().unwrap() > 0, "{summary:#}");
    let release = summary["kernel"].as_str().unwrap();
    assert!(release.starts_with(name), "{summary:#}");
    is_as_it_was(name, &ran.rows());
}

#[test]
fn the_suites_hold_on_the_newest_kernel() {
    the_suites_hold_on(NEWEST, "7.3");
}

#[test]
fn the_suites_hold_on_the_oldest_kernel() {
    the_suites_hold_on(OLDEST, "5.10");
}

/// All kernels of the default list, one after the other. Fetches some of them only for this.
#[test]
#[ignore = "takes minutes; run it with --ignored"]
fn the_whole_matrix_is_as_it_was() {
    let ran = call(RELAYBED, &["matrix", "--format", "json"]).expect_code(0);
    let rows = ran.rows();
    let kernels = rows.last().unwrap()["matrix"]["kernels"].clone();
    assert!(kernels.as_array().unwrap().len() >= 6, "{kernels}");
    for kernel in kernels.as_array().unwrap() {
        let of_kernel = rows.iter().filter(|row| row["on"] == *kernel);
        let of_kernel: Vec<Value> = of_kernel.cloned().collect();
        is_as_it_was(kernel.as_str().unwrap(), &of_kernel);
    }
}

#[test]
fn a_kernel_that_cannot_be_had_is_a_column_that_says_why() {
    let ran = call(
        RELAYBED,
        &[
            "matrix",
            "--format",
            "json",
            "--kernels",
            "bookworm:9.9,6.1",
            "hello/hello",
        ],
    )
    .expect_code(3);
    let rows = ran.rows();
    let missing = rows
        .iter()
        .find(|row| row["asked"] == "bookworm:9.9")
        .unwrap();
    let why = missing["trouble"].to_string();
    assert!(why.contains("no such kernel"), "{why}");
    let hello = rows
        .iter()
        .find(|row| row["name"] == "hello/hello")
        .unwrap();
    assert_eq!(
        (&hello["on"], &hello["outcome"]),
        (&json!("6.1"), &json!("passed"))
    );
}

#[test]
fn more_vcpus_than_cores_work() {
    let ran = call(
        RELAYBED,
        &["run", "--format", "json", "--vcpus", "4", "ordering"],
    )
    .expect_code(0);
    assert_eq!(ran.summary()["vcpus"], 4);
}

#[test]
fn a_module_of_another_kernel_is_told_apart() {
    let cache = Cache::open(None).unwrap();
    let newest: KernelRequest = NEWEST.parse().unwrap();
    let older: KernelRequest = "bookworm:6.1".parse().unwrap();
    let prepare =
        |request| prepare_with(request, &cache, &Terminal::new(), &Options::default()).unwrap();
    let (newest, older) = (prepare(&newest), prepare(&older));
    let qemu = relaybed_guest::qemu(&cache, &Terminal::new()).unwrap();
    let spec = relaybed_vmm::MachineSpec::new(
        newest.vmlinux,
        older.initramfs,
        relaybed_vmm::QemuProgram {
            argv0: qemu.argv0,
            data_dir: qemu.data_dir,
            sandbox: qemu.sandbox,
        },
        tempfile::tempdir().unwrap().keep(),
    );
    let folder = spec.dir.clone();
    let mut machine = relaybed_vmm::Machine::boot(spec).unwrap();
    let mut decoder = relaybed_abi::Decoder::default();
    let ring = loop {
        match machine
            .next_event(relaybed_vmm::Deadline::default())
            .unwrap()
        {
            relaybed_vmm::Event::Doorbell(byte) => {
                if let Some(ring) = decoder.push(byte) {
                    break ring;
                }
            }
            event => panic!("{event:?}\n{:?}", machine.console_tail(20)),
        }
    };
    drop(machine);
    fs::remove_dir_all(folder).unwrap();
    assert!(
        matches!(&ring, relaybed_abi::Ring::Failed(why) if why.contains("relaybed.ko")),
        "{ring:?}"
    );
}
