//! What a machine does when it cannot be started, which needs no guest; and when its guest does not
//! stop talking.

use super::*;
use crate::deadline::Deadline;
use crate::kvm::KvmError;
use crate::qemu::QemuError;
use crate::ram::RamError;
use crate::spec::{MEMORY_MAX_MIB, QemuProgram};

/// A spec that passes every check, with a program that is not QEMU.
fn spec(dir: &std::path::Path, argv0: &[&str]) -> MachineSpec {
    let (kernel, initramfs) = (dir.join("vmlinux"), dir.join("initramfs"));
    std::fs::write(&kernel, crate::kernel_file::tests::tiny_kernel()).unwrap();
    std::fs::write(&initramfs, b"070701").unwrap();
    let argv0 = argv0.iter().map(Into::into).collect();
    MachineSpec::new(
        kernel,
        initramfs,
        QemuProgram {
            argv0,
            data_dir: None,
            sandbox: Vec::new(),
        },
        dir.to_owned(),
    )
}

fn refused(change: impl FnOnce(&std::path::Path, &mut MachineSpec)) -> Error {
    let dir = tempfile::tempdir().unwrap();
    let mut spec = spec(dir.path(), &["false"]);
    change(dir.path(), &mut spec);
    Machine::boot(spec).unwrap_err()
}

#[test]
fn a_program_that_ends_at_once() {
    let error = refused(|_, s| {
        s.qemu.argv0 = ["sh", "-c", "echo qemu: no >&2; exit 3"]
            .map(Into::into)
            .into();
    });
    let Error::Qemu(QemuError::DiedAtStart {
        status,
        signal,
        stderr_tail,
    }) = error
    else {
        panic!("{error:?}");
    };
    assert_eq!(
        (status, signal, stderr_tail.as_str()),
        (Some(3), None, "qemu: no")
    );
}

#[test]
fn a_program_that_is_killed_while_starting() {
    let error = refused(|_, s| s.qemu.argv0 = ["sh", "-c", "kill -9 $$"].map(Into::into).into());
    let died = QemuError::DiedAtStart {
        status: None,
        signal: Some(9),
        stderr_tail: String::new(),
    };
    assert!(
        matches!(&error, Error::Qemu(e) if e.to_string() == died.to_string()),
        "{error:?}"
    );
}

#[test]
fn a_program_that_does_not_exist() {
    let error = refused(|_, s| s.qemu.argv0 = vec!["/nonexistent/qemu".into()]);
    assert!(
        matches!(error, Error::Qemu(QemuError::Spawn { .. })),
        "{error:?}"
    );
}

#[test]
fn a_spec_is_checked_before_anything_is_started() {
    let error = refused(|_, s| s.vcpus = 0);
    assert!(matches!(error, Error::Spec(_)), "{error:?}");
}

#[test]
fn a_folder_that_another_machine_uses() {
    let dir = tempfile::tempdir().unwrap();
    let spec = spec(dir.path(), &["false"]);
    let other = claim_console(&spec).unwrap();
    let error = Machine::boot(spec.clone()).unwrap_err();
    assert!(matches!(error, Error::DirInUse { .. }), "{error:?}");
    drop(other);
    let error = Machine::boot(spec).unwrap_err();
    assert!(matches!(error, Error::Qemu(_)), "{error:?}");
}

#[test]
fn a_folder_that_cannot_be_written() {
    let error = refused(|dir, _| std::fs::create_dir(dir.join("console.log")).unwrap());
    assert!(matches!(error, Error::Evidence { .. }), "{error:?}");
}

/// A spec for our own backend, whose kernel writes to the console for ever.
fn talker(dir: &std::path::Path) -> MachineSpec {
    let spec = spec(dir, &["false"]);
    // mov dx, 0x3f8; again: mov esi, 0x1000000; mov ecx, 0x1000; rep outsb; jmp again
    let code = b"\x66\xba\xf8\x03\xbe\x00\x00\x00\x01\xb9\x00\x10\x00\x00\xf3\x6e\xeb\xf2";
    let kernel = crate::kernel_file::tests::flat_kernel(code);
    std::fs::write(&spec.kernel, kernel).unwrap();
    MachineSpec::on_kvm(spec.kernel, spec.initramfs, dir.to_owned())
}

#[test]
fn kvm_and_more_ram_than_the_host_has() {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap();
    let line = text.lines().find(|line| line.starts_with("MemAvailable:"));
    let kib = line.and_then(|line| line.split_ascii_whitespace().nth(1));
    let available_kib: u64 = kib.unwrap().parse().unwrap();
    let asked = u64::from(MEMORY_MAX_MIB);
    if available_kib >> 10 >= asked {
        eprintln!("skipped: this host has {asked} MiB, the most that a machine may have");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut spec = talker(dir.path());
    spec.memory_mib = MEMORY_MAX_MIB;
    let error = Machine::boot(spec).unwrap_err();
    let Error::Kvm(KvmError::NoMemory { asked_mib, .. }) = error else {
        panic!("{error:?}");
    };
    assert_eq!(asked_mib, asked);
}

/// Set in the child that [`kvm_and_ram_that_cannot_be_mapped`] starts.
const NO_SPACE: &str = "RELAYBED_TEST_NO_SPACE";

/// A limit holds for a whole process, so the machine is asked for in a child.
#[test]
fn kvm_and_ram_that_cannot_be_mapped() {
    use rustix::process::{Resource, Rlimit, setrlimit};

    if std::env::var_os(NO_SPACE).is_some() {
        let limit = Some(1 << 30);
        let limits = Rlimit {
            current: limit,
            maximum: limit,
        };
        setrlimit(Resource::As, limits).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let mut spec = talker(dir.path());
        spec.memory_mib = 2048;
        let error = Machine::boot(spec).unwrap_err();
        let Error::Ram(error @ RamError::Map { .. }) = error else {
            panic!("{error:?}");
        };
        let text = error.to_string();
        assert!(text.contains("2048 MiB of guest RAM"), "{text}");
        assert!(text.ends_with("free memory or ask for less"), "{text}");
        return;
    }
    let name = "machine::tests::kvm_and_ram_that_cannot_be_mapped";
    crate::test_child::pass(name, |child| {
        child.env(NO_SPACE, "1");
    });
}

#[test]
fn kvm_and_a_console_flood() {
    let dir = tempfile::tempdir().unwrap();
    if let Err(why) = crate::probe::choose(crate::probe::AccelRequest::Kvm) {
        eprintln!("skipped: {why}");
        return;
    }
    let mut machine = Machine::boot(talker(dir.path())).unwrap();
    let event = machine
        .next_event(Deadline::stall(Duration::from_secs(60)))
        .unwrap();
    let Event::Exit(Exit::ConsoleFlood { bytes }) = event else {
        panic!("{event:?}");
    };
    assert!(bytes > CONSOLE_MAX_BYTES);
    // What happened meanwhile is not without bound either.
    assert!(machine.console_len() < 64 * CONSOLE_MAX_BYTES);
}
