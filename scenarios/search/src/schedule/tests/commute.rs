//! What is left out because it commutes would have shown nothing else.

use std::collections::BTreeSet;

use proptest::prelude::*;

use crate::schedule::{Explorer, Kind, Schedule, Strategy as Schedules};
use relaybed_case::access::{Access, AccessKind, Code};
use relaybed_case::field::Field;
use relaybed_case::place::{Place, Stop};
use relaybed_case::trace::{Accessed, Choice, Step, Trace};

/// An access: the member, what it does to it, and what it adds.
type Op = (usize, AccessKind, u64);

const MEMBERS: [Field; 4] = [
    Field::Produced,
    Field::Consumed,
    Field::BytesConsumed,
    Field::Offset,
];

/// What each vCPU loaded, and what was left.
type End = (Vec<Vec<u64>>, [u64; 4]);

/// Runs one program a vCPU, with a stop behind each access.
fn run(programs: &[Vec<Op>], recorded: bool, strategy: &mut dyn Schedules) -> (End, Trace) {
    let mut members = [0_u64; 4];
    let mut loaded = vec![Vec::new(); programs.len()];
    let mut at = vec![0; programs.len()];
    let mut trace = Trace::default();
    let mut stop = Stop {
        vcpu: 0,
        place: Place::Operation { actor: 0, op: 0 },
    };
    loop {
        let enabled: Vec<u32> = (0_u32..)
            .zip(programs)
            .filter(|(vcpu, program)| at[*vcpu as usize] <= program.len())
            .map(|(vcpu, _)| vcpu)
            .collect();
        if enabled.is_empty() {
            return ((loaded, members), trace);
        }
        let choice = Choice {
            index: trace.steps.len(),
            stop: &stop,
            enabled: &enabled,
        };
        let vcpu = strategy.choose(&choice);
        trace.steps.push(Step::of(&choice, vcpu));
        let of = vcpu as usize;
        let op = at[of];
        at[of] += 1;
        let Some(&(member, kind, adds)) = programs[of].get(op) else {
            let place = Place::Idle;
            stop = Stop { vcpu, place };
            continue;
        };
        let before = members[member];
        if kind.loads() {
            loaded[of].push(before);
        }
        if kind.stores() {
            let base = if kind.loads() { before } else { 0 };
            members[member] = base + adds;
        }
        if recorded {
            let access = access(vcpu, op, (member, kind, adds), (before, members[member]));
            let before = trace.steps.len();
            trace.accesses.push(Accessed {
                before,
                vcpu,
                access,
                order: 0,
            });
        }
        stop = Stop {
            vcpu,
            place: Place::Data {
                channel: 0,
                cpu: 0,
                field: MEMBERS[member],
                write: kind.stores(),
            },
        };
    }
}

fn access(vcpu: u32, op: usize, (member, kind, _): Op, (before, after): (u64, u64)) -> Access {
    Access {
        channel: 0,
        cpu: 0,
        field: MEMBERS[member],
        slot: None,
        kind,
        before,
        after,
        by: Code {
            symbol: format!("relay_{vcpu}"),
            offset: op as u64,
        },
    }
}

/// All that the search shows, how many runs it took, and how many it left out.
fn ends(programs: &[Vec<Op>], recorded: bool, preemptions: u32) -> (BTreeSet<End>, u64, u64) {
    let (end, first) = run(programs, recorded, &mut Schedule::default().strategy());
    let kind = Kind::Dfs { preemptions };
    let mut explorer = Explorer::new(kind, 0..u64::MAX, &first);
    let (mut ends, mut runs) = (BTreeSet::from([end]), 1);
    while let Some(drawn) = explorer.draw() {
        let (end, trace) = run(programs, recorded, &mut drawn.clone());
        explorer.learn(&drawn, &trace);
        ends.insert(end);
        runs += 1;
    }
    let (left_out, over) = explorer.tried().unwrap();
    assert!(over, "nothing is left to be run");
    (ends, runs, left_out)
}

#[test]
fn loads_of_the_same_and_accesses_to_different_members_are_not_tried_both_ways() {
    use AccessKind::{Load, Store};
    // One adds to a count; the other looks at another one, again and again.
    let looks = vec![(0, Load, 0); 8];
    let apart = vec![vec![(1, Store, 1); 8], looks.clone()];
    let (ends_of_all, all, none) = ends(&apart, false, 1);
    let (same, few, left_out) = ends(&apart, true, 1);
    assert_eq!((&ends_of_all, none), (&same, 0));
    assert!(few < all && left_out > 0, "{few} of {all}, {left_out}");
    // Where one stores what the other loads, each place counts.
    let together = vec![vec![(0, Store, 1), (0, Store, 2), (0, Store, 3)], looks];
    let (_, all, _) = ends(&together, false, 1);
    assert_eq!(ends(&together, true, 1).1, all);
}

fn op() -> impl Strategy<Value = Op> {
    use AccessKind::{Load, LoadAndStore, Store};
    (
        0_usize..4,
        prop::sample::select(vec![Load, Store, LoadAndStore]),
        1_u64..4,
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_by_what_is_left_out(
        programs in prop::collection::vec(prop::collection::vec(op(), 1..6), 2..4),
        preemptions in 0_u32..3,
    ) {
        let (all, runs, _) = ends(&programs, false, preemptions);
        let (same, fewer, _) = ends(&programs, true, preemptions);
        prop_assert_eq!(all, same);
        prop_assert!(fewer <= runs);
        // A third could come in between.
        prop_assert!(programs.len() == 2 || fewer == runs);
    }
}
