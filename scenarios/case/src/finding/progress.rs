//! How far a run got that did not reach its end.

use std::fmt;

use relaybed_abi::State;
use serde::{Deserialize, Serialize};

use crate::evidence::Evidence;

/// An operation that was under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// Its actor, as an index.
    pub actor: u64,
    /// The operation, as an index.
    pub op: u64,
}

/// How far a run got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// No evidence could be read.
    Unknown,
    /// By the results in its evidence.
    Done {
        /// Operations that were done.
        done: u64,
        /// All operations.
        all: u64,
        /// Those under way.
        pending: Vec<Pending>,
    },
}

impl Progress {
    /// By what could still be read.
    #[must_use]
    pub fn of(evidence: Option<&Evidence>) -> Self {
        let Some(evidence) = evidence else {
            return Self::Unknown;
        };
        let results = evidence.results.iter().flatten();
        let done = results.filter(|result| result.state == State::Done.code());
        let pending = evidence.results.iter().zip(0..).filter_map(|(ops, actor)| {
            let running = |state: u32| state == State::Running.code();
            let op = ops.iter().position(|result| running(result.state))? as u64;
            Some(Pending { actor, op })
        });
        Self::Done {
            done: done.count() as u64,
            all: evidence.results.iter().flatten().count() as u64,
            pending: pending.collect(),
        }
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Done { done, all, pending } = self else {
            return f.write_str("no evidence could be read");
        };
        write!(f, "{done} of {all} operations done, ")?;
        if pending.is_empty() {
            return f.write_str("none under way");
        }
        let mut comma = "";
        for Pending { actor, op } in pending {
            write!(f, "{comma}actor {actor} in operation {op}")?;
            comma = ", ";
        }
        Ok(())
    }
}
