//! Races of known depth are found as often as the strategies promise.

use std::collections::HashSet;

use proptest::prelude::*;

use super::machine::{End, Op, is_lost, is_seen_twice, lost_update, run, two_glances};
use crate::schedule::{Coverage, Drawn, Explorer, Kind, Lot, Pct, PctShape, Schedule};
use relaybed_case::trace::Trace;

fn first_run(programs: &[Vec<Op>]) -> Trace {
    run(programs, &mut Schedule::default().strategy()).1
}

/// Draws until none is left and tells each run.
fn explore(
    programs: &[Vec<Op>],
    kind: Kind,
    count: u64,
    mut each: impl FnMut(&Drawn, &End, &Trace),
) -> Explorer {
    let mut explorer = Explorer::new(kind, 0..count, &first_run(programs));
    while let Some(drawn) = explorer.draw() {
        let (end, trace) = run(programs, &mut drawn.clone());
        explorer.learn(&drawn, &trace);
        each(&drawn, &end, &trace);
    }
    explorer
}

#[test]
fn the_default_schedule_shows_no_race() {
    for programs in [lost_update(), two_glances()] {
        let (end, trace) = run(&programs, &mut Schedule::default().strategy());
        assert!(!is_lost(&end) && !is_seen_twice(&end), "{end:?}");
        assert_eq!(Schedule::of(&trace), Schedule::default());
    }
}

#[test]
fn priorities_find_races_at_least_as_often_as_promised() {
    type Race = (Vec<Vec<Op>>, u32, fn(&End) -> bool);
    let races: [Race; 2] = [
        (lost_update(), 2, is_lost),
        (two_glances(), 3, is_seen_twice),
    ];
    for (programs, depth, is_it) in races {
        let mut found = 0_u32;
        let kind = Kind::Pct { depth };
        let explorer = explore(&programs, kind, 20_000, |_, end, _| {
            found += u32::from(is_it(end));
        });
        let promised = explorer.pct().unwrap().least_chance();
        let seen = f64::from(found) / 20_000.0;
        assert!(seen >= promised, "depth {depth}: {seen} < {promised}");
        // The races are real ones: not every schedule shows them.
        assert!(seen < 0.5, "depth {depth}: {seen}");
    }
}

#[test]
fn priorities_of_too_little_depth_do_not_find_it() {
    let (programs, shape) = (two_glances(), Kind::Pct { depth: 2 });
    explore(&programs, shape, 2_000, |drawn, end, _| {
        assert!(!is_seen_twice(end), "seed {}", drawn.seed);
    });
}

#[test]
fn lots_find_a_shallow_race_as_well() {
    let mut found = 0;
    explore(&lost_update(), Kind::Random, 2_000, |_, end, _| {
        found += u32::from(is_lost(end));
    });
    assert!((20..1_800).contains(&found), "{found} of 2000");
}

#[test]
fn a_lock_is_no_dead_end_for_any_strategy() {
    let critical = [Op::Lock, Op::Nop, Op::Load(0), Op::StoreNext(0), Op::Unlock];
    let programs = vec![critical.to_vec(), critical.to_vec(), critical.to_vec()];
    for kind in [
        Kind::Pct { depth: 4 },
        Kind::Random,
        Kind::Dfs { preemptions: 2 },
    ] {
        explore(&programs, kind, 500, |drawn, end, _| {
            assert_eq!(end.variables[0], 3, "{kind:?} {}", drawn.seed);
            assert!(!end.stuck);
        });
    }
}

#[test]
fn one_preemption_is_enough_for_depth_two_and_two_for_depth_three() {
    type Race = (Vec<Vec<Op>>, u32, fn(&End) -> bool);
    let races: [Race; 2] = [
        (lost_update(), 1, is_lost),
        (two_glances(), 2, is_seen_twice),
    ];
    for (programs, needed, is_it) in races {
        let steps: usize = programs.iter().map(Vec::len).sum();
        for preemptions in 0..=needed {
            let mut shown = 0;
            let mut runs = 0;
            explore(
                &programs,
                Kind::Dfs { preemptions },
                u64::MAX,
                |_, end, _| {
                    runs += 1;
                    shown += u32::from(is_it(end));
                },
            );
            assert_eq!(
                shown > 0,
                preemptions == needed,
                "{preemptions} of {needed}"
            );
            // As many as the places, to the power of the preemptions, and a few.
            let power = u32::try_from(steps).unwrap().pow(preemptions);
            assert!(runs <= 2 * power, "{runs} runs, {power}");
        }
    }
}

/// a choose b.
fn binomial(a: u64, b: u64) -> u64 {
    (1..=b).fold(1, |product, i| product * (a - b + i) / i)
}

proptest! {
    #[test]
    fn the_search_runs_every_schedule_once_and_the_cheap_ones_first(
        first in 1_usize..6,
        second in 1_usize..6,
    ) {
        let programs = vec![vec![Op::Nop; first], vec![Op::Nop; second]];
        let mut traces = HashSet::new();
        let first_trace = first_run(&programs);
        traces.insert(first_trace.digest());
        let mut coverage = Coverage::default();
        prop_assert!(coverage.add(&first_trace));
        prop_assert!(!coverage.add(&first_trace));
        let mut search = crate::schedule::Search::new(&first_trace, usize::MAX);
        let mut before = 0;
        while let Some(candidate) = search.draw() {
            let (_, trace) = run(&programs, &mut candidate.schedule.clone().strategy());
            prop_assert!(traces.insert(trace.digest()), "{candidate:?} came twice");
            prop_assert!(coverage.add(&trace));
            let preempting = trace.steps.iter().filter(|step| step.preempts()).count();
            prop_assert_eq!(preempting, candidate.preemptions);
            prop_assert!(preempting >= before);
            before = preempting;
            prop_assert_eq!(&Schedule::of(&trace), &candidate.schedule);
            search.learn(&candidate, &trace);
        }
        let all = binomial((first + second) as u64, first as u64);
        prop_assert_eq!(traces.len() as u64, all);
        prop_assert_eq!(coverage.covered().distinct, all);
        prop_assert_eq!(coverage.covered().runs, all + 1);
        // Each vCPU stops before every operation but the first, which only the first vCPU's is a stop.
        prop_assert!(coverage.covered().places <= (first + second) as u64);
        prop_assert!(coverage.covered().switched <= coverage.covered().places);
    }

    #[test]
    fn a_seed_gives_the_same_run_again(seed in any::<u64>(), depth in 1_u32..6) {
        let programs = two_glances();
        let shape = PctShape { vcpus: 2, places: 30, depth };
        let pct = || run(&programs, &mut Pct::new(seed, &shape));
        prop_assert_eq!(pct(), pct());
        let lot = || run(&programs, &mut Lot::new(seed));
        prop_assert_eq!(lot(), lot());
        // Priorities make few switches: one a change, and those that the end of a program makes.
        prop_assert!(pct().1.switches() <= depth as usize + 1);
    }
}
