//! The decisions of a run, without the stops they were made at.

use serde::{Deserialize, Serialize};

use super::strategy::Strategy;
use relaybed_case::place::Place;
use relaybed_case::trace::Choice;
use relaybed_case::trace::Trace;

/// Who goes on unless something else was decided: the vCPU that stopped, else the next enabled one in the
/// ring of vCPUs. One that waits for another is asked again only when no other can go on.
///
/// Tokens say only where a run departs from this, so it never changes.
#[must_use]
pub fn default_next(choice: &Choice<'_>) -> u32 {
    let stopped = choice.stop.vcpu;
    let first = match choice.stop.place {
        Place::Waits => stopped.saturating_add(1),
        _ => stopped,
    };
    let from = |least: u32| choice.enabled.iter().copied().find(|vcpu| *vcpu >= least);
    from(first).or_else(|| from(0)).unwrap_or(stopped)
}

/// Somebody other than [`default_next`] goes on after one stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// Number of the stop in the run.
    pub index: u64,
    /// The vCPU that goes on.
    pub next: u32,
}

/// Which vCPU goes on at each stop: the default, but for these decisions.
///
/// On one machine and one program a schedule determines the run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Ascending by index, each index once.
    pub decisions: Vec<Decision>,
}

impl Schedule {
    /// The decisions of a run.
    #[must_use]
    pub fn of(trace: &Trace) -> Self {
        let decisions = trace.steps.iter().enumerate().filter_map(|(index, step)| {
            let departs = step.next != default_next(&step.choice(index));
            departs.then_some(Decision {
                index: index as u64,
                next: step.next,
            })
        });
        Self {
            decisions: decisions.collect(),
        }
    }

    /// A strategy that decides as this schedule says. A decision for a vCPU that cannot go on is passed over.
    #[must_use]
    pub fn strategy(self) -> Decided {
        Decided {
            schedule: self,
            at: 0,
        }
    }
}

/// Decides as a [`Schedule`] says.
#[derive(Clone, Debug)]
pub struct Decided {
    schedule: Schedule,
    /// The first decision that is not behind.
    at: usize,
}

impl Strategy for Decided {
    fn choose(&mut self, choice: &Choice<'_>) -> u32 {
        let index = choice.index as u64;
        while let Some(decision) = self.schedule.decisions.get(self.at) {
            if decision.index > index {
                break;
            }
            self.at += 1;
            if decision.index == index && choice.enabled.contains(&decision.next) {
                return decision.next;
            }
        }
        default_next(choice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use relaybed_case::place::{Place, Stop};
    use relaybed_case::trace::Step;

    #[test]
    fn the_one_that_stopped_goes_on_else_the_next_in_the_ring() {
        let next = |place, enabled| {
            let stop = Stop { vcpu: 1, place };
            default_next(&Choice {
                index: 0,
                stop: &stop,
                enabled,
            })
        };
        assert_eq!(next(Place::Tick, &[0, 1, 2]), 1);
        assert_eq!(next(Place::Idle, &[0, 2]), 2);
        assert_eq!(next(Place::Idle, &[0]), 0);
        assert_eq!(next(Place::Waits, &[0, 1, 2]), 2);
        assert_eq!(next(Place::Waits, &[0, 1]), 0);
        assert_eq!(next(Place::Waits, &[1]), 1);
    }

    #[test]
    fn a_schedule_decides_as_the_run_it_was_taken_of() {
        let step = |vcpu, enabled: &[u32], next| Step {
            stop: Stop {
                vcpu,
                place: Place::Tick,
            },
            enabled: enabled.to_vec(),
            next,
            order: 0,
        };
        let trace = Trace {
            steps: vec![
                step(0, &[0, 1], 1),
                step(1, &[0, 1], 1),
                step(1, &[0], 0),
                step(0, &[0, 1], 1),
                step(1, &[0, 1], 0),
            ],
            ..Trace::default()
        };
        let schedule = Schedule::of(&trace);
        let indices: Vec<u64> = schedule.decisions.iter().map(|d| d.index).collect();
        assert_eq!(indices, [0, 3, 4]);
        let mut strategy = schedule.strategy();
        for (index, step) in trace.steps.iter().enumerate() {
            let choice = step.choice(index);
            assert_eq!(strategy.choose(&choice), step.next, "step {index}");
        }
        assert_eq!(trace.switches(), 4);
    }
}
