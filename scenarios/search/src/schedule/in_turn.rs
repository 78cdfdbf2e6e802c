//! Taking turns: the schedule of deterministic runs.

use super::decisions::default_next;
use super::strategy::Strategy;
use crate::generate::random::Random;
use relaybed_case::place::Place;
use relaybed_case::trace::Choice;

/// vCPUs take turns at timer interrupts and where one waits, as real ones share time; before operations
/// lots drawn from a seed say whether somebody else goes on.
#[derive(Clone, Debug)]
pub struct InTurn {
    lots: Option<Random>,
}

/// Keeps the numbers drawn here apart from those that other rooms draw of the same seed.
const STREAM: u64 = 0x0074_7572_6e73;

impl InTurn {
    /// The schedule of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            lots: Some(Random::new(seed, STREAM)),
        }
    }

    /// Without lots: control passes only where a vCPU cannot go on, or at a timer interrupt.
    #[must_use]
    pub fn plain() -> Self {
        Self { lots: None }
    }
}

impl Strategy for InTurn {
    fn choose(&mut self, choice: &Choice<'_>) -> u32 {
        let stopped = choice.stop.vcpu;
        match choice.stop.place {
            Place::Tick | Place::Waits => {
                let behind = choice.enabled.iter().find(|vcpu| **vcpu > stopped);
                let next = behind.or_else(|| choice.enabled.first());
                next.copied().unwrap_or(stopped)
            }
            Place::Operation { .. } => match &mut self.lots {
                Some(lots) if choice.enabled.len() > 1 => lots.pick(choice.enabled),
                _ => default_next(choice),
            },
            _ => default_next(choice),
        }
    }
}
