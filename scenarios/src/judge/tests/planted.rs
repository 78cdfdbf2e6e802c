//! Planted defects are found, and named first.

use relaybed_abi::Plant;

use super::cases::{NEW, OLD, all_cases, first, laps, race};
use crate::case::Mode;
use crate::judge::forge::{Spoil, plant, synthesize};
use crate::judge::{judge, pick_plant, property_of};
use crate::verdict::Verdict;

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
fn wrong_cpu_does_not_apply_to_one_cpu() {
    let mut one = laps(Mode::Overwrite);
    one.actors.truncate(1);
    assert_eq!(pick_plant(&one, Plant::WrongCpu, OLD, 1), None);
}
