//! One operation on one buffer, in steps.
//!
//! A frame is a value: what it has loaded so far, and where it stands. [`Frame::step`] makes its next access,
//! [`Frame::next`] says which one that will be. Arithmetic is that of `size_t`: unsigned, 64 bits, wrapping.

mod callback;
mod close;
mod consume;
mod count;
mod motion;
mod place;
mod read;
mod reset;
mod sections;
mod short;
mod switch;
mod write;

use relaybed_contract::{Fate, Source};

use crate::io::Io;
use crate::memory::Blank;
use crate::{Around, Memory, Outcome, Setting, Step};

pub use motion::Spot;
pub(crate) use place::Pc;

/// An operation on one channel buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// `relay_write()` or `__relay_write()`: what they do to the buffer is the same.
    Write {
        /// What is written.
        source: Source,
        /// Its bytes.
        len: u32,
    },
    /// `relay_reserve()`, then the filling of the slot by the caller.
    Reserve {
        /// What is written.
        source: Source,
        /// Its bytes.
        len: u32,
        /// The slot is filled in two halves, with something in between.
        in_halves: bool,
    },
    /// `relay_switch_subbuf()`, called by a client.
    Switch {
        /// Length of the record to come.
        len: u64,
    },
    /// `relay_flush()`, as far as it concerns this buffer.
    Flush,
    /// `relay_reset()`, likewise.
    Reset,
    /// `relay_close()`, likewise.
    Close,
    /// `relay_subbufs_consumed()`.
    Consumed {
        /// How many.
        n: u64,
    },
    /// `relay_buf_full()`.
    BufFull,
    /// `relay_file_read()`.
    Read {
        /// Bytes wanted.
        size: u32,
        /// The reader's memory is not there.
        is_nowhere: bool,
    },
    /// `relay_file_poll()`.
    Poll {
        /// It puts itself on the wait queue: the first look of a poll with a timeout.
        waits: bool,
    },
}

/// What a frame has loaded and worked out: the kernel's local variables, most under the name of the
/// member that they come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Regs {
    len: u64,
    offset: u64,
    produced: u64,
    consumed: u64,
    bytes: u64,
    padding: u64,
    /// The sub-buffer looked at: the old one of a switch, the one that is read.
    slot: u64,
    /// The new sub-buffer of a switch; `data` of a write and of a read.
    new: u64,
    /// `data` before a switch.
    old: u64,
    /// What `relay_file_read_avail()` keeps of `subbufs_produced`.
    kept: u64,
    /// Byte in the ring where a read starts.
    pos: u64,
    /// What `relay_file_read_consume()` counts.
    n: u64,
    left: u64,
    written: u64,
    /// Place in a loop.
    index: u32,
    fate: Fate,
    accepted: bool,
    refuses: bool,
    /// Counting moved `subbufs_consumed`.
    moved: bool,
    /// Something is known that a compiler may use again.
    known: bool,
    /// A switch fills the ring as it counts: see [`Frame::inside`].
    fills: bool,
    /// A switch has counted.
    counted: bool,
    /// The callback has stored the offset behind a header.
    reserved: bool,
    /// First half of an addition that is a load and a store.
    half: Option<u64>,
}

/// One operation under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Frame {
    op: Op,
    pc: Pc,
    regs: Regs,
}

impl Frame {
    /// An operation that has not made its first step.
    #[must_use]
    pub const fn new(op: Op) -> Self {
        Self {
            op,
            pc: Pc::Start,
            regs: Regs {
                len: 0,
                offset: 0,
                produced: 0,
                consumed: 0,
                bytes: 0,
                padding: 0,
                slot: 0,
                new: 0,
                old: 0,
                kept: 0,
                pos: 0,
                n: 0,
                left: 0,
                written: 0,
                index: 0,
                fate: Fate::Accepted,
                accepted: false,
                refuses: false,
                moved: false,
                known: false,
                fills: false,
                counted: false,
                reserved: false,
                half: None,
            },
        }
    }

    /// Whether its first step is to come.
    #[must_use]
    pub const fn is_at_start(&self) -> bool {
        matches!(self.pc, Pc::Start)
    }

    /// Its operation.
    #[must_use]
    pub const fn op(&self) -> Op {
        self.op
    }

    /// Makes the next step.
    pub fn step<M: Memory>(&mut self, mem: &mut M, around: &mut Around, set: &Setting) -> Step {
        let mut io = Io {
            mem,
            around,
            set,
            step: None,
        };
        loop {
            self.advance(&mut io);
            if let Some(step) = io.step {
                return step;
            }
        }
    }

    /// What the next step will be: kind, member and slot, or effect. Values in it mean nothing.
    #[must_use]
    pub fn next(&self, set: &Setting) -> Step {
        let mut ahead = *self;
        ahead.step(&mut Blank, &mut Around::default(), set)
    }

    /// How it ended, if it has.
    #[must_use]
    pub const fn outcome(&self) -> Option<Outcome> {
        match self.pc {
            Pc::Done(outcome) => Some(outcome),
            _ => None,
        }
    }

    /// Moves to the next place of the source; most places make an access there.
    fn advance<M: Memory>(&mut self, io: &mut Io<'_, M>) {
        self.pc = match self.pc {
            Pc::Start => self.start(io),
            Pc::Write(pc) => self.write(pc, io),
            Pc::Switch(pc) => self.switch(pc, io),
            Pc::Callback(pc) => self.callback(pc, io),
            Pc::Read(pc) => self.read(pc, io),
            Pc::Bytes(pc) => self.bytes(pc, io),
            Pc::Consume(pc) => self.consume(pc, io),
            Pc::Count(pc) => self.count(pc, io),
            Pc::Reset(pc) => self.reset(pc, io),
            Pc::Close(pc) => Self::close(pc, io),
            Pc::Short(pc) => self.short(pc, io),
            Pc::Done(outcome) => {
                io.step = Some(Step::Done(outcome));
                Pc::Done(outcome)
            }
        };
    }
}
