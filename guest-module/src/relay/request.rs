//! Naming a relay.c: by its path, or by the source package of a release.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Which relay.c a module shall be built with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RelayRequest {
    /// Where it is.
    pub from: RelayFrom,
    /// Its relay.h, where that is not the one of its tree.
    pub header: Option<PathBuf>,
    /// The release whose behaviour is expected, where that is not the one of its tree.
    pub version: Option<RelayVersion>,
    /// A text to build in place of a file's. The other file, the release and the name in the compiler's messages
    /// stay as they are.
    #[serde(skip)]
    pub changed: Option<ChangedFile>,
}

/// A changed copy of one of relay's two files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangedFile {
    /// Of relay.c.
    Source(Vec<u8>),
    /// Of its relay.h.
    Header(Vec<u8>),
}

/// Where a relay.c comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RelayFrom {
    /// A file.
    File(PathBuf),
    /// Debian's source package of a series: `source:6.1`, `source:bookworm:6.1`.
    Source {
        /// The suite; none: the one that is known to have it.
        suite: Option<String>,
        /// The series, two numbers.
        series: String,
    },
    /// The source package of the kernel that it is to run on: `source:kernel`.
    Kernel,
}

/// The text names no relay.c.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` names no relay.c: {problem}; write a path, source:VERSION (source:6.1), source:SUITE:VERSION or \
     source:kernel"
)]
pub struct RelayRequestError {
    text: String,
    problem: &'static str,
}

impl FromStr for RelayFrom {
    type Err = RelayRequestError;

    fn from_str(text: &str) -> Result<Self, RelayRequestError> {
        let wrong = |problem| RelayRequestError {
            text: text.to_owned(),
            problem,
        };
        let Some(named) = text.strip_prefix("source:") else {
            return if text.is_empty() {
                Err(wrong("it is empty"))
            } else {
                Ok(Self::File(text.into()))
            };
        };
        if named == "kernel" {
            return Ok(Self::Kernel);
        }
        let (suite, series) = match named.split_once(':') {
            Some((suite, series)) => (Some(suite), series),
            None => (None, named),
        };
        let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if suite.is_some_and(|suite| suite.is_empty() || !suite.chars().all(word)) {
            return Err(wrong(
                "the suite is not a word of lower-case letters, digits and dashes",
            ));
        }
        let numbers: Vec<&str> = series.split('.').collect();
        let number =
            |n: &&str| !n.is_empty() && n.len() < 4 && n.chars().all(|c| c.is_ascii_digit());
        if numbers.len() != 2 || !numbers.iter().all(number) {
            return Err(wrong("the version is not two numbers, as in 6.1"));
        }
        Ok(Self::Source {
            suite: suite.map(str::to_owned),
            series: series.to_owned(),
        })
    }
}

impl fmt::Display for RelayFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Source {
                suite: Some(suite),
                series,
            } => write!(f, "source:{suite}:{series}"),
            Self::Source {
                suite: None,
                series,
            } => write!(f, "source:{series}"),
            Self::Kernel => f.write_str("source:kernel"),
        }
    }
}

/// A kernel release as far as its number goes, with what follows the numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelayVersion {
    major: u32,
    minor: u32,
    patch: u32,
    /// `-rc3` and the like.
    extra: String,
}

/// Largest number in a version that `LINUX_VERSION_CODE` has room for.
const NUMBER_MAX: u32 = 255;

impl RelayVersion {
    pub(crate) fn new(major: u32, minor: u32, patch: u32, extra: &str) -> Option<Self> {
        let extra: String = extra
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || "-.+".contains(*c))
            .collect();
        (major <= NUMBER_MAX && minor <= NUMBER_MAX).then_some(Self {
            major,
            minor,
            patch,
            extra,
        })
    }

    /// The version that a release (`uname -r`) begins with.
    pub(crate) fn of_release(release: &str) -> Option<Self> {
        let end = release.find(|c: char| !c.is_ascii_digit() && c != '.');
        let mut numbers = release[..end.unwrap_or(release.len())].split('.');
        let major = numbers.next()?.parse().ok()?;
        let minor = numbers.next()?.parse().ok()?;
        let patch = numbers.next().and_then(|n| n.parse().ok()).unwrap_or(0);
        Self::new(major, minor, patch, "")
    }

    /// As the kernel computes it.
    #[must_use]
    pub fn linux_version(&self) -> u32 {
        self.major << 16 | self.minor << 8 | self.patch.min(NUMBER_MAX)
    }
}

impl fmt::Display for RelayVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            major,
            minor,
            patch,
            extra,
        } = self;
        write!(f, "{major}.{minor}.{patch}{extra}")
    }
}

impl FromStr for RelayVersion {
    type Err = RelayVersionError;

    fn from_str(text: &str) -> Result<Self, RelayVersionError> {
        let wrong = || RelayVersionError(text.to_owned());
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.');
        let (numbers, extra) = text.split_at(end.unwrap_or(text.len()));
        let numbers: Result<Vec<u32>, _> = numbers.split('.').map(str::parse).collect();
        match numbers.as_deref() {
            Ok([major, minor]) => Self::new(*major, *minor, 0, extra),
            Ok([major, minor, patch]) => Self::new(*major, *minor, *patch, extra),
            _ => None,
        }
        .ok_or_else(wrong)
    }
}

/// The text is not a version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a kernel version; write two or three numbers, as in 6.1 or 6.12.40")]
pub struct RelayVersionError(String);
