//! One maker at a time: locks by name, and the remains of makers that died.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

use super::{Cache, CacheError, io_error, remove, trust};
use crate::interrupt;
use crate::progress::Progress;

/// Held while the lock file is open; given up by dropping it, or by dying.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "holding the file is holding the lock")] File);

impl Cache {
    /// Waits for the lock of this name.
    ///
    /// # Errors
    /// The lock's file cannot be had, or the process was asked to end while it waited.
    pub(crate) fn lock(&self, name: &str, progress: &dyn Progress) -> Result<Lock, CacheError> {
        let path = self.root().join("locks").join(name);
        let file = loop {
            let mut file = self.lock_file(name)?;
            if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
                let step = progress.begin(&format!("waiting for another process ({name})"), None);
                file = wait_for(file).map_err(io_error("lock", &path))?;
                step.finish();
            }
            // One that was removed in the meantime locks no one else out.
            if is_at(&file, &path) {
                break file;
            }
        };
        self.sweep(name);
        Ok(Lock(file))
    }

    /// Removes the files of locks that were made `age` ago and are free. Who needs one makes it again.
    pub(super) fn forget_locks(&self, age: Duration) {
        let locks = fs::read_dir(self.root().join("locks"));
        for file in locks.into_iter().flatten().flatten() {
            let made = file.metadata().and_then(|metadata| metadata.modified());
            let old = made.is_ok_and(|at| at.elapsed().is_ok_and(|since| since > age));
            if old
                && let Some(name) = file.file_name().to_str()
                && let Some(_held) = self.lock_if_free(name)
            {
                // What cannot be removed now is removed another time.
                drop(fs::remove_file(file.path()));
            }
        }
    }

    /// The lock of this name if it is free.
    pub(crate) fn lock_if_free(&self, name: &str) -> Option<Lock> {
        let file = self.lock_file(name).ok()?;
        let free = flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok();
        let there = is_at(&file, &self.root().join("locks").join(name));
        (free && there).then_some(Lock(file))
    }

    fn lock_file(&self, name: &str) -> Result<File, CacheError> {
        let dir = self.root().join("locks");
        trust::folder(&dir)?;
        let path = dir.join(name);
        let open = || {
            let mut options = File::options();
            options.create(true).truncate(false).write(true).open(&path)
        };
        let file = open().or_else(|error| match error.kind() {
            io::ErrorKind::IsADirectory => {
                fs::remove_dir_all(&path)?;
                open()
            }
            _ => Err(error),
        });
        file.map_err(io_error("open", &path))
    }

    /// Removes what makers that died have left: folders whose lock is free, and those of the lock `held`.
    pub(crate) fn sweep(&self, held: &str) {
        // Work in progress is named by its lock; apt's roots are named by their suite.
        for (folder, prefix) in [("tmp", ""), ("apt", "apt-")] {
            let leftovers = fs::read_dir(self.root().join(folder));
            for leftover in leftovers.into_iter().flatten().flatten() {
                let name = format!("{prefix}{}", leftover.file_name().to_string_lossy());
                let lock = (name != held).then(|| self.lock_if_free(&name));
                if !matches!(lock, Some(None)) {
                    // Whoever needs the place will report if it cannot be had.
                    drop(remove(&leftover.path()));
                }
            }
        }
    }
}

/// Whether a file is the one at `path`.
fn is_at(file: &File, path: &Path) -> bool {
    let number = |metadata: io::Result<fs::Metadata>| metadata.map(|m| (m.dev(), m.ino())).ok();
    let here = number(file.metadata());
    here.is_some() && here == number(fs::symlink_metadata(path))
}

/// Waits for the lock on a file, but no longer than until the process is asked to end.
fn wait_for(file: File) -> io::Result<File> {
    let (granted, report) = UnixStream::pair()?;
    // The system call cannot be given up, so it waits on a thread of its own. If the caller gives up,
    // the thread releases the lock as soon as it gets it, or ends with the process.
    let (sender, receiver) = mpsc::channel();
    std::thread::Builder::new().spawn(move || {
        let locked = flock(&file, FlockOperation::LockExclusive).map(|()| file);
        let _ = sender.send(locked);
        drop(report);
    })?;
    interrupt::wait(granted.as_fd(), None)?;
    let gone = |_| io::Error::other("the thread that waits for the lock is gone");
    Ok(receiver.recv().map_err(gone)??)
}

/// A folder under `tmp/`, gone when dropped.
#[derive(Debug)]
pub(crate) struct Scratch(std::path::PathBuf);

impl Scratch {
    pub(super) fn claimed(path: std::path::PathBuf) -> Result<Self, CacheError> {
        remove(&path)?;
        trust::folder(&path)?;
        Ok(Self(path))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // The next holder of its lock removes what cannot be removed now.
        drop(fs::remove_dir_all(&self.0));
    }
}
