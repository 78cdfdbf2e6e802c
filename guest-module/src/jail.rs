//! Running a build inside a root of its own.
//!
//! With privileges: `chroot`, in a mount namespace where that is allowed. Without: the same in a new user
//! namespace. Which one works is found by trying, since only the kernel knows what a container may do.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{CWD, FileType, Mode, OFlags, makedev, mknodat, open};
use rustix::mount::{MountPropagationFlags, mount_bind_recursive, mount_change};
use rustix::process::{chroot, getegid, geteuid};
use rustix::thread::{UnshareFlags, unshare_unsafe};

use crate::child::{self, ChildError};

/// No way into a root of its own is open to us.
#[derive(Debug, thiserror::Error)]
#[error(
    "the module cannot be built: neither chroot nor a user namespace is allowed here ({tried}); \
     run as root, allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1 or \
     kernel.apparmor_restrict_unprivileged_userns=0), or give a kernel by --kernel FILE --build-dir TREE, \
     whose module is built with the host's tools"
)]
pub struct JailError {
    tried: String,
}

/// A way into the root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Privileged, with the host's devices mounted inside.
    MountAndChroot,
    /// Privileged as far as chroot and device nodes go.
    PlainChroot,
    /// Root in a user namespace only.
    UserNamespace,
}

impl std::fmt::Display for Way {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::MountAndChroot => "mounting and chroot",
            Self::PlainChroot => "chroot",
            Self::UserNamespace => "a user namespace",
        })
    }
}

/// A root that commands can be run in.
#[derive(Debug)]
pub(crate) struct Jail {
    root: PathBuf,
    way: Way,
}

impl Jail {
    /// Finds a way into `root`, which must hold `/usr/bin/true` and what that needs.
    ///
    /// # Errors
    /// There is none; the reasons are given.
    pub(crate) fn new(root: &Path) -> Result<Self, JailError> {
        let mut tried = Vec::new();
        for dir in ["dev", "proc", "tmp"] {
            if let Err(error) = fs::create_dir_all(root.join(dir)) {
                tried.push(format!("cannot make {dir}: {error}"));
            }
        }
        let ways: &[Way] = if geteuid().is_root() {
            &[Way::MountAndChroot, Way::PlainChroot, Way::UserNamespace]
        } else {
            &[Way::UserNamespace]
        };
        for &way in ways {
            let jail = Self {
                root: root.to_owned(),
                way,
            };
            let prepared = if way == Way::PlainChroot {
                make_devices(root)
            } else {
                Ok(())
            };
            let entered = prepared.map_err(|error| error.to_string()).and_then(|()| {
                let entered = child::run(&mut jail.command("/usr/bin/true"));
                entered.map_err(|error| match error {
                    // It is the way in that failed, not the program.
                    ChildError::Spawn { source, .. } => source.to_string(),
                    error => error.to_string(),
                })
            });
            match entered {
                Ok(_) => return Ok(jail),
                Err(error) => tried.push(format!("{way}: {error}")),
            }
        }
        Err(JailError {
            tried: tried.join("; "),
        })
    }

    /// A command that will run inside, with a plain environment.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", "/usr/bin:/usr/sbin:/bin:/sbin")
            .env("HOME", "/tmp");
        let way = self.way;
        let path = |path: &Path| CString::new(path.as_os_str().as_bytes()).unwrap_or_default();
        let root = path(&self.root);
        let mounts = [
            (c"/dev", path(&self.root.join("dev"))),
            (c"/proc", path(&self.root.join("proc"))),
        ];
        let maps = IdMaps::new();
        let enter = move || -> io::Result<()> {
            if way == Way::UserNamespace {
                // SAFETY: why at all: namespaces are entered by this call only. Why sound: the child has one
                // thread and shares no descriptors with it that are put apart here.
                unsafe { unshare_unsafe(UnshareFlags::NEWUSER | UnshareFlags::NEWNS)? };
                maps.write()?;
            } else if way == Way::MountAndChroot {
                // SAFETY: as above.
                unsafe { unshare_unsafe(UnshareFlags::NEWNS)? };
            }
            if way != Way::PlainChroot {
                // Our mounts must not appear on the host.
                mount_change(
                    c"/",
                    MountPropagationFlags::REC | MountPropagationFlags::PRIVATE,
                )?;
                for (source, target) in &mounts {
                    mount_bind_recursive(*source, target.as_c_str())?;
                }
            }
            chroot(root.as_c_str())?;
            rustix::process::chdir(c"/")?;
            Ok(())
        };
        // SAFETY: why at all: a child's root is changed between fork and exec, where no one else is affected.
        // Why sound: the closure makes system calls on strings made above; it neither allocates nor locks.
        unsafe { command.pre_exec(enter) };
        command
    }
}

/// The contents of the files that make the caller root in a new user namespace.
struct IdMaps {
    uid: String,
    gid: String,
}

impl IdMaps {
    fn new() -> Self {
        let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
        Self {
            uid: format!("0 {uid} 1\n"),
            gid: format!("0 {gid} 1\n"),
        }
    }

    /// Writes them for the calling process. Allocates nothing.
    fn write(&self) -> io::Result<()> {
        for (path, content) in [
            (c"/proc/self/setgroups", "deny"),
            (c"/proc/self/uid_map", self.uid.as_str()),
            (c"/proc/self/gid_map", self.gid.as_str()),
        ] {
            let file = open(path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
            rustix::io::write(&file, content.as_bytes())?;
        }
        Ok(())
    }
}

/// The device nodes that compilers and scripts open, for a root that the host's cannot be mounted in.
fn make_devices(root: &Path) -> io::Result<()> {
    for (name, minor) in [("null", 3), ("zero", 5), ("random", 8), ("urandom", 9)] {
        let path = root.join("dev").join(name);
        if !path.exists() {
            let mode = Mode::from_raw_mode(0o666);
            mknodat(
                CWD,
                &path,
                FileType::CharacterDevice,
                mode,
                makedev(1, minor),
            )?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o666))?;
        }
    }
    Ok(())
}
