//! Whole Debian userlands to run the command in: made by mmdebstrap, entered as containers are.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

/// The ordinary user's number inside.
const USER: u32 = 1000;

/// The command's place inside.
const COMMAND: &str = "/usr/local/bin/relaybed";

/// How a userland is entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// As container engines do it: its own mounts and processes, `pivot_root`.
    Container,
    /// The same without user namespaces and without the right to mount, as engines forbid both by default.
    NoUserns,
    /// By `chroot`.
    Chroot,
}

impl Place {
    /// For the table.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::NoUserns => "container, no userns",
            Self::Chroot => "chroot",
        }
    }
}

/// Who runs the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum User {
    /// Root.
    Root,
    /// Somebody without privileges.
    Ordinary,
}

impl User {
    /// For the table.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Ordinary => "user",
        }
    }

    fn home(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Ordinary => "home/user",
        }
    }
}

/// A userland in a folder.
#[derive(Debug)]
pub struct Userland {
    root: PathBuf,
}

impl Userland {
    /// Makes one of `suite` in the folder `root` with `command` in it, as a container image is: no package lists.
    ///
    /// # Errors
    /// mmdebstrap fails, or a file cannot be written.
    pub fn make(suite: &str, root: &Path, command: &Path) -> io::Result<Self> {
        let mut make = Command::new("mmdebstrap");
        // `mount`, as in every image: entering takes its `umount`.
        make.args(["--variant=apt", "--include=mount", "--quiet"]);
        // A mirror that lags is good enough for the userland; what the command fetches in it, it checks itself.
        make.arg("--aptopt=Acquire::Check-Valid-Until \"false\"");
        make.arg(suite);
        make.arg(root);
        make.args(std::env::var_os("RELAYBED_MIRROR"));
        let output = make.output()?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(io::Error::other(format!("mmdebstrap {suite}: {said}")));
        }
        let userland = Self {
            root: root.to_owned(),
        };
        fs::copy(command, root.join(&COMMAND[1..]))?;
        // Names must resolve as they do outside.
        for file in ["etc/resolv.conf", "etc/hosts"] {
            fs::copy(Path::new("/").join(file), root.join(file))?;
        }
        let home = root.join(User::Ordinary.home());
        fs::create_dir_all(&home)?;
        std::os::unix::fs::chown(&home, Some(USER), Some(USER))?;
        for list in fs::read_dir(root.join("var/lib/apt/lists"))?.flatten() {
            if list.file_type()?.is_file() {
                fs::remove_file(list.path())?;
            }
        }
        Ok(userland)
    }

    /// A file of it.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The cache of a user inside.
    #[must_use]
    pub fn cache(&self, user: User) -> PathBuf {
        self.path(user.home()).join(".cache/relaybed")
    }

    /// Gives a user the entries of these kinds from another cache and nothing else.
    ///
    /// # Errors
    /// A file cannot be copied.
    pub fn share_cache(&self, from: &Path, kinds: &[&str], user: User) -> io::Result<()> {
        let cache = self.cache(user);
        self.clear_cache(user)?;
        fs::create_dir_all(&cache)?;
        for kind in kinds {
            run(Command::new("cp")
                .arg("-a")
                .arg(from.join(kind))
                .arg(&cache))?;
        }
        if user == User::Ordinary {
            let owner = format!("{USER}:{USER}");
            let whole = self.path(user.home()).join(".cache");
            run(Command::new("chown").args(["-Rh", &owner]).arg(whole))?;
        }
        Ok(())
    }

    /// Removes a user's cache.
    ///
    /// # Errors
    /// It is there and cannot be removed.
    pub fn clear_cache(&self, user: User) -> io::Result<()> {
        match fs::remove_dir_all(self.cache(user)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Runs the command inside and returns what came of it.
    ///
    /// # Errors
    /// The tools that enter a userland are missing or forbidden.
    pub fn run(
        &self,
        place: Place,
        user: User,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> io::Result<Output> {
        let mut enter = Command::new("unshare");
        // The mounts are gone with their last process, and that goes with us.
        enter.args(["--mount", "--pid", "--fork", "--kill-child"]);
        enter.args(["--propagation", "private", "sh", "-ec", ENTER]);
        enter.arg(place.name()).arg(&self.root);
        enter.args(["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"]);
        enter.arg(format!("HOME=/{}", user.home()));
        for name in ["http_proxy", "https_proxy"] {
            if let Ok(proxy) = std::env::var(name) {
                enter.arg(format!("{name}={proxy}"));
            }
        }
        enter.args(
            environment
                .iter()
                .map(|(name, value)| format!("{name}={value}")),
        );
        match (user, place) {
            (User::Ordinary, _) => {
                let id = USER.to_string();
                enter.args(["setpriv", "--reuid", &id, "--regid", &id, "--clear-groups"]);
            }
            (User::Root, Place::NoUserns) => {
                enter.args([
                    "setpriv",
                    "--bounding-set=-sys_admin",
                    "--inh-caps=-sys_admin",
                ]);
            }
            (User::Root, _) => {}
        }
        enter.arg(COMMAND).args(arguments);
        if place == Place::NoUserns {
            let filters = no_user_namespaces().map_err(io::Error::other)?;
            let apply = move || {
                let failed = |_| io::Error::from(io::ErrorKind::PermissionDenied);
                filters
                    .iter()
                    .try_for_each(|filter| seccompiler::apply_filter(filter).map_err(failed))
            };
            // SAFETY: why at all: a filter cannot be taken off again, so only the child may have it. Why sound: the
            // closure makes system calls on programs made above; on success it neither allocates nor locks.
            unsafe { enter.pre_exec(apply) };
        }
        enter.output()
    }
}

/// Mounts what a userland needs and goes in. Arguments: the place, the root, then the command.
const ENTER: &str = r#"
place=$0; root=$1; shift
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
if [ "$place" = chroot ]; then exec chroot "$root" "$@"; fi
cd "$root"
pivot_root . mnt
umount -l /mnt
exec "$@"
"#;

/// Filters under which no user namespace can be made, as container engines have them.
fn no_user_namespaces() -> Result<[BpfProgram; 2], seccompiler::BackendError> {
    let errno = |number: i32| SeccompAction::Errno(number.unsigned_abs());
    let wanted = u64::from(libc::CLONE_NEWUSER.unsigned_abs());
    let asked = || {
        let op = SeccompCmpOp::MaskedEq(wanted);
        let condition = SeccompCondition::new(0, SeccompCmpArgLen::Dword, op, wanted)?;
        Ok::<_, seccompiler::BackendError>(vec![SeccompRule::new(vec![condition])?])
    };
    let refused = BTreeMap::from([(libc::SYS_unshare, asked()?), (libc::SYS_clone, asked()?)]);
    // Its flags are behind a pointer, out of a filter's sight; libraries then take `clone`.
    let absent = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    let program = |rules, action| {
        SeccompFilter::new(rules, SeccompAction::Allow, action, TargetArch::x86_64)?.try_into()
    };
    Ok([
        program(refused, errno(libc::EPERM))?,
        program(absent, errno(libc::ENOSYS))?,
    ])
}

fn run(command: &mut Command) -> io::Result<()> {
    match command.status()? {
        status if status.success() => Ok(()),
        status => Err(io::Error::other(format!("{command:?}: {status}"))),
    }
}
