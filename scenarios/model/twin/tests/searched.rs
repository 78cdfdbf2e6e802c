//! The search: what is fixed is right in all interleavings, what is not fixed breaks the contract, and each
//! break is put down to its cause.

#![expect(
    clippy::unwrap_used,
    reason = "a test's helper fails the test by panicking"
)]

use relaybed_case::field::Field;
use relaybed_twin::search::{
    Broken, Found, Named, Numbers, Order, Scene, Stop, ThreadTurn, causes, draw, interleave,
    minimised, play, read, replay, scenes, survey,
};
use relaybed_twin::{Defect, Defects, Setting, Sites};

/// Moments that a search of these tests may visit.
const STATES: u64 = 20_000_000;

fn named(name: &str) -> Named {
    scenes(false)
        .into_iter()
        .find(|named| named.name == name)
        .unwrap()
}

fn all_is_right(scenes: Vec<Named>) -> (u64, u64) {
    let (mut states, mut count) = (0, 0);
    for Named { name, scene } in scenes {
        let tried = interleave(&scene.with(Defects::NONE), STATES).unwrap();
        assert!(!tried.is_cut, "{name}");
        assert!(
            tried.interleavings >= 1.0 && tried.moves >= tried.states - 1,
            "{name}"
        );
        assert_eq!(tried.violations, [], "{name}");
        states += tried.states;
        count += 1;
    }
    (states, count)
}

#[test]
fn with_every_defect_fixed_all_interleavings_of_twos_keep_the_contract() {
    let (states, count) = all_is_right(scenes(false));
    assert!(count > 1000 && states > 100_000);
}

/// About half a minute in release.
#[test]
#[ignore = "tens of millions of states"]
fn with_every_defect_fixed_all_interleavings_of_threes_keep_the_contract() {
    let (states, count) = all_is_right(scenes(true));
    assert!(count > 2000 && states > 10_000_000);
}

/// Every load that the source has is made: nothing is known again.
#[test]
fn the_fixes_hold_whatever_a_compiler_loads_again() {
    let mut some = scenes(false);
    some.retain(|named| named.name.starts_with("no-overwrite 2x2 header 0 "));
    for named in &mut some {
        named.scene.set.merged = Sites::SOURCE;
    }
    all_is_right(some);
}

/// Stores seen late, and additions in two halves.
#[test]
fn the_fixes_hold_where_cpus_run_in_parallel() {
    let mut some = scenes(false);
    some.retain(|named| {
        let is_small = named.name.contains("2x2 header 0 ");
        let who = named.name.rsplit(": ").next().unwrap();
        is_small && ["reserver + reader", "reader + flush", "flush + poll"].contains(&who)
    });
    for named in &mut some {
        named.scene.is_parallel = true;
    }
    let (_, count) = all_is_right(some);
    assert!(count >= 24);
}

/// A defect, a scene that shows it, and how.
const SHOWN: [(Defect, &str, Broken); 13] = [
    (
        Defect::K2,
        "no-overwrite 2x2 header 0 full: reserver + reader",
        Broken::Skipped,
    ),
    (
        Defect::K4,
        "no-overwrite 2x2 header 0 empty: close + poll",
        Broken::Asleep,
    ),
    (
        Defect::K9,
        "no-overwrite 2x2 header 0 partly filled: reader + flush",
        Broken::Short,
    ),
    (
        Defect::K31,
        "no-overwrite 2x2 header 0 read out: reserver + reader",
        Broken::Again,
    ),
    (
        Defect::K32,
        "no-overwrite 2x4 header 1 read out: reserver + reader",
        Broken::NeverWritten,
    ),
    (
        Defect::K33,
        "no-overwrite 2x2 header 0 read out: reader + flush",
        Broken::NeverWritten,
    ),
    (
        Defect::K37,
        "no-overwrite 2x2 header 0 full: reader + flush",
        Broken::Again,
    ),
    (
        Defect::K38,
        "no-overwrite 2x2 header 0 full: writer + reader",
        Broken::Short,
    ),
    (
        Defect::K39,
        "no-overwrite 2x2 header 0 partly filled: reader + flush",
        Broken::Short,
    ),
    (
        Defect::K40,
        "no-overwrite 2x2 header 0 empty: reserver + reader",
        Broken::NeverWritten,
    ),
    (
        Defect::K41,
        "no-overwrite 2x2 header 0 empty: writer + flush",
        Broken::Lost,
    ),
    (
        Defect::K42,
        "no-overwrite 2x2 header 0 full: reset + consumed",
        Broken::Range(relaybed_twin::Member::Consumed),
    ),
    (
        Defect::K7,
        "overwrite 2x2 header 0 refusing full: writer + flush",
        Broken::NotNewest,
    ),
];

#[test]
fn each_defect_alone_breaks_the_contract_and_is_named_as_the_cause() {
    for (defect, name, broken) in SHOWN {
        let Named { scene, .. } = named(name);
        let one = scene.with(Defects::of(&[defect]));
        let tried = interleave(&one, STATES).unwrap();
        let shown = tried.violations.iter().find(|v| v.broken == broken);
        let shown = shown.unwrap_or_else(|| panic!("{defect}: {:?}", tried.violations));
        assert!(tried.broken >= 1.0 && tried.broken <= tried.interleavings);
        let path = minimised(&one, &shown.path, broken);
        assert!(path.switches() <= shown.path.switches() + 1);
        assert_eq!(
            replay(&one, &path).unwrap().broken,
            Some(broken),
            "{defect}"
        );
        assert_eq!(
            causes(&one, Order::Path(&path)),
            [Defects::of(&[defect])],
            "{name}"
        );
    }
}

/// In a binary that loads the count again, a consumer beside a consumer counts beyond what was produced.
#[test]
fn a_count_that_is_loaded_again_is_k43() {
    let Named { mut scene, .. } = named("no-overwrite 2x2 header 0 full: consumed + consumed");
    scene.set.merged = Sites::SOURCE;
    let tried = interleave(
        &scene.with(Defects::of(&[Defect::K43, Defect::K44])),
        STATES,
    )
    .unwrap();
    let kinds: Vec<Broken> = tried.violations.iter().map(|v| v.broken).collect();
    assert_eq!(kinds, [Broken::Range(relaybed_twin::Member::Consumed)]);
    assert_eq!((tried.interleavings, tried.broken), (6.0, 4.0));
}

/// The schedules that are written down in the suites, on a buffer of four sub-buffers of one byte.
fn written(before: Vec<relaybed_twin::Op>, threads: Vec<Vec<relaybed_twin::Op>>) -> Scene {
    let Named { mut scene, .. } = named("no-overwrite 2x2 header 0 empty: writer + reader");
    scene.set.geometry.n_subbufs = 4;
    (scene.before, scene.threads) = (before, threads);
    scene.with(Scene::all_defects())
}

const fn reads(thread: u8, field: Field, hit: u32) -> ThreadTurn {
    ThreadTurn {
        thread,
        until: Stop::Access {
            field,
            write: false,
            hit,
        },
    }
}

const fn writes(thread: u8, field: Field, hit: u32) -> ThreadTurn {
    ThreadTurn {
        thread,
        until: Stop::Access {
            field,
            write: true,
            hit,
        },
    }
}

const fn before(thread: u8, op: u8) -> ThreadTurn {
    ThreadTurn {
        thread,
        until: Stop::Before(op),
    }
}

#[test]
fn written_schedules_break_as_they_are_known_to() {
    let mut numbers = Numbers::default();
    let first = numbers.write(2);
    let second = numbers.write(2);
    // The reader has all of the first sub-buffer, and comes again.
    let again = written(
        vec![first, read(2)],
        vec![vec![second], vec![read(2), read(64)]],
    );
    let starts_over = [reads(1, Field::Produced, 1), before(0, 1), before(1, 1)];
    let unwritten = [writes(0, Field::Produced, 1), before(1, 1)];
    let not_counted = [
        reads(1, Field::Produced, 3),
        writes(0, Field::Offset, 1),
        before(1, 1),
    ];
    let taken = written(vec![first], vec![vec![second], vec![read(2), read(64)]]);
    let in_the_switch = [writes(0, Field::Produced, 1), before(1, 1)];
    let full = written(
        (0..4).map(|_| numbers.write(2)).collect(),
        vec![vec![numbers.write(2)], vec![read(2)]],
    );
    let of = |defect| vec![Defects::of(&[defect])];
    let cases: [(&Scene, &[ThreadTurn], Broken, Vec<Defects>); 4] = [
        (&again, &starts_over, Broken::Short, of(Defect::K31)),
        (&again, &unwritten, Broken::NeverWritten, of(Defect::K33)),
        (&taken, &not_counted, Broken::Again, of(Defect::K37)),
        (&full, &in_the_switch, Broken::Skipped, of(Defect::K2)),
    ];
    for (scene, turns, broken, expected) in cases {
        assert_eq!(
            play(scene, turns).unwrap().broken,
            Some(broken),
            "{expected:?}"
        );
        assert_eq!(causes(scene, Order::Turns(turns)), expected);
        assert_eq!(
            play(&scene.with(Defects::NONE), turns).unwrap().broken,
            None
        );
    }
}

#[test]
fn a_violation_becomes_turns_of_a_schedule() {
    let Named { scene, .. } = named("no-overwrite 2x2 header 0 empty: reserver + reader");
    let survey = survey(&scene.with(Scene::all_defects()), STATES).unwrap();
    assert!(survey.shown.has(Defect::K40) && survey.fixed.violations.is_empty());
    assert!(survey.as_is.broken > 0.0);
    let is_it = |found: &&Found| found.causes == [Defects::of(&[Defect::K40])];
    let found = survey.found.iter().find(is_it).unwrap();
    assert_eq!(found.broken, Broken::NeverWritten);
    let turns = found.turns.clone().unwrap();
    assert_eq!(turns, [writes(0, Field::Offset, 1), before(1, 1)]);
    assert!(
        found
            .steps
            .iter()
            .any(|step| step.place == "relay_file_read()")
    );
}

#[test]
fn drawn_interleavings_are_the_same_for_the_same_seed_and_show_races() {
    let Named { scene, .. } = named("no-overwrite 2x2 header 0 full: writer + reader");
    let raw = scene.with(Scene::all_defects());
    let drawn = draw(&raw, 7, 2000).unwrap();
    assert_eq!(drawn, draw(&raw, 7, 2000).unwrap());
    assert_ne!(drawn.moves, draw(&raw, 8, 2000).unwrap().moves);
    assert!(drawn.broken > 10.0 && drawn.interleavings == 2000.0);
    for violation in &drawn.violations {
        let played = replay(&raw, &violation.path).unwrap();
        assert_eq!(played.broken, Some(violation.broken));
    }
    let fixed = draw(&scene.with(Defects::NONE), 7, 2000).unwrap();
    assert_eq!(fixed.violations, []);
}

#[test]
fn a_search_that_is_cut_says_so_and_a_ring_too_large_is_refused() {
    let Named { scene, .. } = named("no-overwrite 2x2 header 0 full: writer + reader");
    let cut = interleave(&scene.with(Scene::all_defects()), 100).unwrap();
    assert!(cut.is_cut && cut.states == 100);
    let mut large = scene;
    large.set = Setting {
        geometry: relaybed_contract::Geometry {
            subbuf_size: 64,
            ..large.set.geometry
        },
        ..large.set
    };
    assert_eq!(interleave(&large, 100), None);
    assert!(survey(&large, 100).is_none() && draw(&large, 1, 1).is_none());
}
