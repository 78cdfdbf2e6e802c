//! One operation of a case as `struct rb_op`.

use relaybed_abi::{
    NullCall as AbiNullCall, Op as AbiOp, OpCode, RB_DATA_SIZE, RB_MAX_BLOB, RB_MAX_FILES,
    RB_MAX_RECORD, RB_NONE16, RB_NONE32, RB_OP_BLOB, RB_OP_HOLD, RB_OP_IRQS_ON,
    RB_OP_NEST_CALLBACK, RB_OP_NEST_FILL,
};
use std::collections::BTreeMap;

use super::ProgramError;
use super::compile::Checkpoint;
use relaybed_case::{Case, NestPoint, NullCall, Op, Payload, Via};

/// Which actors can do an operation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    Kernel,
    User,
    Both,
}

/// Collects what operations share: literal bytes and checkpoints.
#[derive(Default)]
pub(super) struct Encoder<'case> {
    pub(super) blob: Vec<u8>,
    literals: BTreeMap<&'case [u8], u32>,
    pub(super) checkpoints: Vec<Checkpoint>,
}

/// Where an operation stands, and the number of its first record.
pub(super) struct Position<'case> {
    pub(super) case: &'case Case,
    pub(super) actor: usize,
    pub(super) op: usize,
    pub(super) in_kernel: bool,
    pub(super) first_record: u32,
}

impl Position<'_> {
    fn text(&self) -> String {
        let name = self
            .case
            .actors
            .get(self.actor)
            .map_or("?", |actor| &actor.name);
        format!("actor {name:?}, operation {}", self.op)
    }

    pub(super) fn limit(
        &self,
        what: &'static str,
        value: u64,
        limit: usize,
    ) -> Result<(), ProgramError> {
        let limit = limit as u64;
        if value > limit {
            return Err(ProgramError::TooLarge {
                at: self.text(),
                what,
                value,
                limit,
            });
        }
        Ok(())
    }

    pub(super) fn index(
        &self,
        what: &'static str,
        index: usize,
        count: usize,
    ) -> Result<u16, ProgramError> {
        match u16::try_from(index) {
            Ok(narrow) if index < count => Ok(narrow),
            _ => Err(ProgramError::NoSuch {
                at: self.text(),
                what,
                index: index as u64,
                count: count as u64,
            }),
        }
    }
}

impl<'case> Encoder<'case> {
    /// Encodes one operation.
    pub(super) fn encode(
        &mut self,
        position: &Position<'case>,
        op: &'case Op,
    ) -> Result<AbiOp, ProgramError> {
        let (code, owner, name) = kind(op);
        let fits = match owner {
            Owner::Both => true,
            Owner::Kernel => position.in_kernel,
            Owner::User => !position.in_kernel,
        };
        if !fits {
            let owner = if owner == Owner::Kernel {
                "kernel"
            } else {
                "user"
            };
            return Err(ProgramError::WrongPlace {
                at: position.text(),
                op: name,
                owner,
            });
        }
        let mut raw = blank(code);
        if let Some(channel) = op.channel() {
            raw.channel = position.index("channel", channel, position.case.channels.len())?;
        }
        if let Some(file) = op.file() {
            raw.file = position.index("file slot", file, RB_MAX_FILES)?;
        }
        self.arguments(position, op, &mut raw)?;
        Ok(raw)
    }

    fn arguments(
        &mut self,
        position: &Position<'case>,
        op: &'case Op,
        raw: &mut AbiOp,
    ) -> Result<(), ProgramError> {
        let gates = position.case.gates.len();
        match op {
            Op::Write {
                payload,
                count,
                via,
                ..
            } => {
                how(position, *via, raw)?;
                nest(position, raw);
                self.records(position, payload, *count, raw)?;
            }
            Op::Switch { len, .. } => raw.len64 = *len,
            Op::Klog { payload, count } => self.records(position, payload, *count, raw)?,
            Op::Consumed { cpu, n, .. } => (raw.arg0, raw.arg1) = (*cpu, *n),
            Op::BufFull { cpu, .. } | Op::FileOpen { cpu, .. } | Op::Stat { cpu, .. } => {
                raw.arg0 = *cpu;
            }
            Op::Signal { gate } => raw.arg0 = position.index("gate", *gate, gates)?.into(),
            Op::Wait { gate, count } => {
                raw.arg0 = position.index("gate", *gate, gates)?.into();
                raw.arg1 = *count;
            }
            Op::Checkpoint { label } => {
                // At most one an operation, so the number of operations bounds it.
                raw.arg0 = u32::try_from(self.checkpoints.len()).unwrap_or(RB_NONE32);
                self.checkpoints.push(Checkpoint {
                    label: label.clone(),
                    actor: position.actor,
                    op: position.op,
                });
            }
            Op::Null { call } => raw.arg0 = null(*call).code(),
            Op::Delay { microseconds } => raw.arg0 = *microseconds,
            Op::CpuOff { cpu } => raw.arg0 = *cpu,
            Op::CpuOn { cpu, hold } => {
                raw.arg0 = *cpu;
                if let Some(hold) = hold {
                    raw.flags |= RB_OP_HOLD;
                    raw.arg1 = position.index("gate", hold.reached, gates)?.into();
                    raw.nest = position.index("gate", hold.until, gates)?.into();
                }
            }
            Op::Sysrq { key } => raw.arg0 = u32::from(*key),
            Op::FileRead { size, times, .. } => {
                position.limit("the size of a read", (*size).into(), RB_DATA_SIZE)?;
                (raw.arg0, raw.arg1) = (*size, *times);
            }
            Op::FilePoll { timeout_ms, .. } => {
                let longest = RB_NONE32 as usize - 1;
                position.limit("the timeout", timeout_ms.unwrap_or(0).into(), longest)?;
                raw.arg0 = timeout_ms.unwrap_or(RB_NONE32);
            }
            Op::File { call, .. } => self.call(position, call, raw)?,
            Op::Open { .. }
            | Op::Close { .. }
            | Op::KlogRegister { .. }
            | Op::KlogUnregister { .. }
            | Op::Flush { .. }
            | Op::Reset { .. }
            | Op::LateSetup { .. }
            | Op::FileClose { .. }
            | Op::FileMunmap { .. }
            | Op::FileCopy { .. }
            | Op::List { .. } => {}
        }
        Ok(())
    }

    fn records(
        &mut self,
        position: &Position<'case>,
        payload: &'case Payload,
        count: u32,
        raw: &mut AbiOp,
    ) -> Result<(), ProgramError> {
        raw.count = count;
        raw.seq_first = position.first_record;
        self.payload(position, payload, raw)
    }

    fn payload(
        &mut self,
        position: &Position<'case>,
        payload: &'case Payload,
        raw: &mut AbiOp,
    ) -> Result<(), ProgramError> {
        match payload {
            Payload::Record { len_min, len_max } => {
                if len_min > len_max {
                    return Err(ProgramError::LengthRange {
                        at: position.text(),
                        min: *len_min,
                        max: *len_max,
                    });
                }
                position.limit(
                    "the largest record length",
                    (*len_max).into(),
                    RB_MAX_RECORD,
                )?;
                (raw.len_min, raw.len_max) = (*len_min, *len_max);
            }
            Payload::Bytes(bytes) => self.bytes(position, bytes, raw)?,
            Payload::Formatted(text) => self.bytes(position, text.as_bytes(), raw)?,
        }
        Ok(())
    }

    fn bytes(
        &mut self,
        position: &Position<'case>,
        bytes: &'case [u8],
        raw: &mut AbiOp,
    ) -> Result<(), ProgramError> {
        let len = bytes.len() as u64;
        position.limit("the length of the record", len, RB_MAX_RECORD)?;
        let len = u32::try_from(len).unwrap_or(u32::MAX);
        (raw.len_min, raw.len_max) = (len, len);
        raw.blob = self.literal(bytes)?;
        raw.flags |= RB_OP_BLOB;
        Ok(())
    }

    /// Offset of these bytes in the blob area; equal literals share one place.
    pub(super) fn literal(&mut self, bytes: &'case [u8]) -> Result<u32, ProgramError> {
        if let Some(at) = self.literals.get(bytes) {
            return Ok(*at);
        }
        let at = self.blob.len();
        let end = at + bytes.len();
        if end > RB_MAX_BLOB {
            return Err(ProgramError::TooMany {
                what: "literal bytes of all operations",
                count: end as u64,
                limit: RB_MAX_BLOB as u64,
            });
        }
        let at = u32::try_from(at).unwrap_or(u32::MAX);
        self.blob.extend_from_slice(bytes);
        self.literals.insert(bytes, at);
        Ok(at)
    }
}

fn blank(code: OpCode) -> AbiOp {
    AbiOp {
        // The codes are below 64.
        code: u16::try_from(code.code()).unwrap_or(0),
        channel: RB_NONE16,
        file: RB_NONE16,
        flags: 0,
        arg0: 0,
        arg1: 0,
        len_min: 0,
        len_max: 0,
        count: 0,
        seq_first: 0,
        blob: 0,
        nest: 0,
        len64: 0,
    }
}

/// The actor that is nested on the operation.
fn nest(position: &Position<'_>, raw: &mut AbiOp) {
    let Some((guest, at)) = position.case.guest(position.actor, position.op) else {
        return;
    };
    raw.flags |= match at {
        NestPoint::Callback => RB_OP_NEST_CALLBACK,
        NestPoint::Fill => RB_OP_NEST_FILL,
    };
    // The number of actors was checked.
    raw.nest = u32::try_from(guest).unwrap_or(RB_NONE32);
}

/// What a write does beside handing its records to relay.
fn how(position: &Position<'_>, via: Via, raw: &mut AbiOp) -> Result<(), ProgramError> {
    if via == Via::RawWriteIrqsOn {
        raw.flags |= RB_OP_IRQS_ON;
    }
    if let Some(hold) = via.hold() {
        let gates = position.case.gates.len();
        raw.flags |= RB_OP_HOLD;
        raw.arg0 = position.index("gate", hold.reached, gates)?.into();
        raw.arg1 = position.index("gate", hold.until, gates)?.into();
    }
    Ok(())
}

fn kind(op: &Op) -> (OpCode, Owner, &'static str) {
    use Owner::{Both, Kernel, User};
    match op {
        Op::Open { .. } => (OpCode::Open, Kernel, "open"),
        Op::Close { .. } => (OpCode::Close, Kernel, "close"),
        Op::Write {
            via: Via::Write, ..
        } => (OpCode::Write, Kernel, "write"),
        Op::Write {
            via: Via::RawWrite | Via::RawWriteIrqsOn,
            ..
        } => (OpCode::RawWrite, Kernel, "raw-write"),
        Op::Write {
            via: Via::Reserve | Via::ReserveHeld(_),
            ..
        } => (OpCode::Reserve, Kernel, "reserve"),
        Op::KlogRegister { .. } => (OpCode::KlogRegister, Kernel, "klog-register"),
        Op::KlogUnregister { .. } => (OpCode::KlogUnregister, Kernel, "klog-unregister"),
        Op::Klog {
            payload: Payload::Formatted(_),
            ..
        } => (OpCode::Klog, Kernel, "klog"),
        Op::Klog { .. } => (OpCode::KlogRaw, Kernel, "klog-raw"),
        Op::Flush { .. } => (OpCode::Flush, Kernel, "flush"),
        Op::Reset { .. } => (OpCode::Reset, Kernel, "reset"),
        Op::Consumed { .. } => (OpCode::Consumed, Kernel, "consumed"),
        Op::BufFull { .. } => (OpCode::BufFull, Kernel, "buf-full"),
        Op::Switch { .. } => (OpCode::Switch, Kernel, "switch"),
        Op::Null { .. } => (OpCode::Null, Kernel, "null"),
        Op::LateSetup { .. } => (OpCode::LateSetup, Kernel, "late-setup"),
        Op::Signal { .. } => (OpCode::Signal, Both, "signal"),
        Op::Wait { .. } => (OpCode::Wait, Both, "wait"),
        Op::Checkpoint { .. } => (OpCode::Checkpoint, Both, "checkpoint"),
        Op::Delay { .. } => (OpCode::Delay, Both, "delay"),
        Op::FileOpen { .. } => (OpCode::FileOpen, User, "file-open"),
        Op::FileClose { .. } => (OpCode::FileClose, User, "file-close"),
        Op::FileRead { .. } => (OpCode::FileRead, User, "file-read"),
        Op::FilePoll { .. } => (OpCode::FilePoll, User, "file-poll"),
        Op::FileMunmap { .. } => (OpCode::FileMunmap, User, "file-munmap"),
        Op::FileCopy { .. } => (OpCode::FileCopy, User, "file-copy"),
        Op::File { call, .. } => {
            let (code, name) = super::calls::code(call);
            (code, User, name)
        }
        Op::Stat { .. } => (OpCode::Stat, User, "stat"),
        Op::List { .. } => (OpCode::List, User, "list"),
        Op::CpuOff { .. } => (OpCode::CpuOff, User, "cpu-off"),
        Op::CpuOn { .. } => (OpCode::CpuOn, User, "cpu-on"),
        Op::Sysrq { .. } => (OpCode::Sysrq, User, "sysrq"),
    }
}

fn null(call: NullCall) -> AbiNullCall {
    match call {
        NullCall::Close => AbiNullCall::Close,
        NullCall::Flush => AbiNullCall::Flush,
        NullCall::Reset => AbiNullCall::Reset,
        NullCall::Consumed => AbiNullCall::Consumed,
        NullCall::LateSetup => AbiNullCall::LateSetup,
        NullCall::LateName => AbiNullCall::LateName,
    }
}
