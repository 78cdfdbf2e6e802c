//! Which kernels have an issue.

use std::fmt;

use serde::Deserialize;

/// A release: `7.4` (the first of a series) or `6.1.170` (a point release).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Release {
    series: (u8, u8),
    point: Option<u8>,
}

/// A release that is none.
#[derive(Debug, thiserror::Error)]
#[error("'{0}' is no kernel release: write MAJOR.MINOR or MAJOR.MINOR.POINT, each up to 255")]
pub struct NoRelease(String);

impl TryFrom<String> for Release {
    type Error = NoRelease;

    fn try_from(text: String) -> Result<Self, NoRelease> {
        let parts: Option<Vec<u8>> = text.split('.').map(|part| part.parse().ok()).collect();
        let (series, point) = match parts.as_deref() {
            Some([major, minor]) => ((*major, *minor), None),
            Some([major, minor, point]) => ((*major, *minor), Some(*point)),
            _ => return Err(NoRelease(text)),
        };
        Ok(Self { series, point })
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (major, minor) = self.series;
        write!(f, "{major}.{minor}")?;
        match self.point {
            Some(point) => write!(f, ".{point}"),
            None => Ok(()),
        }
    }
}

/// Series and point release of a `LINUX_VERSION_CODE`; the kernel caps the point release at 255.
const fn split(linux_version: u32) -> ((u8, u8), u8) {
    let [_, major, minor, point] = linux_version.to_be_bytes();
    ((major, minor), point)
}

/// The kernels that have an issue: from one release on, until it was mended, series by series.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Affected {
    /// First release that has it; `None`: all from the beginning.
    pub since: Option<Release>,
    /// Where it was mended: a series' first release for all from there on, a point release for its
    /// own series.
    pub fixed_in: Vec<Release>,
}

impl Affected {
    /// Whether a kernel of this `LINUX_VERSION_CODE` has the issue.
    #[must_use]
    pub fn includes(&self, linux_version: u32) -> bool {
        let (series, point) = split(linux_version);
        let begun = self
            .since
            .is_none_or(|since| (since.series, since.point.unwrap_or(0)) <= (series, point));
        let fixed = self.fixed_in.iter().any(|fixed| match fixed.point {
            None => fixed.series <= series,
            Some(first) => fixed.series == series && first <= point,
        });
        begun && !fixed
    }
}

impl fmt::Display for Affected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.since {
            Some(since) => write!(f, "since {since}")?,
            None => f.write_str("all kernels")?,
        }
        for (index, fixed) in self.fixed_in.iter().enumerate() {
            f.write_str(if index == 0 { ", mended in " } else { " and " })?;
            write!(f, "{fixed}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(text: &str) -> Release {
        text.to_owned().try_into().unwrap()
    }

    fn code(major: u32, minor: u32, point: u32) -> u32 {
        (major << 16) | (minor << 8) | point
    }

    #[test]
    fn a_mending_reaches_later_series_and_a_point_release_its_own_only() {
        let affected = Affected {
            since: Some(release("5.11")),
            fixed_in: vec![release("6.1.170"), release("7.4")],
        };
        for (kernel, has) in [
            (code(5, 10, 255), false),
            (code(5, 11, 0), true),
            (code(6, 1, 169), true),
            (code(6, 1, 170), false),
            (code(6, 12, 0), true),
            (code(7, 3, 255), true),
            (code(7, 4, 0), false),
            (code(8, 0, 0), false),
        ] {
            assert_eq!(affected.includes(kernel), has, "{kernel:#x}");
        }
        assert_eq!(
            affected.to_string(),
            "since 5.11, mended in 6.1.170 and 7.4"
        );
        assert!(Affected::default().includes(code(2, 6, 17)));
    }

    #[test]
    fn what_is_no_release_is_refused() {
        for text in ["", "6", "6.1.2.3", "6.x", "6.300", "-1.2"] {
            assert!(Release::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
