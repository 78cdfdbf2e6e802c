//! Timelines and tables of forged runs.

use super::*;
use crate::trace;
use relaybed_case::place::{Place, Stop};
use relaybed_case::trace::{Step, Trace};
use relaybed_judge::{forge, judge};
use relaybed_lang as lang;

/// LINUX_VERSION_CODE of 6.1.
const V6_1: u32 = 6 << 16 | 1 << 8;

fn embedded(name: &str) -> Case {
    let (_, text) = lang::embedded().find(|(of, _)| *of == name).unwrap();
    lang::load(name, text).unwrap().remove(0)
}

fn table(case: &Case, evidence: &Evidence) -> String {
    let (_, text) = lang::embedded()
        .find(|(of, _)| *of == case.name.split('[').next().unwrap())
        .unwrap();
    let loaded = Loaded {
        source: text.into(),
        path: "my.toml".into(),
        origin: case.name.clone(),
        case: case.clone(),
    };
    wide(&loaded, evidence, trace::WIDTH)
}

fn wide(loaded: &Loaded, evidence: &Evidence, width: usize) -> String {
    let (verdict, _) = judge(&loaded.case, evidence);
    let timeline = Timeline::of(loaded, evidence, &verdict, true);
    let mut out = anstream::StripStream::new(Vec::new());
    let told = trace::Told {
        loaded,
        evidence,
        timeline: &timeline,
        verdict: &verdict,
    };
    trace::write(&mut out, &told, width).unwrap();
    String::from_utf8(out.into_inner()).unwrap()
}

#[test]
fn a_run_as_a_table() {
    let case = embedded("hello/hello");
    let evidence = forge::synthesize(&case, V6_1, 2);
    insta::assert_snapshot!("table", table(&case, &evidence));
}

#[test]
fn stops_stand_where_they_were() {
    let case = embedded("hello/hello");
    let mut evidence = forge::synthesize(&case, V6_1, 2);
    let step = |vcpu, place, next| Step {
        stop: Stop { vcpu, place },
        enabled: vec![0, 1],
        next,
        order: 0,
    };
    evidence.trace = Some(Trace {
        steps: vec![
            step(0, Place::Operation { actor: 0, op: 0 }, 0),
            step(0, Place::Tick, 1),
            step(1, Place::Operation { actor: 1, op: 0 }, 1),
            step(1, Place::Done, 0),
        ],
        ..Trace::default()
    });
    insta::assert_snapshot!("table with stops", table(&case, &evidence));
}

#[test]
fn a_failure_is_marked_in_the_table() {
    let case = embedded("hello/hello");
    let spoil = forge::Spoil {
        kind: relaybed_abi::Plant::Lost,
        actor: 1,
        seq: 0,
    };
    let evidence = forge::plant(&case, V6_1, 2, spoil);
    let text = table(&case, &evidence);
    assert!(text.contains("✗1"), "{text}");
    assert!(text.contains("\nfailed\n"), "{text}");
}

/// Whatever evidence says, a table comes of it.
#[test]
fn hostile_evidence_gives_a_table() {
    let case = embedded("hello/hello");
    let mut evidence = forge::synthesize(&case, V6_1, 2);
    evidence.setting.vcpus = u32::MAX;
    evidence.results.truncate(1);
    for event in &mut evidence.events {
        (event.actor, event.channel, event.cpu) = (7, 200, u16::MAX);
        (event.produced, event.consumed) = (u64::MAX, u64::MAX);
        (event.new_offset, event.old_offset) = (u32::MAX, 1);
    }
    for observation in &mut evidence.observations {
        observation.at = Some((99, 99));
    }
    assert!(table(&case, &evidence).contains("the end"));
}

#[test]
fn every_embedded_case_has_a_table() {
    for (name, text) in lang::embedded() {
        for case in lang::load(name, text).unwrap() {
            let evidence = forge::synthesize(&case, V6_1, case.vcpus);
            let text = table(&case, &evidence);
            assert!(text.contains("the end"), "{}", case.name);
        }
    }
}

/// Saved evidence and the text of its scenario.
macro_rules! saved {
    ($name:literal) => {
        saved(
            $name,
            include_str!(concat!(
                "../../../../fixtures/evidence/",
                $name,
                "/scenario.toml"
            )),
        )
    };
}

fn saved(name: &str, source: &str) -> (Loaded, Evidence) {
    let folder = format!(
        "{}/../../fixtures/evidence/{name}",
        env!("CARGO_MANIFEST_DIR")
    );
    let folder = std::path::Path::new(&folder);
    let (case, evidence, _) = relaybed_wire::store::load(folder).unwrap();
    let loaded = Loaded {
        source: source.into(),
        path: "scenario.toml".into(),
        origin: case.name.clone(),
        case,
    };
    (loaded, evidence)
}

/// A race that was saved before stops said where they are in the order: what relay did stands before what came of it.
#[test]
fn a_race_reads_in_true_order() {
    let (loaded, evidence) = saved!("led-6.1");
    insta::assert_snapshot!("a race", wide(&loaded, &evidence, trace::WIDTH));
}

#[test]
fn a_race_fits_sixty_columns() {
    for (loaded, evidence) in [saved!("led-6.1"), saved!("oldest-cut")] {
        let text = wide(&loaded, &evidence, 60);
        for line in text.lines() {
            assert!(line.chars().count() <= 60, "{line}");
        }
        assert!(text.contains("CPU 0") && text.contains("◀"), "{text}");
    }
    let (loaded, evidence) = saved!("two-empty-flushes");
    assert!(
        wide(&loaded, &evidence, 60)
            .lines()
            .all(|line| line.chars().count() <= 60)
    );
}

/// What is recorded decides, whatever could be inferred.
#[test]
fn recorded_places_of_stops_are_believed() {
    let (loaded, mut evidence) = saved!("led-6.1");
    let trace = evidence.trace.as_mut().unwrap();
    for (at, step) in trace.steps.iter_mut().enumerate() {
        step.order = if at < 7 { 6 } else { 13 };
    }
    for accessed in &mut trace.accesses {
        accessed.order = if accessed.before <= 7 { 6 } else { 13 };
    }
    let (verdict, _) = judge(&loaded.case, &evidence);
    let timeline = Timeline::of(&loaded, &evidence, &verdict, true);
    assert!(!timeline.is_inferred);
    let switches = timeline
        .rows
        .iter()
        .filter(|row| matches!(row.kind, Kind::Switch { .. }));
    let orders: Vec<u32> = switches.map(|row| row.order).collect();
    assert_eq!(orders, [6, 6, 6, 6, 13, 13]);
}
