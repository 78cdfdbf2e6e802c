//! A relay.c that is to be tested in place of the kernel's own: found, read, and described.
//!
//! It comes from the user's files or from Debian's source packages. Its `relay.h` is the one of the tree that it
//! lies in, one that was named, or else the kernel's. The release that it behaves like is said by the tree's
//! Makefile or by the user.

mod request;
mod source;
mod tree;

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::cache::{Cache, CacheError, Key};
use crate::error::Error;
use crate::hash;
use crate::progress::Progress;

pub use request::{
    ChangedFile, RelayFrom, RelayRequest, RelayRequestError, RelayVersion, RelayVersionError,
};

/// Longest file that is taken for a relay.c or relay.h: some hundred times the kernel's.
const SOURCE_MAX_BYTES: u64 = 4 << 20;

/// Which relay a guest's module drives, where it is not the kernel's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relay {
    /// The file's path, or package, version and path in it.
    pub origin: String,
    /// SHA-256 of relay.c.
    pub sha256: String,
    /// Where its relay.h comes from; none: the kernel's own headers.
    pub header: Option<String>,
    /// SHA-256 of that relay.h.
    pub header_sha256: Option<String>,
    /// The release whose behaviour is expected of it; none: the kernel's, since neither a tree nor the user
    /// says another.
    pub version: Option<RelayVersion>,
}

impl Relay {
    /// Whether its release and the kernel's are of one series.
    pub(crate) fn is_of(&self, release: &str) -> bool {
        let series = |version: &RelayVersion| version.linux_version() >> 8;
        let kernel = RelayVersion::of_release(release);
        let own = self.version.as_ref();
        own.is_none_or(|own| kernel.is_some_and(|kernel| series(&kernel) == series(own)))
    }
}

impl std::fmt::Display for Relay {
    /// Origin, release and the beginning of the hash.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let short = self.sha256.get(..12).unwrap_or(&self.sha256);
        write!(f, "{} (", self.origin)?;
        if let Some(version) = &self.version {
            write!(f, "{version}, ")?;
        }
        write!(f, "sha256 {short})")
    }
}

/// A relay.c cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}; {hint}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
        /// What it should be.
        hint: &'static str,
    },
    /// A file is not a C source that the compiler can be given.
    #[error("{} cannot be used: {problem}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: &'static str,
    },
    /// The kernel's source was asked for, and the kernel comes from the user's own files.
    #[error(
        "--relay source:kernel takes the source package of a packaged kernel, and this kernel comes from files; \
         name the relay.c of its tree"
    )]
    NoPackage,
    /// The relay.h was to be changed, and it is the kernel's.
    #[error(
        "the relay.c comes without a relay.h of its own, so there is none to be changed; name one with --relay-header"
    )]
    NoHeader,
    /// There is no such source package.
    #[error(
        "Debian {suite} has no package {package}; it has: {offered}; name another as source:SUITE:VERSION"
    )]
    NoSource {
        /// The suite.
        suite: String,
        /// The package.
        package: String,
        /// What there is.
        offered: String,
    },
    /// No suite is known for a series.
    #[error("no suite is known to have the source of {series}; write source:SUITE:{series}")]
    NoSuite {
        /// The series.
        series: String,
    },
    /// The source package does not have what it should.
    #[error("{package} has no {file}; give a relay.c by its path")]
    Incomplete {
        /// The package.
        package: String,
        /// The missing file.
        file: &'static str,
    },
}

/// Suite and version of the package of the kernel that a relay.c is to run on; none for the user's own files.
pub(crate) type KernelPackage<'a> = Option<(&'a str, &'a str)>;

/// One file as the compiler will see it.
#[derive(Debug, Clone)]
pub(crate) struct SourceFile {
    /// What the compiler calls it in its messages.
    pub(crate) name: String,
    /// Its bytes.
    pub(crate) content: Vec<u8>,
}

/// A relay.c with all that belongs to it, read once: what is hashed is what is built.
#[derive(Debug, Clone)]
pub(crate) struct Own {
    /// What it is.
    pub(crate) relay: Relay,
    source: SourceFile,
    header: Option<SourceFile>,
}

impl Own {
    /// What it is, and the texts of its files.
    pub(crate) fn into_files(self) -> RelayFiles {
        RelayFiles {
            relay: self.relay,
            source: self.source.content,
            header: self.header.map(|header| header.content),
        }
    }

    /// Adds everything that the module's build reads of it to a key.
    pub(crate) fn add_to(&self, key: Key) -> Key {
        self.add_all_but_source_to(key)
            .with("relay", self.relay.sha256.clone())
            .with("relay-name", self.source.name.clone())
    }

    /// The same without relay.c itself.
    pub(crate) fn add_all_but_source_to(&self, key: Key) -> Key {
        let relay = &self.relay;
        let key = key.with("relay-version", self.version_code());
        match (&relay.header_sha256, &self.header) {
            (Some(sha256), Some(header)) => key
                .with("relay-header", sha256.clone())
                .with("relay-header-name", header.name.clone()),
            _ => key,
        }
    }

    /// The release as the preprocessor gets it.
    fn version_code(&self) -> String {
        let version = self.relay.version.as_ref();
        version.map_or_else(
            || "LINUX_VERSION_CODE".to_owned(),
            |version| format!("{:#x}", version.linux_version()),
        )
    }

    /// Lays the files out where the module's Kbuild looks for them.
    pub(crate) fn write(&self, module: &Path) -> Result<(), CacheError> {
        let own = module.join("own");
        let version = format!("#define BED_RELAY_VERSION {}\n", self.version_code());
        put(&own.join("version.h"), version.as_bytes())?;
        self.write_source(module)?;
        match &self.header {
            Some(header) => put(&own.join("include/linux/relay.h"), &with_line(header)),
            None => Ok(()),
        }
    }

    /// As [`Own::write`], but relay.c only.
    pub(crate) fn write_source(&self, module: &Path) -> Result<(), CacheError> {
        put(&module.join("own/relay.c"), &with_line(&self.source))
    }
}

fn put(path: &Path, content: &[u8]) -> Result<(), CacheError> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(crate::cache::io_error("make", parent))?;
    }
    fs::write(path, content).map_err(crate::cache::io_error("write", path))
}

/// The content under the name that the user knows, for the compiler's messages.
fn with_line(file: &SourceFile) -> Vec<u8> {
    let name = file.name.replace('\\', "\\\\").replace('"', "\\\"");
    let mut text = format!("#line 1 \"{name}\"\n").into_bytes();
    text.extend_from_slice(&file.content);
    text
}

/// What is wrong with `--relay-header` where it cannot be read.
const HEADER_HINT: &str = "--relay-header needs the relay.h that belongs to the relay.c";

/// Whether the files that a request names can be read, and whether there is a source package to be asked for.
///
/// # Errors
/// See [`RelayError`].
pub(crate) fn check(request: &RelayRequest, kernel_is_packaged: bool) -> Result<(), RelayError> {
    match &request.from {
        RelayFrom::File(path) => drop(tree::find(path)?),
        RelayFrom::Source {
            suite: None,
            series,
        } => drop(source::suite_of(series)?),
        RelayFrom::Kernel if !kernel_is_packaged => return Err(RelayError::NoPackage),
        RelayFrom::Source { .. } | RelayFrom::Kernel => {}
    }
    match &request.header {
        Some(path) => tree::read(path, HEADER_HINT).map(drop),
        None => Ok(()),
    }
}

/// Finds and reads what was asked for.
///
/// # Errors
/// See [`RelayError`]; [`crate::AptError`] where a source package cannot be had.
pub(crate) fn obtain(
    request: &RelayRequest,
    kernel: KernelPackage<'_>,
    cache: &Cache,
    progress: &dyn Progress,
) -> Result<Own, Error> {
    let mut found = match &request.from {
        RelayFrom::File(path) => tree::find(path)?,
        RelayFrom::Source { suite, series } => {
            let suite = match suite {
                Some(suite) => suite.clone(),
                None => source::suite_of(series)?.to_owned(),
            };
            source::find((&suite, series, None), cache, progress)?
        }
        RelayFrom::Kernel => {
            let (suite, version) = kernel.ok_or(RelayError::NoPackage)?;
            let series = series_of(version);
            source::find((suite, series, Some(version)), cache, progress)?
        }
    };
    if let Some(path) = &request.header {
        found.header = Some(tree::read(path, HEADER_HINT)?);
    }
    match (&request.changed, &mut found.header) {
        (Some(ChangedFile::Source(text)), _) => found.source.content.clone_from(text),
        (Some(ChangedFile::Header(text)), Some(header)) => header.content.clone_from(text),
        (Some(ChangedFile::Header(_)), None) => return Err(RelayError::NoHeader.into()),
        (None, _) => {}
    }
    let header = found.header;
    Ok(Own {
        relay: Relay {
            origin: found.origin,
            sha256: hash::of_bytes(&found.source.content),
            header: header.as_ref().map(|header| header.name.clone()),
            header_sha256: header.as_ref().map(|h| hash::of_bytes(&h.content)),
            version: request.version.clone().or(found.version),
        },
        source: found.source,
        header,
    })
}

/// A relay.c as text, for whoever makes changed copies of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayFiles {
    /// What it is.
    pub relay: Relay,
    /// relay.c.
    pub source: Vec<u8>,
    /// Its relay.h; none: the kernel's own headers have it.
    pub header: Option<Vec<u8>>,
}

/// The files that a request names, fetched if need be. [`RelayFrom::Kernel`] needs a kernel and is refused.
///
/// # Errors
/// What keeps them from being had.
pub fn relay_files(
    request: &RelayRequest,
    cache: &Cache,
    progress: &dyn Progress,
) -> Result<RelayFiles, Error> {
    Ok(obtain(request, None, cache, progress)?.into_files())
}

/// Source, header and version as far as a place has them.
#[derive(Debug)]
struct Found {
    origin: String,
    source: SourceFile,
    header: Option<SourceFile>,
    version: Option<RelayVersion>,
}

/// The first two numbers of a version.
fn series_of(version: &str) -> &str {
    let mut dots = version.match_indices(|c: char| !c.is_ascii_digit());
    let end = dots.nth(1).map_or(version.len(), |(at, _)| at);
    &version[..end]
}

#[cfg(test)]
mod tests;
