//! What a machine does when it cannot be started; none of this needs a guest to run.

use super::*;
use crate::qemu::QemuError;
use crate::spec::QemuProgram;

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
