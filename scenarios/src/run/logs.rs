//! A folder for one machine's console and log, gone with the machine, and swept by the next run if it is not.
//!
//! A process that is killed by force removes nothing. So each folder is locked for as long as it is used, and
//! the next run removes those of this user whose lock is free. A folder gets the name that is looked
//! for only once it is locked.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The start of a locked folder's name.
const LOCKED: &str = "relaybed-machine-";
/// The start of the name that a folder has until it is locked: for microseconds.
const UNLOCKED: &str = "relaybed-new-";
/// From this age on, a folder that was never locked is of somebody who was killed there and then.
const FORGOTTEN: Duration = Duration::from_secs(24 * 3600);

/// The folder, removed when dropped, and its lock with it.
#[derive(Debug)]
pub(super) struct Logs {
    path: PathBuf,
    _lock: File,
    is_kept: bool,
}

impl Logs {
    /// Makes one in the folder for temporary files, after removing those whose owners were killed; or, where
    /// logs are `kept`, in the folder for that.
    ///
    /// # Errors
    /// It cannot be made.
    pub(super) fn make(kept: Option<&Path>) -> io::Result<Self> {
        let temporary = std::env::temp_dir();
        match kept {
            Some(folder) => Self::make_in(folder, true),
            None => Self::make_in(&temporary, false),
        }
    }

    fn make_in(folder: &Path, is_kept: bool) -> io::Result<Self> {
        let new = tempfile::Builder::new()
            .prefix(UNLOCKED)
            .tempdir_in(folder)?;
        let lock = File::open(new.path())?;
        if !is_kept {
            sweep(folder, lock.metadata()?.uid());
        }
        lock.try_lock()?;
        let name = new.path().file_name().unwrap_or_default();
        let path = folder.join(name.to_string_lossy().replacen(UNLOCKED, LOCKED, 1));
        fs::rename(new.path(), &path)?;
        // There is nothing left under that name.
        drop(new.keep());
        Ok(Self {
            path,
            _lock: lock,
            is_kept,
        })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Logs {
    fn drop(&mut self) {
        if self.is_kept {
            return;
        }
        // What cannot be removed now is swept later.
        drop(fs::remove_dir_all(&self.path));
    }
}

/// Removes the folders of the user `own` whose lock is free. What cannot be removed stays.
fn sweep(folder: &Path, own: u32) {
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
        for name in ["relaybed-machine-dead", "relaybed-new-young", "another"] {
            fs::create_dir(path(name)).unwrap();
            fs::write(path(name).join("console.log"), "text").unwrap();
        }
        std::os::unix::fs::symlink(path("another"), path("relaybed-machine-link")).unwrap();
        let used = Logs::make_in(dir.path(), false).unwrap();
        let second = Logs::make_in(dir.path(), false).unwrap();
        assert!(!path("relaybed-machine-dead").exists());
        for kept in [
            "relaybed-new-young",
            "another/console.log",
            "relaybed-machine-link",
        ] {
            assert!(path(kept).exists(), "{kept}");
        }
        assert!(used.path().is_dir() && second.path().is_dir());
        let gone = used.path().to_owned();
        drop(used);
        assert!(!gone.exists() && second.path().is_dir());
    }
}
