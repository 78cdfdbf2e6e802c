//! What can go wrong between us and KVM.

use std::path::PathBuf;
use std::time::Duration;

use crate::kernel_file::KernelFileError;
use crate::ram::RamError;

/// The KVM backend could not make a machine or does not control it any more.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KvmError {
    /// There is no KVM.
    #[error(
        "there is no /dev/kvm: load kvm_intel or kvm_amd, switch virtualisation on in the \
         firmware, or use the QEMU backend"
    )]
    Absent,
    /// We may not use KVM.
    #[error("no permission to open /dev/kvm: add the user to the group that owns it, usually kvm")]
    Permission,
    /// Opening the device failed for another reason.
    #[error("cannot open /dev/kvm")]
    Open(#[source] std::io::Error),
    /// The interface is of another version.
    #[error(
        "/dev/kvm is not KVM or speaks version {found} of its interface, 12 is needed: use the QEMU \
         backend"
    )]
    Version {
        /// The version found, negative if it did not say.
        found: i32,
    },
    /// KVM lacks something.
    #[error("this host's KVM has no {capability}: use a newer host kernel or the QEMU backend")]
    Capability {
        /// What is missing.
        capability: &'static str,
    },
    /// More vCPUs than KVM gives.
    #[error("{asked} vCPUs: this host's KVM supports at most {most}; ask for fewer")]
    TooManyVcpus {
        /// The number asked for.
        asked: u32,
        /// The most there can be.
        most: usize,
    },
    /// More RAM than the host has left.
    #[error(
        "{asked_mib} MiB of guest RAM: the host has {available_mib} MiB available; ask for less"
    )]
    NoMemory {
        /// The size asked for.
        asked_mib: u64,
        /// What the host says is available.
        available_mib: u64,
    },
    /// Guest memory.
    #[error(transparent)]
    Ram(#[from] RamError),
    /// RAM that was made for a machine of QEMU's.
    #[error("the RAM is in a file, as QEMU needs it; the KVM backend needs memory of this process")]
    RamInFile,
    /// A file cannot be read.
    #[error("cannot read {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// The kernel file cannot be booted.
    #[error("the kernel {path} cannot be booted")]
    Kernel {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: KernelFileError,
    },
    /// The kernel cannot be loaded where it wants to be.
    #[error("the kernel {path} cannot be loaded: {why}")]
    Load {
        /// The file.
        path: PathBuf,
        /// Which part does not fit.
        why: String,
    },
    /// The initramfs does not fit behind the kernel.
    #[error(
        "the initramfs {path} has {size} bytes, behind the kernel there is room for {room}: \
         give the machine more memory or make the initramfs smaller"
    )]
    InitramfsTooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        size: u64,
        /// The room there is.
        room: u64,
    },
    /// All debug registers are in use.
    #[error(
        "{most} breakpoints and watchpoints are set, which is all that the CPU's debug registers \
         hold: clear one first"
    )]
    TooManyPoints {
        /// How many there can be.
        most: usize,
    },
    /// A vCPU that there is not.
    #[error("the machine has no vCPU {vcpu}")]
    NoVcpu {
        /// Its number.
        vcpu: u32,
    },
    /// A vCPU made no step.
    #[error(
        "vCPU {vcpu} makes no step: it has halted and waits for an interrupt, so let it run instead"
    )]
    NoStep {
        /// Its number.
        vcpu: u32,
    },
    /// The guest runs guests of its own.
    #[error(
        "a vCPU runs a virtual machine of its own, which an image cannot hold: unload KVM in the guest"
    )]
    Nested,
    /// An image's time stamp counter runs at another speed than this host's.
    #[error(
        "the image's time stamp counter ran at {saved_khz} kHz, this host's runs at {found_khz}: \
         make the image again here"
    )]
    TscSpeed {
        /// The image's.
        saved_khz: u32,
        /// This host's.
        found_khz: u32,
    },
    /// A register of an image that this KVM does not take.
    #[error(
        "KVM does not take {value:#x} for the image's model-specific register {index:#x}: make the \
         image again here"
    )]
    Msr {
        /// The register's number.
        index: u32,
        /// The image's value.
        value: u64,
    },
    /// KVM or the system refused something that should work.
    #[error("cannot {action}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// vCPUs did not leave the guest.
    #[error("{running} vCPUs did not leave the guest within {limit:?}: the host's KVM hangs")]
    Silent {
        /// How many.
        running: u32,
        /// How long was waited.
        limit: Duration,
    },
}

impl KvmError {
    /// For `map_err` on KVM's calls: says what was tried.
    pub(super) fn io<E: Into<SysError>>(action: &'static str) -> impl FnOnce(E) -> Self {
        move |error| Self::Io {
            action,
            source: error.into().0,
        }
    }
}

/// The error types of the system call wrappers in use, made one.
pub(super) struct SysError(std::io::Error);

impl From<kvm_ioctls::Error> for SysError {
    fn from(error: kvm_ioctls::Error) -> Self {
        Self(std::io::Error::from_raw_os_error(error.errno()))
    }
}

impl From<std::io::Error> for SysError {
    fn from(error: std::io::Error) -> Self {
        Self(error)
    }
}

impl From<rustix::io::Errno> for SysError {
    fn from(error: rustix::io::Errno) -> Self {
        Self(error.into())
    }
}

impl From<vm_memory::GuestMemoryError> for SysError {
    fn from(error: vm_memory::GuestMemoryError) -> Self {
        Self(std::io::Error::other(error))
    }
}
