//! What was recorded runs again, and what is another run is noticed and located.

use proptest::prelude::*;

use super::machine::{Op, lost_update, run};
use crate::schedule::{Checked, Divergence, Lot, Marks, Replay, Schedule};
use relaybed_case::trace::Trace;

fn recorded(seed: u64) -> Trace {
    run(&lost_update(), &mut Lot::new(seed)).1
}

#[test]
fn the_first_step_that_differs_is_named() {
    let trace = recorded(1);
    let mut shorter = lost_update();
    // The second vCPU's program ends two operations earlier.
    shorter[1].truncate(16);
    let mut replay = Replay::new(&trace);
    run(&shorter, &mut replay);
    let divergence = replay.end().unwrap();
    let Divergence::Stop {
        index,
        expected,
        seen,
    } = &divergence
    else {
        panic!("{divergence}");
    };
    assert_eq!(expected, &trace.steps[*index].stop);
    assert_eq!(
        expected.to_string(),
        "vCPU 1 at actor 1 before operation 16"
    );
    assert_eq!(seen.to_string(), "vCPU 1 at idle");
    assert_eq!(
        divergence.to_string(),
        format!("stop {index}: {seen}; recorded was {expected}")
    );
}

#[test]
fn other_work_and_other_lengths_are_divergences_too() {
    let mut trace = recorded(2);
    let length = trace.steps.len();
    let mut replay = Replay::new(&trace);
    let mut longer = lost_update();
    longer[0].push(Op::Nop);
    longer[1].push(Op::Nop);
    run(&longer, &mut replay);
    assert!(replay.end().is_some());

    let cut = Trace {
        steps: trace.steps[..length - 3].to_vec(),
        ..Trace::default()
    };
    let mut replay = Replay::new(&cut);
    run(&lost_update(), &mut replay);
    let expected = length - 3;
    let seen = length;
    assert_eq!(replay.end(), Some(Divergence::Length { expected, seen }));

    trace.steps[4].enabled = vec![0];
    let mut replay = Replay::new(&trace);
    run(&lost_update(), &mut replay);
    let end = replay.end();
    assert!(
        matches!(end, Some(Divergence::Enabled { index: 4, .. })),
        "{end:?}"
    );

    trace.steps[4].enabled = vec![0, 1];
    trace.steps[4].next = 7;
    let mut replay = Replay::new(&trace);
    run(&lost_update(), &mut replay);
    let end = replay.end();
    assert!(
        matches!(
            end,
            Some(Divergence::Decision {
                index: 4,
                next: 7,
                ..
            })
        ),
        "{end:?}"
    );
}

#[test]
fn marks_tell_the_stretch() {
    let trace = recorded(3);
    let (schedule, marks) = (Schedule::of(&trace), Marks::of(&trace));
    assert_eq!(marks.digests.len() as u64, Marks::count(marks.stops));
    for vcpu in 0..2 {
        let mut shorter = lost_update();
        // Early enough that the other one still runs.
        shorter[vcpu].truncate(8);
        let mut exact = Replay::new(&trace);
        run(&shorter, &mut exact);
        let end = exact.end();
        let Some(Divergence::Stop { index, .. }) = end else {
            panic!("{end:?}");
        };
        let mut checked = Checked::new(schedule.clone(), &marks);
        run(&shorter, &mut checked);
        let end = checked.end();
        let Some(Divergence::Stretch { from, to }) = end else {
            panic!("{end:?}");
        };
        assert!((from..=to).contains(&index), "{index} in {from} to {to}");
        assert!(to - from < 3, "{from} to {to}");
    }
}

#[test]
fn no_stops_have_no_marks() {
    let marks = Marks::of(&Trace::default());
    assert_eq!(marks, Marks::default());
    assert_eq!(Marks::count(0), 0);
    assert_eq!(Checked::new(Schedule::default(), &marks).end(), None);
}

proptest! {
    #[test]
    fn what_was_recorded_runs_again(seed in any::<u64>()) {
        let programs = lost_update();
        let (end, trace) = run(&programs, &mut Lot::new(seed));
        let mut replay = Replay::new(&trace);
        prop_assert_eq!(&run(&programs, &mut replay), &(end.clone(), trace.clone()));
        prop_assert_eq!(replay.end(), None);
        let marks = Marks::of(&trace);
        let mut checked = Checked::new(Schedule::of(&trace), &marks);
        prop_assert_eq!(run(&programs, &mut checked), (end, trace));
        prop_assert_eq!(checked.end(), None);
    }

    #[test]
    fn every_number_of_stops_has_its_marks(count in 0_usize..200) {
        let one = recorded(0);
        let steps = one.steps.iter().cycle().take(count).cloned().collect();
        let marks = Marks::of(&Trace {
            steps,
            ..Trace::default()
        });
        prop_assert_eq!(marks.digests.len() as u64, Marks::count(count as u64));
        prop_assert!(marks.digests.len() <= 16);
    }
}
