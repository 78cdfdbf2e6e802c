//! Timelines and tables of forged runs.

use super::*;
use crate::trace;
use relaybed_case::place::Stop;
use relaybed_case::trace::Step;
use relaybed_judge::{forge, judge};
use relaybed_lang as lang;

/// LINUX_VERSION_CODE of 6.1.
const V6_1: u32 = 6 << 16 | 1 << 8;

fn embedded(name: &str) -> Case {
    let (_, text) = lang::embedded().find(|(of, _)| *of == name).unwrap();
    lang::load(name, text).unwrap().remove(0)
}

fn table(case: &Case, evidence: &Evidence, schedule: Option<&Trace>) -> String {
    let (verdict, _) = judge(case, evidence);
    let timeline = Timeline::of(case, evidence, schedule, &verdict);
    let mut out = anstream::StripStream::new(Vec::new());
    trace::write(&mut out, case, evidence, &timeline, &verdict).unwrap();
    String::from_utf8(out.into_inner()).unwrap()
}

#[test]
fn a_run_as_a_table() {
    let case = embedded("hello/hello");
    let evidence = forge::synthesize(&case, V6_1, 2);
    insta::assert_snapshot!("table", table(&case, &evidence, None));
}

#[test]
fn stops_stand_where_they_were() {
    let case = embedded("hello/hello");
    let evidence = forge::synthesize(&case, V6_1, 2);
    let step = |vcpu, place, next| Step {
        stop: Stop { vcpu, place },
        enabled: vec![0, 1],
        next,
    };
    let schedule = Trace {
        steps: vec![
            step(0, Place::Operation { actor: 0, op: 0 }, 0),
            step(0, Place::Tick, 1),
            step(1, Place::Operation { actor: 1, op: 0 }, 1),
            step(1, Place::Done, 0),
        ],
        ..Trace::default()
    };
    insta::assert_snapshot!("table with stops", table(&case, &evidence, Some(&schedule)));
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
    let text = table(&case, &evidence, None);
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
    assert!(table(&case, &evidence, None).contains("the end"));
}

#[test]
fn every_embedded_case_has_a_table() {
    for (name, text) in lang::embedded() {
        for case in lang::load(name, text).unwrap() {
            let evidence = forge::synthesize(&case, V6_1, case.vcpus);
            let text = table(&case, &evidence, None);
            assert!(text.contains("the end"), "{}", case.name);
        }
    }
}
