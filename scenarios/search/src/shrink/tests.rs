//! Whatever the predicate: the result fails, is no larger, and a file can say it.

use proptest::prelude::*;

use super::{Answer, shrink, size};
use crate::generate::{Family, Limits, case, line_of};
use relaybed_case::{Case, Op};
use relaybed_lang::{load, write};

fn limits(family: Family) -> Limits {
    Limits {
        vcpus: 2,
        linux_version: 6 << 16 | 1 << 8,
        family: Some(family),
    }
}

fn count(case: &Case, wanted: fn(&Op) -> bool) -> usize {
    let ops = case.actors.iter().flat_map(|actor| &actor.ops);
    ops.filter(|op| wanted(op)).count()
}

const PREDICATES: [fn(&Case) -> bool; 4] = [
    |case| count(case, |op| matches!(op, Op::Flush { .. })) >= 2,
    |case| {
        count(
            case,
            |op| matches!(op, Op::FileRead { size, .. } if *size > 3),
        ) >= 1
    },
    |case| case.channels.iter().any(|c| c.subbuf_size > 20) && !case.actors.is_empty(),
    |case| case.actors.len() > 1,
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn what_fails_still_fails_and_is_small(seed in any::<u64>(), which in 0usize..4, mixed in any::<bool>()) {
        let family = if mixed { Family::Concurrent } else { Family::Sequential };
        let fails = PREDICATES[which];
        let large = case(seed, 0, &limits(family));
        prop_assume!(fails(&large));
        let small = shrink(&large, &mut |case| {
            let text = write(case).unwrap();
            let again = load(&case.name, &text).unwrap_or_else(|error| panic!("{error:?}\n{text}"));
            assert_eq!(&again[0], case);
            if fails(case) { Answer::Fails } else { Answer::Holds }
        });
        prop_assert!(fails(&small));
        prop_assert!(size(&small) <= size(&large));
        if line_of(&large).is_some() {
            prop_assert!(line_of(&small).is_some(), "the order is kept");
        }
        match which {
            0 => prop_assert_eq!(count(&small, |_| true), 2),
            2 => prop_assert!(small.channels.iter().any(|c| c.subbuf_size == 21)),
            _ => {}
        }
    }
}

#[test]
fn time_that_is_up_ends_it() {
    let large = case(1, 0, &limits(Family::Sequential));
    let mut asked = 0;
    let same = shrink(&large, &mut |_| {
        asked += 1;
        Answer::Stop
    });
    assert_eq!((same, asked), (large, 1));
}

/// A file opened for writing names a CPU too: forgotten, no smaller case could be said.
#[test]
fn a_cpu_that_only_an_opening_names_stays() {
    let large = case(13_773_246_886_024_304_999, 0, &limits(Family::Sequential));
    let small = shrink(&large, &mut |case| match PREDICATES[2](case) {
        true => Answer::Fails,
        false => Answer::Holds,
    });
    assert!(size(&small) < size(&large));
}

/// What is left of two orders may be in one, with gates that nobody needs any more.
#[test]
fn a_signal_that_nobody_waits_for_goes() {
    let large = case(17_361_504_094_785_497_602, 0, &limits(Family::Concurrent));
    let small = shrink(&large, &mut |case| match PREDICATES[0](case) {
        true => Answer::Fails,
        false => Answer::Holds,
    });
    assert_eq!(count(&small, |_| true), 2);
}
