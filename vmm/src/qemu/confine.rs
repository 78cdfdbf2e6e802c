//! What a QEMU process may reach. A guest that breaks out of QEMU's devices is in a process of ours, perhaps root's.
//!
//! Four layers, each as far as the host allows it, which is found out once by a child that tries:
//!
//! - namespaces of its own for users, network and IPC: there is no network, and what it may do as root of its
//!   namespace it may do to nothing of the host's;
//! - no capabilities, and none to be gained;
//! - [Landlock](super::landlock): it reads its own program and the guest's files, writes its own folder, and signals
//!   no process but itself;
//! - limits: no core file, which would hold the guest's RAM, and no file beyond all measure.
//!
//! QEMU's own filter on system calls comes on top (see [`QemuProgram::sandbox`](crate::QemuProgram)).

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rustix::fs::{Mode, OFlags, open};
use rustix::process::{Resource, Rlimit, getegid, geteuid, setrlimit};
use rustix::thread::{CapabilitySet, CapabilitySets, UnshareFlags, unshare_unsafe};

use super::landlock::{self, May};
use crate::spec::MachineSpec;

/// Longest file that it may write: far beyond a console and a log with every instruction in it.
const FILE_MAX_BYTES: u64 = 4 << 30;
/// Descriptors that it may have.
const FILES_MAX: u64 = 4096;

/// What hosts let any program read: programs and libraries, what the kernel publishes, and no secret.
const SYSTEM: [&str; 9] = [
    "/usr",
    "/lib",
    "/lib64",
    "/bin",
    "/etc/ld.so.cache",
    "/proc",
    "/sys",
    "/dev/urandom",
    "/dev/random",
];

/// Devices that it uses, each if it is there.
const DEVICES: [&str; 3] = ["/dev/null", "/dev/zero", "/dev/kvm"];

/// How far this host lets a child be confined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Confinement {
    /// Namespaces of its own: `user` besides `network` and `IPC`, or those two alone.
    namespaces: Namespaces,
    /// The version of Landlock.
    landlock: Option<i32>,
}

/// Which namespaces of its own a child can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Namespaces {
    /// Users, network and IPC.
    WithUsers,
    /// Network and IPC, which root can have without the first.
    WithoutUsers,
    /// None.
    None,
}

impl Namespaces {
    const ALL: [Self; 3] = [Self::WithUsers, Self::WithoutUsers, Self::None];

    const fn flags(self) -> UnshareFlags {
        let others = UnshareFlags::NEWNET.union(UnshareFlags::NEWIPC);
        match self {
            Self::WithUsers => others.union(UnshareFlags::NEWUSER),
            Self::WithoutUsers => others,
            Self::None => UnshareFlags::empty(),
        }
    }
}

impl Confinement {
    /// What this host allows, found out by the first call.
    #[must_use]
    pub fn here() -> Self {
        static HERE: OnceLock<Confinement> = OnceLock::new();
        *HERE.get_or_init(|| {
            let works = |namespaces: &Namespaces| {
                let maps = IdMaps::new();
                let namespaces = *namespaces;
                try_in_child(move || enter(namespaces, &maps).is_ok())
            };
            let namespaces = Namespaces::ALL.into_iter().find(works);
            let landlock = landlock::version().filter(|version| {
                let rules = landlock::rules(*version, std::iter::empty());
                let obeys = |rules: OwnedFd| {
                    try_in_child(move || {
                        rustix::thread::set_no_new_privs(true).is_ok()
                            && landlock::obey(&rules).is_ok()
                    })
                };
                rules.is_ok_and(obeys)
            });
            Self {
                namespaces: namespaces.unwrap_or(Namespaces::None),
                landlock,
            }
        })
    }

    /// What is applied.
    #[must_use]
    pub fn applied(&self) -> Vec<&'static str> {
        let namespaces: &[&str] = match self.namespaces {
            Namespaces::WithUsers => &["its own user, network and IPC namespaces"],
            Namespaces::WithoutUsers => &["its own network and IPC namespaces"],
            Namespaces::None => &[],
        };
        let mut applied = namespaces.to_vec();
        applied.push("no capabilities");
        if let Some(version) = self.landlock {
            applied.push("writes only its own folder (Landlock)");
            if version >= 6 {
                applied.push("signals no other process");
            }
        }
        applied.push("resource limits");
        applied
    }

    /// What is not, and why.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        let mut missing = match self.namespaces {
            Namespaces::WithUsers => Vec::new(),
            Namespaces::WithoutUsers => vec!["a user namespace (not allowed here)"],
            Namespaces::None => {
                vec!["user, network and IPC namespaces (unprivileged ones are not allowed here)"]
            }
        };
        match self.landlock {
            None => missing.push("files of its own only (the kernel has no Landlock)"),
            Some(version) if version < 6 => {
                missing.push("signals to itself only (the kernel's Landlock is older than 6.12)");
            }
            Some(_) => {}
        }
        missing
    }

    /// The confinement of one machine's QEMU, made ready before its process is.
    ///
    /// # Errors
    /// Landlock's rules cannot be made.
    pub(super) fn of(self, spec: &MachineSpec) -> io::Result<Cell> {
        let rules = match self.landlock {
            None => None,
            Some(version) => {
                let paths = reachable(spec);
                let paths = paths.iter().map(|(path, may)| (path.as_path(), *may));
                Some(landlock::rules(version, paths)?)
            }
        };
        Ok(Cell {
            namespaces: self.namespaces,
            maps: IdMaps::new(),
            rules,
        })
    }
}

/// Files and folders that a machine's QEMU may reach.
fn reachable(spec: &MachineSpec) -> Vec<(PathBuf, May)> {
    let mut paths: Vec<(PathBuf, May)> = vec![
        (spec.dir.clone(), May::All),
        (spec.kernel.clone(), May::Read),
        (spec.initramfs.clone(), May::Read),
    ];
    let read = |path: &Path| (path.to_owned(), May::Read);
    paths.extend(spec.qemu.data_dir.as_deref().map(read));
    // The program, or a loader with its library path and the program.
    let words = spec.qemu.argv0.iter().flat_map(std::env::split_paths);
    paths.extend(
        words
            .filter(|path| path.is_absolute())
            .map(|path| read(&path)),
    );
    // What was installed with it: firmware, modules, libraries of its own.
    let program = spec.qemu.argv0.last().map(Path::new);
    let prefix = program.and_then(Path::parent).and_then(Path::parent);
    // Not the whole: a program in a user's own folder would take that along.
    let prefix = prefix.filter(|path| path.is_absolute());
    let folders = prefix
        .into_iter()
        .flat_map(|prefix| ["lib", "lib64", "libexec", "share"].map(|folder| prefix.join(folder)));
    paths.extend(folders.map(|folder| (folder, May::Read)));
    paths.extend(SYSTEM.iter().map(|path| read(Path::new(path))));
    paths.extend(DEVICES.map(|path| (path.into(), May::Use)));
    paths
}

/// A process's confinement, to be entered between fork and exec.
#[derive(Debug)]
pub(super) struct Cell {
    namespaces: Namespaces,
    maps: IdMaps,
    rules: Option<OwnedFd>,
}

impl Cell {
    /// Enters it. Allocates nothing and takes no lock. Clears the parent-death signal.
    ///
    /// # Errors
    /// The system call's that does not do what it did when it was tried.
    pub(super) fn enter(&self) -> io::Result<()> {
        enter(self.namespaces, &self.maps)?;
        rustix::thread::set_no_new_privs(true)?;
        let none = CapabilitySet::empty();
        let sets = CapabilitySets {
            effective: none,
            permitted: none,
            inheritable: none,
        };
        rustix::thread::set_capabilities(None, sets)?;
        limit(Resource::Core, 0)?;
        limit(Resource::Fsize, FILE_MAX_BYTES)?;
        limit(Resource::Nofile, FILES_MAX)?;
        self.rules.as_ref().map_or(Ok(()), landlock::obey)
    }
}

/// Lowers a limit; one that is lower stays.
fn limit(resource: Resource, most: u64) -> io::Result<()> {
    let now = rustix::process::getrlimit(resource);
    let lower = |limit: Option<u64>| Some(limit.map_or(most, |limit| limit.min(most)));
    let limits = Rlimit {
        current: lower(now.current),
        maximum: lower(now.maximum),
    };
    Ok(setrlimit(resource, limits)?)
}

fn enter(namespaces: Namespaces, maps: &IdMaps) -> io::Result<()> {
    // SAFETY: why at all: namespaces are entered by this call only. Why sound: the child has one thread, and no
    // descriptors are put apart.
    unsafe { unshare_unsafe(namespaces.flags())? };
    match namespaces {
        Namespaces::WithUsers => maps.write(),
        Namespaces::WithoutUsers | Namespaces::None => Ok(()),
    }
}

/// The contents of the files that make the caller itself in a new user namespace, and no one else there.
#[derive(Debug)]
struct IdMaps {
    uid: String,
    gid: String,
}

impl IdMaps {
    fn new() -> Self {
        let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
        Self {
            uid: format!("{uid} {uid} 1\n"),
            gid: format!("{gid} {gid} 1\n"),
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

/// Whether `works` holds in a child of ours, which does nothing else. It may only make system calls.
fn try_in_child(works: impl FnOnce() -> bool) -> bool {
    // SAFETY: why at all: what cannot be undone is tried by a process that ends. Why sound: the child has one thread
    // and makes system calls only; the parent waits for this child alone.
    unsafe {
        let child = libc::fork();
        if child == 0 {
            libc::_exit(libc::c_int::from(!works()));
        }
        let mut status = -1;
        while child > 0 && libc::waitpid(child, &raw mut status, 0) < 0 {
            if *libc::__errno_location() != libc::EINTR {
                return false;
            }
        }
        child > 0 && libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    use super::*;
    use crate::spec::QemuProgram;

    /// Runs a shell in the cell of a machine whose folder is `dir`; what it says.
    fn shell(dir: &Path, script: &str) -> String {
        let spec = MachineSpec::new(
            dir.join("none"),
            dir.join("none"),
            QemuProgram::from_path(),
            dir.to_owned(),
        );
        let cell = Confinement::here().of(&spec).unwrap();
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]).current_dir("/");
        // SAFETY: as of `Child::spawn`: `enter` makes system calls only.
        unsafe { command.pre_exec(move || cell.enter()) };
        let output = command.output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    #[test]
    fn a_confined_process_reaches_only_what_is_its_own() {
        let here = Confinement::here();
        let (own, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let secret = other.path().join("secret");
        fs::write(&secret, "secret").unwrap();
        let script = format!(
            "echo mine > {own}/file && cat {own}/file; cat {secret}; echo x > {secret}; echo y > {other}/new; \
             kill -0 {pid} && echo killed; cat /proc/{pid}/environ > /dev/null && echo read; \
             grep CapEff /proc/self/status; ulimit -c; ls /sys/class/net",
            own = own.path().display(),
            other = other.path().display(),
            secret = secret.display(),
            pid = std::process::id(),
        );
        let said = shell(own.path(), &script);
        assert!(said.starts_with("mine\n"), "{said}");
        assert!(said.contains("CapEff:\t0000000000000000\n0\n"), "{said}");
        if here.landlock.is_some() {
            assert!(!said.contains("secret"), "{said}");
            assert_eq!(fs::read(&secret).unwrap(), b"secret");
            assert!(!other.path().join("new").exists());
            assert!(!said.contains("read"), "{said}");
        }
        if here.landlock.is_some_and(|version| version >= 6) {
            assert!(!said.contains("killed"), "{said}");
        }
    }

    #[test]
    fn a_confined_process_has_no_network() {
        if Confinement::here().namespaces == Namespaces::None {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let said = shell(dir.path(), "cat /proc/net/dev | grep -c :");
        assert_eq!(said.trim(), "1", "only a loopback that is down");
    }

    #[test]
    fn what_is_not_applied_is_said() {
        let bare = Confinement {
            namespaces: Namespaces::None,
            landlock: None,
        };
        assert_eq!(bare.missing().len(), 2);
        assert_eq!(bare.applied(), ["no capabilities", "resource limits"]);
        let old = Confinement {
            namespaces: Namespaces::WithUsers,
            landlock: Some(5),
        };
        assert_eq!(old.missing().len(), 1);
        let whole = Confinement {
            landlock: Some(6),
            ..old
        };
        assert!(whole.missing().is_empty());
    }
}
