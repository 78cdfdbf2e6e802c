//! What a build in the user's tree read of it: the module in the cache is good for as long as all of that is as it
//! was.
//!
//! The compiler itself says which headers an object was made of; kbuild keeps that in a `.cmd` file beside each
//! object. The files that kbuild reads and runs are added by name.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::child;
use crate::hash;

/// Files below a tree that every module's build reads or runs, besides the Makefiles in `scripts`.
const MACHINERY: [&str; 9] = [
    "Makefile",
    "arch/x86/Makefile",
    "include/config/auto.conf",
    "include/generated/utsrelease.h",
    "scripts/module.lds",
    "scripts/mod/modpost",
    "scripts/basic/fixdep",
    "scripts/gcc-goto.sh",
    "tools/objtool/objtool",
];

/// A file too large to be read every time: known by length and time.
const BY_TIME: &str = "vmlinux";

/// What stands for a file that was written to while the build read it: no content has this hash.
const IN_MOTION: &str = "changed during the build";

/// What stands for a file that is not there.
const ABSENT: &str = "absent";

/// What a build read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Inputs {
    /// Every file with its hash.
    files: BTreeMap<PathBuf, String>,
    /// The compiler and what it says that it is.
    compilers: BTreeMap<String, String>,
}

impl Inputs {
    /// Those of the build in `module` against `tree`, which began at `begun`.
    ///
    /// # Errors
    /// The `.cmd` files cannot be read.
    pub(super) fn of_build(tree: &Path, module: &Path, begun: SystemTime) -> io::Result<Self> {
        let mut files = BTreeMap::new();
        let mut compilers = BTreeMap::new();
        for entry in fs::read_dir(module)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if !name.starts_with('.') || !name.ends_with(".o.cmd") {
                continue;
            }
            let text = fs::read_to_string(&path)?;
            for read in dependencies(&text) {
                let read = resolve(Path::new(read), tree, module);
                if !read.starts_with(module) {
                    files.insert(read, String::new());
                }
            }
            if let Some(compiler) = compiler(&text) {
                compilers.insert(compiler.to_owned(), version_of(compiler));
            }
        }
        files.extend(
            machinery(tree)
                .into_iter()
                .map(|path| (path, String::new())),
        );
        for (path, seen) in &mut files {
            *seen = match fs::metadata(path).and_then(|metadata| metadata.modified()) {
                Ok(modified) if modified >= begun => IN_MOTION.to_owned(),
                _ => look(path),
            };
        }
        Ok(Self { files, compilers })
    }

    /// Whether everything is as it was.
    pub(super) fn hold(&self) -> bool {
        let same = |(path, seen): (&PathBuf, &String)| look(path) == *seen;
        let same_compiler = |(name, seen): (&String, &String)| version_of(name) == *seen;
        self.files.iter().all(same) && self.compilers.iter().all(same_compiler)
    }
}

/// A file's hash, or what stands for it.
fn look(path: &Path) -> String {
    if path.ends_with(BY_TIME) {
        return match fs::metadata(path) {
            Ok(metadata) => format!("{} {}", metadata.len(), metadata.mtime()),
            Err(_) => ABSENT.to_owned(),
        };
    }
    hash::of_file(path).unwrap_or_else(|_| ABSENT.to_owned())
}

/// The files of a tree, and of the source tree that a separate build folder links to, that kbuild itself uses.
fn machinery(tree: &Path) -> Vec<PathBuf> {
    let mut files = vec![
        tree.join(BY_TIME),
        tree.join("Module.symvers"),
        tree.join(".config"),
    ];
    for root in [tree.to_owned(), tree.join("source")] {
        if !root.is_dir() {
            continue;
        }
        files.extend(MACHINERY.map(|name| root.join(name)));
        let scripts = fs::read_dir(root.join("scripts")).into_iter().flatten();
        let is_make = |name: &str| name.starts_with("Makefile") || name.ends_with(".include");
        let makefiles = scripts.flatten().map(|entry| entry.path());
        files.extend(makefiles.filter(|path| {
            path.file_name()
                .is_some_and(|name| is_make(&name.to_string_lossy()))
        }));
    }
    files
}

/// Paths in a `.cmd` file are absolute, or relative to where kbuild ran: the tree, from 6.13 on the module.
fn resolve(path: &Path, tree: &Path, module: &Path) -> PathBuf {
    let below_tree = tree.join(path);
    if path.is_absolute() || below_tree.exists() {
        below_tree
    } else {
        module.join(path)
    }
}

/// The files that an object was made of, by its `.cmd` file: the source, then what that includes.
fn dependencies(cmd: &str) -> impl Iterator<Item = &str> {
    let listed = |line: &&str| {
        line.starts_with("source_") || line.starts_with("deps_") || line.starts_with("  ")
    };
    let words = cmd.lines().filter(listed).flat_map(str::split_whitespace);
    // The list also holds make's own words, for options of the configuration: $(wildcard include/config/X).
    words
        .filter(|word| !word.starts_with(['$', '\\']) && !word.ends_with([')', '=']))
        .filter(|word| !word.starts_with("source_") && !word.starts_with("deps_"))
}

/// The compiler that a `.cmd` file calls.
fn compiler(cmd: &str) -> Option<&str> {
    let line = cmd
        .lines()
        .find(|line| line.starts_with("cmd_") || line.starts_with("savedcmd_"))?;
    let (_, command) = line.split_once(":=")?;
    let first = command.split_whitespace().next()?;
    (!first.contains("ld")).then_some(first)
}

/// What a compiler says that it is; empty if it says nothing.
fn version_of(compiler: &str) -> String {
    let said = child::run(Command::new(compiler).arg("--version"));
    said.map_or(String::new(), |output| output.stdout)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CMD: &str = "savedcmd_/m/main.o := gcc -Wp,-MMD,/m/.main.o.d -c -o /m/main.o /m/main.c\n\n\
                       source_/m/main.o := /m/main.c\n\n\
                       deps_/m/main.o := \\\n  include/linux/relay.h \\\n    \
                       $(wildcard include/config/RELAY) \\\n  /t/include/linux/fs.h \\\n\n\
                       /m/main.o: $(deps_/m/main.o)\n\n$(deps_/m/main.o):\n";

    #[test]
    fn a_cmd_file_names_source_and_headers_and_the_compiler() {
        let all: Vec<&str> = dependencies(CMD).collect();
        assert_eq!(
            all,
            [
                "/m/main.c",
                "include/linux/relay.h",
                "/t/include/linux/fs.h"
            ]
        );
        assert_eq!(compiler(CMD), Some("gcc"));
        assert_eq!(compiler("cmd_/m/relaybed.o := ld -r -o x\n"), None);
    }

    #[test]
    fn a_change_of_any_input_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let (tree, module) = (dir.path().join("tree"), dir.path().join("module"));
        fs::create_dir_all(tree.join("include/linux")).unwrap();
        fs::create_dir_all(tree.join("scripts")).unwrap();
        fs::create_dir_all(&module).unwrap();
        let header = tree.join("include/linux/relay.h");
        let script = tree.join("scripts/Makefile.build");
        for path in [&header, &script] {
            fs::write(path, "as it was").unwrap();
        }
        fs::write(module.join(".main.o.cmd"), CMD).unwrap();
        let later = SystemTime::now() + std::time::Duration::from_secs(60);
        let inputs = || Inputs::of_build(&tree, &module, later).unwrap();
        let then = inputs();
        assert!(then.hold());
        assert!(then.files.contains_key(&header) && then.files.contains_key(&script));
        for path in [
            &header,
            &script,
            &tree.join("Module.symvers"),
            &tree.join("vmlinux"),
        ] {
            let then = inputs();
            fs::write(path, "changed").unwrap();
            assert!(!then.hold(), "{}", path.display());
        }
        fs::remove_file(&header).unwrap();
        assert!(!then.hold());
    }

    #[test]
    fn what_changed_during_the_build_is_never_taken_for_unchanged() {
        let dir = tempfile::tempdir().unwrap();
        let (tree, module) = (dir.path().join("tree"), dir.path().join("module"));
        fs::create_dir_all(&tree).unwrap();
        fs::create_dir_all(&module).unwrap();
        let begun = SystemTime::now() - std::time::Duration::from_secs(60);
        fs::write(tree.join("Makefile"), "all:\n").unwrap();
        assert!(!Inputs::of_build(&tree, &module, begun).unwrap().hold());
    }

    proptest! {
        #[test]
        fn any_cmd_file_is_answered(text in "(deps_|cmd_|  |\\PC){0,40}") {
            let _ = (dependencies(&text).count(), compiler(&text));
        }
    }
}
