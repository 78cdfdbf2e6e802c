//! Verdicts: what the judge says of one case, and where it saw it.

use serde::{Deserialize, Serialize};

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
}

/// One thing that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The property that is broken.
    pub property: Property,
    /// Where.
    pub at: Location,
    /// One sentence: what is wrong.
    pub what: String,
    /// What a correct kernel shows.
    pub expected: String,
    /// What was seen.
    pub seen: String,
}

/// Where a failure was seen. Members that mean nothing for it are `None`.
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

/// What is said of one case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Verdict {
    /// Every property held that could be judged.
    Passed,
    /// At least one property is broken; the most telling one first.
    Failed {
        /// What is broken.
        failures: Vec<Failure>,
    },
    /// Documented defects of this kernel showed themselves, and nothing else.
    Known {
        /// Its id, such as `K1`; several are joined, such as `K1+K4`.
        id: String,
        /// What was seen.
        failures: Vec<Failure>,
    },
    /// Every property held, although this kernel should have a documented defect that this case
    /// shows surely: it was mended here, and the list of known issues should say so.
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

/// How much was judged, so that a pass over nothing is seen as such.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    /// Records whose bytes were checked.
    pub records: u64,
    /// Bytes checked.
    pub bytes: u64,
    /// Single checks that found the matter unspecified.
    pub unspecified: u64,
    /// Buffers whose every byte the model predicted.
    pub exact_buffers: u64,
}
