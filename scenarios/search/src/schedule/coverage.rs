//! How much of what could happen has happened.

use std::collections::HashSet;

use relaybed_case::trace::Trace;

/// What a number of runs have shown.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    /// Digests of stops at switch points: a place and the vCPU that reached it.
    places: HashSet<u64>,
    /// Those of them at which control passed to another vCPU.
    switched: HashSet<u64>,
    /// Digests of whole runs.
    traces: HashSet<u64>,
    runs: u64,
}

/// The same in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Covered {
    /// Runs.
    pub runs: u64,
    /// Runs that differ from all others.
    pub distinct: u64,
    /// Pairs of a switch point and a vCPU that reached it.
    pub places: u64,
    /// Those of them at which control passed to another vCPU.
    pub switched: u64,
}

impl Coverage {
    /// Counts a run. Whether there was none like it before.
    pub fn add(&mut self, trace: &Trace) -> bool {
        self.runs += 1;
        for step in &trace.steps {
            if step.stop.place.is_switch_point() {
                let digest = step.stop.digest();
                self.places.insert(digest);
                if step.preempts() {
                    self.switched.insert(digest);
                }
            }
        }
        self.traces.insert(trace.digest())
    }

    /// In numbers.
    #[must_use]
    pub fn covered(&self) -> Covered {
        Covered {
            runs: self.runs,
            distinct: self.traces.len() as u64,
            places: self.places.len() as u64,
            switched: self.switched.len() as u64,
        }
    }
}
