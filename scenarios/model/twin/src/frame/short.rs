//! `relay_file_poll()` and `relay_buf_full()` (`kernel/relay.c`, all releases), and how every operation starts.
//!
//! poll: load finalized; wait queue; load produced, load consumed. K4 fixed: it joins the wait queue before it
//! looks.

use super::callback::is_full;
use super::place::{Close, Count, Read, Reset, Short, Switch, Write};
use super::{Frame, Op, Pc};
use crate::io::Io;
use crate::{Defect, Effect, Member, Memory, Outcome};

const POLLERR: u32 = 0x8;
/// POLLIN and POLLRDNORM.
const READABLE: u32 = 0x41;

impl Frame {
    pub(super) fn start<M>(&mut self, io: &Io<'_, M>) -> Pc {
        let is_global = io.set.is_global;
        match self.op {
            Op::Write { len, .. } | Op::Reserve { len, .. } => {
                self.regs.len = len.into();
                Pc::Write(Write::Compare)
            }
            Op::Switch { len } => {
                self.regs.len = len;
                Pc::Switch(Switch::Enter)
            }
            Op::Flush if is_global => Pc::Switch(Switch::Enter),
            Op::Flush => Pc::Switch(Switch::Lock),
            Op::Reset if is_global => Pc::Reset(Reset::Sync),
            Op::Reset => Pc::Reset(Reset::Lock),
            Op::Close => Pc::Close(Close::Lock),
            Op::Consumed { n } if n > io.set.n() || !io.set.is_listed => Pc::Done(Outcome::Nothing),
            Op::Consumed { .. } => Pc::Count(Count::Produced),
            Op::BufFull => Pc::Short(Short::FullProduced),
            Op::Read { size, .. } => {
                self.regs.left = size.into();
                Pc::Read(Read::Lock)
            }
            Op::Poll { waits: true } if !io.set.has(Defect::K4) => Pc::Short(Short::PollQueue),
            Op::Poll { .. } => Pc::Short(Short::PollFinalized),
        }
    }

    pub(super) fn short<M: Memory>(&mut self, pc: Short, io: &mut Io<'_, M>) -> Pc {
        let regs = &mut self.regs;
        Pc::Short(match pc {
            Short::PollFinalized => {
                if io.load(Member::Finalized) != 0 {
                    return Pc::Done(Outcome::Polled { mask: POLLERR });
                }
                match self.op {
                    Op::Poll { waits: true } if io.set.has(Defect::K4) => Short::PollQueue,
                    _ => Short::PollProduced,
                }
            }
            Short::PollQueue => {
                io.around.waiters += 1;
                io.effect(Effect::Queued);
                if io.set.has(Defect::K4) {
                    Short::PollProduced
                } else {
                    Short::PollFinalized
                }
            }
            Short::PollProduced => {
                regs.produced = io.load(Member::Produced);
                Short::PollConsumed
            }
            Short::PollConsumed => {
                let is_readable = io.load(Member::Consumed) != regs.produced;
                let mask = if is_readable { READABLE } else { 0 };
                return Pc::Done(Outcome::Polled { mask });
            }
            Short::FullProduced => {
                regs.produced = io.load(Member::Produced);
                Short::FullConsumed
            }
            Short::FullConsumed => {
                let consumed = io.load(Member::Consumed);
                return Pc::Done(Outcome::Full(is_full(regs.produced, consumed, io.set.n())));
            }
        })
    }
}
