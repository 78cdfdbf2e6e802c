//! A request that compares ways out of the kernel: not from a case, since no scenario asks for it.

use std::ops::Range;

use relaybed_abi::{
    Actor, Context, Op, OpCode, RB_DATA_SIZE, RB_NONE16, RB_OFF_OPS, RB_OFF_REQUEST,
    RB_TRANSPORT_SUBBUF, Request, Transport,
};
use zerocopy::{FromZeros, IntoBytes};

use super::Program;

/// The most records of `len` bytes that one transfer can move: their bytes must find room in the
/// mailbox, so that every one of them can be checked.
#[must_use]
pub fn records_max(len: u32) -> u32 {
    u32::try_from(RB_DATA_SIZE).unwrap_or(u32::MAX) / len.max(1)
}

/// Lengths of records that a transfer can have.
#[must_use]
pub fn lengths() -> Range<u32> {
    1..u32::try_from(RB_TRANSPORT_SUBBUF).unwrap_or(u32::MAX)
}

/// The request to move `count` records of `len` bytes, on CPU 0: one actor, one operation.
#[must_use]
pub fn transfer(transport: Transport, len: u32, count: u32) -> Program {
    let mut request = Request::new_zeroed();
    request.n_actors = 1;
    request.n_ops = 1;
    request.actors[0] = Actor {
        context: Context::User.code(),
        cpu: 0,
        first_op: 0,
        n_ops: 1,
        ..Actor::new_zeroed()
    };
    let op = Op {
        code: u16::try_from(OpCode::Transfer.code()).unwrap_or(RB_NONE16),
        channel: RB_NONE16,
        file: RB_NONE16,
        arg0: transport.code(),
        len_min: len,
        len_max: len,
        count: count.min(records_max(len)),
        ..Op::new_zeroed()
    };
    let at = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
    Program {
        writes: vec![
            (at(RB_OFF_REQUEST), request.as_bytes().to_vec()),
            (at(RB_OFF_OPS), op.as_bytes().to_vec()),
        ],
        ops_of_actor: std::iter::once(0..1).collect(),
        checkpoints: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zerocopy::FromBytes;

    #[test]
    fn no_more_is_asked_for_than_can_be_checked() {
        let program = transfer(Transport::Seq, 4096, u32::MAX);
        let op = Op::read_from_bytes(&program.writes[1].1).unwrap();
        assert_eq!(op.count, records_max(4096));
        assert!(op.count as usize * 4096 <= RB_DATA_SIZE);
        assert_eq!(op.arg0, Transport::Seq.code());
    }
}
