//! `relay_write()`, `__relay_write()` and `relay_reserve()` (`include/linux/relay.h`, all releases).
//!
//! load offset; where the record does not fit: switch; load data, load offset; copy; offset += length. A
//! write whose record was dropped comes here too, with length 0: it copies nothing and stores the
//! offset that it finds. `relay_reserve()` adds first, and its caller fills the slot later. The order of
//! the loads of data and offset is the compiler's.

use relaybed_contract::Fate;

use super::place::{Switch, Write};
use super::{Frame, Op, Pc};
use crate::io::Io;
use crate::{Bytes, Effect, Member, Memory, Outcome, Site};

impl Frame {
    pub(super) fn write<M: Memory>(&mut self, pc: Write, io: &mut Io<'_, M>) -> Pc {
        let regs = &mut self.regs;
        match pc {
            Write::Compare => {
                regs.offset = io.load(Member::Offset);
                regs.known = regs.offset.wrapping_add(regs.len) <= io.set.size();
                if regs.known {
                    Pc::Write(Write::Data)
                } else {
                    Pc::Switch(Switch::Enter)
                }
            }
            Write::Switched => match self.op {
                // NULL, whatever the switch brought.
                Op::Reserve { .. } if self.regs.len == 0 => {
                    if self.regs.fate == Fate::Accepted {
                        self.regs.fate = Fate::Refused;
                    }
                    Pc::Write(Write::End)
                }
                _ => Pc::Write(Write::Data),
            },
            Write::Data => {
                regs.new = io.load(Member::Data);
                Pc::Write(Write::Offset)
            }
            Write::Offset => {
                regs.offset = if regs.known {
                    io.load_again(Member::Offset, Site::WriteAddress, regs.offset)
                } else {
                    io.load(Member::Offset)
                };
                regs.pos = regs
                    .new
                    .wrapping_mul(io.set.size())
                    .wrapping_add(regs.offset);
                match self.op {
                    Op::Reserve { .. } => Pc::Write(Write::Add),
                    _ => Pc::Write(Write::Copy),
                }
            }
            Write::Copy => {
                self.fill(0, self.regs.len, io);
                Pc::Write(Write::Add)
            }
            Write::Add => {
                let known = Some((Site::WriteAdd, regs.offset));
                let added = io.add(Member::Offset, regs.len, known, &mut regs.half);
                match (added, self.op) {
                    (None, _) => Pc::Write(Write::Add),
                    (Some(_), Op::Reserve { .. }) => Pc::Write(Write::Slot),
                    (Some(_), _) => Pc::Write(Write::End),
                }
            }
            Write::Slot | Write::Fill | Write::SecondHalf => self.slot(pc, io),
            Write::End => Pc::Done(Outcome::Written { fate: regs.fate }),
        }
    }

    /// The caller's side of `relay_reserve()`.
    fn slot<M: Memory>(&mut self, pc: Write, io: &mut Io<'_, M>) -> Pc {
        let len = self.regs.len;
        let half = match self.op {
            Op::Reserve {
                in_halves: true, ..
            } => len / 2,
            _ => len,
        };
        match pc {
            Write::Slot => {
                io.effect(Effect::Reserved { at: self.regs.pos });
                Pc::Write(Write::Fill)
            }
            Write::Fill => {
                self.fill(0, half, io);
                Pc::Write(Write::SecondHalf)
            }
            _ => {
                self.fill(half, len, io);
                Pc::Write(Write::End)
            }
        }
    }

    /// Copies bytes of the record to their place; none is no step.
    fn fill<M: Memory>(&self, from: u64, to: u64, io: &mut Io<'_, M>) {
        let (Op::Write { source, len } | Op::Reserve { source, len, .. }) = self.op else {
            return;
        };
        if from < to {
            let narrow = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
            let bytes = Bytes {
                source,
                from: narrow(from),
                len: narrow(to - from),
                total: len,
            };
            io.put(self.regs.pos.wrapping_add(from), bytes);
        }
    }
}
