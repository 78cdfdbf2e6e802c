//! Verdicts: what the judge says of one case, and where it saw it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::finding::{Finding, one_line};
use crate::unspecified::Unspecified;

/// The properties that are judged, each by a checker of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Property {
    /// The guest stayed whole: no WARN, oops, lockdep report or new taint.
    Health,
    /// The evidence itself is complete: nothing lost in the log, all operations done.
    Evidence,
    /// A record's bytes are what its producer wrote.
    Integrity,
    /// Records of one producer stand in the order written.
    Ordering,
    /// Written = read + still there + lost, each loss explained; nothing twice.
    Conservation,
    /// Each record stands where the one before ends, in the right sub-buffer.
    Placement,
    /// A record is in the buffer of the CPU that wrote it.
    Affinity,
    /// Padding says exactly how much of a sub-buffer is unused, and is never handed out.
    Padding,
    /// What a lap replaces and what it keeps, and that a refused record changes nothing.
    Overwrite,
    /// poll, wake-ups and callbacks come when they must.
    Notification,
    /// Nothing lies outside its place, whatever else is unspecified.
    Safety,
    /// Channels and files come and go as documented.
    Lifetime,
    /// Counters agree with each other and with what happened.
    Accounting,
    /// Reads give the bytes, in the amounts, that relay documents.
    Reading,
    /// Everything is as the exact model predicts.
    Model,
    /// The scenario's own expectations.
    Expectation,
    /// The same scenario comes to the same verdict every time (`run --repeat`).
    Repetition,
    /// The scenario's schedule could be kept: every turn came to its end.
    Schedule,
    /// A known issue that this kernel should no longer have does not show.
    Regression,
}

impl Property {
    /// All of them, in the order of their codes.
    pub const ALL: &[Self] = &[
        Self::Health,
        Self::Evidence,
        Self::Integrity,
        Self::Ordering,
        Self::Conservation,
        Self::Placement,
        Self::Affinity,
        Self::Padding,
        Self::Overwrite,
        Self::Notification,
        Self::Safety,
        Self::Lifetime,
        Self::Accounting,
        Self::Model,
        Self::Reading,
        Self::Expectation,
        Self::Repetition,
        Self::Schedule,
        Self::Regression,
    ];

    /// Its name, as in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Health => "health",
            Self::Evidence => "evidence",
            Self::Integrity => "integrity",
            Self::Ordering => "ordering",
            Self::Conservation => "conservation",
            Self::Placement => "placement",
            Self::Affinity => "affinity",
            Self::Padding => "padding",
            Self::Overwrite => "overwrite",
            Self::Notification => "notification",
            Self::Safety => "safety",
            Self::Lifetime => "lifetime",
            Self::Accounting => "accounting",
            Self::Model => "model",
            Self::Reading => "reading",
            Self::Expectation => "expectation",
            Self::Repetition => "repetition",
            Self::Schedule => "schedule",
            Self::Regression => "regression",
        }
    }

    /// The first two digits of its findings' codes.
    pub(crate) fn group(self) -> u16 {
        let at = Self::ALL.iter().position(|property| *property == self);
        at.and_then(|at| u16::try_from(at + 1).ok()).unwrap_or(0)
    }
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Where something was found. Members that mean nothing for it are `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Location {
    /// Index into `Evidence::observations`.
    pub observation: Option<usize>,
    /// Name of the channel.
    pub channel: Option<String>,
    /// CPU of the channel buffer.
    pub cpu: Option<u32>,
    /// Sub-buffer in it.
    pub subbuf: Option<u64>,
    /// Byte offset from the start of the channel buffer, or of the bytes read where `actor` is set.
    pub offset: Option<u64>,
    /// Name of the actor concerned.
    pub actor: Option<String>,
    /// Index of its operation.
    pub op: Option<usize>,
}

impl Location {
    /// The place in words; an observation by its `moment`, where that is known.
    #[must_use]
    pub fn words(&self, moment: Option<&str>) -> String {
        let number = |offset: u64| format!("{offset} ({offset:#x})");
        let offset = self.offset.map(number).map(|offset| match self {
            Self { actor: Some(_), .. } => format!("byte {offset} of what it read"),
            Self {
                observation: None, ..
            } => format!("offset {offset} of what its readers got"),
            _ => format!("offset {offset} of the channel buffer"),
        });
        let observation = self.observation.map(|index| match moment {
            Some(moment) => moment.to_owned(),
            None => format!("observation {index}"),
        });
        let parts = [
            self.channel.as_ref().map(|name| format!("channel {name}")),
            self.cpu.map(|cpu| format!("CPU {cpu}")),
            self.subbuf.map(|subbuf| format!("sub-buffer {subbuf}")),
            self.actor.as_ref().map(|actor| format!("actor {actor}")),
            self.op.map(|op| format!("operation {op}")),
            offset,
            observation,
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        match parts.is_empty() {
            true => "the whole run".to_owned(),
            false => parts.join(", "),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        one_line(f, &self.words(None))
    }
}

/// What is said of one case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Verdict {
    /// Every property held that could be judged.
    Passed,
    /// At least one property is broken; the most telling one first.
    Failed {
        /// What is broken.
        findings: Vec<Finding>,
    },
    /// Documented defects of this kernel showed themselves, and nothing else.
    Known {
        /// Its id, such as `K1`; several are joined, such as `K1+K4`.
        id: String,
        /// What was seen.
        findings: Vec<Finding>,
    },
    /// Every property held, although this kernel should have a documented defect that this case
    /// shows surely: it was fixed here, and the list of known issues should say so.
    Fixed {
        /// Its id, such as `K1`.
        id: String,
    },
    /// It was not run, for this reason.
    Skipped {
        /// The reason.
        reason: String,
    },
    /// The run ended before its turn came.
    NotRun {
        /// Why.
        reason: String,
    },
}

impl Verdict {
    /// What was found, where something was: of a known issue too.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        match self {
            Self::Failed { findings } | Self::Known { findings, .. } => findings,
            _ => &[],
        }
    }

    /// Makes it failed by these findings, which come before those that it has.
    pub fn fail(&mut self, mut findings: Vec<Finding>) {
        if let Self::Failed { findings: more } | Self::Known { findings: more, .. } = self {
            findings.append(more);
        }
        *self = Self::Failed { findings };
    }
}

/// How much was judged, so that a pass over nothing is seen as such.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Records whose bytes were checked.
    pub records: u64,
    /// Bytes checked.
    pub bytes: u64,
    /// Single checks that found the matter unspecified, and why.
    pub unspecified: Unspecified,
    /// Buffers whose every byte the model predicted.
    pub exact_buffers: u64,
    /// Answers of operations that were compared with what must come.
    pub answers: u64,
    /// Why a run under control was not led along its accesses.
    pub searched: Option<Searched>,
}

/// Why a run under control was judged as a free one: by a search for an order that gives the evidence, not along
/// the accesses that it saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Searched {
    /// An operation did not come to its end.
    Unfinished,
    /// An actor may run on any vCPU, and its kernel may move it.
    Moves,
    /// Operations of two actors were under way on one vCPU at once.
    Shared,
}

impl fmt::Display for Searched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unfinished => "an operation without an end",
            Self::Moves => "an actor on any vCPU",
            Self::Shared => "two actors on one vCPU",
        })
    }
}

impl Amount {
    /// Whether nothing could be judged but safety: no byte of a record, and no answer. A pass says only that
    /// nothing lies outside its place and no count is out of its range.
    #[must_use]
    pub const fn is_nothing(&self) -> bool {
        self.records == 0 && self.bytes == 0 && self.answers == 0
    }
}
