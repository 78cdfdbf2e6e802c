//! What can go wrong with a machine.

use std::path::PathBuf;

use crate::event::Exit;
use crate::image::ImageError;
use crate::kvm::KvmError;
use crate::qemu::QemuError;
use crate::ram::RamError;
use crate::spec::{Backend, SpecError};

/// A machine could not be made, reached or controlled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The spec is not one of a machine.
    #[error("the machine cannot be made as specified")]
    Spec(#[from] SpecError),
    /// Guest memory.
    #[error(transparent)]
    Ram(#[from] RamError),
    /// An image.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// QEMU.
    #[error("the QEMU backend failed")]
    Qemu(#[source] QemuError),
    /// Our own virtual machine on KVM.
    #[error("the KVM backend failed")]
    Kvm(#[from] KvmError),
    /// The backend cannot do what was asked.
    #[error("the {backend} backend cannot do this: {what}; use the other one")]
    Unsupported {
        /// What was asked.
        what: &'static str,
        /// The backend.
        backend: Backend,
    },
    /// Bytes that no watchpoint can watch.
    #[error(
        "a watchpoint watches 1, 2, 4 or 8 bytes at a multiple of that, not {len} at {address:#x}"
    )]
    Watchpoint {
        /// The address asked for.
        address: u64,
        /// The number of bytes asked for.
        len: u8,
    },
    /// The evidence folder cannot be used.
    #[error("cannot {action} {path}: the evidence folder must be writable")]
    Evidence {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// Another machine keeps its console in this folder.
    #[error("the evidence folder of {path} is in use by another machine: give each its own")]
    DirInUse {
        /// The console's file.
        path: PathBuf,
    },
    /// The machine has ended, so it cannot do what was asked.
    #[error("the machine has ended: {exit}")]
    Ended {
        /// How.
        exit: Exit,
    },
    /// An earlier failure left the machine in an unknown state.
    #[error("the machine was left stopped after an earlier failure ({reason}): boot a new one")]
    Failed {
        /// The earlier failure.
        reason: String,
    },
    /// A signal asked this process to end.
    #[error("interrupted by signal {signal}")]
    Interrupted {
        /// The signal's number.
        signal: i32,
    },
}

impl From<QemuError> for Error {
    fn from(error: QemuError) -> Self {
        match error {
            QemuError::Interrupted { signal } => Self::Interrupted { signal },
            error => Self::Qemu(error),
        }
    }
}
