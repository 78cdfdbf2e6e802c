//! Taking packages apart without installing them: no root, no maintainer scripts.

use std::fs;
use std::io::Read;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::cache::{CacheError, io_error};
use crate::child::{self, ChildError};

/// A package could not be taken apart.
#[derive(Debug, thiserror::Error)]
pub enum DebError {
    /// A tool failed on it.
    #[error("cannot unpack {}: {source}", path.display())]
    Unpack {
        /// The package.
        path: PathBuf,
        /// What the tool said.
        source: ChildError,
    },
    /// The archive inside is damaged.
    #[error("cannot read the files in {}: {source}; fetch it again", path.display())]
    Archive {
        /// The package.
        path: PathBuf,
        /// What is wrong.
        source: std::io::Error,
    },
    /// A file that should be inside is not.
    #[error("{} has no {name}; use another kernel package, or --kernel FILE", path.display())]
    Missing {
        /// The package.
        path: PathBuf,
        /// The file.
        name: String,
    },
    /// A file in it is larger than any of its kind.
    #[error("{name} in {} is larger than {limit} bytes; is the package genuine?", path.display())]
    TooLarge {
        /// The package.
        path: PathBuf,
        /// The file.
        name: String,
        /// The bound.
        limit: u64,
    },
    /// The target folder cannot be written.
    #[error(transparent)]
    Cache(#[from] CacheError),
}

/// Folders that are links into `usr` on a current Debian. Older packages still ship files in them.
const MERGED: [&str; 4] = ["bin", "lib", "lib64", "sbin"];

/// What nobody needs for a build: text, sanitizers, link-time optimisation; and the type data of the kernel
/// (`vmlinux` in newer headers), which would make the module's link want another tool.
const LEFT_OUT: [&str; 10] = [
    "./usr/share/doc",
    "./usr/share/man",
    "./usr/share/locale",
    "./usr/share/info",
    "./usr/src/*/vmlinux",
    "./usr/lib/linux-headers-*/vmlinux",
    "./usr/lib/*/lib*san.*",
    "./usr/lib/*/lib*san_preinit.o",
    "./usr/lib/gcc/*/lto1",
    "./usr/bin/*lto-dump-*",
];

/// Names that packages leave to their maintainer scripts, and what the scripts would make them mean.
const ALTERNATIVES: [(&str, &str); 2] = [("awk", "mawk"), ("sh", "dash")];

/// Unpacks packages over one another into `root`, as dpkg would lay out their files.
///
/// # Errors
/// A package is damaged or `root` cannot be written.
pub(crate) fn unpack_all(debs: &[PathBuf], root: &Path) -> Result<(), DebError> {
    for name in MERGED {
        let target = root.join("usr").join(name);
        fs::create_dir_all(&target).map_err(io_error("make", &target))?;
        let link = root.join(name);
        symlink(format!("usr/{name}"), &link).map_err(io_error("make", &link))?;
    }
    let next = AtomicUsize::new(0);
    let work = || -> Result<(), DebError> {
        while let Some(deb) = debs.get(next.fetch_add(1, Ordering::Relaxed)) {
            unpack(deb, root)?;
        }
        Ok(())
    };
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .try_for_each(|worker| match worker.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            })
    })?;
    for (name, meaning) in ALTERNATIVES {
        let (link, target) = (
            root.join("usr/bin").join(name),
            root.join("usr/bin").join(meaning),
        );
        if target.exists() && fs::symlink_metadata(&link).is_err() {
            symlink(meaning, &link).map_err(io_error("make", &link))?;
        }
    }
    Ok(())
}

/// Unpacks one package. Its files get the caller as owner; links to folders are followed, not replaced.
fn unpack(deb: &Path, root: &Path) -> Result<(), DebError> {
    // The pipe is the shell's, so that a failure on either side is seen; paths go in as arguments.
    let script = "set -o pipefail; deb=$1; root=$2; shift 2; \
                  dpkg-deb --fsys-tarfile \"$deb\" | \
                  tar -x -C \"$root\" --keep-directory-symlink --no-same-owner \"$@\"";
    let mut shell = Command::new("bash");
    shell.args(["-c", script, "unpack"]).arg(deb).arg(root);
    shell.args(LEFT_OUT.map(|pattern| format!("--exclude={pattern}")));
    let unpacked = child::run(&mut shell);
    unpacked.map(drop).map_err(|source| DebError::Unpack {
        path: deb.to_owned(),
        source,
    })
}

/// The content of the first file in `deb` whose name satisfies `wanted`. Reading stops there.
///
/// # Errors
/// The package is damaged, has no such file, or the file is larger than `limit`.
pub(crate) fn read_file(
    deb: &Path,
    what: &str,
    limit: u64,
    wanted: impl Fn(&Path) -> bool,
) -> Result<Vec<u8>, DebError> {
    let name = what.to_owned();
    let mut found = None;
    read_tar(deb, |tar| {
        found = find_in_tar(tar, limit, &wanted)?;
        Ok(())
    })?;
    match found {
        None => Err(DebError::Missing {
            path: deb.to_owned(),
            name,
        }),
        Some(content) if content.len() as u64 > limit => Err(DebError::TooLarge {
            path: deb.to_owned(),
            name,
            limit,
        }),
        Some(content) => Ok(content),
    }
}

/// Gives the files in `deb`, as one tar archive, to `read`, which may stop before their end.
///
/// # Errors
/// The package is damaged, or what `read` says.
pub(crate) fn read_tar(
    deb: &Path,
    read: impl FnOnce(&mut dyn Read) -> std::io::Result<()>,
) -> Result<(), DebError> {
    let archive_error = |source| DebError::Archive {
        path: deb.to_owned(),
        source,
    };
    let spawn_error = |source| DebError::Unpack {
        path: deb.to_owned(),
        source: ChildError::Spawn {
            tool: "dpkg-deb".to_owned(),
            source,
        },
    };
    let mut command = Command::new("dpkg-deb");
    command.arg("--fsys-tarfile").arg(deb).stdin(Stdio::null());
    // It complains when reading stops early, which is what happens on success.
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = child::die_with_us(&mut command)
        .spawn()
        .map_err(spawn_error)?;
    let done = match child.stdout.take() {
        Some(mut stdout) => read(&mut stdout),
        None => Ok(()),
    };
    // Closed pipe or not, it is waited for, so that it is not left a zombie.
    let _ = child.kill();
    child.wait().map_err(archive_error)?;
    done.map_err(archive_error)
}

/// The first wanted regular file's content, of which at most one byte more than `limit` is read.
fn find_in_tar(
    archive: impl Read,
    limit: u64,
    wanted: impl Fn(&Path) -> bool,
) -> std::io::Result<Option<Vec<u8>>> {
    for entry in tar::Archive::new(archive).entries()? {
        let entry = entry?;
        if entry.header().entry_type().is_file() && wanted(&entry.path()?) {
            let size = entry.header().size()?;
            let mut content = Vec::new();
            entry.take(limit + 1).read_to_end(&mut content)?;
            if (content.len() as u64) < size.min(limit + 1) {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            return Ok(Some(content));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A package with one file below `lib` and the type data that is left out.
    fn package(dir: &Path) -> PathBuf {
        let tree = dir.join("tree");
        for (path, content) in [
            (
                "DEBIAN/control",
                "Package: x\nVersion: 1\nArchitecture: all\nMaintainer: x <x@x.x>\nDescription: x\n",
            ),
            ("lib/modules/file", "content"),
            ("usr/src/linux-headers-1/vmlinux", "types"),
            ("boot/vmlinuz-1", "kernel"),
        ] {
            let path = tree.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let deb = dir.join("x.deb");
        child::run(Command::new("dpkg-deb").arg("--build").arg(&tree).arg(&deb)).unwrap();
        deb
    }

    #[test]
    fn files_land_behind_merged_links() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        unpack_all(&[package(dir.path())], &root).unwrap();
        assert_eq!(
            fs::read(root.join("usr/lib/modules/file")).unwrap(),
            b"content"
        );
        assert!(root.join("lib").is_symlink());
        assert!(!root.join("usr/src/linux-headers-1/vmlinux").exists());
    }

    #[test]
    fn one_file_is_read_out() {
        let dir = tempfile::tempdir().unwrap();
        let deb = package(dir.path());
        let named = |name: &'static str| move |path: &Path| path.ends_with(name);
        assert_eq!(
            read_file(&deb, "it", 6, named("boot/vmlinuz-1")).unwrap(),
            b"kernel"
        );
        let large = read_file(&deb, "it", 5, named("boot/vmlinuz-1")).unwrap_err();
        assert!(matches!(large, DebError::TooLarge { .. }), "{large}");
        let missing = read_file(&deb, "it", 5, named("boot/other")).unwrap_err();
        assert!(matches!(missing, DebError::Missing { .. }), "{missing}");
    }

    #[test]
    fn a_damaged_package_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let deb = dir.path().join("bad.deb");
        fs::write(&deb, "!<arch>\nnonsense").unwrap();
        let error = unpack_all(std::slice::from_ref(&deb), &dir.path().join("root")).unwrap_err();
        assert!(error.to_string().contains("bad.deb"), "{error}");
        assert!(read_file(&deb, "it", 5, |_| true).is_err());
    }

    proptest! {
        #[test]
        fn any_archive_is_answered(bytes in prop::collection::vec(any::<u8>(), 0..2048)) {
            let _ = find_in_tar(bytes.as_slice(), 100, |_| true);
        }
    }
}
