//! `relay_subbufs_consumed()` (`kernel/relay.c`, all releases): by a client, and by a read for one.
//!
//! load produced, load consumed; as many as there are: load produced, store consumed; fewer: add to
//! consumed (5.10 has loaded what it adds to before: [`Site::CountSum`]). No lock: a read on another CPU may come in between. K44 fixed: what was read of the sub-buffer
//! that the client passes over is forgotten.

use super::place::{Consume, Count};
use super::{Frame, Op, Pc};
use crate::io::Io;
use crate::{Defect, Member, Memory, Outcome, Site};

impl Frame {
    pub(super) fn count<M: Memory>(&mut self, pc: Count, io: &mut Io<'_, M>) -> Pc {
        let n = match self.op {
            Op::Consumed { n } => n,
            _ => 1,
        };
        let regs = &mut self.regs;
        Pc::Count(match pc {
            Count::OverProduced | Count::Produced => {
                regs.produced = io.load(Member::Produced);
                if pc == Count::Produced {
                    Count::Sum
                } else {
                    Count::OverSum
                }
            }
            Count::OverSum | Count::Sum => {
                if !io.set.merged.has(Site::CountSum) {
                    regs.half = Some(io.load_again(Member::Consumed, Site::CountSum, 0));
                }
                if pc == Count::Sum {
                    Count::Consumed
                } else {
                    Count::OverConsumed
                }
            }
            Count::OverConsumed | Count::Consumed => {
                regs.consumed = io.load(Member::Consumed);
                let is_more = n > regs.produced.wrapping_sub(regs.consumed);
                match (pc, is_more) {
                    (Count::Consumed, true) => Count::ProducedAgain,
                    (Count::Consumed, false) => Count::Add,
                    (_, true) => Count::OverProducedAgain,
                    (_, false) => Count::OverAdd,
                }
            }
            Count::OverProducedAgain | Count::ProducedAgain => {
                regs.produced = io.load_again(Member::Produced, Site::CountProduced, regs.produced);
                if pc == Count::ProducedAgain {
                    Count::Store
                } else {
                    Count::OverStore
                }
            }
            Count::OverStore | Count::Store => {
                regs.moved |= regs.produced != regs.consumed;
                (regs.consumed, regs.half) = (regs.produced, None);
                io.store(Member::Consumed, regs.produced);
                return self.counted(pc, io.set.has(Defect::K44));
            }
            Count::OverAdd | Count::Add => {
                let known = Some((Site::CountConsumed, regs.consumed));
                let Some(consumed) = io.add(Member::Consumed, n, known, &mut regs.half) else {
                    return Pc::Count(pc);
                };
                regs.moved |= n > 0;
                regs.consumed = consumed;
                return self.counted(pc, io.set.has(Defect::K44));
            }
            Count::Bytes => {
                io.store(Member::BytesConsumed, 0);
                return Pc::Done(Outcome::Nothing);
            }
        })
    }

    fn counted(&self, pc: Count, leaves_bytes: bool) -> Pc {
        match (self.op, pc) {
            (Op::Consumed { .. }, _) if leaves_bytes || !self.regs.moved => {
                Pc::Done(Outcome::Nothing)
            }
            (Op::Consumed { .. }, _) => Pc::Count(Count::Bytes),
            (_, Count::OverStore | Count::OverAdd) => Pc::Consume(Consume::Zero),
            _ => Pc::Consume(Consume::ZeroEnd),
        }
    }
}
