//! Naming a kernel: by series of a suite, by package, or by files of the user's own.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::Serialize;

/// Which kernel a guest shall be made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KernelRequest {
    /// The newest kernel of a version series in a Debian suite, of the plain flavour (`bookworm:6.1`)
    /// or of a named one (`bookworm:6.1-rt`).
    Series {
        /// The suite, as in `sources.list`.
        suite: String,
        /// A version prefix of whole components (`6.1` is not the beginning of `6.12.3`), and a
        /// flavour behind a dash unless it is the plain one.
        series: String,
    },
    /// Exactly this image package, in any flavour.
    Package {
        /// The suite it comes from.
        suite: String,
        /// The package: `linux-image-6.1.0-41-cloud-amd64`.
        name: String,
    },
    /// Files that are there already.
    Files {
        /// A bzImage or an uncompressed `vmlinux`.
        image: PathBuf,
        /// The tree the image was built in, or its installed headers.
        build_dir: PathBuf,
    },
}

/// The text names no kernel.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` names no kernel: {problem}; write SUITE:SERIES (bookworm:6.1, trixie-backports:7.3), \
     a package (linux-image-6.1.0-41-amd64, also as SUITE:PACKAGE) or files:IMAGE:BUILD-DIR"
)]
pub struct RequestError {
    text: String,
    problem: &'static str,
}

impl Default for KernelRequest {
    /// The newest of Debian bookworm's 6.1 series.
    fn default() -> Self {
        Self::Series {
            suite: "bookworm".to_owned(),
            series: "6.1".to_owned(),
        }
    }
}

impl FromStr for KernelRequest {
    type Err = RequestError;

    fn from_str(text: &str) -> Result<Self, RequestError> {
        parse(text).map_err(|problem| RequestError {
            text: text.to_owned(),
            problem,
        })
    }
}

impl fmt::Display for KernelRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Series { suite, series } => write!(f, "{suite}:{series}"),
            Self::Package { suite, name } => write!(f, "{suite}:{name}"),
            Self::Files { image, build_dir } => {
                write!(f, "files:{}:{}", image.display(), build_dir.display())
            }
        }
    }
}

/// The prefix of every image package.
pub(crate) const IMAGE_PREFIX: &str = "linux-image-";

/// The series that a suite alone means: its own kernel, of backports the newest with headers.
const DEFAULT_SERIES: [(&str, &str); 5] = [
    ("bullseye", "5.10"),
    ("bookworm", "6.1"),
    ("bookworm-backports", "6.12"),
    ("trixie", "6.12"),
    ("trixie-backports", "7.3"),
];

fn parse(text: &str) -> Result<KernelRequest, &'static str> {
    if let Some(paths) = text.strip_prefix("files:") {
        return match paths.split_once(':') {
            Some((image, tree)) if !image.is_empty() && !tree.is_empty() => {
                Ok(KernelRequest::Files {
                    image: image.into(),
                    build_dir: tree.into(),
                })
            }
            _ => Err("files: needs an image and a build tree"),
        };
    }
    let (suite, kernel) = match text.split_once(':') {
        Some((suite, kernel)) => (suite.to_owned(), kernel),
        None if text.starts_with(IMAGE_PREFIX) => (suite_of_package(text)?.to_owned(), text),
        None if !is_word(text, "-") || text.starts_with(|c: char| c.is_ascii_digit()) => {
            return Err("no suite is given");
        }
        None => {
            let default = DEFAULT_SERIES.iter().find(|(suite, _)| *suite == text);
            let (suite, series) = default.ok_or("a version is missing behind the suite")?;
            ((*suite).to_owned(), *series)
        }
    };
    if !is_word(&suite, "-") {
        return Err("the suite is not a word of lower-case letters, digits and dashes");
    }
    if kernel.starts_with(IMAGE_PREFIX) {
        if !is_word(kernel, "+.-~") || !kernel.ends_with("-amd64") {
            return Err("the package is not a kernel image for amd64");
        }
        return Ok(KernelRequest::Package {
            suite,
            name: kernel.to_owned(),
        });
    }
    if !kernel.starts_with(|c: char| c.is_ascii_digit()) || !is_word(kernel, "+.-~") {
        return Err("the series does not look like a kernel version");
    }
    let series = kernel.trim_end_matches('.').to_owned();
    Ok(KernelRequest::Series { suite, series })
}

/// Not empty, and made of lower-case letters, digits and `extra` only: safe in file names and options.
fn is_word(text: &str, extra: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || extra.contains(c);
    text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(allowed)
}

/// The suite whose kernels are named like this one.
fn suite_of_package(name: &str) -> Result<&'static str, &'static str> {
    let release = &name[IMAGE_PREFIX.len()..];
    let marks = [
        ("deb11", "bullseye"),
        ("deb12", "bookworm-backports"),
        ("deb13", "trixie-backports"),
        ("5.10.0-", "bullseye"),
        ("6.1.0-", "bookworm"),
    ];
    let mark = marks.iter().find(|(mark, _)| release.contains(mark));
    mark.map(|(_, suite)| *suite)
        .ok_or("the package's name does not show its suite")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn series(suite: &str, series: &str) -> KernelRequest {
        KernelRequest::Series {
            suite: suite.into(),
            series: series.into(),
        }
    }

    #[test]
    fn forms() {
        let parse = |text: &str| text.parse::<KernelRequest>().unwrap();
        assert_eq!(parse("bookworm:6.1"), KernelRequest::default());
        assert_eq!(
            parse("trixie-backports:7.3"),
            series("trixie-backports", "7.3")
        );
        let name = "linux-image-6.1.0-41-cloud-amd64".to_owned();
        let package = KernelRequest::Package {
            suite: "bookworm".into(),
            name: name.clone(),
        };
        assert_eq!(parse(&name), package);
        assert_eq!(parse(&format!("bookworm:{name}")), package);
        let files = KernelRequest::Files {
            image: "/a/bzImage".into(),
            build_dir: "/b".into(),
        };
        assert_eq!(parse("files:/a/bzImage:/b"), files);
    }

    #[test]
    fn a_suite_alone_means_its_own_series() {
        let parse = |text: &str| text.parse::<KernelRequest>();
        assert_eq!(parse("bookworm"), Ok(KernelRequest::default()));
        for (suite, of) in DEFAULT_SERIES {
            assert_eq!(parse(suite), Ok(series(suite, of)));
        }
        let error = parse("sid").unwrap_err().to_string();
        assert!(error.contains("a version is missing"), "{error}");
        let error = parse("6.1").unwrap_err().to_string();
        assert!(error.contains("no suite is given"), "{error}");
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            ":",
            "6.1",
            "bookworm:",
            "Book worm:6.1",
            "bookworm:six",
            "../x:6.1",
            "bookworm:6.1/..",
            "linux-image-9.9-amd64",
            "bookworm:linux-image-6.1.0-41-arm64",
            "files:",
            "files:/a",
            "files::/b",
            "-o:6.1",
            "bookworm:linux-image-$(x)-amd64",
        ] {
            assert!(text.parse::<KernelRequest>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn display_parses_back(text in "[a-z]{1,8}(-[a-z]{1,8})?:[0-9]{1,2}(\\.[0-9]{1,3}){0,2}") {
            let request: KernelRequest = text.parse().unwrap();
            prop_assert_eq!(request.to_string().parse::<KernelRequest>().unwrap(), request);
        }

        #[test]
        fn any_text_is_answered(text in "\\PC{0,40}") {
            let _ = text.parse::<KernelRequest>();
        }
    }
}
