//! Every way in which a virtual machine cannot be had is an error that says what to change.

use std::ffi::CString;

use super::*;
use crate::address::MIB;
use crate::kvm::slots;

/// The error of a machine with two vCPUs on `device`.
fn refused(device: &CStr) -> KvmError {
    let ram = RamStore::in_process(64 * MIB, slots(64 * MIB)).unwrap();
    Vm::create_on(device, &ram, 2).unwrap_err()
}

#[test]
fn no_device() {
    let error = refused(c"/nonexistent/kvm");
    assert!(matches!(error, KvmError::Absent), "{error:?}");
    assert!(error.to_string().contains("load kvm_intel or kvm_amd"));
}

#[test]
fn a_device_that_is_not_kvm() {
    let error = refused(c"/dev/null");
    assert!(
        matches!(error, KvmError::Version { found: ..=0 }),
        "{error:?}"
    );
    assert!(error.to_string().contains("is not KVM"));
}

/// Set in the child that [`a_device_that_we_may_not_open`] starts: the device that it is to open.
const DEVICE: &str = "RELAYBED_TEST_DEVICE";

/// Root may open everything, so the test that opens runs in a child that is nobody.
#[test]
fn a_device_that_we_may_not_open() {
    use std::os::unix::process::CommandExt;

    if let Ok(path) = std::env::var(DEVICE) {
        let device = CString::new(path).unwrap();
        let error = refused(&device);
        assert!(matches!(error, KvmError::Permission), "{error:?}");
        assert!(error.to_string().contains("add the user to the group"));
        return;
    }
    let file = tempfile::NamedTempFile::new_in("/tmp").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o000);
    std::fs::set_permissions(file.path(), mode).unwrap();
    crate::test_child::pass("kvm::vm::tests::a_device_that_we_may_not_open", |child| {
        child.env(DEVICE, file.path());
        if rustix::process::geteuid().is_root() {
            child.uid(65534).gid(65534);
        }
    });
}

#[test]
fn a_refusal_for_want_of_permission_is_named_whoever_we_are() {
    let error = open_error(kvm_ioctls::Error::new(
        rustix::io::Errno::ACCESS.raw_os_error(),
    ));
    assert!(matches!(error, KvmError::Permission), "{error:?}");
}

#[test]
fn more_vcpus_than_kvm_gives() {
    let ram = RamStore::in_process(64 * MIB, slots(64 * MIB)).unwrap();
    match Vm::create(&ram, u32::MAX).unwrap_err() {
        KvmError::Absent | KvmError::Permission | KvmError::Open(_) => {
            eprintln!("skipped: no KVM here");
        }
        error @ KvmError::TooManyVcpus { .. } => {
            assert!(error.to_string().ends_with("ask for fewer"), "{error}");
        }
        error => panic!("{error:?}"),
    }
}
