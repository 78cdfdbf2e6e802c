//! Drawing lots at every place: the plainest strategy, and what the others are measured against.

use super::decisions::default_next;
use super::strategy::Strategy;
use crate::generate::random::Random;
use relaybed_case::place::Place;
use relaybed_case::trace::Choice;

/// At every switch point each enabled vCPU goes on with the same probability.
#[derive(Clone, Debug)]
pub struct Lot {
    random: Random,
}

impl Lot {
    /// Schedule number `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed, STREAM),
        }
    }
}

impl Strategy for Lot {
    fn choose(&mut self, choice: &Choice<'_>) -> u32 {
        let stopped = choice.stop.vcpu;
        let waits = choice.stop.place == Place::Waits;
        let goes_on = choice.enabled.contains(&stopped);
        if goes_on && !waits && !choice.stop.place.is_switch_point() {
            return default_next(choice);
        }
        let others = |vcpu: &u32| !waits || *vcpu != stopped;
        let candidates: Vec<u32> = choice.enabled.iter().copied().filter(others).collect();
        match candidates.as_slice() {
            [] => default_next(choice),
            [only] => *only,
            several => self.random.pick(several),
        }
    }
}

/// Keeps the numbers drawn here apart from those that other rooms draw of the same seed.
const STREAM: u64 = 0x6c6f74;
