//! Planted defects are found, and named first.

use relaybed_abi::{Plant, RecordHeader};

use super::cases::{NEW, OLD, all_cases, first, laps, race};
use crate::forge::{Spoil, plant, synthesize};
use crate::identify::Writers;
use crate::parse::{FaultKind, Parser, Text};
use crate::{judge, pick_plant, property_of};
use relaybed_case::Mode;
use relaybed_case::verdict::Verdict;

#[test]
fn clean_evidence_passes() {
    for case in all_cases() {
        for linux in [OLD, NEW] {
            let evidence = synthesize(&case, linux, 2);
            let (verdict, amount) = judge(&case, &evidence);
            assert_eq!(verdict, Verdict::Passed, "{case:#?}");
            assert!(amount.records > 0 && amount.bytes > 0);
        }
    }
}

#[test]
fn each_planted_defect_is_named_first_where_the_model_is_exact() {
    for kind in Plant::ALL.iter().filter(|kind| **kind != Plant::None) {
        for mode in [Mode::Overwrite, Mode::NoOverwrite] {
            let case = laps(mode);
            let picked = pick_plant(&case, *kind, OLD, 2);
            // A record that strayed to a CPU which laps its buffer may be gone by the end.
            let by_chance = (*kind, mode) == (Plant::WrongCpu, Mode::Overwrite);
            assert_eq!(picked.is_some(), !by_chance, "{kind:?} {mode:?}");
        }
    }
}

#[test]
fn each_planted_defect_is_named_first_where_only_invariants_hold() {
    for kind in Plant::ALL.iter().filter(|kind| **kind != Plant::None) {
        let picked = pick_plant(&race(), *kind, OLD, 2);
        assert!(picked.is_some(), "{kind:?}");
    }
}

#[test]
fn most_records_show_the_defect_not_only_the_picked_one() {
    let case = laps(Mode::Overwrite);
    for kind in Plant::ALL.iter().filter(|kind| **kind != Plant::None) {
        let mut wrong = Vec::new();
        for seq in 85..98 {
            let spoil = Spoil {
                kind: *kind,
                // The producer that runs last in a forged run: nothing laps its records.
                actor: 1,
                seq,
            };
            let evidence = plant(&case, OLD, 2, spoil);
            let found = first(&case, &evidence);
            if found != property_of(*kind) {
                wrong.push((seq, found));
            }
        }
        assert!(wrong.len() <= 1, "{kind:?}: {wrong:?}");
    }
}

#[test]
fn a_stale_slot_is_one_whoever_wrote_the_records_around_it() {
    let case = race();
    let evidence = synthesize(&case, OLD, 2);
    let bytes = &evidence.observations[0].channels[0].buffers[0].bytes;
    let of = |actor: u16| {
        let at = (0..bytes.len()).filter_map(move |at| {
            let header = RecordHeader::parse(&bytes[at..]).ok()?;
            (header.actor == actor).then(|| &bytes[at..at + header.len as usize])
        });
        at.take(3)
    };
    // In turn, as if they had interrupted one another; the second of the first actor is not there.
    let mut mixed = Vec::new();
    for (index, (one, other)) in of(0).zip(of(1)).enumerate() {
        match index {
            1 => mixed.resize(mixed.len() + one.len(), 0),
            _ => mixed.extend(one),
        }
        mixed.extend(other);
    }
    let fill = u32::try_from(mixed.len()).unwrap();
    mixed.resize(1024, 0);
    let writers = Writers::of(&case);
    let mut parser = Parser::new(&case, &writers);
    let text = Text {
        bytes: &mixed,
        fill,
        expected: None,
        before: &[],
        header_bytes: 0,
        produced: Some(0),
        channel: 0,
        cpu: 0,
        may_be_cut: false,
    };
    parser.parse(text, 0, 0, false);
    let faults: Vec<_> = parser.faults.iter().map(|f| (f.kind, f.record)).collect();
    assert_eq!(faults, [(FaultKind::Stale, Some((0, 1)))]);
    assert_eq!(parser.records.len(), 5);
}

#[test]
fn wrong_cpu_does_not_apply_to_one_cpu() {
    let mut one = laps(Mode::Overwrite);
    one.actors.truncate(1);
    assert_eq!(pick_plant(&one, Plant::WrongCpu, OLD, 1), None);
}
