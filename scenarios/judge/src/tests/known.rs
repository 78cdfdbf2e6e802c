//! Documented defects are recognised, and nothing that goes beyond them.

use super::cases::{OLD, case, channel, first, producer, reader_behind_the_gate, records};
use crate::forge::synthesize;
use crate::identify::Writers;
use crate::matter::Matter;
use crate::{Issue, issues, judge, known};
use relaybed_case::evidence::Evidence;
use relaybed_case::finding::Regression;
use relaybed_case::verdict::{Property, Verdict};
use relaybed_case::{Actor, Case, Mode, Op, Payload, Place, Via};
use relaybed_contract::{Behaviour, predict};

/// Two empty flushes, five bytes, and a reader that asks twice.
fn two_empty_flushes() -> Case {
    let reader = reader_behind_the_gate(5, 2);
    let writer = producer(
        "writer",
        0,
        vec![
            Op::Flush { channel: 0 },
            Op::Flush { channel: 0 },
            Op::Write {
                channel: 0,
                via: Via::Write,
                payload: Payload::Bytes(b"hello".to_vec()),
                count: 1,
            },
            Op::Signal { gate: 0 },
        ],
    );
    case(channel(8, 4, Mode::NoOverwrite), vec![writer, reader], 1)
}

/// What a kernel with K1 leaves of it.
fn read_twice(case: &Case) -> Evidence {
    let mut evidence = synthesize(case, OLD, 2);
    evidence.data.extend(b"hello");
    evidence.results[1][2].data_bytes = 10;
    for event in &mut evidence.events {
        if event.kind == relaybed_abi::EventKind::Read.code() && event.produced == 0 {
            event.produced = 5;
        }
    }
    evidence
}

#[test]
fn k1_is_known_and_what_goes_beyond_it_is_not() {
    let case = two_empty_flushes();
    assert_eq!(judge(&case, &synthesize(&case, OLD, 2)).0, Verdict::Passed);
    let mut evidence = read_twice(&case);
    match judge(&case, &evidence).0 {
        Verdict::Known { id, .. } => assert_eq!(id, "K1"),
        other => panic!("{other:#?}"),
    }
    // By then both empty ones are counted, K1 or not.
    let mut beyond = evidence.clone();
    beyond.observations[0].channels[0].buffers[0].consumed = 1;
    let verdict = judge(&case, &beyond).0;
    assert!(matches!(verdict, Verdict::Failed { .. }), "{verdict:#?}");
    evidence.taint_after = 0x200;
    assert_eq!(first(&case, &evidence), Some(Property::Health));
}

#[test]
fn an_issue_that_is_not_shown_where_it_must_be_is_told() {
    let mut case = two_empty_flushes();
    let clean = synthesize(&case, OLD, 2);
    case.name = "readers/two-empty-flushes".to_owned();
    let fixed = Verdict::Fixed {
        id: "K1".to_owned(),
    };
    assert_eq!(judge(&case, &clean).0, fixed);
    let shown = judge(&case, &read_twice(&case)).0;
    assert!(matches!(shown, Verdict::Known { .. }), "{shown:#?}");
}

#[test]
fn an_issue_that_comes_back_is_a_failure() {
    let mut case = two_empty_flushes();
    case.name = "readers/two-empty-flushes".to_owned();
    let evidence = read_twice(&case);
    let Verdict::Known { findings, .. } = judge(&case, &evidence).0 else {
        panic!("K1 is not known");
    };
    let mended: Vec<Issue> = issues()
        .iter()
        .cloned()
        .map(|mut issue| {
            issue.kernels.fixed_in = vec!["5.0".to_owned().try_into().unwrap()];
            issue
        })
        .collect();
    let behaviour = Behaviour::of(OLD);
    let prediction = predict(&case, &behaviour, 2);
    let writers = Writers::of(&case);
    let matter = Matter::new(&case, &prediction, &evidence, &writers);
    let verdict = known::verdict(&mended, &matter, findings);
    let Verdict::Failed { findings } = verdict else {
        panic!("{verdict:#?}");
    };
    let back = Regression::Back {
        id: "K1".into(),
        kernels: mended[0].kernels.to_string().into(),
    };
    assert_eq!(findings[0].what, back.into());
    assert_eq!(findings[0].at, findings[1].at);
    // And where the kernel is mended, passing is nothing special.
    assert_eq!(
        known::verdict(&mended, &matter, Vec::new()),
        Verdict::Passed
    );
}

/// A writer that never waits and a reader on the other CPU, so that nothing is determined.
fn reader_beside_writer(count: u32) -> Case {
    let reader = Actor {
        name: "reader".to_owned(),
        place: Place::User { cpu: Some(1) },
        source: None,
        ops: vec![
            Op::FileOpen {
                file: 0,
                channel: 0,
                cpu: 0,
            },
            Op::FileRead {
                file: 0,
                size: 1024,
                times: 0,
            },
        ],
    };
    let writer = producer("writer", 0, vec![records(256, 256, count)]);
    case(channel(1024, 4, Mode::NoOverwrite), vec![writer, reader], 0)
}

/// The reader gets nothing of the oldest sub-buffer, as if it had been overwritten.
fn drop_oldest(evidence: &mut Evidence) {
    let read = relaybed_abi::EventKind::Read.code();
    let first = evidence.events.iter_mut().find(|event| event.kind == read);
    first.unwrap().produced = 0;
}

#[test]
fn k2_is_known_where_the_buffer_was_full_and_nowhere_else() {
    let case = reader_beside_writer(40);
    let clean = synthesize(&case, OLD, 2);
    assert_eq!(judge(&case, &clean).0, Verdict::Passed);
    let mut evidence = clean.clone();
    drop_oldest(&mut evidence);
    match judge(&case, &evidence).0 {
        Verdict::Known { id, findings } => {
            assert_eq!(id, "K2");
            assert!(
                findings
                    .iter()
                    .all(|f| f.property() == Property::Conservation)
            );
        }
        other => panic!("{other:#?}"),
    }
    // A torn record beside it is no part of the issue.
    evidence.data[1024 + 200] ^= 1;
    assert_eq!(first(&case, &evidence), Some(Property::Integrity));

    // In a buffer that was never near full the same loss is a fresh failure.
    let roomy = reader_beside_writer(9);
    let mut evidence = synthesize(&roomy, OLD, 2);
    assert_eq!(judge(&roomy, &evidence).0, Verdict::Passed);
    drop_oldest(&mut evidence);
    assert_eq!(first(&roomy, &evidence), Some(Property::Conservation));
}

#[test]
fn k4_is_a_poll_without_end_on_a_closed_channel() {
    let poll = |timeout_ms| Op::FilePoll {
        file: 0,
        timeout_ms,
    };
    let closing = |timeout_ms, last: Op| {
        let poller = Actor {
            name: "poller".to_owned(),
            place: Place::User { cpu: None },
            source: None,
            ops: vec![
                Op::FileOpen {
                    file: 0,
                    channel: 0,
                    cpu: 0,
                },
                Op::Signal { gate: 0 },
                poll(timeout_ms),
                Op::FileClose { file: 0 },
            ],
        };
        let closer = producer("closer", 0, vec![Op::Wait { gate: 0, count: 1 }, last]);
        case(channel(64, 4, Mode::NoOverwrite), vec![poller, closer], 1)
    };
    let hang = |case: &Case| {
        let mut evidence = synthesize(case, OLD, 2);
        let poll = &mut evidence.results[0][2];
        (poll.error, poll.value, poll.order_end) = (-125, 0, u32::MAX);
        judge(case, &evidence).0
    };
    let close = Op::Close { channel: 0 };
    let endless = closing(None, close.clone());
    assert_eq!(
        judge(&endless, &synthesize(&endless, OLD, 2)).0,
        Verdict::Passed
    );
    assert!(matches!(hang(&endless), Verdict::Known { id, .. } if id == "K4"));
    // With a timeout it must end, and without a close nothing excuses it.
    let timed = hang(&closing(Some(5), close));
    assert!(matches!(timed, Verdict::Failed { .. }), "{timed:#?}");
    let open = hang(&closing(None, Op::Flush { channel: 0 }));
    assert!(matches!(open, Verdict::Failed { .. }), "{open:#?}");
}
