//! Cases as scenes.

use relaybed_case::field::Field;
use relaybed_case::{Case, Turn, Until};
use relaybed_contract::Behaviour;
use relaybed_twin::search::{Broken, Stop, ThreadTurn, Wait, interleave, survey};
use relaybed_twin::{AsBuilt, Defect, Defects, defects_of};

use super::{Modelled, NotModelled, scenes};
use crate::schedule::READER_AND_WRITER;

/// `LINUX_VERSION_CODE` of 6.1.192.
const V6_1: u32 = 0x0006_01c0;

fn built() -> AsBuilt {
    AsBuilt {
        behaviour: Behaviour::of(V6_1),
        defects: defects_of(V6_1),
    }
}

fn case(text: &str) -> Case {
    relaybed_lang::load("t", text).unwrap().remove(0)
}

/// The scenarios that `explore` is tried on.
const BESIDE_WRITER: &str = include_str!("../../../../fixtures/explore/reader-beside-writer.toml");
const BESIDE_A_SWITCH: &str =
    include_str!("../../../../fixtures/explore/reader-beside-a-switch.toml");

fn scene_of(case: &Case) -> Modelled {
    let mut all = scenes(case, &built()).unwrap();
    assert_eq!(all.len(), 1);
    all.remove(0)
}

/// A writer of six records of half a sub-buffer, and a reader of two reads of three quarters.
#[test]
fn sizes_become_small_and_the_last_reads_are_the_end_of_the_scene() {
    let modelled = scene_of(&case(BESIDE_WRITER));
    assert_eq!((modelled.unit, modelled.channel, modelled.cpu), (16, 0, 0));
    let geometry = modelled.scene.set.geometry;
    assert_eq!((geometry.subbuf_size, geometry.n_subbufs), (4, 2));
    let lens: Vec<usize> = modelled.scene.threads.iter().map(Vec::len).collect();
    assert_eq!(lens, [6, 2]);
    assert_eq!(modelled.scene.waits, []);
    assert_eq!(modelled.actors().collect::<Vec<_>>(), ["writer", "reader"]);
    assert!(modelled.scene.set.defects.has(Defect::K2));
}

#[test]
fn what_gates_order_is_ordered_in_the_scene() {
    let modelled = scene_of(&case(BESIDE_A_SWITCH));
    let wait = |thread, op, on, done| Wait {
        thread,
        op,
        on,
        done,
    };
    // The reader reads behind the first record, the writer goes on behind the first read.
    assert_eq!(modelled.scene.waits, [wait(0, 1, 1, 1), wait(1, 0, 0, 1)]);
    let tried = interleave(&modelled.scene.with(Defects::NONE), 100_000).unwrap();
    assert!(!tried.is_cut && tried.interleavings > 1.0 && tried.violations.is_empty());
}

#[test]
fn a_race_that_is_known_is_found_by_trying_all_and_put_down_to_its_cause() {
    let modelled = scene_of(&case(BESIDE_A_SWITCH));
    let survey = survey(&modelled.scene, 100_000).unwrap();
    assert!(!survey.as_is.is_cut && survey.as_is.broken > 0.0);
    assert_eq!(survey.fixed.violations, []);
    let k33 = [Defects::of(&[Defect::K33])];
    let mut found = survey.found.iter();
    let found = found.find(|found| found.causes == k33).unwrap();
    assert_eq!(found.broken, Broken::NeverWritten);
    let schedules = modelled.schedules(found);
    assert!(!schedules.is_empty());
    for scheduled in schedules {
        // What is written down is read as the same.
        let text = relaybed_lang::write(&scheduled).unwrap();
        assert_eq!(case(&text).schedule, scheduled.schedule);
    }
}

/// Signals and waits take no time in the model: in the schedule they are made where they can be.
#[test]
fn actors_pass_gates_between_the_turns_that_were_found() {
    let modelled = scene_of(&case(BESIDE_A_SWITCH));
    let turns = [
        ThreadTurn {
            thread: 0,
            until: Stop::Before(1),
        },
        ThreadTurn {
            thread: 1,
            until: Stop::Before(1),
        },
        ThreadTurn {
            thread: 0,
            until: Stop::Access {
                field: Field::Produced,
                write: true,
                hit: 1,
            },
        },
        ThreadTurn {
            thread: 1,
            until: Stop::Before(2),
        },
    ];
    let scheduled = modelled.scheduled(&turns).unwrap();
    let turn = |actor, op| Turn {
        actor,
        until: Until::Before { op },
        hit: 1,
    };
    let within = Turn {
        actor: 0,
        until: Until::Access {
            channel: 0,
            cpu: 0,
            field: Field::Produced,
            write: true,
        },
        hit: 1,
    };
    // The reader opens and waits; the writer writes and signals; and so on.
    let expected = [
        turn(1, 1),
        turn(0, 1),
        turn(0, 2),
        turn(1, 2),
        turn(1, 3),
        turn(1, 4),
        turn(0, 3),
        within,
        turn(1, 5),
        // The rest, in the order of the actors.
        turn(0, 5),
        turn(1, 7),
    ];
    assert_eq!(scheduled.schedule, expected);
}

/// A part of a scenario that is searched, with one thing changed.
fn refused(from: &str, to: &str) -> NotModelled {
    let text = READER_AND_WRITER;
    assert!(scenes(&case(text), &built()).is_ok());
    assert!(text.contains(from));
    scenes(&case(&text.replace(from, to)), &built()).unwrap_err()
}

#[test]
fn what_is_not_modelled_is_said() {
    let actor = |name: &str| NotModelled::Actor {
        actor: name.to_owned(),
    };
    assert_eq!(refused("cpu = 1\n", ""), actor("reader"));
    assert_eq!(refused("cpu = 1\n", "cpu = 0\n"), actor("reader"));
    assert_eq!(
        refused("cpu = 0\n", "cpu = 0\ncontext = \"softirq\"\n"),
        actor("writer")
    );
    assert_eq!(
        refused("{ read = \"f\", size = 64 }", "{ stat = \"cpu\", cpu = 0 }"),
        NotModelled::Alone
    );
    assert_eq!(
        refused("size = 64 }", "size = 64, until = \"empty\" }"),
        NotModelled::Endless {
            actor: "reader".to_owned()
        }
    );
    assert_eq!(
        refused(
            "{ read = \"f\", size = 64 }",
            "{ mmap = \"f\", len = 4096 }"
        ),
        NotModelled::Op {
            actor: "reader".to_owned(),
            op: 1
        }
    );
    assert_eq!(
        refused("n_subbufs = 4\n", "n_subbufs = 4\nfiles = \"proxy\"\n"),
        NotModelled::Channel {
            channel: "cpu".to_owned()
        }
    );
    assert_eq!(
        refused("len = 64", "len = 33"),
        NotModelled::Sizes {
            unit: 1,
            ring: 256,
            records: 165
        }
    );
    assert_eq!(
        refused("count = 5", "count = 65"),
        NotModelled::Many {
            actors: 2,
            operations: 65
        }
    );
}
