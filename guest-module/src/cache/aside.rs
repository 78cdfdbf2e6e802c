//! A cache beside the cache, for hundreds of guests that are each used once: they would push out what others come
//! back for.
//!
//! It is in a work folder of the cache and goes with its maker. What is dear and the same for all of those guests
//! (compiler, headers, kernel, QEMU) is the cache's, by links; what is made of a module is of its own.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;

use super::{Cache, CacheError, Lock, Scratch, io_error, remove};
use crate::progress::Silent;

/// What is made of a module.
const OWN: &[&str] = &["module", "initramfs", "image", "symbols", "logs"];

/// What every cache has for itself.
const PLUMBING: &[&str] = &["locks", "tmp", "apt"];

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
        let name = format!("aside-{}", std::process::id());
        let lock = self.lock(&name, &Silent)?;
        let scratch = self.scratch(&lock, &name)?;
        // What the newest kernel is has been asked already, if it was to be asked.
        let cache = Self::open(Some(scratch.path()))?.refreshing(false);
        for entry in fs::read_dir(self.root())
            .map_err(io_error("list", self.root()))?
            .flatten()
        {
            let name = entry.file_name();
            let known = name.to_str().unwrap_or_default();
            if OWN.contains(&known) || PLUMBING.contains(&known) {
                continue;
            }
            let link = scratch.path().join(&name);
            match symlink(entry.path(), &link) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(io_error("link", &link)(error));
                }
                _ => {}
            }
        }
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
        let mut read = self.cache.read.lock();
        if let Ok(read) = &mut read {
            read.retain(|entry| entry.exists());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

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
        drop(aside);
        assert!(!root.exists());
        assert!(
            !make(&cache, "kernel") && !make(&cache, "module"),
            "untouched"
        );
    }
}
