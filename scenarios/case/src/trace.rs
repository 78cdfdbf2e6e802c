//! What happened: every stop, and who went on after it.

use serde::{Deserialize, Serialize};

use super::fnv::Fnv;
use super::place::Stop;

/// What is asked at each stop.
#[derive(Clone, Copy, Debug)]
pub struct Choice<'a> {
    /// Number of this stop in the run, from 0 without gaps.
    pub index: usize,
    /// Who stopped, and where.
    pub stop: &'a Stop,
    /// vCPUs that have work, ascending, never empty. The one that stopped is among them or not.
    pub enabled: &'a [u32],
}

/// A stop and the vCPU that went on after it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Who stopped, and where.
    pub stop: Stop,
    /// vCPUs that had work, ascending.
    pub enabled: Vec<u32>,
    /// Which of them went on.
    pub next: u32,
}

impl Step {
    /// The step that follows from a choice and its answer.
    #[must_use]
    pub fn of(choice: &Choice<'_>, next: u32) -> Self {
        Self {
            stop: choice.stop.clone(),
            enabled: choice.enabled.to_vec(),
            next,
        }
    }

    /// What was asked at this step, the run's step number `index`.
    #[must_use]
    pub fn choice(&self, index: usize) -> Choice<'_> {
        Choice {
            index,
            stop: &self.stop,
            enabled: &self.enabled,
        }
    }

    /// Whether control passed to another vCPU although the one that stopped could have gone on.
    #[must_use]
    pub fn preempts(&self) -> bool {
        self.next != self.stop.vcpu && self.enabled.contains(&self.stop.vcpu)
    }
}

/// All steps of one run, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trace {
    /// The steps.
    pub steps: Vec<Step>,
}

impl Trace {
    /// A number for what happened: equal for equal traces, the same on every host and in every release.
    #[must_use]
    pub fn digest(&self) -> u64 {
        let mut hash = Fnv::default();
        for step in &self.steps {
            hash.write(&step.stop.digest().to_le_bytes());
            hash.write(&step.next.to_le_bytes());
        }
        hash.0
    }

    /// How often control passed to another vCPU.
    #[must_use]
    pub fn switches(&self) -> usize {
        let passes = |step: &&Step| step.next != step.stop.vcpu;
        self.steps.iter().filter(passes).count()
    }
}
