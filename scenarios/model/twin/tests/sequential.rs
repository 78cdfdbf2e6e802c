//! One frame after the other, without defects: the twin equals the contract, in every count, byte and answer.

#![expect(
    clippy::unwrap_used,
    reason = "a test's helper fails the test by panicking"
)]

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use relaybed_case::Refuse;
use relaybed_contract::{Buffer, Fate, Geometry, Piece, Source, SwitchCall};
use relaybed_twin::{Defects, Log, Op, Outcome, Setting, Site, Sites, open, run_alone};

/// One operation of a drawn program.
#[derive(Clone, Copy, Debug)]
enum Drawn {
    Write(u32),
    Reserve(u32, bool),
    Switch(u64),
    Flush,
    Reset,
    Consumed(u64),
    Read(u32),
    Poll,
    BufFull,
}

fn operation(size: u32, n: u64) -> impl Strategy<Value = Drawn> {
    let len = prop_oneof![
        6 => 1..=size,
        1 => Just(0),
        1 => Just(size),
        1 => size + 1..=size + 3,
    ];
    let wanted = prop_oneof![
        4 => 1..=2 * size,
        2 => Just(size),
        1 => Just(0),
        2 => Just(u32::try_from(n).unwrap() * size + 1),
    ];
    prop_oneof![
        12 => len.clone().prop_map(Drawn::Write),
        4 => (len.clone(), any::<bool>()).prop_map(|(len, halves)| Drawn::Reserve(len, halves)),
        1 => len.prop_map(|len| Drawn::Switch(len.into())),
        5 => Just(Drawn::Flush),
        1 => Just(Drawn::Reset),
        1 => (0..=n + 1).prop_map(Drawn::Consumed),
        10 => wanted.prop_map(Drawn::Read),
        1 => Just(Drawn::Poll),
        1 => Just(Drawn::BufFull),
    ]
}

fn setting() -> impl Strategy<Value = Setting> {
    let size = prop_oneof![3 => 1..=6_u64, 2 => 7..=24_u64, 1 => Just(64_u64)];
    let refuse = prop_oneof![
        3 => Just(None),
        1 => (1..=6_u32, 1..=4_u32).prop_map(|(from, count)| Some(Refuse { from, count })),
    ];
    (
        (size, 1..=5_u64, any::<bool>(), 0..4_u64, refuse),
        (any::<bool>(), any::<bool>(), 0..3_u8, any::<bool>()),
        (any::<bool>(), any::<bool>()),
    )
        .prop_map(
            |(
                (size, n, overwrite, header, refuse),
                (stats, split, mode, global),
                (pads_late, sizes_early),
            )| {
                let has_callback = mode > 0;
                let geometry = Geometry {
                    subbuf_size: size,
                    n_subbufs: n,
                    overwrite: overwrite && has_callback,
                    // The kernel dies of a header that leaves less than two bytes.
                    header_bytes: if has_callback && header + 1 < size {
                        header
                    } else {
                        0
                    },
                    has_file: true,
                    refuse: refuse.filter(|_| has_callback),
                };
                Setting {
                    has_callback,
                    prev_padding: !stats,
                    stats,
                    is_global: global,
                    is_split: split,
                    pads_late,
                    sizes_early,
                    merged: if mode == 1 {
                        // Where the client's log is full, its event has counts of earlier loads.
                        Sites::ALL.without(Site::CallbackEvent)
                    } else {
                        Sites::SOURCE
                    },
                    ..Setting::plain(geometry, Defects::NONE)
                }
            },
        )
}

fn program() -> impl Strategy<Value = (Setting, Vec<Drawn>)> {
    setting().prop_flat_map(|set| {
        let size = u32::try_from(set.geometry.subbuf_size).unwrap();
        let op = operation(size, set.geometry.n_subbufs);
        (Just(set), prop::collection::vec(op, 1..60))
    })
}

/// Runs of bytes with nothing in between are one piece, however they came there.
fn joined(pieces: impl Iterator<Item = Piece>) -> Vec<Piece> {
    let mut all: Vec<Piece> = Vec::new();
    for piece in pieces {
        match all.last_mut() {
            Some(last)
                if last.source == piece.source
                    && last.end() == piece.start
                    && last.from + last.len == piece.from =>
            {
                last.len += piece.len;
            }
            _ => all.push(piece),
        }
    }
    all
}

fn bytes_of(buffer: &Buffer) -> Vec<Vec<Piece>> {
    let of = |subbuf: &relaybed_contract::buffer::Subbuf| {
        joined(subbuf.current.iter().copied().chain(subbuf.remains()))
    };
    buffer.subbufs.iter().map(of).collect()
}

fn without_argument(calls: &[SwitchCall], set: &Setting) -> Vec<SwitchCall> {
    let argument = |call: &SwitchCall| {
        if set.prev_padding {
            call.prev_padding
        } else {
            0
        }
    };
    calls
        .iter()
        .map(|call| SwitchCall {
            prev_padding: argument(call),
            ..*call
        })
        .collect()
}

/// Whether the twin is as the contract has it; where not, `Err` names the difference.
fn compare(set: &Setting, contract: &Buffer, twin: &Buffer) -> Result<(), TestCaseError> {
    prop_assert_eq!(contract.produced, twin.produced);
    prop_assert_eq!(contract.consumed, twin.consumed);
    prop_assert_eq!(contract.offset, twin.offset);
    prop_assert_eq!(contract.data, twin.data);
    prop_assert_eq!(&contract.padding, &twin.padding);
    // Behind a client's `relay_subbufs_consumed()` the contract knows no position (K44).
    if contract.position_known {
        prop_assert_eq!(contract.bytes_consumed, twin.bytes_consumed);
    }
    prop_assert_eq!(contract.finalized, twin.finalized);
    prop_assert_eq!(contract.completed_bytes, twin.completed_bytes);
    if set.prev_padding {
        prop_assert_eq!(contract.prev_padding, twin.prev_padding);
        prop_assert_eq!(contract.last_toobig, twin.last_toobig);
    }
    if set.stats {
        prop_assert_eq!(contract.full_count, twin.full_count);
        prop_assert_eq!(contract.big_count, twin.big_count);
    }
    if set.has_callback {
        prop_assert_eq!(contract.calls, twin.calls);
    }
    prop_assert_eq!(bytes_of(contract), bytes_of(twin));
    for subbuf in &twin.subbufs {
        prop_assert!(subbuf.current.is_empty());
        let apart = subbuf
            .old
            .windows(2)
            .all(|two| two[0].end() <= two[1].start);
        prop_assert!(apart, "{:?}", subbuf.old);
    }
    Ok(())
}

/// One operation on the contract: its answer in the twin's words, and what a read gives.
fn by_contract(
    buffer: &mut Buffer,
    drawn: Drawn,
    source: Source,
    calls: &mut Vec<SwitchCall>,
) -> (Outcome, Vec<Piece>) {
    let outcome = match drawn {
        Drawn::Write(len) => Outcome::Written {
            fate: buffer.write(source, len, false, calls),
        },
        Drawn::Reserve(len, _) => Outcome::Written {
            fate: buffer.write(source, len, true, calls),
        },
        Drawn::Switch(len) => {
            let (value, fate) = buffer.switch_for(len, calls);
            Outcome::Switched { value, fate }
        }
        Drawn::Flush => {
            buffer.flush(calls);
            Outcome::Nothing
        }
        Drawn::Reset => {
            buffer.reset(calls);
            Outcome::Nothing
        }
        Drawn::Consumed(n) => {
            buffer.subbufs_consumed(n);
            Outcome::Nothing
        }
        Drawn::Read(size) => {
            let pieces = buffer.read(size);
            let bytes = pieces.last().map_or(0, Piece::end).into();
            return (Outcome::Read { bytes }, pieces);
        }
        Drawn::Poll => Outcome::Polled {
            mask: if buffer.is_readable() { 0x41 } else { 0 },
        },
        Drawn::BufFull => Outcome::Full(buffer.is_full()),
    };
    (outcome, Vec::new())
}

fn operation_of(drawn: Drawn, source: Source) -> Op {
    match drawn {
        Drawn::Write(len) => Op::Write { source, len },
        Drawn::Reserve(len, in_halves) => Op::Reserve {
            source,
            len,
            in_halves,
        },
        Drawn::Switch(len) => Op::Switch { len },
        Drawn::Flush => Op::Flush,
        Drawn::Reset => Op::Reset,
        Drawn::Consumed(n) => Op::Consumed { n },
        Drawn::Read(size) => Op::Read {
            size,
            is_nowhere: false,
        },
        Drawn::Poll => Op::Poll { waits: false },
        Drawn::BufFull => Op::BufFull,
    }
}

/// What a program met, so that the test can say that it meets everything.
#[derive(Default)]
struct Met {
    accepted: u64,
    refused: u64,
    too_big: u64,
    read: u64,
    stopped: u64,
}

fn check(set: &Setting, ops: &[Drawn], met: &mut Met) -> Result<(), TestCaseError> {
    let mut calls = Vec::new();
    let mut contract = Buffer::open(set.geometry, &mut calls);
    let mut log = Log::default();
    let mut twin = open(set, &mut log);
    compare(set, &contract, &twin)?;
    for (seq, drawn) in ops.iter().enumerate() {
        let source = Source::Record {
            actor: 0,
            op: 0,
            seq: u32::try_from(seq).unwrap(),
        };
        if matches!(drawn, Drawn::Read(_)) && !contract.position_known {
            met.stopped += 1;
            break;
        }
        let (expected, pieces) = by_contract(&mut contract, *drawn, source, &mut calls);
        log.pieces.clear();
        let outcome = run_alone(operation_of(*drawn, source), &mut twin, set, &mut log);
        prop_assert_eq!(expected, outcome, "operation {}: {:?}", seq, drawn);
        let (pieces, got) = (joined(pieces.into_iter()), joined(log.pieces.drain(..)));
        prop_assert_eq!(pieces, got, "operation {}: {:?}", seq, drawn);
        compare(set, &contract, &twin)?;
        match outcome {
            Outcome::Written { fate } => match fate {
                Fate::Accepted => met.accepted += 1,
                Fate::Refused => met.refused += 1,
                Fate::TooBig => met.too_big += 1,
            },
            Outcome::Read { bytes } => met.read += bytes,
            _ => {}
        }
    }
    if set.has_callback {
        let (calls, seen) = (
            without_argument(&calls, set),
            without_argument(&log.calls, set),
        );
        prop_assert_eq!(calls, seen);
    } else {
        prop_assert!(log.calls.is_empty());
    }
    Ok(())
}

fn programs(count: u32) -> Met {
    let mut runner = TestRunner::new(Config {
        cases: count,
        failure_persistence: None,
        ..Config::default()
    });
    let met = std::cell::RefCell::new(Met::default());
    let result = runner.run(&program(), |(set, ops)| {
        check(&set, &ops, &mut met.borrow_mut())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    met.into_inner()
}

#[test]
fn without_defects_the_twin_equals_the_contract() {
    let met = programs(3000);
    assert!(met.accepted > 1000 && met.refused > 1000 && met.too_big > 1000);
    assert!(met.read > 1000 && met.stopped > 10);
}

/// About two minutes in release.
#[test]
#[ignore = "a million programs"]
fn without_defects_the_twin_equals_the_contract_on_a_million_programs() {
    programs(1_000_000);
}
