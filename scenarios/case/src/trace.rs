//! What happened: every stop and who went on after it, and every access to what vCPUs share.

use serde::{Deserialize, Serialize};

use super::access::Access;
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
    /// The last number of the guest's order that was given out by then; 0 where nobody looked.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub order: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
const fn is_zero(order: &u32) -> bool {
    *order == 0
}

impl Step {
    /// The step that follows from a choice and its answer.
    #[must_use]
    pub fn of(choice: &Choice<'_>, next: u32) -> Self {
        Self {
            stop: choice.stop.clone(),
            enabled: choice.enabled.to_vec(),
            next,
            order: 0,
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

/// One access, and when in the run it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accessed {
    /// Number of the first stop behind it. One that a stop was made for is the last of its vCPU before that.
    pub before: usize,
    /// Who made it.
    pub vcpu: u32,
    /// The access.
    pub access: Access,
    /// The last number of the guest's order that was given out by then; 0 where nobody looked.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub order: u32,
}

/// All steps of one run, in order, and the accesses between them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trace {
    /// The steps. They alone make a schedule, its token and what runs are compared by.
    pub steps: Vec<Step>,
    /// Every access to a shared member of a channel buffer, whether the vCPU was stopped for it or not, in the
    /// order in which they were made: one vCPU ran at a time. Empty where the run did not record them.
    pub accesses: Vec<Accessed>,
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

    /// The accesses between the stop before this one and this one, in order.
    #[must_use]
    pub fn accesses_before(&self, stop: usize) -> &[Accessed] {
        let from = self.accesses.partition_point(|one| one.before < stop);
        let to = self.accesses.partition_point(|one| one.before <= stop);
        self.accesses.get(from..to).unwrap_or_default()
    }

    /// How often control passed to another vCPU.
    #[must_use]
    pub fn switches(&self) -> usize {
        let passes = |step: &&Step| step.next != step.stop.vcpu;
        self.steps.iter().filter(passes).count()
    }
}
