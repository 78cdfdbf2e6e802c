//! How a run goes about its cases.

use std::path::PathBuf;

use relaybed_abi::Plant;

use super::batches::Isolate;
use super::known::Known;
use super::plan::Plan;

/// How a run goes about its cases.
#[derive(Clone, Debug)]
pub struct Options {
    /// Stop at the first failure.
    pub fail_fast: bool,
    /// Folder below which evidence is kept.
    pub out: PathBuf,
    /// Keep the evidence of every case, not of failures only.
    pub keep_all: bool,
    /// Defect to plant.
    pub plant: Option<Plant>,
    /// Options that a line to run one case again must carry.
    pub again: String,
    /// Draws record lengths.
    pub seed: u64,
    /// How often each case is run; verdicts that differ are a failure.
    pub repeat: u32,
    /// Every case under control, so that its seed determines the machine to the bit.
    pub deterministic: bool,
    /// What shares a machine; `None`: a suite where machines are forked, else everything.
    pub isolate: Option<Isolate>,
    /// How many machines run side by side; `None`: as many as this host has cores for, where they are forked.
    pub jobs: Option<u32>,
    /// Known issues that fail a scenario.
    pub known: Known,
    /// Hold the machine at a failure, for gdb.
    pub hold: bool,
}

impl Options {
    /// What shares a machine of this plan.
    #[must_use]
    pub fn isolate_on(&self, plan: &Plan) -> Isolate {
        self.isolate.unwrap_or(if plan.forks() {
            Isolate::PerSuite
        } else {
            Isolate::None
        })
    }

    /// How many machines of this plan run side by side. Two vCPUs, as most scenarios have, keep two cores busy.
    #[must_use]
    pub fn jobs_on(&self, plan: &Plan) -> u32 {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let fit = u32::try_from(cores / 2).unwrap_or(1).max(1);
        // Only one at a time can be held.
        let asked = self.jobs.or(self.hold.then_some(1));
        asked.unwrap_or(if plan.forks() { fit } else { 1 })
    }
}
