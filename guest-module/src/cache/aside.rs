//! A cache beside the cache, for hundreds of guests that are each used once: they would push out what others come
//! back for.
//!
//! It is in a work folder of the cache and goes with its maker. What is dear and the same for all of those guests
//! (compiler, headers, kernel, QEMU) is the cache's, by links, and so are the locks that its makers hold; what is made
//! of a module is of its own. A process may have several, for guests that live side by side.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Cache, CacheError, Lock, Scratch, io_error, remove, trust};
use crate::progress::Silent;

/// What is made of a module.
const OWN: &[&str] = &["module", "initramfs", "image", "symbols", "logs"];

/// What builds with different relay.c files have in common: entries that are there are the cache's. Those that are made
/// are of one relay.h, and that may be a changed one.
const OBJECTS: &str = "module-objects";

/// What every cache has for itself.
const PLUMBING: &[&str] = &["tmp", "apt"];

/// How many this process has made. The process alone is no name: the second one would wait for the first.
static MADE: AtomicU64 = AtomicU64::new(0);

/// A cache for modules that are used once. Removed when dropped.
#[derive(Debug)]
pub struct Aside {
    cache: Cache,
    // Dropped in this order: the folder goes while its name is locked.
    scratch: Scratch,
    _lock: Lock,
}

impl Cache {
    /// A cache for modules that are used once, with everything else out of this one.
    ///
    /// # Errors
    /// [`CacheError`], when it cannot be made.
    pub fn aside(&self) -> Result<Aside, CacheError> {
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("aside-{}-{number}", std::process::id());
        let lock = self.lock(&name, &Silent)?;
        let scratch = self.scratch(&lock, &name)?;
        // What the newest kernel is has been asked already, if it was to be asked.
        let cache = Self::open(Some(scratch.path()))?.refreshing(false);
        link_all(self.root(), scratch.path(), |kind| {
            !OWN.contains(&kind) && !PLUMBING.contains(&kind) && kind != OBJECTS
        })?;
        let own = scratch.path().join(OBJECTS);
        trust::folder(&own)?;
        link_all(&self.root().join(OBJECTS), &own, |_| true)?;
        Ok(Aside {
            cache,
            scratch,
            _lock: lock,
        })
    }
}

impl Aside {
    /// The cache.
    #[must_use]
    pub fn cache(&self) -> &Cache {
        &self.cache
    }

    /// Removes all that was made of modules. No machine may run from it any more.
    pub fn clear(&self) {
        for kind in OWN {
            // What cannot be removed now goes with the folder.
            drop(remove(&self.scratch.path().join(kind)));
        }
        let objects = fs::read_dir(self.scratch.path().join(OBJECTS));
        for entry in objects.into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                drop(remove(&entry.path()));
            }
        }
        let mut read = self.cache.read.lock();
        if let Ok(read) = &mut read {
            read.retain(|entry| entry.exists());
        }
    }
}

/// Links whatever is in `from` and `wanted`. A folder that is not there is an empty one.
fn link_all(from: &Path, to: &Path, wanted: impl Fn(&str) -> bool) -> Result<(), CacheError> {
    let entries = match fs::read_dir(from) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(io_error("list", from))?,
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let link = to.join(&name);
        if wanted(name.to_str().unwrap_or_default())
            && let Err(error) = symlink(entry.path(), &link)
            && error.kind() != io::ErrorKind::AlreadyExists
        {
            return Err(io_error("link", &link)(error));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cache::Key;

    fn make(cache: &Cache, kind: &'static str) -> bool {
        let mut made = false;
        let make = |dir: &Path| {
            made = true;
            fs::write(dir.join("file"), kind).map_err(io_error("write", dir))?;
            Ok::<_, CacheError>(json!(null))
        };
        cache.entry(&Key::new(kind), &Silent, make).unwrap();
        made
    }

    #[test]
    fn what_is_dear_is_shared_and_what_is_made_of_a_module_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(Some(dir.path())).unwrap();
        assert!(make(&cache, "kernel") && make(&cache, "module"));
        let aside = cache.aside().unwrap();
        let root = aside.cache().root().to_owned();
        assert!(!make(aside.cache(), "kernel"), "found in the cache");
        assert!(make(aside.cache(), "module"), "made again");
        assert!(!make(aside.cache(), "module"));
        aside.clear();
        assert!(make(aside.cache(), "module"), "made again once cleared");
        let other = cache.aside().unwrap();
        assert_ne!(other.cache().root(), root, "one process, two of them");
        assert!(make(other.cache(), "module"), "of its own");
        drop((aside, other));
        assert!(!root.exists());
        assert!(
            !make(&cache, "kernel") && !make(&cache, "module"),
            "untouched"
        );
    }

    #[test]
    fn objects_of_a_changed_header_are_not_kept() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(Some(dir.path())).unwrap();
        let objects = |cache: &Cache, header: &str| {
            let inputs = [("header", header)];
            let mut made = false;
            let make = |_: &Path| {
                made = true;
                Ok::<_, CacheError>(())
            };
            cache.folder(OBJECTS, &inputs, &Silent, make).unwrap();
            made
        };
        assert!(objects(&cache, "stock"));
        let aside = cache.aside().unwrap();
        assert!(!objects(aside.cache(), "stock") && objects(aside.cache(), "changed"));
        aside.clear();
        assert!(!objects(aside.cache(), "stock") && objects(aside.cache(), "changed"));
        drop(aside);
        let cache = Cache::open(Some(dir.path())).unwrap();
        assert!(!objects(&cache, "stock") && objects(&cache, "changed"));
    }

    #[test]
    fn who_makes_what_is_shared_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(Some(dir.path())).unwrap();
        let aside = cache.aside().unwrap();
        let kernel = Key::new("kernel").hash();
        let held = cache.lock(&kernel, &Silent).unwrap();
        assert!(aside.cache().lock_if_free(&kernel).is_none());
        drop(held);
        assert!(aside.cache().lock_if_free(&kernel).is_some());
    }

    #[test]
    fn what_a_killed_maker_left_goes_with_the_next_use() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(Some(dir.path())).unwrap();
        make(&cache, "kernel");
        let aside = cache.aside().unwrap();
        make(aside.cache(), "module");
        let root = aside.cache().root().to_owned();
        drop(Cache::open(Some(dir.path())).unwrap());
        assert!(root.exists(), "its maker lives");
        // A kill gives up the lock and removes nothing.
        let Aside { scratch, _lock, .. } = aside;
        let _left = std::mem::ManuallyDrop::new(scratch);
        drop(_lock);
        let cache = Cache::open(Some(dir.path())).unwrap();
        assert!(!root.exists());
        assert!(!make(&cache, "kernel"), "what it linked to stays");
    }
}
