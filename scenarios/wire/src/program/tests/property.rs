//! Any case at all: no panic, and what is written re-parses.

use std::ops::Range;

use proptest::prelude::*;
use relaybed_abi::{
    Op as AbiOp, OpCode, RB_OFF_BLOB, RB_OFF_OPS, RB_OP_BLOB, RB_OP_HIDDEN, RB_OP_PRIVATE,
    RB_OP_WRITABLE, Request,
};
use zerocopy::IntoBytes;

use super::{case, channel, ops, request, section};
use crate::program::{Program, compile};
use relaybed_case::{Actor, Case, Context, FileCall, Map, Op, Payload, Place, Via, Whence};

fn code_of(op: &AbiOp) -> OpCode {
    OpCode::try_from(u32::from(op.code)).unwrap()
}

fn any_index() -> impl Strategy<Value = usize> {
    prop_oneof![9 => 0usize..3, 1 => any::<usize>()]
}

fn any_payload() -> impl Strategy<Value = Payload> {
    prop_oneof![
        (0u32..300, 0u32..300).prop_map(|(len_min, len_max)| Payload::Record { len_min, len_max }),
        prop::collection::vec(any::<u8>(), 0..20).prop_map(Payload::Bytes),
    ]
}

fn any_call() -> impl Strategy<Value = FileCall> {
    prop_oneof![
        (any::<u64>(), any::<u64>(), any::<[bool; 3]>()).prop_map(
            |(len, offset, [writable, private, hidden])| FileCall::Map(Map {
                len,
                offset,
                writable,
                private,
                hidden,
            })
        ),
        any::<u64>().prop_map(|len| FileCall::Mremap { len }),
        any::<i64>().prop_map(|offset| FileCall::Seek {
            whence: Whence::Current,
            offset
        }),
        any_index().prop_map(|to| FileCall::Dup { to }),
        (any::<u32>(), 0u32..9).prop_map(|(size, parts)| FileCall::Readv { size, parts }),
        (any::<u64>(), prop::collection::vec(any::<u8>(), 0..20))
            .prop_map(|(at, bytes)| FileCall::Store { at, bytes }),
        (any::<u32>(), any::<u32>(), any::<bool>()).prop_map(|(size, times, late)| {
            FileCall::Splice {
                size,
                times,
                nonblock: false,
                late,
            }
        }),
    ]
}

fn any_op() -> impl Strategy<Value = Op> {
    let count = prop_oneof![9 => 0u32..50, 1 => any::<u32>()];
    prop_oneof![
        (any_index(), any_payload(), count).prop_map(|(channel, payload, count)| {
            Op::Write {
                channel,
                via: Via::RawWrite,
                payload,
                count,
            }
        }),
        any_index().prop_map(|channel| Op::Flush { channel }),
        (any_index(), any::<u32>(), any::<u32>()).prop_map(|(channel, cpu, n)| Op::Consumed {
            channel,
            cpu,
            n
        }),
        any_index().prop_map(|gate| Op::Signal { gate }),
        (any_index(), any::<u32>()).prop_map(|(gate, count)| Op::Wait { gate, count }),
        ".{0,5}".prop_map(|label| Op::Checkpoint { label }),
        (any_index(), any_index(), any::<u32>()).prop_map(|(file, channel, cpu)| Op::FileOpen {
            file,
            channel,
            cpu
        }),
        (any_index(), any::<u32>(), any::<u32>()).prop_map(|(file, size, times)| Op::FileRead {
            file,
            size,
            times
        }),
        (any_index(), any::<Option<u32>>())
            .prop_map(|(file, timeout_ms)| Op::FilePoll { file, timeout_ms }),
        (any_index(), any_call()).prop_map(|(file, call)| Op::File { file, call }),
    ]
}

prop_compose! {
    fn any_actor()(
        name in ".{0,6}",
        kernel in any::<bool>(),
        cpu in 0u32..3,
        ops in prop::collection::vec(any_op(), 0..6),
    ) -> Actor {
        let place = if kernel {
            Place::Kernel { cpu, context: Context::Hardirq }
        } else {
            Place::User { cpu: Some(cpu) }
        };
        // Mostly operations that the actor can do, so that whole cases compile now and then.
        let ops = ops.into_iter().filter(|op| match op {
            Op::Write { .. } | Op::Flush { .. } | Op::Consumed { .. } => kernel,
            Op::Signal { .. } | Op::Wait { .. } | Op::Checkpoint { .. } => true,
            _ => !kernel,
        }).collect();
        Actor { name, place, source: None, ops }
    }
}

prop_compose! {
    fn any_case()(
        vcpus in 0u32..70,
        seed in any::<u64>(),
        names in prop::collection::vec("[a-z/]{0,9}", 0..10),
        sizes in (any::<u64>(), any::<u64>(), 0u64..9000, 0u64..9),
        small in any::<bool>(),
        actors in prop::collection::vec(any_actor(), 0..5),
        gates in 0usize..70,
    ) -> Case {
        let mut case = case(actors);
        (case.vcpus, case.seed) = (vcpus, seed);
        case.channels = names.iter().map(|name| channel(name)).collect();
        for channel in &mut case.channels {
            let (s, n) = if small { (sizes.2, sizes.3) } else { (sizes.0, sizes.1) };
            (channel.subbuf_size, channel.n_subbufs) = (s, n);
        }
        case.gates = vec!["gate".to_owned(); gates];
        case
    }
}

/// What an encoded operation must say, member by member, where the case says it.
fn assert_meant(case: &Case, actor: &Actor, index: usize, raw: &AbiOp, blob: &[u8]) {
    match &actor.ops[index] {
        Op::Write {
            channel,
            payload,
            count,
            ..
        } => {
            assert_eq!(code_of(raw), OpCode::RawWrite);
            assert_eq!((usize::from(raw.channel), raw.count), (*channel, *count));
            assert_eq!(raw.seq_first, actor.first_record(index));
            match payload {
                Payload::Record { len_min, len_max } => {
                    assert_eq!(
                        (raw.len_min, raw.len_max, raw.flags),
                        (*len_min, *len_max, 0)
                    );
                }
                Payload::Bytes(bytes) => {
                    assert_eq!(raw.flags, RB_OP_BLOB);
                    assert_eq!(blob[raw.blob as usize..][..raw.len_min as usize], **bytes);
                }
                Payload::Formatted(text) => {
                    let bytes = &blob[raw.blob as usize..][..raw.len_min as usize];
                    assert_eq!(bytes, text.as_bytes());
                }
            }
        }
        Op::Consumed { cpu, n, .. } => assert_eq!((raw.arg0, raw.arg1), (*cpu, *n)),
        Op::Signal { gate } | Op::Wait { gate, .. } => {
            assert_eq!(raw.arg0 as usize, *gate);
            assert!(*gate < case.gates.len());
        }
        Op::FileRead { file, size, times } => {
            assert_eq!(
                (usize::from(raw.file), raw.arg0, raw.arg1),
                (*file, *size, *times)
            );
        }
        Op::File { file, call } => {
            assert_eq!(usize::from(raw.file), *file);
            assert_call(call, raw, blob);
        }
        _ => {}
    }
}

fn assert_call(call: &FileCall, raw: &AbiOp, blob: &[u8]) {
    match call {
        FileCall::Map(map) => {
            let offset = u64::from(raw.arg1) << 32 | u64::from(raw.arg0);
            assert_eq!((raw.len64, offset), (map.len, map.offset));
            assert_eq!(raw.flags & RB_OP_WRITABLE != 0, map.writable);
            assert_eq!(raw.flags & RB_OP_PRIVATE != 0, map.private);
            assert_eq!(raw.flags & RB_OP_HIDDEN != 0, map.hidden);
        }
        FileCall::Mremap { len } => assert_eq!(raw.len64, *len),
        FileCall::Seek { offset, .. } => assert_eq!(raw.len64.cast_signed(), *offset),
        FileCall::Dup { to } => assert_eq!(raw.arg0 as usize, *to),
        FileCall::Readv { size, parts } => assert_eq!((raw.arg0, raw.arg1), (*size, *parts)),
        FileCall::Store { at, bytes } => {
            assert_eq!(raw.len64, *at);
            assert_eq!(blob[raw.blob as usize..][..raw.len_min as usize], **bytes);
        }
        FileCall::Splice { size, times, .. } => {
            assert_eq!((raw.arg0, raw.arg1), (*size, *times));
        }
        _ => {}
    }
}

fn assert_sections_fit(program: &Program) {
    let end = |range: &Range<usize>| range.end;
    let ends = [RB_OFF_OPS, RB_OFF_BLOB, relaybed_abi::RB_OFF_RESULTS];
    for ((offset, bytes), limit) in program.writes.iter().zip(ends) {
        assert!(*offset as usize + bytes.len() <= limit);
    }
    assert_eq!(
        program.ops_of_actor.last().map_or(0, end),
        ops(program).len()
    );
}

proptest! {
    /// Whatever the case, compiling does not panic, and what is written re-parses to what was meant.
    #[test]
    fn what_is_written_is_what_was_meant(case in any_case()) {
        if let Ok(program) = compile(&case, None) {
            assert_sections_fit(&program);
            let all = ops(&program);
            let blob = section(&program, RB_OFF_BLOB);
            for (actor, range) in case.actors.iter().zip(&program.ops_of_actor) {
                for (index, raw) in all[range.clone()].iter().enumerate() {
                    assert_meant(&case, actor, index, raw, blob);
                }
            }
            prop_assert_eq!(request(&program).as_bytes().len(), size_of::<Request>());
        }
    }
}
