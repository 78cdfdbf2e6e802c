//! Building `relaybed.ko` for one kernel.
//!
//! For a packaged kernel the build runs in a root made of exactly the packages its headers ask for, whatever
//! the host has. For the user's own tree it runs with the host's tools, which built that tree.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::cache::{Cache, CacheError, Entry, Key, io_error};
use crate::child::{self, ChildError};
use crate::embedded;
use crate::jail::{Jail, JailError};
use crate::progress::Progress;

/// The module's file name in its cache entry.
pub(crate) const MODULE: &str = "relaybed.ko";

/// The build's full output in the module's cache entry.
pub(crate) const LOG: &str = "build.log";

/// Lines that name errors, and last lines, that go into an error's text.
const ERROR_LINES: usize = 10;

/// The module was not built.
#[derive(Debug, thiserror::Error)]
pub enum ModuleError {
    /// The compiler or kbuild refused.
    #[error("the module does not build for {release}; the whole log is in {}:\n{excerpt}", log.display())]
    Build {
        /// The kernel.
        release: String,
        /// The whole output.
        log: PathBuf,
        /// Its telling lines.
        excerpt: String,
    },
    /// make was content, but there is no module.
    #[error("the build for {release} ended well without a {MODULE}; the whole log is in {}", log.display())]
    Nothing {
        /// The kernel.
        release: String,
        /// The whole output.
        log: PathBuf,
    },
    /// The build could not be started.
    #[error(transparent)]
    Child(#[from] ChildError),
    /// There is no way into the build's root.
    #[error(transparent)]
    Jail(#[from] JailError),
    /// The cache cannot be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
}

/// What a module is built against, and with what.
#[derive(Debug)]
pub(crate) enum Against<'a> {
    /// Headers and tools from packages, each a cache entry with a `root`.
    Packages {
        /// The kernel's headers.
        headers: &'a Entry,
        /// Compiler, make, shell and so on.
        tools: &'a Entry,
    },
    /// The user's tree and the host's tools.
    Tree(&'a Path),
}

/// The module's key: what it is built against, our sources, and how strict the compiler is.
pub(crate) fn key(against: &str, warnings: bool) -> Key {
    Key::new("module")
        .with("against", against)
        .with("sources", embedded::sources_hash())
        .with("warnings", if warnings { "W=1" } else { "default" })
}

/// The built module's entry, from the cache or by building.
///
/// # Errors
/// See [`ModuleError`].
pub(crate) fn build(
    cache: &Cache,
    key: &Key,
    release: &str,
    against: &Against<'_>,
    warnings: bool,
    progress: &dyn Progress,
) -> Result<Entry, ModuleError> {
    cache.entry(key, progress, |dir| {
        let step = progress.begin(&format!("building the module for {release}"), None);
        let work = dir.join("work");
        let make = match against {
            Against::Packages { headers, tools } => {
                for part in [tools, headers] {
                    let root = part.path("root");
                    link_tree(&root, &work).map_err(io_error("link", &root))?;
                }
                embedded::write_sources(&work.join("build"))?;
                let mut make = Jail::new(&work)?.command("/usr/bin/make");
                make.arg("-C")
                    .arg(format!("/usr/src/linux-headers-{release}"));
                make.arg("M=/build/module");
                // Debug information would be nine tenths of what every boot has to load.
                make.arg("KCFLAGS=-g0");
                make
            }
            Against::Tree(tree) => {
                embedded::write_sources(&work.join("build"))?;
                let mut make = Command::new("make");
                for inherited in ["MAKEFLAGS", "MFLAGS", "MAKELEVEL", "KBUILD_OUTPUT", "W"] {
                    make.env_remove(inherited);
                }
                make.arg("-C").arg(tree);
                make.arg(format!("M={}", work.join("build/module").display()));
                make
            }
        };
        let facts = run(make, cache, dir, key, release, warnings)?;
        fs::remove_dir_all(&work).map_err(io_error("remove", &work))?;
        step.finish();
        Ok(facts)
    })
}

/// Runs make and moves what came of it into the entry.
fn run(
    mut make: Command,
    cache: &Cache,
    dir: &Path,
    key: &Key,
    release: &str,
    warnings: bool,
) -> Result<Value, ModuleError> {
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    make.arg(format!("-j{jobs}"));
    if warnings {
        // The check of comments that comes along wants Perl or Python modules, each release others.
        make.args(["W=1", "cmd_checkdoc="]);
    }
    let (status, output) = child::run_to_end(make.arg("modules"))?;
    let log = format!("{}{}", output.stdout, output.stderr);
    // An entry that fails is not kept, but its log is.
    let kept = cache
        .root()
        .join("logs")
        .join(format!("{}.log", key.hash()));
    let logs = cache.root().join("logs");
    fs::create_dir_all(&logs).map_err(io_error("make", &logs))?;
    let in_entry = dir.join(LOG);
    for path in [&kept, &in_entry] {
        fs::write(path, &log).map_err(io_error("write", path))?;
    }
    let release = release.to_owned();
    if !status.success() {
        return Err(ModuleError::Build {
            release,
            log: kept,
            excerpt: excerpt(&log),
        });
    }
    let built = dir.join("work/build/module").join(MODULE);
    match fs::copy(&built, dir.join(MODULE)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(ModuleError::Nothing { release, log: kept })
        }
        Err(error) => Err(io_error("copy", &built)(error).into()),
        Ok(_) => Ok(json!({ "release": release })),
    }
}

/// The lines of a build's log that say what went wrong.
fn excerpt(log: &str) -> String {
    let errors: Vec<&str> = log
        .lines()
        .filter(|line| line.to_lowercase().contains("error"))
        .take(ERROR_LINES)
        .collect();
    if errors.is_empty() {
        child::tail(log)
    } else {
        errors.join("\n")
    }
}

/// Repeats the tree `from` at `to`: folders and links anew, files as second names of the same.
fn link_tree(from: &Path, to: &Path) -> io::Result<()> {
    let there_is_fine = |result: io::Result<()>| match result {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        result => result,
    };
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            link_tree(&entry.path(), &target)?;
        } else if kind.is_symlink() {
            there_is_fine(symlink(fs::read_link(entry.path())?, &target))?;
        } else {
            there_is_fine(fs::hard_link(entry.path(), &target))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_shows_the_errors() {
        let mut log = String::from("CC main.o\nmain.c:3:1: error: unknown type\n");
        log += &"note: much talk\n".repeat(100);
        assert_eq!(excerpt(&log), "main.c:3:1: error: unknown type");
        assert!(excerpt("a\nlast words\n").contains("last words"));
    }

    #[test]
    fn trees_are_laid_over_one_another() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b, both) = (
            dir.path().join("a"),
            dir.path().join("b"),
            dir.path().join("both"),
        );
        for (tree, name) in [(&a, "one"), (&b, "two")] {
            fs::create_dir_all(tree.join("usr/lib")).unwrap();
            fs::write(tree.join("usr/lib").join(name), name).unwrap();
            symlink("usr/lib", tree.join("lib")).unwrap();
        }
        link_tree(&a, &both).unwrap();
        link_tree(&b, &both).unwrap();
        assert_eq!(fs::read(both.join("lib/one")).unwrap(), b"one");
        assert_eq!(fs::read(both.join("lib/two")).unwrap(), b"two");
    }
}
