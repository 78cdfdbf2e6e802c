//! A private apt root: Debian's packages for any suite, verified by apt, with nothing installed on the host.
//!
//! Of the host's apt configuration only the way to the network counts (see [`configuration`]); sources, lists,
//! caches and the (empty) list of installed packages are our own, below the cache directory. Packages are
//! believed for Debian's signature on an archive that is neither expired nor older than one seen before.

mod configuration;
mod seen;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::cache::{Cache, CacheError, Lock, io_error};
use crate::child::{self, ChildError};
use crate::hash;
use crate::mirror::{MirrorError, Mirrors, Suites};
use crate::packages::{self, PackageId};
use crate::progress::Progress;

/// Packages could not be had.
#[derive(Debug, thiserror::Error)]
pub enum AptError {
    /// The network or the archive failed.
    #[error(
        "cannot fetch {what} from Debian {suite}: {source}\n\
         To supply it: reach a mirror (RELAYBED_MIRROR, RELAYBED_SECURITY_MIRROR name one; proxies are taken \
         from the host's apt configuration), copy a warm cache (RELAYBED_CACHE names it), or use your own \
         kernel (--kernel FILE --build-dir TREE)"
    )]
    Fetch {
        /// What is missing.
        what: String,
        /// From which suite.
        suite: String,
        /// What apt said.
        source: ChildError,
    },
    /// apt did not give a package it was asked for.
    #[error(
        "apt fetched no file for {name} {version}; run again, with RELAYBED_REFRESH=1 if it persists"
    )]
    Absent {
        /// The package.
        name: String,
        /// Its version.
        version: String,
    },
    /// A fetched file is not what the signed index says.
    #[error(
        "{name} {version} was fetched with SHA-256 {found}, but the signed index says {expected}; try another mirror (RELAYBED_MIRROR)"
    )]
    Hash {
        /// The package.
        name: String,
        /// Its version.
        version: String,
        /// What was fetched.
        found: String,
        /// What was promised.
        expected: String,
    },
    /// The archive is older than it once was.
    #[error(
        "the mirror has {archive} of {date}, but one of {seen} was seen before: it is stale, or somebody replays it; \
         use another mirror (RELAYBED_MIRROR), or remove {} if the older one is wanted", record.display()
    )]
    Replayed {
        /// Label and code name of the archive.
        archive: String,
        /// Its date.
        date: String,
        /// The newest date seen.
        seen: String,
        /// Where dates are kept.
        record: PathBuf,
    },
    /// Where to fetch from is unknown.
    #[error(transparent)]
    Mirror(#[from] MirrorError),
    /// The private root cannot be written.
    #[error(transparent)]
    Cache(#[from] CacheError),
}

/// A private apt root for one suite. Other processes wait while we hold it.
#[derive(Debug)]
pub(crate) struct AptRoot {
    dir: PathBuf,
    /// Where the dates of its archives are remembered.
    dates: PathBuf,
    suites: Suites,
    purpose: String,
    stall: Duration,
    lock_name: String,
    lock: Lock,
}

/// The configuration's file name in the root.
const CONFIGURATION: &str = "apt.conf";

/// How long apt may wait for the next byte, and compute nothing either.
const STALL: Duration = Duration::from_secs(60);

impl AptRoot {
    /// Waits for the root of a suite and brings its lists up to date.
    ///
    /// # Errors
    /// No mirror is known, the archive cannot be reached, or the cache directory cannot be written.
    pub(crate) fn updated(
        cache: &Cache,
        suite: &str,
        purpose: &str,
        progress: &dyn Progress,
    ) -> Result<Self, AptError> {
        let root = Self::claimed(cache, suite, purpose, progress)?;
        root.update(progress)?;
        Ok(root)
    }

    /// Waits for the root of a suite. `purpose` says in errors what all this is for.
    ///
    /// # Errors
    /// The cache directory cannot be written.
    pub(crate) fn claimed(
        cache: &Cache,
        suite: &str,
        purpose: &str,
        progress: &dyn Progress,
    ) -> Result<Self, CacheError> {
        let suites = Suites::of(suite);
        let lock_name = format!("apt-{}", suites.name);
        let lock = cache.lock(&lock_name, progress)?;
        let dir = cache.root().join("apt").join(&suites.name);
        let dates = cache.root().join("archive-dates");
        Ok(Self {
            dir,
            dates: dates.join(format!("{}.json", suites.name)),
            suites,
            purpose: purpose.to_owned(),
            stall: STALL,
            lock_name,
            lock,
        })
    }

    /// Lays out the root and brings its lists up to date.
    ///
    /// # Errors
    /// As [`AptRoot::updated`].
    pub(crate) fn update(&self, progress: &dyn Progress) -> Result<(), AptError> {
        self.update_from(&Mirrors::find()?, progress)
    }

    fn update_from(&self, mirrors: &Mirrors, progress: &dyn Progress) -> Result<(), AptError> {
        let what = format!("the package lists, needed for {}", self.purpose);
        for sub in ["state/lists/partial", "cache/archives/partial"] {
            let sub = self.dir.join(sub);
            fs::create_dir_all(&sub).map_err(io_error("make", &sub))?;
        }
        let configuration = configuration::text(&self.dir).map_err(self.failure(&what))?;
        for (name, content) in [
            (CONFIGURATION, configuration.as_str()),
            ("sources.list", &mirrors.sources(&self.suites)),
            ("status", ""),
        ] {
            let path = self.dir.join(name);
            fs::write(&path, content).map_err(io_error("write", &path))?;
        }
        let name = format!("package lists of Debian {}", self.suites.name);
        let step = progress.begin(&name, None);
        let lists = self.dir.join("state/lists");
        let partial = lists.join("partial");
        let mut look = || size_of_files(&lists) + size_of_files(&partial);
        child::watch(self.apt_get().arg("update"), &mut look, self.stall)
            .map_err(self.failure(&what))?;
        let record = self.dates.clone();
        match seen::compare(&lists, &record).map_err(io_error("compare dates in", &record))? {
            Some(seen::Older {
                archive,
                date,
                seen,
            }) => Err(AptError::Replayed {
                archive,
                date,
                seen,
                record,
            }),
            None => {
                step.finish();
                Ok(())
            }
        }
    }

    /// The packages whose names satisfy `wanted`; with `only_asked`, just those of the suite asked for.
    ///
    /// # Errors
    /// apt's lists cannot be read.
    pub(crate) fn packages(
        &self,
        only_asked: bool,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Vec<PackageId>, AptError> {
        let mut targets = self.apt_get();
        targets.args([
            "indextargets",
            "--format",
            "$(RELEASE)|$(FILENAME)",
            "Created-By: Packages",
        ]);
        let targets = child::run(&mut targets).map_err(self.failure("the package lists"))?;
        let only = self.suites.only.as_deref().filter(|_| only_asked);
        let mut found = Vec::new();
        for (release, file) in targets
            .stdout
            .lines()
            .filter_map(|line| line.split_once('|'))
        {
            if only.is_none_or(|only| only == release) {
                let path = Path::new(file);
                let bytes = fs::read(path).map_err(io_error("read", path))?;
                found.extend(packages::parse_index(
                    &String::from_utf8_lossy(&bytes),
                    &wanted,
                ));
            }
        }
        Ok(found)
    }

    /// Every package that installing `wanted` takes, exactly, on a system that is empty but for `there`.
    ///
    /// # Errors
    /// Something cannot be installed.
    pub(crate) fn closure(
        &self,
        wanted: &[&str],
        prefer: bool,
        there: Option<&PackageId>,
    ) -> Result<Vec<PackageId>, AptError> {
        let installed = there.map_or_else(String::new, |package| {
            format!(
                "Package: {}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {}\n\n",
                package.name, package.version
            )
        });
        let status = self.dir.join("status");
        fs::write(&status, installed).map_err(io_error("write", &status))?;
        let mut plan = self.apt_get();
        plan.args(["install", "--yes", "-qq", "--print-uris"]);
        if let Some(release) = self.suites.only.as_ref().filter(|_| prefer) {
            plan.args(["--target-release", release]);
        }
        let plan =
            child::run(plan.arg("--").args(wanted)).map_err(self.failure(&wanted.join(" ")))?;
        let plan = packages::parse_print_uris(&plan.stdout);
        let known = self.packages(false, |name| {
            plan.iter().any(|(planned, _)| planned == name)
        })?;
        let find = |(name, version): &(String, String)| {
            let found = known
                .iter()
                .find(|p| p.name == *name && p.version == *version);
            found.cloned().ok_or_else(|| AptError::Absent {
                name: name.clone(),
                version: version.clone(),
            })
        };
        plan.iter().map(find).collect()
    }

    /// Fetches packages into `dir` and returns their files, in order.
    ///
    /// # Errors
    /// The archive cannot be reached, or a file's hash is wrong.
    pub(crate) fn download(
        &self,
        wanted: &[PackageId],
        dir: &Path,
        what: &str,
        progress: &dyn Progress,
    ) -> Result<Vec<PathBuf>, AptError> {
        fs::create_dir_all(dir).map_err(io_error("make", dir))?;
        let total = wanted.iter().map(|package| package.size_bytes).sum();
        let step = progress.begin(&format!("fetching {what}"), Some(total));
        let mut download = self.apt_get();
        download.args(["download", "-qq", "--"]).current_dir(dir);
        download.args(wanted.iter().map(|p| format!("{}={}", p.name, p.version)));
        let mut look = || {
            let size = size_of_files(dir) + size_of_files(&self.dir.join("cache/archives/partial"));
            step.advance(size);
            size
        };
        child::watch(&mut download, &mut look, self.stall).map_err(self.failure(what))?;
        let files = wanted.iter().map(|package| {
            let path = file_of(package, dir)?;
            verify(package, &path)?;
            Ok(path)
        });
        let files = files.collect::<Result<_, AptError>>()?;
        step.finish();
        Ok(files)
    }

    /// Held for as long as the root lives.
    pub(crate) fn lock(&self) -> &Lock {
        &self.lock
    }

    /// What the lock is called.
    pub(crate) fn lock_name(&self) -> &str {
        &self.lock_name
    }

    fn apt_get(&self) -> Command {
        let mut command = Command::new("apt-get");
        command.env("APT_CONFIG", self.dir.join(CONFIGURATION));
        command
    }

    fn failure(&self, what: &str) -> impl Fn(ChildError) -> AptError {
        let (what, suite) = (what.to_owned(), self.suites.name.clone());
        move |source| AptError::Fetch {
            what: what.clone(),
            suite: suite.clone(),
            source,
        }
    }
}

impl Drop for AptRoot {
    fn drop(&mut self) {
        // Lists and apt's caches are ten times what they are needed for, and fetched in seconds.
        drop(fs::remove_dir_all(&self.dir));
    }
}

/// The file of a package that was downloaded into `dir`.
///
/// # Errors
/// It is not there.
pub(crate) fn file_of(package: &PackageId, dir: &Path) -> Result<PathBuf, AptError> {
    let stem = packages::file_stem(package);
    let mut names = fs::read_dir(dir).map_err(io_error("list", dir))?.flatten();
    let found = names.find(|entry| {
        entry
            .file_name()
            .as_encoded_bytes()
            .starts_with(stem.as_bytes())
    });
    let (name, version) = (package.name.clone(), package.version.clone());
    found
        .map(|entry| entry.path())
        .ok_or(AptError::Absent { name, version })
}

/// Checks a fetched file against the signed index.
fn verify(package: &PackageId, path: &Path) -> Result<(), AptError> {
    let found = hash::of_file(path).map_err(io_error("read", path))?;
    if found == package.sha256 {
        return Ok(());
    }
    Err(AptError::Hash {
        name: package.name.clone(),
        version: package.version.clone(),
        found,
        expected: package.sha256.clone(),
    })
}

/// Bytes in the files of a folder so far.
fn size_of_files(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.metadata().ok())
        .map(|metadata| metadata.len())
        .sum()
}

#[cfg(test)]
mod tests;
