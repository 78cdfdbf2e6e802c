//! Putting a folder of evidence in its place: at once and whole, and nothing is lost that is not ours.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::StoreError;
use super::files::{INDEX, io_error, is_evidence};

/// Files and folders that this program puts beside evidence: they belong to the run that they were made of.
const BESIDE: [&str; 6] = [
    "report.html",
    "console-all.txt",
    "machine.log",
    "scheduled.toml",
    "minimal.toml",
    "minimal",
];

/// Puts `fresh` where `dir` is. What else lies in `dir` lies there afterwards, too; what was ours of it goes to `old`.
pub(super) fn put_in_place(dir: &Path, fresh: &Path, old: &Path) -> Result<(), StoreError> {
    if fs::symlink_metadata(dir).is_err() {
        return fs::rename(fresh, dir).map_err(io_error("move evidence to", dir));
    }
    let occupied = || StoreError::Occupied {
        path: dir.to_owned(),
    };
    let mut entries = fs::read_dir(dir).map_err(|_| occupied())?;
    if !dir.join(INDEX).is_file() && entries.next().is_some() {
        return Err(occupied());
    }
    carry(dir, fresh, &|name| {
        is_evidence(name) || BESIDE.contains(&name)
    })
    .map_err(io_error("resume what is in", dir))?;
    exchange(dir, fresh, old).map_err(io_error("move evidence to", dir))
}

/// Gives everything in `from` that is not `ours` a second name in `to`, so that it is never without one.
fn carry(from: &Path, to: &Path, ours: &dyn Fn(&str) -> bool) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(ours) {
            continue;
        }
        let (path, kind) = (entry.path(), entry.file_type()?);
        let there = to.join(entry.file_name());
        if kind.is_dir() {
            fs::create_dir_all(&there)?;
            carry(&path, &there, &|_| false)?;
        } else if kind.is_symlink() {
            symlink(fs::read_link(&path)?, there)?;
        } else if fs::hard_link(&path, &there).is_err() {
            // File systems without such links.
            fs::copy(&path, there)?;
        }
    }
    Ok(())
}

/// Puts `fresh` where `dir` is, at once, where the file system can do that.
fn exchange(dir: &Path, fresh: &Path, old: &Path) -> io::Result<()> {
    if renameat_with(CWD, fresh, CWD, dir, RenameFlags::EXCHANGE).is_ok() {
        return Ok(());
    }
    fs::rename(dir, old)?;
    fs::rename(fresh, dir).inspect_err(|_| {
        // The old evidence goes back; if even that fails, the first error is the one to tell.
        drop(fs::rename(old, dir));
    })
}
