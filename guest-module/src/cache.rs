//! The cache directory: entries named by a hash of all their inputs.
//!
//! An entry is a folder with a manifest. It is made under `tmp/`, then renamed to its place, so a folder in
//! place is whole; what a dead maker left under `tmp/` is removed by the next one. A lock file per entry lets
//! a second process wait for the first one's work. Locks are `flock`s: they die with their holder, the empty
//! files stay for some months. Reading a whole entry takes no lock and writes nothing.
//!
//! What is in the cache is executed, so it is believed only if it is ours alone (see [`trust`]) and, before its first
//! use in a process, only if every file has its recorded hash.

mod aside;
mod inventory;
mod lock;
mod paths;
pub(crate) mod trust;

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::de::DeserializeOwned;
use serde_json::Value;

pub use aside::Aside;
pub use inventory::Item;
pub(crate) use lock::{Lock, Scratch};
use paths::remove;

use crate::hash;
use crate::interrupt;
use crate::manifest::{self, Manifest, State};
use crate::progress::Progress;

/// Raised whenever what entries contain changes its meaning: older entries are then never found.
const FORMAT: &str = "4";

/// The cache directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// It is unknown where the cache belongs.
    #[error(
        "no place for the cache: set RELAYBED_CACHE, XDG_CACHE_HOME or HOME to an absolute path"
    )]
    NoPlace,
    /// The path cannot be written into apt's configuration.
    #[error("the cache path {} has a character that apt's configuration cannot hold (a quote, a line end); choose another by RELAYBED_CACHE", path.display())]
    Path {
        /// The cache directory asked for.
        path: PathBuf,
    },
    /// Somebody else owns it.
    #[error(
        "{} belongs to user {owner}, who could put programs into it that would run as you: set RELAYBED_CACHE to a \
         folder of your own, or take it over (chown -R)", path.display()
    )]
    Foreign {
        /// The cache, or what is in it.
        path: PathBuf,
        /// The owner's number.
        owner: u32,
    },
    /// Others can write it.
    #[error(
        "others than you can write {}, and so put programs into the cache that would run as you: set RELAYBED_CACHE \
         to a folder of your own, or close it (chmod go-w; if you trust what is in it)", path.display()
    )]
    Open {
        /// The cache, or a folder above it.
        path: PathBuf,
    },
    /// A file operation failed.
    #[error("cannot {action} {}: {source}; is the cache directory writable and the disk not full? (RELAYBED_CACHE chooses another)", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A whole entry records something this version does not understand.
    #[error("cache entry {} is malformed ({problem}); remove that folder and run again", path.display())]
    Facts {
        /// The entry.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
}

/// Attaches action and path to a file operation's failure.
pub(crate) fn io_error<'a>(
    action: &'static str,
    path: &'a Path,
) -> impl Fn(io::Error) -> CacheError + 'a {
    move |source| CacheError::Io {
        action,
        path: path.to_owned(),
        source,
    }
}

/// The cache directory of this user.
#[derive(Debug, Clone)]
pub struct Cache {
    root: PathBuf,
    refresh: bool,
    /// Entries whose files have been read and found whole, by this process.
    read: Arc<Mutex<HashSet<PathBuf>>>,
}

/// A folder of the cache that others fill, as it was when it was looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    path: PathBuf,
    /// Distinguishes it from another in the same place.
    made: Made,
}

/// Inode and time of change of an entry's manifest.
type Made = (u64, i64, i64);

impl Folder {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// An entry known to be whole when it was looked up.
#[derive(Debug)]
pub(crate) struct Entry {
    dir: PathBuf,
    manifest: Manifest,
}

/// Names an entry by its kind and all of its inputs.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    kind: &'static str,
    inputs: BTreeMap<String, String>,
}

impl Key {
    /// A key without inputs so far.
    pub(crate) fn new(kind: &'static str) -> Self {
        let inputs = BTreeMap::from([("format".to_owned(), FORMAT.to_owned())]);
        Self { kind, inputs }
    }

    /// Adds an input.
    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.inputs.insert(name.to_owned(), value.into());
        self
    }

    /// The folder's name below its kind's.
    fn id(&self) -> String {
        let mut text = self.kind.to_owned();
        for (name, value) in &self.inputs {
            // Lengths keep two lists of inputs from spelling the same text.
            text += &format!("\n{}:{name}={}:{value}", name.len(), value.len());
        }
        hash::of_bytes(text.as_bytes())[..32].to_owned()
    }

    /// The hash that names the entry, as an input of another.
    pub(crate) fn hash(&self) -> String {
        format!("{}-{}", self.kind, self.id())
    }
}

impl Entry {
    /// A file in the entry.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// The recorded hash of a file in the entry.
    pub(crate) fn sha256(&self, name: &str) -> Result<String, CacheError> {
        let output = self
            .manifest
            .outputs
            .iter()
            .find(|output| output.path == Path::new(name));
        let found = output.map(|output| output.sha256.clone());
        found.ok_or_else(|| self.nonsense(format!("{name} is not listed")))
    }

    /// What the maker recorded.
    pub(crate) fn facts<T: DeserializeOwned>(&self) -> Result<T, CacheError> {
        serde_json::from_value(self.manifest.facts.clone())
            .map_err(|error| self.nonsense(error.to_string()))
    }

    fn nonsense(&self, problem: String) -> CacheError {
        CacheError::Facts {
            path: self.dir.clone(),
            problem,
        }
    }
}

impl Cache {
    /// Opens the cache at `path`, else at `RELAYBED_CACHE`, else at `relaybed` in the XDG cache directory,
    /// making the directory if need be. `RELAYBED_REFRESH=1` asks for [`Cache::refreshing`].
    ///
    /// # Errors
    /// No place is known, or the directory cannot be made.
    pub fn open(path: Option<&Path>) -> Result<Self, CacheError> {
        let set = |name| {
            std::env::var_os(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        let root = path
            .map(Path::to_owned)
            .or_else(|| set("RELAYBED_CACHE"))
            .or_else(|| {
                set("XDG_CACHE_HOME")
                    .filter(|p| p.is_absolute())
                    .map(|p| p.join("relaybed"))
            })
            .or_else(|| {
                set("HOME")
                    .filter(|p| p.is_absolute())
                    .map(|home| home.join(".cache/relaybed"))
            })
            .ok_or(CacheError::NoPlace)?;
        let root = std::path::absolute(&root).map_err(io_error("find", &root))?;
        if root
            .to_str()
            .is_none_or(|text| text.contains(['"', '\n', '\\']))
        {
            return Err(CacheError::Path { path: root });
        }
        trust::claim(&root)?;
        let refresh = set("RELAYBED_REFRESH").is_some_and(|value| value != Path::new("0"));
        let cache = Self {
            root,
            refresh,
            read: Arc::default(),
        };
        // What killed makers left goes with the next use, even of a cache that has everything.
        cache.sweep("");
        Ok(cache)
    }

    /// Whether "the newest of this series" shall be resolved again instead of taken from the cache.
    #[must_use]
    pub fn refreshing(mut self, refresh: bool) -> Self {
        self.refresh = refresh;
        self
    }

    /// The cache directory.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whether a refresh was asked for.
    pub(crate) fn refresh(&self) -> bool {
        self.refresh
    }

    /// The entry, if it is there and whole: ours alone, and every file read and found as it was made, once in this
    /// process. Says so if it is damaged.
    pub(crate) fn find(&self, key: &Key, progress: &dyn Progress) -> Option<Entry> {
        self.look_up(key, progress, true)
    }

    fn look_up(&self, key: &Key, progress: &dyn Progress, read: bool) -> Option<Entry> {
        let dir = self.place(key);
        let manifest = Manifest::load(&dir)?;
        if manifest.inputs != key.inputs {
            return None;
        }
        let known = |read: &mut HashSet<PathBuf>| read.contains(&dir);
        let known = known(&mut self.read.lock().unwrap_or_else(PoisonError::into_inner));
        match manifest.check(&dir, read && !known) {
            State::Whole => {}
            // What could not be read to its end is not damaged.
            State::Damaged(_) if interrupt::check().is_err() => return None,
            State::Damaged(path) => {
                progress.say(&format!(
                    "cache: {} is damaged; this entry is made again",
                    path.display()
                ));
                return None;
            }
        }
        if read {
            self.has_read(&dir);
        }
        inventory::touch(&dir);
        Some(Entry { dir, manifest })
    }

    fn has_read(&self, dir: &Path) {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.insert(dir.to_owned());
    }

    /// The entry, made by `make` unless it is there. `make` gets an empty folder to fill and returns facts.
    ///
    /// # Errors
    /// What `make` returns, and failures of the cache directory itself.
    pub(crate) fn entry<E: From<CacheError>>(
        &self,
        key: &Key,
        progress: &dyn Progress,
        make: impl FnOnce(&Path) -> Result<Value, E>,
    ) -> Result<Entry, E> {
        if let Some(entry) = self.find(key, progress) {
            return Ok(entry);
        }
        let _lock = self.lock(&key.hash(), progress)?;
        if let Some(entry) = self.find(key, &crate::progress::Silent) {
            return Ok(entry);
        }
        self.make(key, make)
    }

    /// As [`Cache::entry`], but an existing entry is made again.
    ///
    /// # Errors
    /// As [`Cache::entry`].
    pub(crate) fn entry_anew<E: From<CacheError>>(
        &self,
        key: &Key,
        progress: &dyn Progress,
        make: impl FnOnce(&Path) -> Result<Value, E>,
    ) -> Result<Entry, E> {
        let _lock = self.lock(&key.hash(), progress)?;
        self.make(key, make)
    }

    /// The folder of the entry that `inputs` name, filled by `make` unless it is there and whole.
    ///
    /// # Errors
    /// What `make` returns, and failures of the cache directory itself.
    pub fn folder<E: From<CacheError>>(
        &self,
        kind: &'static str,
        inputs: &[(&str, &str)],
        progress: &dyn Progress,
        make: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<PathBuf, E> {
        let make = |dir: &Path| make(dir).map(|()| Value::Null);
        Ok(self.entry(&key_of(kind, inputs), progress, make)?.dir)
    }

    /// The same for machine images and the like, whose users compare hashes at every use: the files are not read
    /// here. One that the caller found `rotten` is made again, once, by whoever comes first.
    ///
    /// # Errors
    /// As [`Cache::folder`].
    pub fn unread_folder<E: From<CacheError>>(
        &self,
        kind: &'static str,
        inputs: &[(&str, &str)],
        rotten: Option<&Folder>,
        progress: &dyn Progress,
        make: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<Folder, E> {
        let key = key_of(kind, inputs);
        let there = |progress: &dyn Progress| {
            let entry = self.look_up(&key, progress, false)?;
            let folder = Folder {
                made: made(&entry.dir).ok()?,
                path: entry.dir,
            };
            (rotten != Some(&folder)).then_some(folder)
        };
        if let Some(folder) = there(progress) {
            return Ok(folder);
        }
        let _lock = self.lock(&key.hash(), progress)?;
        if let Some(folder) = there(&crate::progress::Silent) {
            return Ok(folder);
        }
        let entry = self.make(&key, |dir| make(dir).map(|()| Value::Null))?;
        let made = made(&entry.dir).map_err(io_error("look at", &entry.dir))?;
        Ok(Folder {
            path: entry.dir,
            made,
        })
    }

    /// Removes all but the `newest` entries of a kind. Whoever uses one of the others finds it gone and has
    /// it made again.
    pub fn trim(&self, kind: &'static str, newest: usize) {
        let Ok(entries) = fs::read_dir(self.root.join(kind)) else {
            return;
        };
        let mut aged: Vec<_> = entries
            .flatten()
            .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
            .collect();
        aged.sort();
        let surplus = aged.len().saturating_sub(newest);
        for (_, path) in aged.iter().take(surplus) {
            // What cannot be removed now is the next one's surplus.
            drop(remove(path));
        }
    }

    /// Makes the entry aside and puts it in its place. The caller holds the key's lock.
    fn make<E: From<CacheError>>(
        &self,
        key: &Key,
        make: impl FnOnce(&Path) -> Result<Value, E>,
    ) -> Result<Entry, E> {
        let aside = Scratch::claimed(self.scratch_path(&key.hash()))?;
        let path = aside.path();
        let facts = make(path)?;
        let manifest = Manifest::of_dir(path, key.inputs.clone(), facts)
            .map_err(io_error("describe", path))?;
        manifest.store(path).map_err(io_error("write", path))?;
        let dir = self.place(key);
        remove(&dir)?;
        if let Some(parent) = dir.parent() {
            trust::folder(parent)?;
        }
        fs::rename(path, &dir).map_err(io_error("put in place", &dir))?;
        self.has_read(&dir);
        inventory::forget(self);
        Ok(Entry { dir, manifest })
    }

    /// An empty folder for work in progress, removed when dropped. The caller holds the lock of this name.
    pub(crate) fn scratch(&self, _held: &Lock, name: &str) -> Result<Scratch, CacheError> {
        Scratch::claimed(self.scratch_path(name))
    }

    fn scratch_path(&self, name: &str) -> PathBuf {
        self.root.join("tmp").join(name)
    }

    fn place(&self, key: &Key) -> PathBuf {
        self.root.join(key.kind).join(key.id())
    }
}

fn key_of(kind: &'static str, inputs: &[(&str, &str)]) -> Key {
    let key = Key::new(kind);
    inputs
        .iter()
        .fold(key, |key, (name, value)| key.with(name, *value))
}

/// Which entry is in `dir`.
fn made(dir: &Path) -> io::Result<Made> {
    let metadata = fs::symlink_metadata(dir.join(manifest::NAME))?;
    Ok((metadata.ino(), metadata.ctime(), metadata.ctime_nsec()))
}

#[cfg(test)]
mod tests;
