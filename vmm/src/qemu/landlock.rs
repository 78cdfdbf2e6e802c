//! Landlock: which files a QEMU process may reach, and that it may signal no one else.
//!
//! The rules are made by us, who can still open everything; between fork and exec only the descriptor is used.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// `struct landlock_ruleset_attr` of the kernel's uapi.
#[repr(C)]
#[derive(Default)]
struct Ruleset {
    files: u64,
    net: u64,
    scoped: u64,
}

/// `struct landlock_path_beneath_attr`.
#[repr(C, packed)]
struct Beneath {
    allowed: u64,
    parent: i32,
}

/// `LANDLOCK_RULE_PATH_BENEATH`, and the flag of `landlock_create_ruleset` that asks for the version.
const PATH_BENEATH: libc::c_int = 1;
const ASK_VERSION: libc::c_uint = 1;

const EXECUTE: u64 = 1;
const WRITE_FILE: u64 = 1 << 1;
const READ_FILE: u64 = 1 << 2;
const READ_DIR: u64 = 1 << 3;
/// All rights of the first version; then moving files, truncating, and device controls, by the version that has them.
const FIRST: u64 = (1 << 13) - 1;
const MOVE: (u64, i32) = (1 << 13, 2);
const TRUNCATE: (u64, i32) = (1 << 14, 3);
const DEVICE_CONTROL: (u64, i32) = (1 << 15, 5);
/// Binding and connecting TCP ports; abstract sockets and signals to those outside.
const TCP: (u64, i32) = (3, 4);
const OUTSIDE: (u64, i32) = (3, 6);

/// What may be done below a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum May {
    /// Read files and folders, and run programs.
    Read,
    /// Use a device or the like.
    Use,
    /// Everything but running programs.
    All,
}

impl May {
    const fn rights(self) -> u64 {
        match self {
            Self::Read => EXECUTE | READ_FILE | READ_DIR,
            Self::Use => READ_FILE | WRITE_FILE | DEVICE_CONTROL.0,
            Self::All => (FIRST & !EXECUTE) | MOVE.0 | TRUNCATE.0,
        }
    }
}

/// The version of Landlock that the kernel has; `None` without it.
pub(super) fn version() -> Option<i32> {
    let none = std::ptr::null::<Ruleset>();
    // SAFETY: why at all: there is no wrapper for this call. Why sound: with this flag it looks at no memory.
    let version = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            none,
            0_usize,
            ASK_VERSION,
        )
    };
    i32::try_from(version).ok().filter(|version| *version > 0)
}

/// Rules that allow nothing but what `paths` say, as far as version `version` can tell it apart. Paths that are not
/// there are left out.
///
/// # Errors
/// The system call's.
pub(super) fn rules<'a>(
    version: i32,
    paths: impl Iterator<Item = (&'a Path, May)>,
) -> io::Result<OwnedFd> {
    let has = |(rights, since): (u64, i32)| if version >= since { rights } else { 0 };
    let handled = Ruleset {
        files: FIRST | has(MOVE) | has(TRUNCATE) | has(DEVICE_CONTROL),
        net: has(TCP),
        scoped: has(OUTSIDE),
    };
    // Kernels refuse members that they do not know unless those are zero, as they are then.
    let size = size_of::<Ruleset>();
    // SAFETY: why at all: as above. Why sound: the kernel reads `size` bytes of a structure that lives until then.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            &raw const handled,
            size,
            0,
        )
    };
    let fd = i32::try_from(fd).ok().filter(|fd| *fd >= 0);
    let fd = fd.ok_or_else(io::Error::last_os_error)?;
    // SAFETY: why at all: the call gives a number. Why sound: it is a new descriptor that no one else has.
    let rules = unsafe { OwnedFd::from_raw_fd(fd) };
    for (path, may) in paths {
        match allow(&rules, path, may.rights() & handled.files) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            allowed => allowed?,
        }
    }
    Ok(rules)
}

fn allow(rules: &OwnedFd, path: &Path, rights: u64) -> io::Result<()> {
    /// Rights that only files have a use for; the others are refused for anything but a folder.
    const OF_FILES: u64 = EXECUTE | READ_FILE | WRITE_FILE | TRUNCATE.0 | DEVICE_CONTROL.0;
    let file = File::options()
        .read(true)
        .custom_flags(libc::O_PATH | libc::O_CLOEXEC)
        .open(path)?;
    let is_folder = file.metadata()?.is_dir();
    let beneath = Beneath {
        allowed: if is_folder { rights } else { rights & OF_FILES },
        parent: file.as_raw_fd(),
    };
    // SAFETY: why at all: as above. Why sound: the structure and its descriptor live until the call returns.
    let added = unsafe {
        libc::syscall(
            libc::SYS_landlock_add_rule,
            rules.as_raw_fd(),
            PATH_BENEATH,
            &raw const beneath,
            0,
        )
    };
    match added {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Puts the calling thread, and what it will start, under the rules. Allocates nothing.
///
/// # Errors
/// The system call's.
pub(super) fn obey(rules: &OwnedFd) -> io::Result<()> {
    // SAFETY: why at all: as above. Why sound: the call takes a number.
    match unsafe { libc::syscall(libc::SYS_landlock_restrict_self, rules.as_raw_fd(), 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
