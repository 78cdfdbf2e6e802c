//! A QEMU to run guests in: the host's if it is new enough, else Debian's, run in place from the cache.

mod sandbox;

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::json;

use crate::apt::{self, AptError, AptRoot};
use crate::cache::{Cache, CacheError, Entry, Key, io_error};
use crate::child::{self, ChildError};
use crate::deb::{self, DebError};
use crate::packages::{self, PackageId};
use crate::progress::{Progress, Silent};
use crate::root;

/// Older ones hang when a second CPU comes up under the instruction clock.
const OLDEST: (u32, u32) = (8, 2);

/// The program looked for on the host, and taken from the package.
const PROGRAM: &str = "qemu-system-x86_64";

/// Where a QEMU comes from if the host has none that will do. Its libraries come along, so the host's matter not.
const SUITE: &str = "bookworm-backports";

/// The package that holds it.
const PACKAGE: &str = "qemu-system-x86";

/// There is no QEMU.
#[derive(Debug, thiserror::Error)]
pub enum QemuError {
    /// The one that was asked for will not do.
    #[error("RELAYBED_QEMU names {}, which cannot be used: {problem}; unset it, or name a QEMU of version 8.2 or newer", path.display())]
    Asked {
        /// The program.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The fetched one does not run.
    #[error(
        "QEMU {version} from Debian {SUITE} does not run here: {source}; install QEMU 8.2 or newer, or name one in RELAYBED_QEMU"
    )]
    Unusable {
        /// Its package version.
        version: String,
        /// What happened.
        source: ChildError,
    },
    /// One that was found does not run.
    #[error("QEMU ({origin}) does not run here: {source}; name another in RELAYBED_QEMU")]
    Broken {
        /// Where it comes from.
        origin: String,
        /// What happened.
        source: ChildError,
    },
    /// One that was found is another by now.
    #[error("QEMU ({origin}) was {expected} and now reports version {found}; run again")]
    Changed {
        /// Where it comes from.
        origin: String,
        /// The version it had.
        expected: String,
        /// The version it reports.
        found: String,
    },
    /// The fetched one would run with libraries of the host.
    #[error(
        "QEMU {version} from Debian {SUITE} would run with the host's {}, which it was not built for; \
         install QEMU 8.2 or newer, or name one in RELAYBED_QEMU", library.display()
    )]
    Mixed {
        /// Its package version.
        version: String,
        /// The library.
        library: PathBuf,
    },
    /// It could not be fetched.
    #[error("{0}\nOr install QEMU 8.2 or newer, or name one in RELAYBED_QEMU")]
    Apt(#[from] AptError),
    /// It could not be unpacked.
    #[error(transparent)]
    Deb(#[from] DebError),
    /// The cache cannot be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
}

/// How to run QEMU.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Qemu {
    /// The beginning of its command line: the program, or the loader with its options and the program.
    #[serde(serialize_with = "as_text")]
    pub argv0: Vec<OsString>,
    /// Where its firmware files are (`-L`), if not where it looks for itself.
    pub data_dir: Option<PathBuf>,
    /// Options of its sandbox, behind the program; none where it has none or the host's kernel takes none.
    #[serde(serialize_with = "as_text")]
    pub sandbox: Vec<OsString>,
    /// As it reports itself: `10.0.2`.
    pub version: String,
    /// Where it comes from, for reports.
    pub origin: String,
}

/// For reports: words of a command line as text, whatever bytes they hold.
fn as_text<S: Serializer>(words: &[OsString], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(words.iter().map(|word| word.to_string_lossy()))
}

impl Qemu {
    /// Runs it, to see that it still does.
    ///
    /// # Errors
    /// It does not run, or is another version than the one that was found.
    pub fn try_out(&self) -> Result<(), QemuError> {
        let unusable = |source| QemuError::Broken {
            origin: self.origin.clone(),
            source,
        };
        let Some((program, arguments)) = self.argv0.split_first() else {
            return Ok(());
        };
        let mut command = Command::new(program);
        let output = child::run(command.args(arguments).arg("--version")).map_err(unusable)?;
        match parse_version(&output.stdout) {
            Some(version) if version == self.version => Ok(()),
            found => Err(QemuError::Changed {
                origin: self.origin.clone(),
                expected: self.version.clone(),
                found: found.unwrap_or_else(|| "none".to_owned()),
            }),
        }
    }
}

/// Exactly which packages make up a private QEMU.
#[derive(Debug, Serialize, Deserialize)]
struct Resolution {
    packages: Vec<PackageId>,
}

/// Finds the host's QEMU or fetches one.
///
/// # Errors
/// See [`QemuError`].
pub fn qemu(cache: &Cache, progress: &dyn Progress) -> Result<Qemu, QemuError> {
    if let Some(path) = std::env::var_os("RELAYBED_QEMU").filter(|path| !path.is_empty()) {
        let path = PathBuf::from(path);
        let asked = |problem| QemuError::Asked {
            path: path.clone(),
            problem,
        };
        return host(&path).map_err(asked);
    }
    match host(Path::new(PROGRAM)) {
        Ok(qemu) => Ok(qemu),
        Err(problem) => {
            tracing::debug!(problem, "the host's QEMU will not do");
            private(cache, progress)
        }
    }
}

/// The file that a bare name means.
fn in_path(name: &Path) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    let executable = |path: &PathBuf| {
        let mode = fs::metadata(path).map(|file| file.is_file().then(|| file.permissions().mode()));
        mode.is_ok_and(|mode| mode.is_some_and(|mode| mode & 0o111 != 0))
    };
    std::env::split_paths(&folders)
        .map(|folder| folder.join(name))
        .find(executable)
}

/// A program of the host's, if it runs and is new enough. Known by its whole path from here on, for whoever starts it
/// elsewhere or wants to read it.
fn host(program: &Path) -> Result<Qemu, String> {
    let found = match program.components().count() {
        1 => in_path(program).ok_or("it is not in PATH")?,
        _ => std::path::absolute(program).map_err(|error| error.to_string())?,
    };
    let program = found.as_path();
    let output = child::run(Command::new(program).arg("--version"));
    let output = output.map_err(|error| error.to_string())?;
    let version = parse_version(&output.stdout).ok_or("it does not report a version")?;
    if !is_new_enough(&version) {
        return Err(format!("it is version {version}"));
    }
    let argv0 = vec![program.into()];
    let sandbox = sandbox::works(&argv0).map_err(|error| error.to_string())?;
    Ok(Qemu {
        argv0,
        data_dir: None,
        sandbox: sandbox::options(sandbox),
        version,
        origin: format!("the host's {}", program.display()),
    })
}

/// The version in the first line of `--version`.
fn parse_version(output: &str) -> Option<String> {
    let rest = output.split_once("QEMU emulator version ")?.1;
    let end = rest
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(rest.len());
    (end > 0).then(|| rest[..end].to_owned())
}

fn is_new_enough(version: &str) -> bool {
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) >= OLDEST
}

/// Debian's QEMU from the cache, fetched if need be.
fn private(cache: &Cache, progress: &dyn Progress) -> Result<Qemu, QemuError> {
    let (mut resolution, apt) = resolve(cache, progress, cache.refresh())?;
    if let Some(entry) = cache.find(&key(&resolution), &Silent) {
        return Ok(entry.facts::<Fact>()?.qemu(&entry)?);
    }
    let apt = match apt {
        Some(apt) => apt,
        None => {
            // Whatever was resolved earlier may have left the archive by now.
            let (newer, apt) = resolve(cache, progress, true)?;
            resolution = newer;
            match apt {
                Some(apt) => apt,
                None => AptRoot::updated(cache, SUITE, PACKAGE, progress)?,
            }
        }
    };
    let scratch = cache.scratch(apt.lock(), apt.lock_name())?;
    let entry = cache.entry(&key(&resolution), progress, |dir| {
        let packages = &resolution.packages;
        apt.download(packages, scratch.path(), "QEMU", progress)?;
        let step = progress.begin("unpacking QEMU", None);
        let files = packages
            .iter()
            .map(|package| apt::file_of(package, scratch.path()));
        let files = files.collect::<Result<Vec<_>, _>>()?;
        let root = dir.join("root");
        deb::unpack_all(&files, &root)?;
        gather_firmware(&root)?;
        let package = packages.iter().find(|package| package.name == PACKAGE);
        let package = package.map_or_else(String::new, |package| package.version.clone());
        let output = try_out(&root, &package)?;
        let version = parse_version(&output).unwrap_or_else(|| package.clone());
        step.finish();
        let argv0 = argv0(&root).map_err(io_error("find the loader in", &root))?;
        let sandbox = sandbox::works(&argv0).map_err(|source| QemuError::Unusable {
            version: package.clone(),
            source,
        })?;
        Ok::<_, QemuError>(json!(Fact {
            version,
            package,
            sandbox
        }))
    })?;
    Ok(entry.facts::<Fact>()?.qemu(&entry)?)
}

/// Runs the QEMU in `root` for its version, after making sure that it would run with that root's libraries only.
fn try_out(root: &Path, package: &str) -> Result<String, QemuError> {
    let run = |options: &[&str]| {
        let argv0 = argv0(root).map_err(io_error("find the loader in", root))?;
        let (program, arguments) = (&argv0[0], &argv0[1..]);
        let mut command = Command::new(program);
        // The loader takes its options before the program.
        match options {
            ["--list"] => command.arg("--list").args(arguments),
            options => command.args(arguments).args(options),
        };
        child::run(&mut command).map_err(|source| QemuError::Unusable {
            version: package.to_owned(),
            source,
        })
    };
    let libraries = run(&["--list"])?.stdout;
    if let Some(library) = outside(&libraries, root) {
        return Err(QemuError::Mixed {
            version: package.to_owned(),
            library,
        });
    }
    Ok(run(&["--version"])?.stdout)
}

/// The first library in a loader's list that is not below `root`.
fn outside(list: &str, root: &Path) -> Option<PathBuf> {
    let paths = list.lines().filter_map(|line| {
        let path = line.split_once("=> ").map_or(line, |(_, path)| path).trim();
        Some(Path::new(path.split(" (0x").next()?))
    });
    let mut paths = paths.filter(|path| path.is_absolute());
    paths
        .find(|path| !path.starts_with(root))
        .map(Path::to_owned)
}

/// Puts all firmware where `-L` points: Debian spreads it over folders that QEMU knows by absolute path.
fn gather_firmware(root: &Path) -> Result<(), CacheError> {
    let data = root.join("usr/share/qemu");
    for folder in ["usr/share/seabios", "usr/lib/ipxe/qemu"] {
        for file in fs::read_dir(root.join(folder))
            .into_iter()
            .flatten()
            .flatten()
        {
            let there = data.join(file.file_name());
            if fs::symlink_metadata(&there).is_err() {
                // Of a link, the file that it leads to: elsewhere a relative link means something else.
                let name = Path::new(folder).join(file.file_name());
                root::resolve(root, &name)
                    .and_then(|source| fs::hard_link(source, &there))
                    .map_err(io_error("link", &there))?;
            }
        }
    }
    Ok(())
}

/// What is recorded of a private QEMU.
#[derive(Debug, Serialize, Deserialize)]
struct Fact {
    version: String,
    package: String,
    /// Whether its sandbox was found to work.
    sandbox: bool,
}

impl Fact {
    fn qemu(self, entry: &Entry) -> Result<Qemu, CacheError> {
        let root = entry.path("root");
        Ok(Qemu {
            argv0: argv0(&root).map_err(io_error("find the loader in", &root))?,
            data_dir: Some(root.join("usr/share/qemu")),
            sandbox: sandbox::options(self.sandbox),
            version: self.version,
            origin: format!("Debian {SUITE}, {PACKAGE} {}", self.package),
        })
    }
}

fn key(resolution: &Resolution) -> Key {
    // What is recorded is part of it: an entry of a version that recorded less is another one.
    Key::new("qemu")
        .with("packages", packages::identity(&resolution.packages))
        .with("records", "version, package, sandbox")
}

/// Which packages to use, from the cache unless asked `anew`; with the apt root if it was needed.
fn resolve(
    cache: &Cache,
    progress: &dyn Progress,
    anew: bool,
) -> Result<(Resolution, Option<AptRoot>), QemuError> {
    let key = Key::new("resolved").with("request", format!("{SUITE}:{PACKAGE}"));
    let mut used = None;
    let make = |_: &Path| -> Result<_, QemuError> {
        let apt = AptRoot::updated(cache, SUITE, PACKAGE, progress)?;
        let packages = apt.closure(&[PACKAGE], true, None)?;
        used = Some(apt);
        Ok(json!(Resolution { packages }))
    };
    let entry = if anew {
        cache.entry_anew(&key, progress, make)?
    } else {
        cache.entry(&key, progress, make)?
    };
    Ok((entry.facts()?, used))
}

/// The command line that runs the QEMU of a private root by that root's own loader and libraries.
///
/// # Errors
/// Links lead round in circles.
fn argv0(root: &Path) -> io::Result<Vec<OsString>> {
    let libraries = root.join("usr/lib/x86_64-linux-gnu");
    let mut path = libraries.clone().into_os_string();
    // Some libraries keep parts of themselves in folders of their own.
    let mut folders: Vec<PathBuf> = fs::read_dir(&libraries)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .filter(|path| has_libraries(path))
        .collect();
    folders.sort();
    for folder in folders {
        path.push(":");
        path.push(folder);
    }
    let inside = |name: &str| root::resolve(root, Path::new(name)).map(PathBuf::into_os_string);
    Ok(vec![
        inside("lib64/ld-linux-x86-64.so.2")?,
        // The host's list of libraries is for the host's programs.
        "--inhibit-cache".into(),
        "--library-path".into(),
        path,
        inside("usr/bin/qemu-system-x86_64")?,
    ])
}

/// Whether a folder holds shared libraries with a version, as against plug-ins.
fn has_libraries(folder: &Path) -> bool {
    let names = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name());
    names
        .map(|name| name.to_string_lossy().into_owned())
        .any(|name| {
            name.starts_with("lib") && name.contains(".so.") || name.starts_with("libpulse")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_told() {
        let debian = "QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2~bpo12+1)\nCopyright\n";
        assert_eq!(parse_version(debian).as_deref(), Some("10.0.2"));
        assert_eq!(
            parse_version("QEMU emulator version 8.2"),
            Some("8.2".into())
        );
        assert_eq!(parse_version("no QEMU"), None);
        for (version, expected) in [
            ("8.2", true),
            ("10.0.2", true),
            ("8.1.9", false),
            ("7.2.22", false),
            ("", false),
        ] {
            assert_eq!(is_new_enough(version), expected, "{version}");
        }
    }

    #[test]
    fn a_library_of_the_host_is_noticed() {
        let list = "\tlinux-vdso.so.1 (0x00007ffc)\n\tlibz.so.1 => /r/lib/libz.so.1 (0x00007f11)\n\
                    \t/r/lib64/ld-linux-x86-64.so.2 (0x00007f22)\n";
        assert_eq!(outside(list, Path::new("/r")), None);
        let mixed = format!("{list}\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f33)\n");
        let library = outside(&mixed, Path::new("/r"));
        assert_eq!(
            library.unwrap(),
            Path::new("/lib/x86_64-linux-gnu/libc.so.6")
        );
    }

    #[test]
    fn a_bare_name_is_looked_for_in_path() {
        let found = in_path(Path::new("sh")).unwrap();
        assert!(found.is_absolute() && found.ends_with("sh"), "{found:?}");
        assert_eq!(in_path(Path::new("relaybed-no-such-tool")), None);
        assert!(host(Path::new("relaybed-no-such-tool")).is_err());
    }

    #[test]
    fn a_program_that_is_no_qemu_is_refused() {
        assert!(host(Path::new("/bin/true")).is_err());
        assert!(host(Path::new("/nonexistent/qemu")).is_err());
    }
}
