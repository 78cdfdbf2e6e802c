//! Building `relaybed.ko` for one kernel.
//!
//! For a packaged kernel the build runs in a root made of exactly the packages its headers ask for, whatever
//! the host has. For the user's own tree it runs with the host's tools, which built that tree.

mod error;
mod inputs;
mod log;
mod objects;

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::cache::{Cache, CacheError, Entry, Key, io_error};
use crate::child;
use crate::compiler::Compiler;
use crate::embedded;
use crate::jail::Jail;
use crate::progress::Progress;
use crate::relay::Own;

pub use error::ModuleError;
use inputs::Inputs;

/// The module's file name in its cache entry.
pub(crate) const MODULE: &str = "relaybed.ko";

/// The build's full output in the module's cache entry.
pub(crate) const LOG: &str = "build.log";

/// What a module is built against, and with what.
#[derive(Debug)]
pub(crate) enum Against<'a> {
    /// Headers and tools from packages, each a cache entry with a `root`.
    Packages {
        /// The kernel's headers.
        headers: &'a Entry,
        /// Compiler, make, shell and so on.
        tools: &'a Entry,
        /// What names the two.
        identity: &'a str,
    },
    /// The user's tree, and the host's tools with the compiler that the tree was built with.
    Tree(&'a Path, &'a Compiler),
}

/// How a module is built, whatever it is built against.
#[derive(Debug)]
pub(crate) struct Recipe {
    /// With kbuild's extra warnings.
    warnings: bool,
    /// The relay.c that becomes part of it.
    pub(crate) own: Option<Own>,
}

impl Recipe {
    /// A module that drives the kernel's own relay.
    pub(crate) fn new(warnings: bool) -> Self {
        Self {
            warnings,
            own: None,
        }
    }

    /// Lays out everything that the module is built from.
    fn write(&self, build: &Path) -> Result<(), CacheError> {
        embedded::write_sources(build)?;
        match &self.own {
            Some(own) => own.write(&build.join("module")),
            None => Ok(()),
        }
    }

    /// The same on top of what an earlier build with another relay.c compiled, if there was one.
    fn write_on(
        &self,
        objects: Option<&Key>,
        cache: &Cache,
        build: &Path,
    ) -> Result<(), ModuleError> {
        if let (Some(own), Some(key)) = (&self.own, objects)
            && objects::lay_out(cache, key, build)?
        {
            return Ok(own.write_source(&build.join("module"))?);
        }
        Ok(self.write(build)?)
    }

    /// Names the objects that builds with different relay.c files have in common. None for a module that drives
    /// the kernel's relay: that is built once.
    fn objects_key(&self, against: &Against<'_>) -> Option<Key> {
        let Against::Packages { identity, .. } = against else {
            // Compiled below a path that is another one every time.
            return None;
        };
        let key = self.add_to(Key::new("module-objects"), identity);
        Some(self.own.as_ref()?.add_all_but_source_to(key))
    }

    fn add_to(&self, key: Key, against: &str) -> Key {
        let warnings = if self.warnings { "W=1" } else { "default" };
        key.with("against", against)
            .with("sources", embedded::sources_hash())
            .with("warnings", warnings)
    }
}

/// The module's key: what it is built against, all sources, and how strict the compiler is.
pub(crate) fn key(against: &str, recipe: &Recipe) -> Key {
    let key = recipe.add_to(Key::new("module"), against);
    match &recipe.own {
        Some(own) => own.add_to(key),
        None => key,
    }
}

/// The built module's entry, from the cache or by building. One that was built in the user's tree is taken from
/// the cache only while everything that its build read is as it was.
///
/// # Errors
/// See [`ModuleError`].
pub(crate) fn build(
    cache: &Cache,
    key: &Key,
    release: &str,
    against: &Against<'_>,
    recipe: &Recipe,
    progress: &dyn Progress,
) -> Result<Entry, ModuleError> {
    let make = |dir: &Path| {
        let step = progress.begin(&format!("building the module for {release}"), None);
        let work = dir.join("work");
        let objects = recipe.objects_key(against);
        let make = match against {
            Against::Packages { headers, tools, .. } => {
                for part in [tools, headers] {
                    let root = part.path("root");
                    link_tree(&root, &work).map_err(io_error("link", &root))?;
                }
                recipe.write_on(objects.as_ref(), cache, &work.join("build"))?;
                let mut make = Jail::new(&work)?.command("/usr/bin/make");
                make.arg("-C")
                    .arg(format!("/usr/src/linux-headers-{release}"));
                make.arg("M=/build/module");
                // Debug information would be nine tenths of what every boot has to load.
                make.arg("KCFLAGS=-g0");
                make
            }
            Against::Tree(tree, compiler) => {
                recipe.write(&work.join("build"))?;
                let mut make = Command::new("make");
                for inherited in ["MAKEFLAGS", "MFLAGS", "MAKELEVEL", "KBUILD_OUTPUT", "W"] {
                    make.env_remove(inherited);
                }
                make.arg("-C").arg(tree);
                make.arg(format!("M={}", work.join("build/module").display()));
                make.args(compiler.make());
                make
            }
        };
        let begun = SystemTime::now();
        run(make, cache, dir, key, release, recipe)?;
        let inputs = match against {
            Against::Packages { .. } => None,
            Against::Tree(tree, _) => {
                let module = work.join("build/module");
                let read = Inputs::of_build(tree, &module, begun);
                Some(read.map_err(io_error("read what was built in", &module))?)
            }
        };
        if let Some(objects) = objects {
            objects::keep(cache, &objects, &work.join("build"))?;
        }
        fs::remove_dir_all(&work).map_err(io_error("remove", &work))?;
        step.finish();
        Ok(json!(Facts { inputs }))
    };
    if let Against::Packages { .. } = against {
        return cache.entry(key, progress, make);
    }
    if let Some(entry) = cache.find(key, progress) {
        let facts: Result<Facts, _> = entry.facts();
        if facts.is_ok_and(|facts| facts.inputs.is_some_and(|inputs| inputs.hold())) {
            return Ok(entry);
        }
        progress.say("the tree has changed since the module was built");
    }
    cache.entry_anew(key, progress, make)
}

/// What a module's entry says of it.
#[derive(Serialize, Deserialize)]
struct Facts {
    /// What its build read of the user's tree.
    inputs: Option<Inputs>,
}

/// Runs make and moves what came of it into the entry.
fn run(
    mut make: Command,
    cache: &Cache,
    dir: &Path,
    key: &Key,
    release: &str,
    recipe: &Recipe,
) -> Result<(), ModuleError> {
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    make.arg(format!("-j{jobs}"));
    if recipe.warnings {
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
    if !status.success() {
        let relay = recipe.own.as_ref().map(|own| &own.relay);
        return Err(error::failure(relay, release, &log, kept));
    }
    let release = release.to_owned();
    let built = dir.join("work/build/module").join(MODULE);
    match fs::copy(&built, dir.join(MODULE)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(ModuleError::Nothing { release, log: kept })
        }
        Err(error) => Err(io_error("copy", &built)(error).into()),
        Ok(_) => Ok(()),
    }
}

/// Repeats the tree `from` at `to`: folders and links are made again, files are hard links.
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
mod tests;
