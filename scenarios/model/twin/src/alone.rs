//! Frames that run alone.

use relaybed_contract::{Buffer, Geometry, Piece, SwitchCall};

use crate::{Around, Effect, Frame, Memory, Op, Outcome, Setting, Step, contents};

/// What an operation showed while it ran.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// Calls of the client's `subbuf_start`.
    pub calls: Vec<SwitchCall>,
    /// What a read gave, places counted from its first byte.
    pub pieces: Vec<Piece>,
}

impl Log {
    /// Takes down what a step on `buffer` showed, right after it was made.
    pub fn note(&mut self, step: &Step, buffer: &Buffer) {
        match *step {
            Step::Effect(Effect::Answered(call)) => self.calls.push(call),
            Step::Effect(Effect::CopiedOut { at, len, to }) => {
                let to = u32::try_from(to).unwrap_or(u32::MAX);
                contents::pieces_at(buffer, at, len, to, &mut self.pieces);
            }
            _ => {}
        }
    }
}

/// A buffer as `relay_open()` leaves it, in the twin's form. In `log` comes the callback's call, if the
/// client has one.
#[must_use]
pub fn open(set: &Setting, log: &mut Log) -> Buffer {
    let mut buffer = Buffer::open(bare(&set.geometry), &mut Vec::new());
    contents::flatten(&mut buffer);
    // What relay_open() does with a new buffer is what relay_reset() does with an old one.
    run_alone(Op::Reset, &mut buffer, set, log);
    buffer.geometry = set.geometry;
    buffer
}

const fn bare(geometry: &Geometry) -> Geometry {
    Geometry {
        header_bytes: 0,
        ..*geometry
    }
}

/// Runs an operation to its end, with no other frame under way.
pub fn run_alone(op: Op, buffer: &mut Buffer, set: &Setting, log: &mut Log) -> Outcome {
    let mut around = Around::default();
    let mut frame = Frame::new(op);
    loop {
        let step = frame.step(buffer, &mut around, set);
        log.note(&step, buffer);
        if let Some(outcome) = frame.outcome() {
            return outcome;
        }
    }
}

/// Runs an operation to its end on any memory, with no other frame under way, and takes nothing down.
pub fn run_on<M: Memory>(op: Op, mem: &mut M, set: &Setting) -> Outcome {
    let mut around = Around::default();
    let mut frame = Frame::new(op);
    loop {
        frame.step(mem, &mut around, set);
        if let Some(outcome) = frame.outcome() {
            return outcome;
        }
    }
}
