//! Requests that are of no scenario: for the guest's symbol table, and to rest.

use relaybed_abi::{
    Actor, Context, Op, OpCode, RB_DATA_SIZE, RB_NONE16, RB_NONE32, RB_OFF_OPS, RB_OFF_REQUEST,
    Request,
};
use zerocopy::{FromZeros, IntoBytes};

use super::Program;

fn narrow(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}

/// The request for the text of the symbol table from byte `from` on: one actor, one operation, whose value
/// is the length of the whole.
#[must_use]
pub fn symbols(from: u32) -> Program {
    one(OpCode::Symbols, from, narrow(RB_DATA_SIZE))
}

/// The request to do nothing for so many microseconds, at most ten seconds.
#[must_use]
pub fn rest(us: u32) -> Program {
    one(OpCode::Delay, us, 0)
}

/// One operation of one actor of user space, on any CPU.
fn one(code: OpCode, arg0: u32, arg1: u32) -> Program {
    let mut request = Request::new_zeroed();
    request.n_actors = 1;
    request.n_ops = 1;
    request.actors[0] = Actor {
        context: Context::User.code(),
        cpu: RB_NONE32,
        first_op: 0,
        n_ops: 1,
        ..Actor::new_zeroed()
    };
    let op = Op {
        code: u16::try_from(code.code()).unwrap_or(RB_NONE16),
        channel: RB_NONE16,
        file: RB_NONE16,
        arg0,
        arg1,
        ..Op::new_zeroed()
    };
    Program {
        writes: vec![
            (narrow(RB_OFF_REQUEST), request.as_bytes().to_vec()),
            (narrow(RB_OFF_OPS), op.as_bytes().to_vec()),
        ],
        ops_of_actor: std::iter::once(0..1).collect(),
        checkpoints: Vec::new(),
    }
}
