//! Our own backend on a real KVM, which hosts without usable KVM have only in the nest: one machine
//! under emulation with a stock kernel, in which the command boots the same stock kernel through
//! `/dev/kvm` and runs suites. Each scenario must come to the same verdict there as on the QEMU
//! backend outside, and every channel buffer that the model predicts must hold the same. Both run forks of images.

#![expect(
    clippy::unwrap_used,
    reason = "a test's helper fails the test by panicking"
)]

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

use relaybed_tests::nest::{self, Job, comparison, monitors, parity};
use relaybed_tests::{Call, call};
use serde_json::Value;

const RELAYBED: &str = env!("CARGO_BIN_EXE_relaybed-nest");
const MONITORS: &str = env!("CARGO_BIN_EXE_relaybed-monitors");
/// How often each monitor boots where they are compared.
const ROUNDS: &str = "7";
/// What runs on both: records in every context, padding, both modes, and every reader.
const SUITES: [&str; 8] = [
    "hello",
    "ordering",
    "padding",
    "no-overwrite",
    "overwrite",
    "readers",
    "contexts/host-nmi-*",
    "contexts/interrupts-a*",
];

/// The command with these arguments.
fn job<'a>(arguments: &'a [&'a str]) -> Job<'a> {
    Job {
        init: Path::new(RELAYBED),
        program: None,
        arguments,
        with_qemu: false,
    }
}

/// A program of tests, as `cargo test` would run it.
fn tests_of(package: &str, target: &[&str]) -> Result<PathBuf, Box<dyn Error>> {
    let cargo = std::env::var("CARGO").unwrap_or("cargo".to_owned());
    let how = ["--no-run", "--locked", "--message-format", "json"];
    let arguments = [&["test", "--package", package], target, &how].concat();
    let output = Command::new(cargo).args(arguments).output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    let mut messages = said
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    // The commands that tests run are built along.
    let program = messages.find_map(|message| {
        let tests = message.pointer("/profile/test")?.as_bool()?;
        let program = message.get("executable")?.as_str().filter(|_| tests)?;
        Some(program.into())
    });
    program.ok_or_else(|| String::from_utf8_lossy(&output.stderr).into())
}

/// Runs a program of tests in a nest, in which every one of them must pass; gives what they said.
fn pass_inside(program: &Path, arguments: &[&str]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let how = ["--test-threads", "1", "--nocapture"];
    let arguments = [arguments, &how].concat();
    let job = Job {
        program: Some(program),
        ..job(&arguments)
    };
    let inside = nest::run(&job, dir.path()).unwrap();
    let said = inside.lines.join("\n");
    assert_eq!(inside.code, 0, "{said}\n{}", inside.console.join("\n"));
    assert!(!said.contains("skipped"), "{said}");
    said
}

#[test]
fn the_backend_s_unit_tests_pass_where_kvm_works() {
    let program = tests_of("relaybed-vmm", &["--lib"]).unwrap();
    let said = pass_inside(
        &program,
        &[
            "kvm::backend",
            "kvm::vm",
            "kvm::state",
            "machine::tests::kvm",
        ],
    );
    assert!(said.contains("a_triple_fault_is_the_end"), "{said}");
}

#[test]
fn images_and_control_of_single_vcpus_where_kvm_works() {
    let program = tests_of("relaybed-tests", &["--test", "kvm"]).unwrap();
    let said = pass_inside(&program, &[]);
    assert!(said.contains("one_vcpu_runs_to_a_function"), "{said}");
}

/// Outcome by scenario.
fn outcomes(rows: &[Value]) -> BTreeMap<&str, &str> {
    rows.iter()
        .filter_map(|row| Some((row.get("name")?.as_str()?, row.get("outcome")?.as_str()?)))
        .collect()
}

#[test]
fn our_backend_in_the_nest_agrees_with_qemu_outside() {
    let dir = tempfile::tempdir().unwrap();
    let (nest_dir, evidence) = (dir.path().join("nest"), dir.path().join("evidence"));
    std::fs::create_dir(&nest_dir).unwrap();
    let run = ["run", "--format", "json", "--out"];

    // Emulated on a busy host, a boot may well be silent for longer than on any hardware.
    let patient = ["/evidence", "--backend", "kvm", "--deadline", "120"];
    let arguments = [&run[..], &patient, &SUITES].concat();
    let inside = nest::run(&job(&arguments), &nest_dir).unwrap();
    let (buffers, said): (Vec<&str>, Vec<&str>) = inside
        .lines
        .iter()
        .map(String::as_str)
        .partition(|line| line.starts_with(parity::MARK));
    // In there both outputs are one.
    let (rows, errors): (Vec<&str>, Vec<&str>) =
        said.into_iter().partition(|line| line.starts_with('{'));
    let inside_call = Call {
        code: Some(inside.code),
        stdout: rows.join("\n"),
        stderr: format!("{}\n{}", errors.join("\n"), inside.console.join("\n")),
    }
    .expect_code(0);

    let out = evidence.to_str().unwrap();
    let arguments = [&run[..], &[out, "--backend", "qemu"], &SUITES].concat();
    let outside_call = call(RELAYBED, &arguments).expect_code(0);

    let (rows_in, rows_out) = (inside_call.rows(), outside_call.rows());
    assert_eq!(inside_call.summary()["backend"], "kvm");
    assert_eq!(outside_call.summary()["backend"], "qemu");
    // A fork of the image, not a boot, which takes many times as long in there.
    let ready_ms = inside_call.summary()["boot_ms"].as_f64().unwrap();
    assert!(
        ready_ms < 5000.0,
        "ready after {ready_ms} ms: that was no fork"
    );
    assert_eq!(outcomes(&rows_in), outcomes(&rows_out));
    // Writing and reading records cost no exit; what there is comes from the doorbell and the pauses.
    let long = rows_in
        .iter()
        .filter(|row| row["records"].as_u64() > Some(500));
    let (exits, records) = long.fold((0, 0), |(exits, records), row| {
        (
            exits + row["exits"].as_u64().unwrap(),
            records + row["records"].as_u64().unwrap(),
        )
    });
    assert!(exits < records / 2, "{exits} exits for {records} records");
    assert!(records > 1000, "only {records} records in long scenarios");
    assert!(rows_in.len() > 40, "only {} scenarios ran", rows_in.len());

    let buffers_out = parity::describe(&evidence).unwrap();
    assert!(
        buffers_out.len() > 100,
        "only {} buffers to compare",
        buffers_out.len()
    );
    for (inside, outside) in buffers.iter().zip(&buffers_out) {
        assert_eq!(inside, outside);
    }
    assert_eq!(buffers.len(), buffers_out.len());
}

/// Up to as many vCPUs as a machine may have come online, as the guest's own kernel counts them.
#[test]
#[ignore = "takes minutes: two emulated CPUs run up to 64 vCPUs"]
fn every_vcpu_comes_online() {
    for vcpus in ["2", "8", "16", "32", "64"] {
        let dir = tempfile::tempdir().unwrap();
        let machine = ["--backend", "kvm", "--vcpus", vcpus, "--no-image"];
        let arguments = [&["doctor", "--stats", "--deadline", "230"][..], &machine].concat();
        let inside = nest::run(&job(&arguments), dir.path()).unwrap();
        let said = inside.lines.join("\n");
        println!("{said}");
        // Not by its code: the scenario that it runs may not be for so many.
        let ready = format!("kvm kvm, {vcpus} vCPUs, ready");
        assert!(said.contains(&ready), "{}", inside.console.join("\n"));
    }
}

/// Not a test but a measurement, for the tables in the documentation of `relaybed-vmm`: `cargo test
/// -p relaybed-tests --test nest -- --ignored --nocapture`.
#[test]
#[ignore = "prints figures; the test above runs the same machine"]
fn what_a_guest_on_our_backend_costs() {
    let dir = tempfile::tempdir().unwrap();
    let arguments = ["doctor", "--stats", "--backend", "kvm"];
    let inside = nest::run(&job(&arguments), dir.path()).unwrap();
    println!("{}", inside.lines.join("\n"));
    assert_eq!(inside.code, 0, "{}", inside.console.join("\n"));
}

/// A measurement that fails where what is promised of our own backend does not hold: `cargo test -p
/// relaybed-tests --test nest -- --ignored --nocapture side_by_side`.
#[test]
#[ignore = "takes minutes, and wants a host that is not busy"]
fn ours_and_qemu_s_machines_side_by_side() {
    let dir = tempfile::tempdir().unwrap();
    let arguments = [ROUNDS];
    let compare = Job {
        program: Some(Path::new(MONITORS)),
        with_qemu: true,
        ..job(&arguments)
    };
    let inside = nest::run(&compare, dir.path()).unwrap();
    assert_eq!(inside.code, 0, "{}", inside.console.join("\n"));
    let boots = comparison::boots(&inside).unwrap();
    println!("{}", comparison::table(&boots));
    let cpu = |name| comparison::median(&boots, name, |boot| boot.cpu.as_secs_f64());
    let (ours, q35, microvm) = (
        cpu(monitors::OURS),
        cpu(monitors::Q35),
        cpu(monitors::MICROVM),
    );
    assert!(ours <= q35 / 2.0, "{ours} s beside {q35} s of q35");
    assert!(ours < microvm, "{ours} s beside {microvm} s of microvm");
    let own = comparison::median(&boots, monitors::OURS, |boot| boot.own_kib);
    assert!(own <= 5.0 * 1024.0, "{own} KiB beside the guest's RAM");
}
