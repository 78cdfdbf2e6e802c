//! What producers wrote and what users of relay get is the same, byte for byte.

use super::cases::{
    OLD, case, channel, laps, producer, read_after, reader_behind_the_gate, records,
};
use crate::forge::synthesize;
use crate::{judge, streams, written};
use relaybed_case::verdict::Verdict;
use relaybed_case::{Mode, Op};

#[test]
fn streams_are_what_the_producers_wrote_in_no_overwrite_mode() {
    for case in [laps(Mode::NoOverwrite), read_after(Mode::NoOverwrite)] {
        let evidence = synthesize(&case, OLD, 2);
        let streams = streams(&case, &evidence);
        let written = written(&case, &evidence);
        assert_eq!(streams.len(), 2);
        for (stream, written) in streams.iter().zip(&written) {
            assert_eq!(stream.bytes, written.bytes);
        }
        assert!(!streams[0].bytes.is_empty());
    }
}

/// Headers are part of what a user reads, so they are part of what was written.
#[test]
fn headers_stand_where_the_callback_reserved_them() {
    let mut flushed = laps(Mode::NoOverwrite);
    for (actor, at) in [(0, 0), (0, 2)] {
        flushed.actors[actor]
            .ops
            .insert(at, Op::Flush { channel: 0 });
    }
    flushed.actors.truncate(1);
    let cases = [
        laps(Mode::NoOverwrite),
        read_after(Mode::NoOverwrite),
        flushed,
    ];
    for mut case in cases {
        case.channels[0].header_bytes = 24;
        let evidence = synthesize(&case, OLD, 2);
        let (streams, written) = (streams(&case, &evidence), written(&case, &evidence));
        assert_eq!(written.len(), 2, "{case:#?}");
        for (stream, written) in streams.iter().zip(&written) {
            assert_eq!((stream.channel, stream.cpu), (written.channel, written.cpu));
            assert_eq!(stream.bytes, written.bytes);
        }
        assert!(streams[0].bytes.len() > 500);
    }
}

/// A byte that a reader got wrong makes the two differ.
#[test]
fn a_wrong_byte_in_a_stream_differs_from_what_was_written() {
    let case = read_after(Mode::NoOverwrite);
    let mut evidence = synthesize(&case, OLD, 2);
    evidence.data[300] ^= 1;
    let stream = &streams(&case, &evidence)[0];
    assert_ne!(stream.bytes, written(&case, &evidence)[0].bytes);
}

/// Two readers whose calls overlap: each byte goes to one of them, in whatever order, and once.
#[test]
fn calls_that_overlap_are_put_in_the_order_that_gives_what_was_written() {
    let writer = producer(
        "writer",
        0,
        vec![records(48, 90, 20), Op::Signal { gate: 0 }],
    );
    let one = reader_behind_the_gate(96, 4);
    let mut other = reader_behind_the_gate(96, 0);
    other.name = "other".to_owned();
    for op in &mut other.ops {
        if let Op::FileOpen { file, .. } | Op::FileRead { file, .. } = op {
            *file = 1;
        }
    }
    let spec = channel(256, 16, Mode::NoOverwrite);
    let case = case(spec, vec![writer, one, other], 1);
    let read = relaybed_abi::EventKind::Read.code();
    let mut evidence = synthesize(&case, OLD, 2);
    // All calls end behind all others, in the wrong order, as far as anyone can tell.
    for result in evidence.results.iter_mut().flatten() {
        result.order_start = 1;
        result.order_end = u32::MAX - 1;
    }
    let calls: Vec<usize> = (0..evidence.events.len())
        .filter(|at| evidence.events[*at].kind == read && evidence.events[*at].produced > 0)
        .collect();
    let pair = calls
        .windows(2)
        .find(|pair| evidence.events[pair[0]].actor != evidence.events[pair[1]].actor);
    let (one, other) = pair.map(|pair| (pair[0], pair[1])).expect("two readers");
    let orders = (evidence.events[one].order, evidence.events[other].order);
    (evidence.events[one].order, evidence.events[other].order) = (orders.1, orders.0);
    assert_eq!(judge(&case, &evidence).0, Verdict::Passed);
    // A kernel without the lock gives both the same bytes, and the next to nobody.
    let start = evidence.events[one].consumed;
    evidence.events[other].consumed = start;
    let verdict = judge(&case, &evidence).0;
    assert!(matches!(verdict, Verdict::Failed { .. }), "{verdict:?}");
}
