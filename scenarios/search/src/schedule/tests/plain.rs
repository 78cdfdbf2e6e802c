//! Failing schedules become plain.

use proptest::prelude::*;

use super::machine::{End, Op, is_lost, is_seen_twice, lost_update, run, two_glances};
use crate::schedule::{Lot, Schedule, Tried, shrink};
use relaybed_case::trace::Trace;

/// The plainest run and how many it took.
fn plain(programs: &[Vec<Op>], failing: &Trace, fails: fn(&End) -> bool) -> (Trace, usize) {
    let mut runs = 0;
    let trace = shrink(failing, &mut |asked| {
        for (candidate, strategy) in asked.candidates.iter().enumerate() {
            runs += 1;
            let (end, trace) = run(programs, &mut strategy.clone());
            if fails(&end) && asked.is_plainer(&trace) {
                return Tried::Fails { candidate, trace };
            }
        }
        Tried::Hold
    });
    (trace, runs)
}

/// The runs of seeds that fail.
fn failing(programs: &[Vec<Op>], fails: fn(&End) -> bool) -> impl Iterator<Item = Trace> {
    (0..)
        .map(|seed| run(programs, &mut Lot::new(seed)))
        .filter(move |(end, _)| fails(end))
        .map(|(_, trace)| trace)
}

#[test]
fn no_more_decisions_are_left_than_the_race_needs_and_one_for_who_begins() {
    type Race = (Vec<Vec<Op>>, usize, fn(&End) -> bool);
    let races: [Race; 2] = [
        (lost_update(), 1, is_lost),
        (two_glances(), 2, is_seen_twice),
    ];
    for (programs, decisions, fails) in races {
        for found in failing(&programs, fails).take(20) {
            let (trace, runs) = plain(&programs, &found, fails);
            let schedule = Schedule::of(&trace);
            let left: Vec<u64> = schedule.decisions.iter().map(|d| d.index).collect();
            let begins = usize::from(left[0] == 0);
            assert_eq!(left.len(), decisions + begins, "{schedule:?}");
            assert!(runs < 400, "{runs} runs");
            // It is one that fails, not one that was thought to.
            let (end, again) = run(&programs, &mut schedule.strategy());
            assert!(fails(&end));
            assert_eq!(again, trace);
        }
    }
}

#[test]
fn it_stops_when_told() {
    let programs = lost_update();
    let found = failing(&programs, is_lost).next().unwrap();
    let mut left = 3;
    let trace = shrink(&found, &mut |_| {
        left -= 1;
        if left == 0 { Tried::Stop } else { Tried::Hold }
    });
    assert_eq!((trace, left), (found, 0));
}

proptest! {
    #[test]
    fn never_less_plain_and_always_an_end(seed in any::<u64>(), lies in any::<u64>()) {
        // Answers that have nothing to do with the schedule, as a machine that is not deterministic gives.
        let programs = two_glances();
        let (_, found) = run(&programs, &mut Lot::new(seed));
        let mut runs = 0_u64;
        let trace = shrink(&found, &mut |asked| {
            for (candidate, strategy) in asked.candidates.iter().enumerate() {
                runs += 1;
                let (_, trace) = run(&programs, &mut strategy.clone());
                if (lies >> (runs % 64)) & 1 == 1 {
                    return Tried::Fails { candidate, trace };
                }
            }
            Tried::Hold
        });
        prop_assert!(Schedule::of(&trace).decisions.len() <= Schedule::of(&found).decisions.len());
        prop_assert!(runs < 5_000, "{}", runs);
    }
}
