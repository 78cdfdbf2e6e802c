//! What a cache entry says about itself: its inputs, and size and hash of every file in it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cache::trust;
use crate::hash;

/// The manifest's file name within an entry. It is written last.
pub(crate) const NAME: &str = "manifest.json";

/// One cache entry's description.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// Everything the entry was made from; its hash names the entry.
    pub(crate) inputs: BTreeMap<String, String>,
    /// What else its maker recorded.
    pub(crate) facts: Value,
    /// Every file and symbolic link in the entry but the manifest.
    pub(crate) outputs: Vec<Output>,
}

/// One file of an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Output {
    /// Relative to the entry.
    pub(crate) path: PathBuf,
    /// What it is.
    kind: Kind,
    /// Length in bytes.
    pub(crate) size: u64,
    /// Hash of the content (of a link: of its target).
    pub(crate) sha256: String,
}

/// What a file of an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    File,
    Executable,
    Link,
}

/// Whether an entry is as it was when it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    /// All files are there and no others, and they have their recorded content as far as they were read.
    Whole,
    /// This file is missing, was added, is of another kind or has other content; or it is not ours alone.
    Damaged(PathBuf),
}

/// A file as it was found, unread.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    path: PathBuf,
    kind: Kind,
    size: u64,
}

impl Manifest {
    /// Describes the files under `dir`.
    ///
    /// # Errors
    /// A file cannot be read.
    pub(crate) fn of_dir(
        dir: &Path,
        inputs: BTreeMap<String, String>,
        facts: Value,
    ) -> io::Result<Self> {
        let mut found = Vec::new();
        walk(dir, Path::new(""), Settle::Modes, &mut found)?;
        let hashes = hashes(dir, found.iter().map(|file| file.path.as_path()).collect())?;
        let outputs = found.into_iter().zip(hashes).map(|(file, sha256)| Output {
            path: file.path,
            kind: file.kind,
            size: file.size,
            sha256,
        });
        let outputs = outputs.collect();
        Ok(Self {
            inputs,
            facts,
            outputs,
        })
    }

    /// Reads an entry's manifest; `None` if there is none that can be read.
    pub(crate) fn load(dir: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(dir.join(NAME)).ok()?).ok()
    }

    /// Writes the manifest into `dir`, aside and then renamed.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub(crate) fn store(&self, dir: &Path) -> io::Result<()> {
        let aside = dir.join(format!("{NAME}.{}", std::process::id()));
        fs::write(&aside, serde_json::to_vec(self)?)?;
        trust::settle(&aside, &fs::symlink_metadata(&aside)?)?;
        fs::rename(aside, dir.join(NAME))
    }

    /// Compares the files under `dir` with the record: which there are, whose they are and, with `read`, what is in
    /// them.
    pub(crate) fn check(&self, dir: &Path, read: bool) -> State {
        let mut found = Vec::new();
        if let Err(path) = walk(dir, Path::new(""), Settle::Nothing, &mut found)
            .map_err(|_| dir.to_owned())
            .and_then(|foreign| foreign.map_or(Ok(()), Err))
        {
            return State::Damaged(path);
        }
        let mut found = found.iter();
        for output in &self.outputs {
            let same = found.next().is_some_and(|file| {
                (&file.path, file.kind, file.size) == (&output.path, output.kind, output.size)
            });
            if !same {
                return State::Damaged(dir.join(&output.path));
            }
        }
        if let Some(added) = found.next() {
            return State::Damaged(dir.join(&added.path));
        }
        if !read {
            return State::Whole;
        }
        let paths = self.outputs.iter().map(|output| output.path.as_path());
        let Ok(hashes) = hashes(dir, paths.collect()) else {
            return State::Damaged(dir.to_owned());
        };
        let mut compared = self.outputs.iter().zip(hashes);
        match compared.find(|(output, hash)| output.sha256 != *hash) {
            Some((output, _)) => State::Damaged(dir.join(&output.path)),
            None => State::Whole,
        }
    }
}

/// Hashes of the files and links at `paths` below `dir`, in their order, on all CPUs.
fn hashes(dir: &Path, paths: Vec<&Path>) -> io::Result<Vec<String>> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        while let Some((index, path)) = {
            let index = next.fetch_add(1, Ordering::Relaxed);
            paths.get(index).map(|path| (index, path))
        } {
            done.push((index, content_hash(&dir.join(path))?));
        }
        Ok::<_, io::Error>(done)
    };
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let mut all = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..workers.min(paths.len()))
            .map(|_| scope.spawn(work))
            .collect();
        let done = workers.into_iter().map(|worker| match worker.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        done.collect::<io::Result<Vec<_>>>()
    })?
    .concat();
    all.sort();
    Ok(all.into_iter().map(|(_, hash)| hash).collect())
}

/// Hash of a file's content, or of a link's target.
fn content_hash(path: &Path) -> io::Result<String> {
    if fs::symlink_metadata(path)?.is_symlink() {
        let target = fs::read_link(path)?;
        return Ok(hash::of_bytes(target.as_os_str().as_encoded_bytes()));
    }
    hash::of_file(path)
}

/// What a walk does to modes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Settle {
    Nothing,
    /// Sets them to what an entry has.
    Modes,
}

/// Appends every file and link below `dir/under` but the manifest, in a fixed order; or the first thing that is not
/// ours alone.
fn walk(
    dir: &Path,
    under: &Path,
    settle: Settle,
    found: &mut Vec<Found>,
) -> io::Result<Option<PathBuf>> {
    let folder = dir.join(under);
    let metadata = fs::symlink_metadata(&folder)?;
    if settle == Settle::Modes {
        trust::settle(&folder, &metadata)?;
    } else if !metadata.is_dir() || !trust::is_ours(&metadata) {
        return Ok(Some(folder));
    }
    let mut names = fs::read_dir(&folder)?
        .map(|entry| entry.map(|entry| entry.file_name()))
        .collect::<io::Result<Vec<_>>>()?;
    names.sort();
    for name in names {
        let path = under.join(&name);
        let whole = dir.join(&path);
        let mut metadata = fs::symlink_metadata(&whole)?;
        if metadata.is_dir() {
            match walk(dir, &path, settle, found)? {
                None => continue,
                foreign => return Ok(foreign),
            }
        }
        let is_manifest = under.as_os_str().is_empty() && name == NAME;
        if settle == Settle::Modes && metadata.is_file() {
            trust::settle(&whole, &metadata)?;
            metadata = fs::symlink_metadata(&whole)?;
        }
        let kind = match (metadata.is_file(), metadata.is_symlink()) {
            (true, _) if metadata.mode() & 0o100 != 0 => Kind::Executable,
            (true, _) => Kind::File,
            (_, true) => Kind::Link,
            // A device or pipe: entries have none.
            _ => return Ok(Some(whole)),
        };
        if !trust::is_ours(&metadata) {
            return Ok(Some(whole));
        }
        if !is_manifest {
            let size = metadata.len();
            found.push(Found { path, kind, size });
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
