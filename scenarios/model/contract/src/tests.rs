//! The model keeps its invariants, and agrees with a naive implementation of no-overwrite mode.

use proptest::prelude::*;

use super::buffer::{Buffer, Fate, Geometry, Piece, Source};
use super::units::Produced;
use relaybed_case::Refuse;

#[derive(Clone, Copy, Debug)]
enum Step {
    Write(u32),
    Reserve(u32),
    Flush,
    Reset,
    Consumed(u64),
    Read(u32),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0u32..20).prop_map(Step::Write),
        3 => (0u32..20).prop_map(Step::Reserve),
        2 => Just(Step::Flush),
        1 => Just(Step::Reset),
        1 => (0u64..6).prop_map(Step::Consumed),
        4 => (0u32..40).prop_map(Step::Read),
    ]
}

fn geometry(size: u64, n: u64, overwrite: bool, header: u64) -> Geometry {
    Geometry {
        subbuf_size: size,
        n_subbufs: n,
        overwrite,
        header_bytes: header,
        has_file: true,
        refuse: None,
    }
}

fn record(seq: u32) -> Source {
    Source::Record {
        actor: 0,
        op: 0,
        seq,
    }
}

/// Every byte by its source and place in it.
fn spell(pieces: &[Piece]) -> Vec<(Source, u32)> {
    pieces
        .iter()
        .flat_map(|piece| (0..piece.len).map(|i| (piece.source, piece.from + i)))
        .collect()
}

proptest! {
    #[test]
    fn counts_stay_in_their_ranges(
        steps in prop::collection::vec(step(), 0..120),
        size in 6u64..24, n in 1u64..5, overwrite: bool, header in 0u64..4,
    ) {
        let geometry = geometry(size, n, overwrite, header);
        let mut log = Vec::new();
        let mut buffer = Buffer::open(geometry, &mut log);
        let mut completed = 0;
        for (seq, step) in (0u32..).zip(steps) {
            let before = buffer.clone();
            match step {
                Step::Write(len) => { buffer.write(record(seq), len, false, &mut log); }
                Step::Reserve(len) => { buffer.write(record(seq), len, true, &mut log); }
                Step::Flush => buffer.flush(&mut log),
                Step::Reset => buffer.reset(&mut log),
                Step::Consumed(k) => buffer.subbufs_consumed(k),
                Step::Read(len) => { buffer.read(len); }
            }
            if buffer.produced.0 > before.produced.0 {
                completed += before.offset;
            }
            prop_assert!(buffer.consumed.0 <= buffer.produced.0);
            prop_assert!(overwrite || buffer.produced.0 - buffer.consumed.0 <= n);
            prop_assert!(buffer.offset <= size + u64::from(!overwrite));
            prop_assert!(buffer.padding.iter().all(|padding| *padding <= size));
            prop_assert_eq!(buffer.completed_bytes, completed);
            prop_assert!(buffer.bytes_consumed <= size);
            if !buffer.is_marked_full() {
                let current = &buffer.subbufs[buffer.data.0];
                prop_assert_eq!(u64::from(current.fill()), buffer.offset);
            }
            for subbuf in &buffer.subbufs {
                let mut at = 0;
                for piece in &subbuf.current {
                    prop_assert_eq!(piece.start, at);
                    at = piece.end();
                }
                for piece in subbuf.remains() {
                    prop_assert!(piece.start >= at);
                    at = piece.end();
                }
                prop_assert!(u64::from(at) <= size);
            }
        }
    }

    /// In no-overwrite mode what readers get is, byte for byte, the list of what was accepted.
    #[test]
    fn no_overwrite_reads_are_a_plain_list_of_bytes(
        steps in prop::collection::vec(step(), 0..150),
        size in 1u64..24, n in 1u64..5,
    ) {
        let mut log = Vec::new();
        let mut buffer = Buffer::open(geometry(size, n, false, 0), &mut log);
        let mut list: Vec<(Source, u32)> = Vec::new();
        let mut read = 0;
        for (seq, step) in (0u32..).zip(steps) {
            match step {
                Step::Write(len) | Step::Reserve(len) => {
                    let reserve = matches!(step, Step::Reserve(_));
                    let was_full = buffer.is_full();
                    let fate = buffer.write(record(seq), len, reserve, &mut log);
                    if fate == Fate::Accepted {
                        list.extend((0..len).map(|i| (record(seq), i)));
                    }
                    prop_assert_eq!(fate == Fate::TooBig, u64::from(len) > size);
                    prop_assert!(!was_full || len == 0 || fate != Fate::Accepted
                        || !buffer.is_marked_full());
                }
                Step::Flush => buffer.flush(&mut log),
                // What these do to unread bytes is the client's doing, not a reader's.
                Step::Reset | Step::Consumed(_) => {}
                Step::Read(len) => {
                    let got = spell(&buffer.read(len));
                    let due = (list.len() - read).min(len as usize);
                    prop_assert_eq!(&got[..], &list[read..read + due]);
                    read += due;
                }
            }
        }
        while !buffer.read(7).is_empty() { read += 7; }
        prop_assert!(read >= list.len());
    }

    /// In overwrite mode after a lap a reader gets the newest N - 1 complete sub-buffers and the current.
    #[test]
    fn overwrite_keeps_the_newest(count in 1u32..60, n in 1u64..5) {
        let mut log = Vec::new();
        let mut buffer = Buffer::open(geometry(10, n, true, 0), &mut log);
        for seq in 0..count {
            prop_assert_eq!(buffer.write(record(seq), 4, false, &mut log), Fate::Accepted);
        }
        let kept = u64::from(count).min(2 * (n - 1) + 2 - u64::from(count % 2));
        let got = spell(&buffer.read(1000));
        prop_assert_eq!(got.len() as u64, kept * 4);
        prop_assert_eq!(got.last().copied(), Some((record(count - 1), 3)));
    }
}

#[test]
fn an_exact_fit_does_not_switch_and_counts_at_the_read_after_the_switch() {
    let mut log = Vec::new();
    let mut buffer = Buffer::open(geometry(8, 2, false, 0), &mut log);
    buffer.write(record(0), 8, false, &mut log);
    assert_eq!((buffer.produced.0, buffer.offset), (0, 8));
    assert_eq!(buffer.read(8).len(), 1);
    assert_eq!((buffer.consumed.0, buffer.bytes_consumed), (0, 8));
    buffer.write(record(1), 1, false, &mut log);
    assert_eq!((buffer.produced.0, buffer.consumed.0), (1, 0));
    buffer.read(1);
    assert_eq!((buffer.consumed.0, buffer.bytes_consumed), (1, 1));
}

#[test]
fn flushes_of_an_idle_channel_eat_its_capacity() {
    let mut log = Vec::new();
    let mut buffer = Buffer::open(geometry(8, 4, false, 0), &mut log);
    for _ in 0..4 {
        buffer.flush(&mut log);
    }
    assert_eq!(buffer.padding, [8, 8, 8, 8]);
    assert!(buffer.is_full() && buffer.is_marked_full());
    assert_eq!(buffer.offset, 9);
    assert_eq!(buffer.write(record(0), 1, false, &mut log), Fate::Refused);
    assert_eq!(buffer.produced.0, 4);
    assert!(!log.last().unwrap().accepted);
}

#[test]
fn two_empty_sub_buffers_give_nothing_twice() {
    let mut log = Vec::new();
    let mut buffer = Buffer::open(geometry(8, 4, false, 0), &mut log);
    buffer.flush(&mut log);
    buffer.flush(&mut log);
    buffer.write(record(0), 5, false, &mut log);
    assert_eq!(spell(&buffer.read(5)).len(), 5);
    assert!(buffer.read(5).is_empty());
}

#[test]
fn an_empty_sub_buffer_behind_one_that_was_read_out_unfinished_is_the_second_with_nothing_to_give()
{
    let mut log = Vec::new();
    let mut buffer = Buffer::open(geometry(8, 4, false, 0), &mut log);
    buffer.write(record(0), 5, false, &mut log);
    assert_eq!(spell(&buffer.read(5)).len(), 5);
    buffer.flush(&mut log);

    buffer.flush(&mut log);
}

#[test]
fn a_header_can_make_a_record_too_big_after_the_switch() {
    let mut log = Vec::new();
    let mut buffer = Buffer::open(geometry(16, 4, false, 6), &mut log);
    assert_eq!(buffer.write(record(0), 12, false, &mut log), Fate::TooBig);
    assert_eq!((buffer.produced.0, buffer.offset), (1, 6));
    assert_eq!((buffer.big_count, buffer.last_toobig), (1, 12));
    assert_eq!(buffer.write(record(1), 17, false, &mut log), Fate::TooBig);
    assert_eq!(buffer.produced.0, 1);
}

fn sources(pieces: &[Piece]) -> Vec<Source> {
    pieces.iter().map(|piece| piece.source).collect()
}

fn refusing(size: u64, n: u64, overwrite: bool, (from, count): (u32, u32)) -> Geometry {
    Geometry {
        refuse: Some(Refuse { from, count }),
        ..geometry(size, n, overwrite, 0)
    }
}

#[test]
fn a_callback_that_refuses_for_a_while_costs_records_and_no_sub_buffer() {
    let mut log = Vec::new();
    let mut buffer = Buffer::open(refusing(8, 4, false, (2, 3)), &mut log);
    let fates: Vec<Fate> = (0..7)
        .map(|seq| buffer.write(record(seq), 8, false, &mut log))
        .collect();
    let (kept, lost) = (Fate::Accepted, Fate::Refused);
    assert_eq!(fates, [kept, kept, lost, lost, lost, kept, kept]);
    assert_eq!((buffer.produced, buffer.calls), (Produced(3), 6));
    assert_eq!(buffer.full_count, 0, "it was never full");
    let read = buffer.read(u32::MAX);
    assert_eq!(sources(&read), [0, 1, 5, 6].map(record));
}

#[test]
fn a_refused_switch_after_a_lap_has_replaced_nothing() {
    let mut log = Vec::new();
    let mut buffer = Buffer::open(refusing(8, 4, true, (7, 1)), &mut log);
    for seq in 0..8 {
        buffer.write(record(seq), 8, false, &mut log);
    }
    assert!(buffer.is_marked_full());
    let read = buffer.read(u32::MAX);
    assert_eq!(sources(&read), [3, 4, 5, 6].map(record));
}

#[test]
fn switching_for_a_record_says_whether_it_then_fits() {
    let mut log = Vec::new();
    let mut buffer = Buffer::open(geometry(16, 2, false, 4), &mut log);
    assert_eq!(buffer.switch_for(17, &mut log), (0, Fate::TooBig));
    assert_eq!(buffer.produced, Produced(0));
    assert_eq!(buffer.switch_for(13, &mut log), (0, Fate::TooBig));
    assert_eq!((buffer.produced, buffer.offset), (Produced(1), 4));
    assert_eq!(buffer.switch_for(12, &mut log), (0, Fate::Refused));
    assert_eq!(buffer.big_count, 2);
    buffer.subbufs_consumed(1);
    assert_eq!(buffer.switch_for(12, &mut log), (12, Fate::Accepted));
}

#[test]
fn a_pipe_has_room_for_pieces_that_end_with_their_pages() {
    let mut log = Vec::new();
    let mut buffer = Buffer::open(geometry(81920, 2, false, 0), &mut log);
    for seq in 0..3 {
        buffer.write(record(seq), 40000, false, &mut log);
    }
    let len = |pieces: Vec<Piece>| pieces.last().map_or(0, Piece::end);
    assert_eq!(len(buffer.splice(100, 16)), 100);
    assert_eq!(len(buffer.splice(200_000, 16)), 16 * 4096 - 100);
    assert_eq!(len(buffer.splice(200_000, 16)), 80_000 - 16 * 4096);
    assert_eq!(len(buffer.splice(200_000, 16)), 0);
}
