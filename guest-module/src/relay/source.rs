//! relay.c and relay.h out of Debian's source packages. The packages are large and the files are small: a package
//! is fetched once, read as a stream, and three files of it are kept.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use liblzma::read::XzDecoder;
use serde_json::json;

use super::tree;
use super::{Found, RelayError, SOURCE_MAX_BYTES, SourceFile};
use crate::apt::{AptError, AptRoot};
use crate::cache::{Cache, Entry, Key, io_error};
use crate::deb;
use crate::error::Error;
use crate::packages::{self, PackageId};
use crate::progress::{Progress, Silent};
use crate::version;

/// What the packages are called.
const PREFIX: &str = "linux-source-";

/// The files that are kept: their place below the tree, and their name in the entry.
const KEPT: [(&str, &str); 3] = [
    ("Makefile", "Makefile"),
    (tree::HEADER, "relay.h"),
    ("kernel/relay.c", "relay.c"),
];

/// The suites that have the source of a series.
const SUITES: [(&str, &str); 5] = [
    ("5.10", "bullseye"),
    ("6.1", "bookworm"),
    ("6.12", "trixie"),
    ("7.2", "trixie-backports"),
    ("7.3", "trixie-backports"),
];

/// The suite that is known to have a series.
pub(super) fn suite_of(series: &str) -> Result<&'static str, RelayError> {
    let known = SUITES.iter().find(|(name, _)| *name == series);
    known
        .map(|(_, suite)| *suite)
        .ok_or_else(|| RelayError::NoSuite {
            series: series.to_owned(),
        })
}

/// The files of a series: of the package `exact`ly of that version where the archive has it, else of the newest.
pub(super) fn find(
    (suite, series, exact): (&str, &str, Option<&str>),
    cache: &Cache,
    progress: &dyn Progress,
) -> Result<Found, Error> {
    let name = format!("{PREFIX}{series}");
    let asked = Key::new("relay-resolved")
        .with("suite", suite)
        .with("package", name.clone())
        .with("version", exact.unwrap_or("newest"));
    let purpose = format!("relay.c of Debian's {name}");
    let mut used = None;
    let resolve = |_: &Path| -> Result<_, Error> {
        let apt = AptRoot::updated(cache, suite, &purpose, progress)?;
        let package = choose(&apt, suite, &name, exact)?;
        used = Some(apt);
        Ok(json!(package))
    };
    let resolved = if cache.refresh() {
        cache.entry_anew(&asked, progress, resolve)?
    } else {
        cache.entry(&asked, progress, resolve)?
    };
    let package: PackageId = resolved.facts()?;
    let key = Key::new("relay-source").with(
        "package",
        packages::identity(std::slice::from_ref(&package)),
    );
    if let Some(entry) = cache.find(&key, &Silent) {
        return found(&entry, &package);
    }
    let apt = match used {
        Some(apt) => apt,
        None => AptRoot::updated(cache, suite, &purpose, progress)?,
    };
    let scratch = cache.scratch(apt.lock(), apt.lock_name())?;
    let entry = cache.entry(&key, progress, |dir| {
        let wanted = std::slice::from_ref(&package);
        let debs = apt.download(wanted, scratch.path(), &package.name, progress)?;
        let deb = debs.first().ok_or_else(|| AptError::Absent {
            name: package.name.clone(),
            version: package.version.clone(),
        })?;
        let step = progress.begin(&format!("reading {}", package.name), None);
        deb::read_tar(deb, |tar| keep(tar, dir))?;
        step.finish();
        Ok::<_, Error>(json!({ "package": package }))
    })?;
    found(&entry, &package)
}

/// The package to take.
fn choose(apt: &AptRoot, suite: &str, name: &str, exact: Option<&str>) -> Result<PackageId, Error> {
    let sources = |package: &str| package.starts_with(PREFIX);
    let mut offered = apt.packages(false, sources)?;
    offered.sort_by(|a, b| version::compare(&a.version, &b.version));
    let of_name = || offered.iter().filter(|package| package.name == name);
    let same = of_name().find(|package| Some(package.version.as_str()) == exact);
    let newest = of_name().next_back();
    same.or(newest).cloned().ok_or_else(|| {
        let mut names: Vec<&str> = offered.iter().map(|p| p.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let (suite, package) = (suite.to_owned(), name.to_owned());
        let offered = names.join(", ");
        RelayError::NoSource {
            suite,
            package,
            offered,
        }
        .into()
    })
}

/// What an entry holds, as files that the compiler names by package and path.
fn found(entry: &Entry, package: &PackageId) -> Result<Found, Error> {
    let origin = format!("{} {}", package.name, package.version);
    let file = |(path, name): &(&'static str, &str)| -> Result<SourceFile, Error> {
        let at = entry.path(name);
        if !at.is_file() {
            let (package, file) = (origin.clone(), *path);
            return Err(RelayError::Incomplete { package, file }.into());
        }
        let content = fs::read(&at).map_err(io_error("read", &at))?;
        let name = format!("{origin}/{path}");
        Ok(SourceFile { name, content })
    };
    let [makefile, header, source] = &KEPT;
    let version = tree::version(&String::from_utf8_lossy(&file(makefile)?.content));
    let source = file(source)?;
    Ok(Found {
        origin: source.name.clone(),
        header: Some(file(header)?),
        source,
        version,
    })
}

/// Reads a package's files until the kernel's archive comes, and that until all files of interest are written.
fn keep(package: &mut dyn Read, dir: &Path) -> io::Result<()> {
    for entry in tar::Archive::new(package).entries()? {
        let entry = entry?;
        let path = entry.path()?;
        let name = path.file_name().map(|name| name.to_string_lossy());
        if name.is_some_and(|name| name.starts_with(PREFIX) && name.ends_with(".tar.xz")) {
            return keep_of_tree(XzDecoder::new(entry), dir);
        }
    }
    Ok(())
}

/// The same for the archive of a kernel tree, whose files are all in one folder.
fn keep_of_tree(archive: impl Read, dir: &Path) -> io::Result<()> {
    let mut missing = KEPT.len();
    for entry in tar::Archive::new(archive).entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let mut below = path.components();
        below.next();
        let wanted = KEPT
            .iter()
            .find(|(kept, _)| below.as_path() == Path::new(kept));
        let Some((_, name)) = wanted.filter(|_| entry.header().entry_type().is_file()) else {
            continue;
        };
        let mut content = Vec::new();
        (&mut entry)
            .take(SOURCE_MAX_BYTES)
            .read_to_end(&mut content)?;
        fs::write(dir.join(name), content)?;
        missing -= 1;
        if missing == 0 {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, content) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            builder.append_data(&mut header, path, *content).unwrap();
        }
        builder.into_inner().unwrap()
    }

    #[test]
    fn three_files_are_kept_of_an_archive_in_a_package() {
        let tree = tar(&[
            (
                "linux-source-6.1/Makefile",
                b"VERSION = 6\nPATCHLEVEL = 1\nSUBLEVEL = 7\n",
            ),
            ("linux-source-6.1/arch/x86/Makefile", b"no"),
            ("linux-source-6.1/include/linux/relay.h", b"header"),
            ("linux-source-6.1/kernel/relay.c", b"source"),
            ("linux-source-6.1/zzz", b"never read"),
        ]);
        let mut packed = Vec::new();
        liblzma::read::XzEncoder::new(tree.as_slice(), 1)
            .read_to_end(&mut packed)
            .unwrap();
        let package = tar(&[
            ("./usr/src/linux-config-6.1/config.xz", b"no"),
            ("./usr/src/linux-source-6.1.tar.xz", &packed),
        ]);
        let dir = tempfile::tempdir().unwrap();
        keep(&mut package.as_slice(), dir.path()).unwrap();
        let read = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
        assert_eq!(read("relay.h"), "header");
        assert_eq!(read("relay.c"), "source");
        assert!(read("Makefile").starts_with("VERSION = 6"));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3);
    }

    #[test]
    fn a_cut_archive_is_an_error() {
        let tree = tar(&[("linux-source-6.1/kernel/relay.c", &[b'x'; 4096])]);
        let dir = tempfile::tempdir().unwrap();
        assert!(keep_of_tree(&tree[..1024], dir.path()).is_err());
    }

    #[test]
    fn a_series_has_its_suite() {
        assert_eq!(suite_of("6.1").unwrap(), "bookworm");
        let error = suite_of("4.19").unwrap_err().to_string();
        assert!(error.contains("source:SUITE:4.19"), "{error}");
    }
}
