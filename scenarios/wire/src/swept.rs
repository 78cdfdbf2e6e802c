//! Folders that go with their maker, and are swept by the next one if it was killed.
//!
//! A process that is killed by force removes nothing. So each folder is locked for as long as it is used, and
//! whoever makes another in the same place removes those of this user whose lock is free. A folder gets the name
//! that is looked for only once it is locked.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The start of a locked folder's name.
const LOCKED: &str = ".relaybed-tmp-";
/// The start of the name that a folder has until it is locked: for microseconds.
const UNLOCKED: &str = ".relaybed-new-";
/// From this age on, a folder that was never locked is of somebody who was killed there and then.
const FORGOTTEN: Duration = Duration::from_secs(24 * 3600);

/// The folder, removed when dropped, and its lock with it.
#[derive(Debug)]
pub struct Swept {
    path: PathBuf,
    _lock: File,
}

impl Swept {
    /// Makes one in the folder for temporary files.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn temporary() -> io::Result<Self> {
        Self::make_in(&std::env::temp_dir())
    }

    /// Makes one in `folder`, after removing those whose owners were killed.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn make_in(folder: &Path) -> io::Result<Self> {
        let new = tempfile::Builder::new()
            .prefix(UNLOCKED)
            .tempdir_in(folder)?;
        let lock = File::open(new.path())?;
        sweep_of(folder, lock.metadata()?.uid());
        lock.try_lock()?;
        let name = new.path().file_name().unwrap_or_default();
        let path = folder.join(name.to_string_lossy().replacen(UNLOCKED, LOCKED, 1));
        fs::rename(new.path(), &path)?;
        // There is nothing left under that name.
        drop(new.keep());
        Ok(Self { path, _lock: lock })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Swept {
    fn drop(&mut self) {
        // What cannot be removed now is swept later.
        drop(fs::remove_dir_all(&self.path));
    }
}

/// Removes what killed makers left in `folder` and so many levels of folders below it.
pub fn sweep(folder: &Path, levels: u32) {
    // Those of anybody else cannot be meant: nobody but their owner may remove them.
    let Ok(own) = fs::metadata("/proc/self") else {
        return;
    };
    sweep_of(folder, own.uid());
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if levels > 0 && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            sweep(&entry.path(), levels - 1);
        }
    }
}

/// Removes the folders of the user `own` whose lock is free. What cannot be removed stays.
fn sweep_of(folder: &Path, own: u32) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        // Of the entry itself, not of what a link points to.
        let Ok(metadata) = entry.metadata() else {
            continue;
        };
        if !metadata.is_dir() || metadata.uid() != own {
            continue;
        }
        let age = metadata.modified().ok().and_then(|at| at.elapsed().ok());
        let left = name.starts_with(LOCKED)
            || name.starts_with(UNLOCKED) && age.is_some_and(|age| age > FORGOTTEN);
        let free = || {
            let lock = File::open(entry.path()).ok()?;
            lock.try_lock().ok()?;
            Some(lock)
        };
        if left && let Some(_held) = free() {
            drop(fs::remove_dir_all(entry.path()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_run_left_goes_and_what_is_used_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        for name in [".relaybed-tmp-dead", ".relaybed-new-young", "another"] {
            fs::create_dir(path(name)).unwrap();
            fs::write(path(name).join("console.log"), "text").unwrap();
        }
        std::os::unix::fs::symlink(path("another"), path(".relaybed-tmp-link")).unwrap();
        let used = Swept::make_in(dir.path()).unwrap();
        let second = Swept::make_in(dir.path()).unwrap();
        assert!(!path(".relaybed-tmp-dead").exists());
        for kept in [
            ".relaybed-new-young",
            "another/console.log",
            ".relaybed-tmp-link",
        ] {
            assert!(path(kept).exists(), "{kept}");
        }
        assert!(used.path().is_dir() && second.path().is_dir());
        let gone = used.path().to_owned();
        drop(used);
        assert!(!gone.exists() && second.path().is_dir());
    }

    #[test]
    fn what_lies_deeper_is_swept_as_far_as_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        for name in ["a/.relaybed-tmp-1", "a/b/.relaybed-tmp-2", "a/b/kept"] {
            fs::create_dir_all(path(name)).unwrap();
        }
        sweep(dir.path(), 1);
        assert!(!path("a/.relaybed-tmp-1").exists() && path("a/b/.relaybed-tmp-2").exists());
        sweep(dir.path(), 2);
        assert!(!path("a/b/.relaybed-tmp-2").exists() && path("a/b/kept").exists());
        sweep(&path("none"), 2);
    }
}
