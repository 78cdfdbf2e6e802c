//! Compiled objects that the next build with another relay.c need not compile again.
//!
//! Of all that a module is built from, only `own.o` reads relay.c. The rest is kept under everything else that it
//! was built from, and laid out with its times before the next build: kbuild then compiles what is not there.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use serde_json::Value;

use super::ModuleError;
use crate::cache::{Cache, Key, io_error};
use crate::progress::Silent;

/// What is not kept, by the beginning of its name: what comes of relay.c, and what is linked with that.
const LEFT_OUT: [&str; 9] = [
    "relay.c",
    "own.o",
    ".own.o",
    "relaybed.",
    ".relaybed.",
    "Module.symvers",
    ".Module.symvers",
    "modules.order",
    ".modules.order",
];

/// Lays out the objects of an earlier build, with the sources that they were made of. False: there are none.
pub(super) fn lay_out(cache: &Cache, key: &Key, build: &Path) -> Result<bool, ModuleError> {
    let Some(entry) = cache.find(key, &Silent) else {
        return Ok(false);
    };
    let kept = entry.path("build");
    copy(&kept, build, &|_| true).map_err(io_error("copy", &kept))?;
    Ok(true)
}

/// Keeps the objects of a build that ended well.
pub(super) fn keep(cache: &Cache, key: &Key, build: &Path) -> Result<(), ModuleError> {
    cache.entry(key, &Silent, |dir| {
        copy(build, &dir.join("build"), &is_kept).map_err(io_error("copy", build))?;
        Ok::<_, ModuleError>(Value::Null)
    })?;
    Ok(())
}

fn is_kept(name: &str) -> bool {
    !LEFT_OUT.iter().any(|prefix| name.starts_with(prefix))
}

/// Copies the files below `from` whose names are `wanted`, with the times that make compares.
fn copy(from: &Path, to: &Path, wanted: &dyn Fn(&str) -> bool) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy(&path, &target, wanted)?;
        } else if kind.is_file() && wanted(&entry.file_name().to_string_lossy()) {
            fs::copy(&path, &target)?;
            let modified = entry.metadata()?.modified()?;
            File::options()
                .write(true)
                .open(&target)?
                .set_modified(modified)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_kept_with_their_times_and_what_is_linked_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        fs::create_dir_all(from.join("module/own")).unwrap();
        for name in [
            "main.o",
            ".main.o.cmd",
            "own.o",
            "own_init.o",
            "relaybed.ko",
        ] {
            fs::write(from.join("module").join(name), name).unwrap();
        }
        for name in ["relay.c", "version.h"] {
            fs::write(from.join("module/own").join(name), "").unwrap();
        }
        let old = std::time::SystemTime::UNIX_EPOCH;
        let main = File::options().write(true).open(from.join("module/main.o"));
        main.unwrap().set_modified(old).unwrap();
        copy(&from, &to, &is_kept).unwrap();
        let mut names: Vec<_> = fs::read_dir(to.join("module"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, [".main.o.cmd", "main.o", "own", "own_init.o"]);
        assert!(to.join("module/own/version.h").exists());
        assert!(!to.join("module/own/relay.c").exists());
        let kept = fs::metadata(to.join("module/main.o")).unwrap();
        assert_eq!(kept.modified().unwrap(), old);
    }
}
