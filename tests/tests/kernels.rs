//! Other kernels than the default: the module builds without a warning for the headers of each series that
//! Debian has, and the suites hold on the newest. Fetches what the cache lacks, as a user's run would.

#![expect(
    clippy::unwrap_used,
    reason = "a test's helper fails the test by panicking"
)]

use std::fs;

use relaybed_guest::{Cache, KernelRequest, Options, Terminal, prepare_with};
use relaybed_tests::call;

const RELAYBED: &str = env!("CARGO_BIN_EXE_relaybed-under-test");

/// The newest series that Debian builds and ships headers for.
const NEWEST: &str = "trixie-backports:7.3";

/// Builds the module with kbuild's extra warnings; there must be none.
#[track_caller]
fn builds_without_a_warning(kernel: &str) {
    let request: KernelRequest = kernel.parse().unwrap();
    let cache = Cache::open(None).unwrap();
    let options = Options {
        module_warnings: true,
    };
    let guest = prepare_with(&request, &cache, &Terminal::new(), options).unwrap();
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
    builds_without_a_warning("bullseye:5.10");
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
fn the_module_builds_without_a_warning_for_the_newest() {
    builds_without_a_warning(NEWEST);
}

#[test]
fn the_suites_hold_on_the_newest_kernel() {
    let ran = call(RELAYBED, &["run", "--format", "json", "--kernel", NEWEST]).expect_code(0);
    let summary = ran.summary();
    assert!(summary["passed"].as_u64().unwrap() >= 30, "{summary:#}");
    assert!(summary["records"].as_u64().unwrap() > 0, "{summary:#}");
    assert!(
        summary["kernel"].as_str().unwrap().starts_with("7."),
        "{summary:#}"
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
        |request| prepare_with(request, &cache, &Terminal::new(), Options::default()).unwrap();
    let (newest, older) = (prepare(&newest), prepare(&older));
    let spec = relaybed_vmm::MachineSpec::new(
        newest.vmlinux,
        older.initramfs,
        relaybed_vmm::QemuProgram {
            argv0: relaybed_guest::qemu(&cache, &Terminal::new())
                .unwrap()
                .argv0,
            data_dir: relaybed_guest::qemu(&cache, &Terminal::new())
                .unwrap()
                .data_dir,
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
