//! One order of a run's operations that gives the evidence.

use relaybed_contract::Prediction;
use relaybed_contract::order::At;
use relaybed_twin::{Defects, Spot};

use super::fired::Fired;
use super::marks::result;
use super::policy::Policy;
use super::stepping::{Stepping, built};
use crate::matter::Matter;

/// The order in which things took effect.
#[derive(Clone, Debug)]
pub(super) struct Line {
    fired: Vec<Fired>,
    /// Where each of its steps stood, if that was kept.
    spots: Vec<Option<Spot>>,
    policy: Policy,
}

impl Line {
    /// The order in which a run came so far.
    pub(super) fn of(state: &Stepping<'_>) -> Self {
        Self {
            fired: state.fired.clone(),
            spots: state.spots.clone().unwrap_or_default(),
            policy: state.policy,
        }
    }

    /// What takes effect, in its order.
    pub(super) fn fired(&self) -> &[Fired] {
        &self.fired
    }

    /// The same order on relay with other defects, as far as it goes there.
    pub(super) fn replay(&self, matter: &Matter<'_>, defects: Defects) -> Prediction {
        let built = built(matter.evidence.setting.linux_version, defects);
        let mut state = Stepping::new(matter.case, matter.evidence.setting.vcpus, &built);
        state.policy = self.policy;
        let mut spots = self.spots.iter().copied();
        for fired in &self.fired {
            if let Fired::Step(at, merged) = fired {
                let spot = spots.next().flatten();
                let plan = state.plan.entry(*at).or_default();
                plan.push_back((*merged, spot));
            }
        }
        state.run.start();
        for fired in &self.fired {
            state.follow(*fired, |at| seen(matter, at));
        }
        state.finish()
    }
}

/// Errno and value that an operation was seen to give.
pub(super) fn seen(matter: &Matter<'_>, at: At) -> (u32, u64) {
    let seen = result(matter, at);
    seen.map_or((0, 0), |seen| (seen.error.unsigned_abs(), seen.value))
}
