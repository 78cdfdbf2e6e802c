//! Reading what apt knows: package lists, and the plan of an installation.

use serde::{Deserialize, Serialize};

use crate::request::IMAGE_PREFIX;
use crate::version;

/// One exact package file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PackageId {
    /// The package's name.
    pub name: String,
    /// Its version, with epoch and revision.
    pub version: String,
    /// SHA-256 of the `.deb`, from the signed index.
    pub sha256: String,
    /// Length of the `.deb` in bytes.
    pub size_bytes: u64,
}

/// The text naming a set of packages exactly: what entries made of them are keyed by.
pub(crate) fn identity(packages: &[PackageId]) -> String {
    let mut lines: Vec<String> = packages
        .iter()
        .map(|package| format!("{} {} {}", package.name, package.version, package.sha256))
        .collect();
    lines.sort();
    lines.join("\n")
}

/// The packages of a `Packages` index whose names satisfy `wanted`. Stanzas that lack a field are passed over.
pub(crate) fn parse_index(index: &str, wanted: impl Fn(&str) -> bool) -> Vec<PackageId> {
    let mut found = Vec::new();
    for stanza in index.split("\n\n") {
        let field = |name: &str| {
            stanza
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
                .map(str::trim)
        };
        // Most stanzas are refused by their first line; only the others are searched.
        let Some(name) = field("Package").filter(|name| wanted(name)) else {
            continue;
        };
        let size = field("Size").and_then(|size| size.parse().ok());
        if let (Some(version), Some(sha256), Some(size_bytes)) =
            (field("Version"), field("SHA256"), size)
        {
            found.push(PackageId {
                name: name.to_owned(),
                version: version.to_owned(),
                sha256: sha256.to_owned(),
                size_bytes,
            });
        }
    }
    found
}

/// Name and version of every package in the output of `apt-get --print-uris`.
pub(crate) fn parse_print_uris(output: &str) -> Vec<(String, String)> {
    let plan = output.lines().filter_map(|line| {
        let (_uri, rest) = line.strip_prefix('\'')?.split_once("' ")?;
        let mut parts = rest.split(' ').next()?.strip_suffix(".deb")?.split('_');
        let (name, version) = (parts.next()?, parts.next()?);
        Some((name.to_owned(), version.replace("%3a", ":")))
    });
    plan.collect()
}

/// The file name apt gives a downloaded package, without architecture and suffix.
pub(crate) fn file_stem(package: &PackageId) -> String {
    format!("{}_{}_", package.name, package.version.replace(':', "%3a"))
}

/// What `uname -r` says on the kernel of an image package.
pub(crate) fn release_of_image(name: &str) -> Option<&str> {
    let release = name.strip_prefix(IMAGE_PREFIX)?;
    // Not a package that only depends on the newest image, nor debug symbols, nor an unsigned twin.
    let numbered = release.starts_with(|c: char| c.is_ascii_digit())
        && release.matches('.').count() >= 2
        && release.ends_with("-amd64");
    numbered.then_some(release)
}

/// Flavours of Debian's kernels besides the plain one.
const FLAVOURS: [&str; 2] = ["-cloud", "-rt"];

/// A release or series without its flavour, and the flavour with its dash; empty: the plain one.
fn split_flavour(name: &str) -> (&str, &str) {
    let of = |flavour: &&'static str| Some((name.strip_suffix(*flavour)?, *flavour));
    FLAVOURS.iter().find_map(of).unwrap_or((name, ""))
}

/// The flavour of a release.
fn flavour(release: &str) -> &str {
    split_flavour(release.strip_suffix("-amd64").unwrap_or(release)).1
}

/// Whether the release is of the plain flavour.
fn is_plain(release: &str) -> bool {
    flavour(release).is_empty()
}

/// Whether a kernel version is of this series, by whole components.
fn in_series(version: &str, series: &str) -> bool {
    version
        .strip_prefix(series)
        .is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// An image that can be used: modules can be built for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Choice {
    /// The image package, by the name users know.
    pub(crate) image: PackageId,
    /// The package that holds the image's file: the same one, or from 7.x on one that it depends on.
    pub(crate) holder: PackageId,
    /// The name of the headers package.
    pub(crate) headers: String,
    /// What `uname -r` will say.
    pub(crate) release: String,
}

/// Why there is no choice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChooseError {
    /// No image matches.
    #[error("there is no such kernel; the suite has: {}", list(.offered))]
    NoImage {
        /// Releases that could be asked for.
        offered: Vec<String>,
    },
    /// Images match, but none has headers.
    #[error("no module can be built for {}: the archive no longer has the headers; the suite has headers for: {}", list(.images), list(.offered))]
    NoHeaders {
        /// Releases that match.
        images: Vec<String>,
        /// Releases that could be asked for.
        offered: Vec<String>,
    },
}

fn list(releases: &[String]) -> String {
    if releases.is_empty() {
        "none".to_owned()
    } else {
        releases.join(", ")
    }
}

/// The newest image that `matches` accepts (by package name and version) and has headers.
fn choose(
    packages: &[PackageId],
    matches: impl Fn(&PackageId, &str) -> bool,
) -> Result<Choice, ChooseError> {
    let mut images: Vec<(&PackageId, &str)> = packages
        .iter()
        .filter_map(|package| Some((package, release_of_image(&package.name)?)))
        .collect();
    images.sort_by(|a, b| version::compare(&a.0.version, &b.0.version).then(a.1.cmp(b.1)));
    images.dedup_by(|a, b| a.0.name == b.0.name && a.0.version == b.0.version);
    let headers_of = |(image, release): &(&PackageId, &str)| {
        let name = format!("linux-headers-{release}");
        let found = packages
            .iter()
            .any(|p| p.name == name && p.version == image.version);
        found.then_some(name)
    };
    let matching: Vec<_> = images
        .iter()
        .filter(|(image, release)| matches(image, release))
        .collect();
    let newest = matching
        .iter()
        .rev()
        .find_map(|image| Some((*image, headers_of(image)?)));
    if let Some(((image, release), headers)) = newest {
        let binary = format!("linux-binary-{release}");
        let holder = packages
            .iter()
            .find(|p| p.name == binary && p.version == image.version);
        return Ok(Choice {
            image: (*image).clone(),
            holder: holder.unwrap_or(image).clone(),
            headers,
            release: (*release).to_owned(),
        });
    }
    let offered = images.iter().filter(|(_, release)| is_plain(release));
    let offered = offered
        .filter(|image| headers_of(image).is_some())
        .map(|image| image.1.to_owned());
    let offered = offered.collect();
    if matching.is_empty() {
        return Err(ChooseError::NoImage { offered });
    }
    let images = matching
        .iter()
        .map(|(_, release)| (*release).to_owned())
        .collect();
    Err(ChooseError::NoHeaders { images, offered })
}

/// The newest image of a series: the plain one, or of the flavour that the series names (`6.1-rt`).
///
/// # Errors
/// The series has none with headers.
pub(crate) fn choose_series(packages: &[PackageId], series: &str) -> Result<Choice, ChooseError> {
    let (series, wanted) = split_flavour(series);
    choose(packages, |image, release| {
        flavour(release) == wanted && in_series(&image.version, series)
    })
}

/// The newest version of one image package.
///
/// # Errors
/// There is none with headers.
pub(crate) fn choose_package(packages: &[PackageId], name: &str) -> Result<Choice, ChooseError> {
    choose(packages, |image, _| image.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const INDEX: &str = "\
Package: linux-headers-6.1.0-55-amd64\nVersion: 6.1.192-1\nSize: 5\nSHA256: aa\n
Package: linux-image-6.1.0-55-amd64\nSource: linux-signed\nVersion: 6.1.192-1\nSize: 10\nSHA256: bb\n
Package: linux-image-6.1.0-56-amd64\nVersion: 6.1.192-2\nDescription: x\n more: y\nSize: 11\nSHA256: cc\n
Package: linux-headers-6.12.9+deb12-amd64\nVersion: 6.12.9-1~deb12u1\nSize: 5\nSHA256: dd\n
Package: linux-image-6.12.9+deb12-amd64\nVersion: 6.12.9-1~deb12u1\nSize: 12\nSHA256: ee\n
Package: linux-binary-6.12.9+deb12-amd64\nVersion: 6.12.9-1~deb12u1\nSize: 9\nSHA256: 99\n
Package: linux-image-6.1.0-55-cloud-amd64\nVersion: 6.1.192-9\nSize: 13\nSHA256: ff\n
Package: linux-headers-6.1.0-55-cloud-amd64\nVersion: 6.1.192-9\nSize: 13\nSHA256: ff\n
Package: linux-image-6.1-amd64\nVersion: 6.1.192-2\nSize: 1\nSHA256: 00\n
Package: linux-image-6.1.0-56-amd64-dbg\nVersion: 6.1.192-2\nSize: 1\nSHA256: 00\n
Package: linux-image-6.1.0-57-amd64\nVersion: 6.1.193-1\nSize: nonsense\nSHA256: 00\n";

    fn index() -> Vec<PackageId> {
        parse_index(INDEX, |name| name.starts_with("linux-"))
    }

    #[test]
    fn stanzas_with_all_fields_are_read() {
        let packages = index();
        assert_eq!(packages.len(), 10);
        let image = &packages[1];
        assert_eq!(
            (image.version.as_str(), image.size_bytes),
            ("6.1.192-1", 10)
        );
        assert_eq!(image.sha256, "bb");
    }

    #[test]
    fn the_newest_with_headers_is_chosen() {
        let choice = choose_series(&index(), "6.1").unwrap();
        assert_eq!(choice.release, "6.1.0-55-amd64");
        assert_eq!(choice.headers, "linux-headers-6.1.0-55-amd64");
        assert_eq!(choice.image.sha256, "bb");
        assert_eq!(
            choose_series(&index(), "6.12").unwrap().release,
            "6.12.9+deb12-amd64"
        );
        assert_eq!(
            choose_series(&index(), "6").unwrap().release,
            "6.12.9+deb12-amd64"
        );
    }

    #[test]
    fn an_image_in_a_package_of_its_own_is_found() {
        let choice = choose_series(&index(), "6.12").unwrap();
        assert_eq!(choice.holder.name, "linux-binary-6.12.9+deb12-amd64");
        let choice = choose_series(&index(), "6.1").unwrap();
        assert_eq!(choice.holder, choice.image);
    }

    #[test]
    fn a_series_may_name_a_flavour() {
        let choice = choose_series(&index(), "6.1-cloud").unwrap();
        assert_eq!(choice.release, "6.1.0-55-cloud-amd64");
        let error = choose_series(&index(), "6.1-rt").unwrap_err();
        assert!(matches!(error, ChooseError::NoImage { .. }), "{error}");
    }

    #[test]
    fn flavours_are_had_by_name() {
        let choice = choose_package(&index(), "linux-image-6.1.0-55-cloud-amd64").unwrap();
        assert_eq!(choice.release, "6.1.0-55-cloud-amd64");
    }

    #[test]
    fn what_is_missing_is_said() {
        let error = choose_package(&index(), "linux-image-6.1.0-56-amd64").unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, ChooseError::NoHeaders { .. }), "{text}");
        assert!(
            text.contains("6.1.0-56-amd64") && text.contains("6.1.0-55-amd64"),
            "{text}"
        );
        let error = choose_series(&index(), "9.9").unwrap_err();
        assert!(matches!(error, ChooseError::NoImage { .. }), "{error}");
    }

    #[test]
    fn a_plan_is_read() {
        let output = "'http://m/pool/liba_1%253a2-3_amd64.deb' liba_1%3a2-3_amd64.deb 22164 MD5Sum:0\n\
                      'http://m/b_2.0+x~1_all.deb' b_2.0+x~1_all.deb 5 \nReading lists\n";
        let plan = parse_print_uris(output);
        let expected = [("liba", "1:2-3"), ("b", "2.0+x~1")].map(|(n, v)| (n.into(), v.into()));
        assert_eq!(plan, expected);
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in "\\PC{0,80}(\\n\\PC{0,30}){0,6}") {
            let _ = parse_index(&text, |_| true);
            let _ = parse_print_uris(&text);
            let _ = release_of_image(&text);
        }
    }
}
