//! Random priorities with few changes: races of small depth, each with a known least chance.
//!
//! Burckhardt, Kothari, Musuvathi, Nagarakatte: *A Randomized Scheduler with Probabilistic Guarantees of
//! Finding Bugs* (ASPLOS 2010). Every vCPU gets a priority, the enabled one of the highest runs, and at
//! d - 1 places drawn from the run's k the vCPU that runs there falls below all others. A race of depth d
//! (d orders between pairs of places are enough to make it happen) among n vCPUs is then found by one
//! schedule with probability at least
//!
//! > 1 / (n · k^(d-1))
//!
//! whatever the program. Most races are shallow, and for those this beats deciding by lot at every place.

use super::strategy::Strategy;
use crate::generate::random::Random;
use relaybed_case::place::Place;
use relaybed_case::trace::Choice;

/// What the bound is computed from, and what a schedule is drawn for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PctShape {
    /// n: vCPUs that the program runs on.
    pub vcpus: u32,
    /// k: switch points of a run, estimated from one.
    pub places: u64,
    /// d: depth of the races looked for, at least 1.
    pub depth: u32,
}

impl PctShape {
    /// The least probability with which one schedule shows a race of this depth.
    #[must_use]
    pub fn least_chance(&self) -> f64 {
        let exponent = i32::try_from(self.depth.saturating_sub(1)).unwrap_or(i32::MAX);
        // Counts of places are far below 2^52.
        let places = self.places.max(1) as f64;
        1.0 / (f64::from(self.vcpus.max(1)) * places.powi(exponent))
    }
}

/// One schedule of random priorities.
#[derive(Clone, Debug)]
pub struct Pct {
    /// Priority of each vCPU; higher goes first. Never equal.
    priorities: Vec<i64>,
    /// Numbers of switch points at which the running vCPU falls, ascending.
    changes: Vec<u64>,
    /// Switch points passed.
    passed: u64,
    /// Below all priorities given so far.
    lowest: i64,
}

impl Pct {
    /// Schedule number `seed` for runs of this shape.
    #[must_use]
    pub fn new(seed: u64, shape: &PctShape) -> Self {
        let mut random = Random::new(seed, STREAM);
        let mut priorities: Vec<i64> = (1..=i64::from(shape.vcpus)).collect();
        for last in (1..priorities.len()).rev() {
            priorities.swap(last, random.index(last + 1));
        }
        let mut changes: Vec<u64> = (1..shape.depth)
            .map(|_| random.between(1, shape.places.max(1)))
            .collect();
        changes.sort_unstable();
        Self {
            priorities,
            changes,
            passed: 0,
            lowest: 0,
        }
    }

    fn fall(&mut self, vcpu: u32) {
        self.lowest -= 1;
        if let Some(priority) = self.priorities.get_mut(vcpu as usize) {
            *priority = self.lowest;
        }
    }
}

impl Strategy for Pct {
    fn choose(&mut self, choice: &Choice<'_>) -> u32 {
        let stopped = choice.stop.vcpu;
        if choice.stop.place.is_switch_point() {
            self.passed += 1;
            if self.changes.contains(&self.passed) {
                self.fall(stopped);
            }
        } else if choice.stop.place == Place::Waits {
            // Whoever it waits for must come to run, or the highest priority would spin for ever.
            self.fall(stopped);
        }
        let priority = |vcpu: &u32| self.priorities.get(*vcpu as usize).copied();
        let highest = choice.enabled.iter().copied().max_by_key(priority);
        highest.unwrap_or(stopped)
    }
}

/// Keeps the numbers drawn here apart from those that other rooms draw of the same seed.
const STREAM: u64 = 0x70_6374;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_is_the_papers() {
        let chance = |vcpus, places, depth| {
            PctShape {
                vcpus,
                places,
                depth,
            }
            .least_chance()
        };
        assert!((chance(2, 100, 1) - 0.5).abs() < 1e-12);
        assert!((chance(2, 100, 2) - 0.005).abs() < 1e-12);
        assert!((chance(4, 10, 3) - 0.0025).abs() < 1e-12);
    }

    #[test]
    fn priorities_are_a_permutation_and_every_one_of_them_comes() {
        let shape = PctShape {
            vcpus: 3,
            places: 40,
            depth: 4,
        };
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..200 {
            let drawn = Pct::new(seed, &shape);
            let mut sorted = drawn.priorities.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, [1, 2, 3]);
            assert_eq!(drawn.changes.len(), 3);
            assert!(drawn.changes.iter().all(|at| (1..=40).contains(at)));
            seen.insert(drawn.priorities);
        }
        assert_eq!(seen.len(), 6);
    }
}
