//! What a cache entry says about itself: its inputs, and size and hash of every file in it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

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
    /// Length in bytes.
    pub(crate) size: u64,
    /// Hash of the content (of a link: of its target).
    pub(crate) sha256: String,
    /// When it was last written; while this and the size stand, the content is believed unread.
    modified: (i64, i64),
}

/// Whether an entry is as it was when it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    /// All files are there with their recorded content.
    Whole,
    /// As [`State::Whole`], but times have changed (a copied cache): the manifest now records the new ones.
    Restamped,
    /// This file is missing or has other content.
    Damaged(PathBuf),
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
        let mut outputs = Vec::new();
        walk(dir, Path::new(""), &mut outputs)?;
        outputs.sort_by(|a, b| a.path.cmp(&b.path));
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
        fs::rename(aside, dir.join(NAME))
    }

    /// Compares the files under `dir` with the record. Content is read only where size or time differ.
    pub(crate) fn check(&mut self, dir: &Path) -> State {
        let mut state = State::Whole;
        for output in &mut self.outputs {
            let path = dir.join(&output.path);
            let Ok(metadata) = fs::symlink_metadata(&path) else {
                return State::Damaged(path);
            };
            let modified = (metadata.mtime(), metadata.mtime_nsec());
            if metadata.len() == output.size && modified == output.modified {
                continue;
            }
            if metadata.len() != output.size
                || content_hash(&path).ok().as_ref() != Some(&output.sha256)
            {
                return State::Damaged(path);
            }
            output.modified = modified;
            state = State::Restamped;
        }
        state
    }
}

/// Hash of a file's content, or of a link's target.
fn content_hash(path: &Path) -> io::Result<String> {
    if fs::symlink_metadata(path)?.is_symlink() {
        let target = fs::read_link(path)?;
        return Ok(hash::of_bytes(target.as_os_str().as_encoded_bytes()));
    }
    hash::of_file(path)
}

/// Appends every file and link below `dir/under`.
fn walk(dir: &Path, under: &Path, outputs: &mut Vec<Output>) -> io::Result<()> {
    for entry in fs::read_dir(dir.join(under))? {
        let entry = entry?;
        let path = under.join(entry.file_name());
        let metadata = entry.metadata()?;
        if metadata.is_dir() {
            walk(dir, &path, outputs)?;
        } else if metadata.is_file() || metadata.is_symlink() {
            outputs.push(Output {
                size: metadata.len(),
                sha256: content_hash(&dir.join(&path))?,
                modified: (metadata.mtime(), metadata.mtime_nsec()),
                path,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_touched_file_is_read_again_and_a_changed_one_found() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, "content").unwrap();
        std::os::unix::fs::symlink("file", dir.path().join("link")).unwrap();
        let mut manifest = Manifest::of_dir(dir.path(), BTreeMap::new(), Value::Null).unwrap();
        assert_eq!(manifest.outputs.len(), 2);
        assert_eq!(manifest.check(dir.path()), State::Whole);

        fs::write(&path, "content").unwrap();
        assert_eq!(manifest.check(dir.path()), State::Restamped);
        assert_eq!(manifest.check(dir.path()), State::Whole);

        fs::write(&path, "CONTENT").unwrap();
        assert_eq!(manifest.check(dir.path()), State::Damaged(path.clone()));
        fs::remove_file(&path).unwrap();
        assert_eq!(manifest.check(dir.path()), State::Damaged(path));
    }

    #[test]
    fn a_stored_manifest_is_loaded_again_and_a_torn_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let manifest = Manifest::of_dir(dir.path(), BTreeMap::new(), Value::Null).unwrap();
        manifest.store(dir.path()).unwrap();
        assert_eq!(Manifest::load(dir.path()), Some(manifest));
        fs::write(dir.path().join(NAME), "{\"inputs\":").unwrap();
        assert_eq!(Manifest::load(dir.path()), None);
    }
}
