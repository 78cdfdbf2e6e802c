//! What producers wrote and what users of relay get is the same, byte for byte.

use super::cases::{OLD, laps, read_after};
use crate::forge::synthesize;
use crate::{streams, written};
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
