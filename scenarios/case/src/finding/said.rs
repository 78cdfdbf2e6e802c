//! What makes two verdicts the same: outcome, issue, and the properties that are broken.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::value::Plain;
use crate::verdict::{Property, Verdict};

/// A verdict without its values, which may differ where a scenario leaves them open.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// It failed, by these properties.
    Failed(BTreeSet<Property>),
    /// Known issues showed.
    Known(Plain),
    /// A known issue did not show.
    Fixed(Plain),
    /// It passed.
    Passed,
    /// It was skipped.
    Skipped,
    /// It was not run.
    NotRun,
}

impl From<&Verdict> for Said {
    fn from(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Passed => Self::Passed,
            Verdict::Failed { findings } => {
                Self::Failed(findings.iter().map(super::Finding::property).collect())
            }
            Verdict::Known { id, .. } => Self::Known(id.as_str().into()),
            Verdict::Fixed { id } => Self::Fixed(id.as_str().into()),
            Verdict::Skipped { .. } => Self::Skipped,
            Verdict::NotRun { .. } => Self::NotRun,
        }
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(broken) => {
                let names: Vec<String> = broken.iter().map(ToString::to_string).collect();
                write!(f, "failed ({})", names.join(", "))
            }
            Self::Known(id) => write!(f, "known {id}"),
            Self::Fixed(id) => write!(f, "fixed {id}"),
            Self::Passed => f.write_str("passed"),
            Self::Skipped => f.write_str("skipped"),
            Self::NotRun => f.write_str("not_run"),
        }
    }
}

/// How often a verdict was reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    /// The verdict.
    pub said: Said,
    /// How often.
    pub times: u32,
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} times {}", self.times, self.said)
    }
}
