//! What PID 1 does first: file systems and the module.

use std::fs::{self, File};
use std::io;

use rustix::io::Errno;
use rustix::mount::{MountFlags, mount};

/// Where the initramfs holds the module.
const MODULE: &str = "/relaybed.ko";

/// Type, place: in the order of mounting.
const MOUNTS: [(&str, &str); 4] = [
    ("devtmpfs", "/dev"),
    ("proc", "/proc"),
    ("sysfs", "/sys"),
    ("debugfs", "/sys/kernel/debug"),
];

/// Why the guest could not be made ready.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InitError {
    /// A mount point could not be made.
    #[error("cannot make directory {path}")]
    Directory {
        path: &'static str,
        source: io::Error,
    },
    /// A file system could not be mounted.
    #[error("cannot mount {kind} on {path}; does the kernel have it?")]
    Mount {
        kind: &'static str,
        path: &'static str,
        source: Errno,
    },
    /// The module's file could not be opened.
    #[error("cannot open {MODULE} in the initramfs")]
    Open(#[source] io::Error),
    /// The kernel refused the module.
    #[error("the kernel refused {MODULE}; was it built for this kernel, and does it have RELAY?")]
    Load(#[source] Errno),
}

/// Mounts what actors need and loads the module.
///
/// # Errors
/// The first step that failed; nothing after it was tried.
pub(crate) fn prepare() -> Result<(), InitError> {
    for (kind, path) in MOUNTS {
        mount_one(kind, path)?;
    }
    let module = File::open(MODULE).map_err(InitError::Open)?;
    rustix::system::finit_module(&module, c"", 0).map_err(InitError::Load)
}

fn mount_one(kind: &'static str, path: &'static str) -> Result<(), InitError> {
    // sysfs brings its own directories along.
    if !fs::exists(path).unwrap_or(false) {
        fs::create_dir_all(path).map_err(|source| InitError::Directory { path, source })?;
    }
    match mount(kind, path, kind, MountFlags::empty(), None) {
        // A kernel may have mounted devtmpfs by itself.
        Ok(()) | Err(Errno::BUSY) => Ok(()),
        Err(source) => Err(InitError::Mount { kind, path, source }),
    }
}
