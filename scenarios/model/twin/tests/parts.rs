//! What frames work on: bytes laid over bytes, stores that are not seen yet, locks.

use relaybed_contract::{Buffer, Geometry, Piece, Source};
use relaybed_twin::contents::{flatten, pieces_at};
use relaybed_twin::{
    Around, Bytes, Defect, Defects, Effect, Frame, Held, Lock, Log, Member, Memory, Op, Outcome,
    Pending, Setting, Step, drains, open, run_alone, run_on,
};

const GEOMETRY: Geometry = Geometry {
    subbuf_size: 10,
    n_subbufs: 3,
    overwrite: false,
    header_bytes: 0,
    has_file: true,
    refuse: None,
};

fn set() -> Setting {
    Setting::plain(GEOMETRY, Defects::of(&Defect::OF_FRAMES))
}

const fn record(seq: u32) -> Source {
    Source::Record {
        actor: 0,
        op: 0,
        seq,
    }
}

fn put(buffer: &mut Buffer, at: u64, seq: u32, len: u32) {
    let bytes = Bytes {
        source: record(seq),
        from: 0,
        len,
        total: len,
    };
    buffer.put(at, bytes);
}

/// Number of the record, place, length and first byte of each piece.
fn places(pieces: &[Piece]) -> Vec<(u32, u32, u32, u32)> {
    let number = |source| match source {
        Source::Record { seq, .. } => seq,
        _ => 999,
    };
    let of = |piece: &Piece| (number(piece.source), piece.start, piece.len, piece.from);
    pieces.iter().map(of).collect()
}

fn at(buffer: &Buffer, at: u64, len: u64) -> Vec<(u32, u32, u32, u32)> {
    let mut got = Vec::new();
    pieces_at(buffer, at, len, 100, &mut got);
    places(&got)
}

#[test]
fn bytes_lie_over_what_was_there_and_the_rest_stays() {
    let mut buffer = open(&set(), &mut Log::default());
    put(&mut buffer, 2, 1, 6);
    put(&mut buffer, 4, 2, 2);
    assert_eq!(
        places(&buffer.subbufs[0].old),
        [(1, 2, 2, 0), (2, 4, 2, 0), (1, 6, 2, 4)]
    );
    // In a gap before all, and over the ends of several.
    put(&mut buffer, 0, 3, 1);
    put(&mut buffer, 3, 4, 4);
    let expected = [(3, 0, 1, 0), (1, 2, 1, 0), (4, 3, 4, 0), (1, 7, 1, 5)];
    assert_eq!(places(&buffer.subbufs[0].old), expected);
    // Exactly the same place, and all of it.
    put(&mut buffer, 3, 5, 4);
    put(&mut buffer, 0, 6, 3);
    assert_eq!(
        places(&buffer.subbufs[0].old),
        [(6, 0, 3, 0), (5, 3, 4, 0), (1, 7, 1, 5)]
    );
    assert_eq!(at(&buffer, 1, 6), [(6, 100, 2, 1), (5, 102, 4, 0)]);
    assert_eq!(at(&buffer, 3, 6), [(5, 100, 4, 0), (1, 104, 1, 5)]);
    assert_eq!(at(&buffer, 8, 2), []);
}

#[test]
fn bytes_go_on_in_the_next_sub_buffer_and_behind_the_ring_up_to_its_page() {
    let mut buffer = open(&set(), &mut Log::default());
    put(&mut buffer, 8, 1, 14);
    put(&mut buffer, 28, 2, 5);
    assert_eq!(places(&buffer.subbufs[0].old), [(1, 8, 2, 0)]);
    assert_eq!(places(&buffer.subbufs[1].old), [(1, 0, 10, 2)]);
    assert_eq!(
        places(&buffer.subbufs[2].old),
        [(1, 0, 2, 12), (2, 8, 2, 0)]
    );
    put(&mut buffer, 35, 3, 5);
    put(&mut buffer, 4094, 4, 5);
    put(&mut buffer, 4096, 5, 5);
    put(&mut buffer, u64::MAX, 5, 5);
    assert_eq!(
        places(&buffer.behind),
        [(2, 0, 3, 2), (3, 5, 5, 0), (4, 4064, 2, 0)]
    );
    let all = [
        (1, 107, 2, 0),
        (1, 109, 10, 2),
        (1, 119, 2, 12),
        (2, 127, 2, 0),
    ];
    assert_eq!(at(&buffer, 1, 29), all);
    assert_eq!(at(&buffer, 19, 2), [(1, 100, 1, 11), (1, 101, 1, 12)]);
    assert_eq!(at(&buffer, 29, 3), [(2, 100, 1, 1), (2, 101, 2, 2)]);
    assert_eq!(at(&buffer, 33, 2), []);
    assert_eq!(at(&buffer, 4095, 9), [(4, 100, 1, 1)]);
    assert_eq!(at(&buffer, 3, 0), []);
}

#[test]
fn a_contracts_buffer_is_flattened_with_its_bytes_where_they_are() {
    let geometry = Geometry {
        header_bytes: 2,
        ..GEOMETRY
    };
    let mut calls = Vec::new();
    let mut buffer = Buffer::open(geometry, &mut calls);
    buffer.write(record(1), 8, false, &mut calls);
    buffer.reset(&mut calls);
    buffer.write(record(2), 3, false, &mut calls);
    flatten(&mut buffer);
    assert!(buffer.stored && buffer.subbufs[0].current.is_empty());
    let old = places(&buffer.subbufs[0].old);
    assert_eq!(old, [(999, 0, 2, 0), (2, 2, 3, 0), (1, 5, 5, 3)]);
}

#[test]
fn a_cpu_sees_its_own_stores_and_others_see_them_in_order_later() {
    let mut buffer = open(&set(), &mut Log::default());
    let mut pending = Pending::default();
    {
        let mut own = pending.on(&mut buffer);
        own.store(Member::Padding, 1, 7);
        own.store(Member::Padding, 2, 8);
        own.store(Member::Offset, 0, 3);
        own.store(Member::Offset, 0, 4);
        let bytes = Bytes {
            source: record(1),
            from: 0,
            len: 2,
            total: 2,
        };
        own.put(0, bytes);
        assert_eq!(
            (own.load(Member::Padding, 1), own.load(Member::Padding, 2)),
            (7, 8)
        );
        assert_eq!(
            (own.load(Member::Offset, 0), own.load(Member::Padding, 0)),
            (4, 0)
        );
    }
    assert_eq!((pending.len(), buffer.offset, buffer.padding[1]), (5, 0, 0));
    let held = Held::Member {
        member: Member::Padding,
        slot: 1,
        value: 7,
    };
    assert_eq!(pending.drain_one(&mut buffer), Some(held));
    assert_eq!(
        (buffer.padding[1], buffer.padding[2], buffer.offset),
        (7, 0, 0)
    );
    pending.drain_one(&mut buffer);
    pending.drain_one(&mut buffer);
    assert_eq!((buffer.offset, pending.is_empty()), (3, false));
    pending.drain(&mut buffer);
    assert_eq!((buffer.offset, pending.is_empty()), (4, true));
    assert_eq!(at(&buffer, 0, 5), [(1, 100, 2, 0)]);
    assert_eq!(pending.drain_one(&mut buffer), None);
}

#[test]
fn barriers_and_locked_instructions_drain_and_accesses_do_not() {
    let load = Step::Load {
        member: Member::Offset,
        slot: 0,
        value: 0,
        site: None,
    };
    assert!(!drains(&load) && !drains(&Step::Blocked(Lock::Inode)));
    assert!(!drains(&Step::Done(Outcome::Nothing)));
    assert!(!drains(&Step::Effect(Effect::Called(1))));
    for effect in [
        Effect::Barrier,
        Effect::Locked(Lock::Inode),
        Effect::Unlocked(Lock::Channels),
        Effect::Queued,
        Effect::WakeQueued,
        Effect::WakeSynced,
        Effect::FileRemoved,
        Effect::Released,
    ] {
        assert!(drains(&Step::Effect(effect)), "{effect:?}");
    }
}

#[test]
fn who_wants_a_lock_that_is_held_waits_and_changes_nothing() {
    let set = set();
    let mut buffer = open(&set, &mut Log::default());
    let read = Op::Read {
        size: 4,
        is_nowhere: false,
    };
    for (op, lock) in [
        (read, Lock::Inode),
        (Op::Flush, Lock::Channels),
        (Op::Reset, Lock::Channels),
        (Op::Close, Lock::Channels),
    ] {
        let mut around = Around {
            inode_held: lock == Lock::Inode,
            channels_held: lock == Lock::Channels,
            ..Around::default()
        };
        assert!(around.is_held(lock));
        let mut frame = Frame::new(op);
        let untouched = buffer.clone();
        assert_eq!(
            frame.step(&mut buffer, &mut around, &set),
            Step::Blocked(lock)
        );
        assert_eq!(
            frame.step(&mut buffer, &mut around, &set),
            Step::Blocked(lock)
        );
        assert_eq!((&buffer, frame.op()), (&untouched, op));
        (around.inode_held, around.channels_held) = (false, false);
        let step = frame.step(&mut buffer, &mut around, &set);
        assert_eq!(step, Step::Effect(Effect::Locked(lock)));
        assert!(around.is_held(lock) && frame.outcome().is_none());
    }
    let mut around = Around {
        inode_held: true,
        ..Around::default()
    };
    let step = Frame::new(Op::Flush).step(&mut buffer, &mut around, &set);
    assert_eq!(step, Step::Effect(Effect::Locked(Lock::Channels)));
}

#[test]
fn a_switch_wakes_who_waits_and_a_reset_awaits_that() {
    let set = set();
    let mut buffer = open(&set, &mut Log::default());
    let mut around = Around::default();
    let mut run = |op, around: &mut Around| {
        let mut frame = Frame::new(op);
        while frame.outcome().is_none() {
            frame.step(&mut buffer, around, &set);
        }
    };
    run(Op::Flush, &mut around);
    assert!(!around.is_wake_queued);
    run(Op::Poll { waits: true }, &mut around);
    assert_eq!(around.waiters, 1);
    run(Op::Flush, &mut around);
    assert!(around.is_wake_queued && !around.channels_held);
    run(Op::Reset, &mut around);
    assert!(!around.is_wake_queued && !around.channels_held);
}

/// Relay as it is awaits what a switch has queued; with K4 fixed a close queues it first.
#[test]
fn a_close_awaits_what_is_queued() {
    for (defects, queued) in [
        (
            Defects::of(&[Defect::K4]),
            "true true false false false false",
        ),
        (Defects::NONE, "true true true false false false false"),
    ] {
        let set = Setting::plain(GEOMETRY, defects);
        let mut buffer = open(&set, &mut Log::default());
        for before in [true, false] {
            let mut around = Around {
                is_wake_queued: before,
                ..Around::default()
            };
            let mut frame = Frame::new(Op::Close);
            let mut seen = Vec::new();
            while frame.outcome().is_none() {
                frame.step(&mut buffer, &mut around, &set);
                seen.push(around.is_wake_queued.to_string());
            }
            if before {
                assert_eq!(seen.join(" "), queued);
            } else {
                assert_eq!(seen.contains(&"true".to_owned()), defects.is_empty());
            }
            assert!(buffer.finalized);
        }
    }
}

#[test]
fn an_operation_runs_the_same_on_any_memory() {
    let set = set();
    let mut log = Log::default();
    let mut buffer = open(&set, &mut log);
    assert_eq!(log.calls.len(), 1);
    let mut other = buffer.clone();
    let write = Op::Write {
        source: record(1),
        len: 4,
    };
    let outcome = run_alone(write, &mut buffer, &set, &mut log);
    assert_eq!(run_on(write, &mut other, &set), outcome);
    assert_eq!(buffer, other);
}

#[test]
fn frames_bar_others_as_their_defects_say() {
    let set = set();
    let mut buffer = open(&set, &mut Log::default());
    let started = |op, buffer: &mut Buffer| {
        let mut frame = Frame::new(op);
        assert!(frame.bars(&Op::Reset).is_empty());
        frame.step(buffer, &mut Around::default(), &set);
        frame
    };
    let write = Op::Write {
        source: record(1),
        len: 4,
    };
    let read = Op::Read {
        size: 4,
        is_nowhere: false,
    };
    let (consumed, poll) = (Op::Consumed { n: 1 }, Op::Poll { waits: false });
    let barred = [
        (
            write,
            [Op::Flush, Op::Reset, consumed, read, poll],
            "K41 K42 none none none",
        ),
        (
            Op::Flush,
            [write, Op::Reset, consumed, read, poll],
            "K41 K42 none none none",
        ),
        (
            Op::Reset,
            [write, Op::Reset, consumed, read, poll],
            "K42 K42 K42 K42 none",
        ),
        (
            consumed,
            [write, Op::Reset, consumed, read, poll],
            "none K42 K43 K43 none",
        ),
        (
            read,
            [write, Op::Reset, consumed, read, poll],
            "none K42 K43 none none",
        ),
        (
            poll,
            [write, Op::Reset, consumed, read, Op::BufFull],
            "none none none none none",
        ),
        (
            Op::Close,
            [write, Op::Reset, consumed, read, poll],
            "none none none none none",
        ),
    ];
    for (op, others, expected) in barred {
        let frame = started(op, &mut buffer);
        let bars: Vec<String> = others
            .iter()
            .map(|other| frame.bars(other).to_string())
            .collect();
        assert_eq!(bars.join(" "), expected, "{op:?}");
    }
}
