//! What makes two findings of different runs the same: code and place.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Code;
use super::value::one_line;
use crate::verdict::Verdict;

/// Code and place of a finding: the same in every run that finds the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// The code.
    pub code: Code,
    /// The channel, where one is concerned.
    pub channel: Option<String>,
    /// The CPU of the channel buffer, where one is concerned.
    pub cpu: Option<u32>,
}

impl fmt::Display for Identity {
    /// `R0502 conservation, channel cpu CPU 1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if let Some(property) = self.code.property() {
            write!(f, " {property}")?;
        }
        if let Some(channel) = &self.channel {
            f.write_str(", channel ")?;
            one_line(f, channel)?;
        }
        match self.cpu {
            Some(cpu) if self.channel.is_some() => write!(f, " CPU {cpu}"),
            Some(cpu) => write!(f, ", CPU {cpu}"),
            None => Ok(()),
        }
    }
}

/// What a verdict has found: known issues by their ids, or its first finding.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Label {
    /// Known issues, their ids joined by `+`.
    Known(String),
    /// A finding.
    Finding(Identity),
}

impl Label {
    /// What a verdict has found; `None` where it found nothing.
    #[must_use]
    pub fn of(verdict: &Verdict) -> Option<Self> {
        match verdict {
            Verdict::Known { id, .. } => Some(Self::Known(id.clone())),
            Verdict::Failed { findings } => Some(Self::Finding(findings.first()?.identity())),
            Verdict::Passed
            | Verdict::Fixed { .. }
            | Verdict::Skipped { .. }
            | Verdict::NotRun { .. } => None,
        }
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(id) => f.write_str(id),
            Self::Finding(identity) => write!(f, "{identity}"),
        }
    }
}
