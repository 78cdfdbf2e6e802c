//! What is in the cache, and taking things out of it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::{Cache, CacheError, io_error, remove};
use crate::manifest::Manifest;

/// Something in the cache that can be taken out by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// `qemu`, `kernel`, `image` …, or the name of what is not an entry.
    pub kind: String,
    /// What it is, in one line.
    pub what: String,
    /// Room on the disk, in bytes.
    pub size_bytes: u64,
    /// When it was last used.
    pub used: SystemTime,
    /// Where it is.
    pub path: PathBuf,
    /// The lock that its maker holds.
    lock: Option<String>,
}

/// An entry that has not been used for this long is removed when another is made.
const FORGOTTEN: Duration = Duration::from_secs(90 * 24 * 3600);

/// What is not an entry, and what it is.
const OTHERS: [(&str, &str); 6] = [
    ("apt", "package lists of a fetch in progress"),
    (
        "archive-dates",
        "newest dates seen of archives, against replays",
    ),
    (
        "kvm-refused.json",
        "why KVM cannot be used here, for an hour",
    ),
    (
        "locks",
        "empty files that processes lock to wait for each other",
    ),
    ("logs", "logs of module builds"),
    ("tmp", "work in progress"),
];

/// What must outlive a clearing: locks that are held mean nothing once their files are gone, and a replayed archive
/// is known by the date of the newest one.
const KEPT: [&str; 4] = ["apt", "archive-dates", "locks", "tmp"];

impl Cache {
    /// Everything in the cache, least recently used first.
    ///
    /// # Errors
    /// The cache cannot be read.
    pub fn items(&self) -> Result<Vec<Item>, CacheError> {
        let mut items = Vec::new();
        let root = self.root();
        for entry in fs::read_dir(root)
            .map_err(io_error("list", root))?
            .flatten()
        {
            let name = entry.file_name().to_string_lossy().into_owned();
            let other = OTHERS.iter().find(|(other, _)| *other == name);
            if let Some((_, what)) = other {
                items.extend(item(name, (*what).to_owned(), entry.path(), None));
                continue;
            }
            if !entry.path().is_dir() {
                let what = "left by a process that was killed".to_owned();
                items.extend(item(name, what, entry.path(), None));
                continue;
            }
            for inner in fs::read_dir(entry.path()).into_iter().flatten().flatten() {
                let path = inner.path();
                let what = Manifest::load(&path).map_or_else(
                    || "not an entry of this version".to_owned(),
                    |manifest| describe(&name, &manifest),
                );
                let lock = format!("{name}-{}", inner.file_name().to_string_lossy());
                items.extend(item(name.clone(), what, path, Some(lock)));
            }
        }
        items.sort_by(|a, b| (a.used, &a.path).cmp(&(b.used, &b.path)));
        Ok(items)
    }

    /// Removes an item; whether it could be: what is being made just now stays, and so does what all of the cache
    /// depends on. Machines that run from it keep the files that they have opened.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn remove_item(&self, item: &Item) -> Result<bool, CacheError> {
        if KEPT.contains(&item.kind.as_str()) {
            return Ok(false);
        }
        let lock = item.lock.as_ref().map(|name| self.lock_if_free(name));
        if let Some(None) = lock {
            return Ok(false);
        }
        remove(&item.path)?;
        Ok(true)
    }

    /// Removes what was not used for `age`, and then the least recently used items until no more than `size_bytes` are
    /// left. Returns what was removed.
    ///
    /// # Errors
    /// The cache cannot be read, or an item not removed.
    pub fn trim_to(
        &self,
        age: Option<Duration>,
        size_bytes: Option<u64>,
    ) -> Result<Vec<Item>, CacheError> {
        self.sweep("");
        let items = self.items()?;
        let mut left: u64 = items.iter().map(|item| item.size_bytes).sum();
        let mut removed = Vec::new();
        for item in items {
            let old = age.is_some_and(|age| item.used.elapsed().is_ok_and(|unused| unused > age));
            let large = size_bytes.is_some_and(|size| left > size);
            if (old || large) && self.remove_item(&item)? {
                left = left.saturating_sub(item.size_bytes);
                removed.push(item);
            }
        }
        Ok(removed)
    }
}

/// Removes the entries and logs that were not used for months: the cache of a host that follows Debian's kernels would
/// grow for ever. What cannot be removed now is removed another time.
pub(super) fn forget(cache: &Cache) {
    cache.forget_locks(FORGOTTEN);
    for kind in fs::read_dir(cache.root()).into_iter().flatten().flatten() {
        let name = kind.file_name().to_string_lossy().into_owned();
        if KEPT.contains(&name.as_str()) {
            continue;
        }
        for entry in fs::read_dir(kind.path()).into_iter().flatten().flatten() {
            let used = entry.metadata().and_then(|metadata| metadata.modified());
            let unused = used.ok().and_then(|used| used.elapsed().ok());
            let lock = format!("{name}-{}", entry.file_name().to_string_lossy());
            if unused.is_some_and(|unused| unused > FORGOTTEN)
                && cache.lock_if_free(&lock).is_some()
            {
                drop(remove(&entry.path()));
            }
        }
    }
}

/// Takes note that an entry was used just now.
pub(super) fn touch(dir: &Path) {
    // A cache that cannot be written is trimmed by the time that it was made.
    drop(fs::File::open(dir).and_then(|dir| dir.set_modified(SystemTime::now())));
}

fn item(kind: String, what: String, path: PathBuf, lock: Option<String>) -> Option<Item> {
    let metadata = fs::symlink_metadata(&path).ok()?;
    Some(Item {
        kind,
        what,
        size_bytes: size(&path),
        used: metadata.modified().ok()?,
        path,
        lock,
    })
}

/// Room on the disk.
fn size(path: &Path) -> u64 {
    let Ok(metadata) = fs::symlink_metadata(path) else {
        return 0;
    };
    let inner = metadata.is_dir().then(|| fs::read_dir(path).into_iter());
    let inner = inner.into_iter().flatten().flatten().flatten();
    metadata.blocks() * 512 + inner.map(|entry| size(&entry.path())).sum::<u64>()
}

/// One line about an entry.
fn describe(kind: &str, manifest: &Manifest) -> String {
    let fact = |name: &str| manifest.facts.get(name).and_then(|value| value.as_str());
    let input = |name: &str| manifest.inputs.get(name).map(String::as_str);
    let release = fact("release").unwrap_or("a kernel of your own");
    let packages = || input("packages").map_or(0, |packages| packages.lines().count());
    match kind {
        "qemu" => format!("QEMU {} with its libraries", fact("version").unwrap_or("?")),
        "kernel" => format!("vmlinux of {release}"),
        "headers" => format!("kernel headers, {} packages", packages()),
        "tools" => format!("compiler and tools for modules, {} packages", packages()),
        "module" => format!("relaybed.ko for {release}"),
        "image-modules" => format!("modules of {release}"),
        "initramfs" => "initramfs: agent and module".to_owned(),
        "image" => {
            // Backend, accelerator, clock, vCPUs, MiB, and what the kernel's command line was given besides.
            let shape: Vec<&str> = input("shape").unwrap_or("?").splitn(6, ' ').collect();
            match shape[..] {
                [backend, accel, clock, vcpus, mib, ..] => format!(
                    "a ready guest: {backend} {accel}, clock {clock}, {vcpus} vCPUs, {mib} MiB"
                ),
                _ => "a ready guest".to_owned(),
            }
        }
        "symbols" => "addresses of a guest's functions".to_owned(),
        "resolved" => format!("which packages {} means", input("request").unwrap_or("?")),
        _ => manifest.inputs.values().next().cloned().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::Key;
    use crate::progress::Silent;
    use serde_json::json;

    fn cache() -> (tempfile::TempDir, Cache) {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(Some(dir.path())).unwrap();
        for (number, days) in [("1", 9), ("2", 3), ("3", 6)] {
            let key = Key::new("kernel").with("number", number);
            let make = |dir: &Path| {
                fs::write(dir.join("vmlinux"), vec![1; 100_000]).map_err(io_error("write", dir))?;
                Ok::<_, CacheError>(json!({ "release": number }))
            };
            let entry = cache.entry(&key, &Silent, make).unwrap();
            let used = SystemTime::now() - Duration::from_secs(days * 24 * 3600);
            fs::File::open(entry.path(""))
                .unwrap()
                .set_modified(used)
                .unwrap();
        }
        (dir, cache)
    }

    fn kernels(cache: &Cache) -> Vec<String> {
        let items = cache.items().unwrap().into_iter();
        let kernels = items.filter(|item| item.kind == "kernel");
        kernels
            .map(|item| item.what.replace("vmlinux of ", ""))
            .collect()
    }

    #[test]
    fn items_come_least_recently_used_first_and_use_is_noticed() {
        let (_dir, cache) = cache();
        assert_eq!(kernels(&cache), ["1", "3", "2"]);
        let key = Key::new("kernel").with("number", "1");
        cache.find(&key, &Silent).unwrap();
        assert_eq!(kernels(&cache), ["3", "2", "1"]);
    }

    #[test]
    fn what_was_not_used_for_months_goes_when_something_is_made() {
        let (_dir, cache) = cache();
        let old = SystemTime::now() - FORGOTTEN - Duration::from_secs(3600);
        let entry = cache.items().unwrap().remove(0);
        fs::File::open(&entry.path)
            .unwrap()
            .set_modified(old)
            .unwrap();
        let make = |_: &Path| Ok::<_, CacheError>(json!(null));
        cache.entry(&Key::new("thing"), &Silent, make).unwrap();
        assert!(!entry.path.exists());
        assert_eq!(kernels(&cache).len(), 2);
    }

    #[test]
    fn trimming_takes_the_oldest_and_what_is_being_made_stays() {
        let (_dir, cache) = cache();
        let week = Duration::from_secs(7 * 24 * 3600);
        assert_eq!(cache.trim_to(Some(week), None).unwrap().len(), 1);
        assert_eq!(kernels(&cache), ["3", "2"]);
        let held = cache.lock(&Key::new("kernel").with("number", "3").hash(), &Silent);
        assert_eq!(cache.trim_to(None, Some(0)).unwrap().len(), 1);
        assert_eq!(kernels(&cache), ["3"]);
        drop(held);
        let removed = cache.trim_to(None, Some(0)).unwrap();
        assert!(removed.len() == 1 && removed[0].size_bytes >= 100_000);
        assert!(
            cache.root().join("locks").is_dir(),
            "locks mean nothing once removed"
        );
    }
}
