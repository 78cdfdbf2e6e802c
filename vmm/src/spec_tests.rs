//! Every bad value of a spec is an error of its own.

use super::*;

fn spec(dir: &Path) -> MachineSpec {
    let kernel = dir.join("vmlinux");
    let initramfs = dir.join("initramfs");
    std::fs::write(
        &kernel,
        b"not an ELF file, but long enough to hold a header of one of them",
    )
    .unwrap();
    std::fs::write(&initramfs, b"070701").unwrap();
    MachineSpec::new(kernel, initramfs, QemuProgram::from_path(), dir.to_owned())
}

fn refused(change: impl FnOnce(&mut MachineSpec)) -> SpecError {
    let dir = tempfile::tempdir().unwrap();
    let mut spec = spec(dir.path());
    change(&mut spec);
    spec.validate().unwrap_err()
}

#[test]
fn vcpus() {
    assert!(matches!(
        refused(|s| s.vcpus = 0),
        SpecError::Vcpus { vcpus: 0 }
    ));
    assert!(matches!(
        refused(|s| s.vcpus = 65),
        SpecError::Vcpus { vcpus: 65 }
    ));
}

#[test]
fn memory() {
    assert!(matches!(
        refused(|s| s.memory_mib = 63),
        SpecError::Memory { memory_mib: 63 }
    ));
    assert!(matches!(
        refused(|s| s.memory_mib = u32::MAX),
        SpecError::Memory { .. }
    ));
}

#[test]
fn command_line() {
    let error = refused(|s| s.cmdline_extra = "x".repeat(2048));
    assert!(matches!(error, SpecError::CmdlineTooLong { .. }), "{error}");
    let text = error.to_string();
    assert!(
        text.ends_with("the kernel reads 2047: shorten the extra arguments"),
        "{text}"
    );
    let error = refused(|s| s.cmdline_extra = "a\nb".into());
    assert!(
        matches!(error, SpecError::CmdlineCharacter { character: '\n' }),
        "{error}"
    );
    for argument in [
        "panic=5",
        "reboot=t",
        "quiet reboot=panic_cold",
        "\"panic=5\"",
    ] {
        let error = refused(|s| s.cmdline_extra = argument.into());
        assert!(
            matches!(error, SpecError::CmdlineReserved { .. }),
            "{error}"
        );
    }
}

#[test]
fn the_limits_themselves_are_fine() {
    let dir = tempfile::tempdir().unwrap();
    let mut spec = spec(dir.path());
    spec.cmdline_extra = "panic_on_warn relaybed.panic=1".into();
    for (vcpus, memory_mib) in [(1, MEMORY_MIN_MIB), (VCPUS_MAX, MEMORY_MAX_MIB)] {
        (spec.vcpus, spec.memory_mib) = (vcpus, memory_mib);
        spec.validate_values().unwrap();
    }
}

#[test]
fn paths() {
    type Change = fn(&mut MachineSpec);
    let changes: [(&str, Change); 4] = [
        ("kernel", |s| s.kernel.push("x")),
        ("initramfs", |s| s.initramfs = s.dir.clone()),
        ("evidence folder", |s| s.dir.push("x")),
        ("QEMU data folder", |s| {
            s.qemu.data_dir = Some(s.dir.join("x"));
        }),
    ];
    for (role, change) in changes {
        match refused(change) {
            SpecError::Path { what, .. } => assert_eq!(what, role),
            other => panic!("{role}: {other}"),
        }
    }
}

#[test]
fn files() {
    let error = refused(|s| std::fs::write(&s.initramfs, b"").unwrap());
    assert!(matches!(error, SpecError::EmptyInitramfs { .. }), "{error}");
    let error = refused(|_| ());
    assert!(
        matches!(
            error,
            SpecError::Kernel {
                source: KernelFileError::NotElf,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn no_program() {
    assert!(matches!(
        refused(|s| s.qemu.argv0.clear()),
        SpecError::NoQemu
    ));
}

#[test]
fn memory_that_does_not_hold_the_kernel() {
    let dir = tempfile::tempdir().unwrap();
    let mut spec = spec(dir.path());
    let kernel = kernel_file::tests::tiny_kernel();
    std::fs::write(&spec.kernel, kernel).unwrap();
    spec.memory_mib = 64;
    spec.validate().unwrap();
    let initramfs = std::fs::File::create(&spec.initramfs).unwrap();
    initramfs.set_len(64 << 20).unwrap();
    let error = spec.validate().unwrap_err();
    assert!(
        matches!(error, SpecError::MemoryTooSmall { needed_mib: 65, .. }),
        "{error}"
    );
}
