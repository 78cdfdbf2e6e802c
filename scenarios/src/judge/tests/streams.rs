//! What producers wrote and what users of relay get is the same, byte for byte.

use super::cases::{OLD, laps, read_after};
use crate::case::Mode;
use crate::judge::forge::synthesize;
use crate::judge::{streams, written};

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
