//! The cache directory: entries named by a hash of all their inputs.
//!
//! An entry is a folder with a manifest. It is made under `tmp/`, then renamed to its place, so a folder in
//! place is whole; what a dead maker left under `tmp/` is removed by the next one. A lock file per entry lets
//! a second process wait for the first one's work. Locks are `flock`s: they die with their holder, the empty
//! files stay. Reading a whole entry takes no lock and writes nothing.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use rustix::fs::{FlockOperation, flock};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::hash;
use crate::interrupt;
use crate::manifest::{Manifest, State};
use crate::progress::Progress;

/// Raised whenever what entries contain changes its meaning: older entries are then never found.
const FORMAT: &str = "4";

/// The cache directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// There is no telling where the cache belongs.
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
    #[error("cache entry {} records nonsense ({problem}); remove that folder and run again", path.display())]
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

/// Held while the lock file is open; given up by dropping it, or by dying.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "holding the file is holding the lock")] File);

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
            .or_else(|| set("HOME").map(|home| home.join(".cache/relaybed")))
            .ok_or(CacheError::NoPlace)?;
        let root = std::path::absolute(&root).map_err(io_error("find", &root))?;
        if root
            .to_str()
            .is_none_or(|text| text.contains(['"', '\n', '\\']))
        {
            return Err(CacheError::Path { path: root });
        }
        fs::create_dir_all(&root).map_err(io_error("make", &root))?;
        let refresh = set("RELAYBED_REFRESH").is_some_and(|value| value != Path::new("0"));
        Ok(Self { root, refresh })
    }

    /// Whether "the newest of this series" shall be asked anew instead of taken from the cache.
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

    /// The entry, if it is there and whole. Says so if it is damaged.
    pub(crate) fn find(&self, key: &Key, progress: &dyn Progress) -> Option<Entry> {
        let dir = self.place(key);
        let mut manifest = Manifest::load(&dir)?;
        if manifest.inputs != key.inputs {
            return None;
        }
        match manifest.check(&dir) {
            State::Whole => {}
            // A cache that cannot be written is read again next time.
            State::Restamped => drop(manifest.store(&dir)),
            State::Damaged(path) => {
                progress.say(&format!(
                    "cache: {} is damaged; this entry is made again",
                    path.display()
                ));
                return None;
            }
        }
        Some(Entry { dir, manifest })
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

    /// As [`Cache::entry`], but an entry that is there is made anew.
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

    /// The folder of the entry that `inputs` name, filled by `make` unless it is there and whole; with
    /// `anew`, filled in any case. For what this crate does not make itself, machine images above all.
    ///
    /// # Errors
    /// What `make` returns, and failures of the cache directory itself.
    pub fn folder<E: From<CacheError>>(
        &self,
        kind: &'static str,
        inputs: &[(&str, &str)],
        anew: bool,
        progress: &dyn Progress,
        make: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<PathBuf, E> {
        let key = inputs
            .iter()
            .fold(Key::new(kind), |key, (name, value)| key.with(name, *value));
        let make = |dir: &Path| make(dir).map(|()| Value::Null);
        let entry = if anew {
            self.entry_anew(&key, progress, make)?
        } else {
            self.entry(&key, progress, make)?
        };
        Ok(entry.dir)
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
        let facts = make(&aside.0)?;
        let manifest = Manifest::of_dir(&aside.0, key.inputs.clone(), facts)
            .map_err(io_error("describe", &aside.0))?;
        manifest
            .store(&aside.0)
            .map_err(io_error("write", &aside.0))?;
        let dir = self.place(key);
        remove(&dir)?;
        if let Some(parent) = dir.parent() {
            fs::create_dir_all(parent).map_err(io_error("make", parent))?;
        }
        fs::rename(&aside.0, &dir).map_err(io_error("put in place", &dir))?;
        Ok(Entry { dir, manifest })
    }

    /// An empty folder for work in progress, removed when dropped. The caller holds the lock of this name.
    pub(crate) fn scratch(&self, _held: &Lock, name: &str) -> Result<Scratch, CacheError> {
        Scratch::claimed(self.scratch_path(name))
    }

    /// Waits for the lock of this name.
    pub(crate) fn lock(&self, name: &str, progress: &dyn Progress) -> Result<Lock, CacheError> {
        let file = self.lock_file(name)?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            let step = progress.begin(&format!("waiting for another process ({name})"), None);
            let path = self.root.join("locks").join(name);
            let file = wait_for(file).map_err(io_error("lock", &path))?;
            step.finish();
            self.sweep(name);
            return Ok(Lock(file));
        }
        self.sweep(name);
        Ok(Lock(file))
    }

    fn lock_file(&self, name: &str) -> Result<File, CacheError> {
        let dir = self.root.join("locks");
        fs::create_dir_all(&dir).map_err(io_error("make", &dir))?;
        let path = dir.join(name);
        let open = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path);
        open.map_err(io_error("open", &path))
    }

    /// Removes what makers that died have left: folders whose lock nobody holds.
    fn sweep(&self, held: &str) {
        let Ok(leftovers) = fs::read_dir(self.root.join("tmp")) else {
            return;
        };
        for leftover in leftovers.flatten() {
            let name = leftover.file_name().to_string_lossy().into_owned();
            let Ok(file) = self.lock_file(&name) else {
                continue;
            };
            let free =
                name == held || flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok();
            if free {
                // Whoever comes to need the place will report if it cannot be had.
                drop(remove(&leftover.path()));
            }
        }
    }

    fn scratch_path(&self, name: &str) -> PathBuf {
        self.root.join("tmp").join(name)
    }

    fn place(&self, key: &Key) -> PathBuf {
        self.root.join(key.kind).join(key.id())
    }
}

/// A folder under `tmp/`, gone when dropped.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    fn claimed(path: PathBuf) -> Result<Self, CacheError> {
        remove(&path)?;
        fs::create_dir_all(&path).map_err(io_error("make", &path))?;
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

/// Waits for the lock on a file, but no longer than until the process is asked to end.
fn wait_for(file: File) -> io::Result<File> {
    let (granted, report) = UnixStream::pair()?;
    // The system call cannot be given up, so it waits on a thread of its own. Where nobody wants the lock any
    // more, the thread gives it back as soon as it has it, or ends with the process.
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

/// Removes a folder that may not be there.
fn remove(path: &Path) -> Result<(), CacheError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(io_error("remove", path)(error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
