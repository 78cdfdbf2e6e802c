//! `relay_file_read()` and what it calls but for the counting (`kernel/relay.c`, all releases).
//!
//! Under the inode's lock, while bytes are wanted: `relay_file_read_avail()` (load produced and keep it; count
//! what was read to its end; load consumed; move a reader that was lapped; compare positions),
//! `relay_file_read_start_pos()` (step over padding, once), `relay_file_read_subbuf_avail()`, the copy,
//! `relay_file_read_consume()`, `relay_file_read_end_pos()`.
//!
//! Branches: K1 (counting stops at the first sub-buffer with nothing left; fixed: it goes through all of
//! them), K7 (no look for a lap while the buffer is marked full; fixed: what a refused switch has left, N
//! sub-buffers, is kept), K9 (whether a sub-buffer is the unfinished one goes by `data`; fixed: one that is
//! counted is complete).

use super::place::{Bytes, Consume, Read};
use super::{Frame, Op, Pc};
use crate::io::Io;
use crate::{Defect, Effect, Lock, Member, Memory, Outcome, Site};

impl Frame {
    pub(super) fn read<M: Memory>(&mut self, pc: Read, io: &mut Io<'_, M>) -> Pc {
        let (size, n) = (io.set.size(), io.set.n());
        let regs = &mut self.regs;
        Pc::Read(match pc {
            Read::Lock if regs.left == 0 => return Pc::Done(Outcome::Read { bytes: 0 }),
            Read::Lock => {
                if io.lock(Lock::Inode) {
                    Read::Kept
                } else {
                    Read::Lock
                }
            }
            Read::Kept => {
                let kept = io.load(Member::Produced);
                // Nothing else of the last round counts any more.
                let (left, written) = (regs.left, regs.written);
                *regs = Self::new(self.op).regs;
                (regs.kept, regs.left, regs.written) = (kept, left, written);
                return Pc::Consume(Consume::Produced);
            }
            Read::Consumed => {
                regs.consumed = io.load(Member::Consumed);
                Read::Offset
            }
            Read::Offset => {
                regs.offset = io.load(Member::Offset);
                let is_marked = regs.offset > size;
                let held = if is_marked { n } else { n.wrapping_sub(1) };
                let ready = regs.kept.wrapping_sub(regs.consumed);
                if ready > held && (!is_marked || !io.set.has(Defect::K7)) {
                    regs.consumed = regs.kept.wrapping_sub(held);
                    Read::LapConsumed
                } else if is_marked {
                    return self.marked_full();
                } else {
                    regs.known = false;
                    Read::PosOffset
                }
            }
            Read::LapConsumed => {
                regs.known = io.set.merged.has(Site::AvailLap);
                if regs.known {
                    io.store(Member::BytesConsumed, 0);
                } else {
                    io.store_first(Member::Consumed, regs.consumed, Site::AvailLap);
                }
                Read::LapBytes
            }
            Read::LapBytes => {
                if regs.known {
                    io.store(Member::Consumed, regs.consumed);
                } else {
                    io.store(Member::BytesConsumed, 0);
                }
                (regs.bytes, regs.known) = (0, true);
                if !io.set.has(Defect::K1) {
                    // The oldest that is left may be empty.
                    Read::Kept
                } else if regs.offset > size {
                    return self.marked_full();
                } else {
                    Read::PosOffset
                }
            }
            Read::Unlock => {
                let bytes = regs.written;
                io.unlock(Lock::Inode);
                return Pc::Done(Outcome::Read { bytes });
            }
            _ => return self.positions(pc, io),
        })
    }

    fn marked_full(&self) -> Pc {
        if self.regs.kept == self.regs.consumed {
            Pc::Read(Read::Unlock)
        } else {
            Pc::Bytes(Bytes::Consumed)
        }
    }

    /// The comparison of positions at the end of `relay_file_read_avail()`.
    fn positions<M: Memory>(&mut self, pc: Read, io: &mut Io<'_, M>) -> Pc {
        let (size, n) = (io.set.size(), io.set.n());
        let regs = &mut self.regs;
        Pc::Read(match pc {
            Read::PosOffset => {
                regs.offset = io.load_again(Member::Offset, Site::AvailOffset, regs.offset);
                Read::PosBytes
            }
            Read::PosBytes => {
                regs.bytes = if regs.known {
                    io.load_again(Member::BytesConsumed, Site::AvailBytes, 0)
                } else {
                    io.load(Member::BytesConsumed)
                };
                let place =
                    |count: u64, offset: u64| (count % n).wrapping_mul(size).wrapping_add(offset);
                // Going round the ring changes nothing about equality.
                if place(regs.kept, regs.offset) != place(regs.consumed, regs.bytes) {
                    return Pc::Bytes(Bytes::Consumed);
                }
                Read::EqualOffset
            }
            Read::EqualOffset => {
                regs.offset = io.load_again(Member::Offset, Site::AvailOffsetEqual, regs.offset);
                if regs.offset == size {
                    Read::EqualProduced
                } else {
                    Read::Unlock
                }
            }
            Read::EqualProduced => {
                regs.produced = io.load(Member::Produced);
                Read::EqualConsumed
            }
            _ => {
                let known = regs.consumed;
                regs.consumed = io.load_again(Member::Consumed, Site::AvailConsumedEqual, known);
                if regs.produced > regs.consumed {
                    return Pc::Bytes(Bytes::Consumed);
                }
                Read::Unlock
            }
        })
    }

    /// From the read position to the copy.
    pub(super) fn bytes<M: Memory>(&mut self, pc: Bytes, io: &mut Io<'_, M>) -> Pc {
        let (size, n) = (io.set.size(), io.set.n());
        let regs = &mut self.regs;
        Pc::Bytes(match pc {
            Bytes::Consumed => {
                regs.consumed = io.load_again(Member::Consumed, Site::StartConsumed, regs.consumed);
                Bytes::Consume
            }
            Bytes::Consume => {
                regs.bytes = io.load_again(Member::BytesConsumed, Site::StartBytes, regs.bytes);
                regs.pos = (regs.consumed % n)
                    .wrapping_mul(size)
                    .wrapping_add(regs.bytes);
                regs.pos %= n.wrapping_mul(size);
                regs.slot = regs.pos / size;
                Bytes::Padding
            }
            Bytes::Padding => {
                regs.padding = io.load_padding(regs.slot);
                let end = regs.slot.wrapping_add(1).wrapping_mul(size);
                regs.known = true;
                if regs.pos >= end.wrapping_sub(regs.padding) && regs.pos < end {
                    regs.slot = regs.slot.wrapping_add(1) % n;
                    regs.pos = regs.slot.wrapping_mul(size);
                    regs.known = false;
                }
                Bytes::Data
            }
            Bytes::Data => {
                regs.new = io.load(Member::Data);
                Bytes::Offset
            }
            Bytes::Offset => {
                regs.offset = io.load_again(Member::Offset, Site::BytesOffset, regs.offset);
                if regs.offset > size {
                    regs.offset = size;
                    Bytes::PaddingAgain
                } else {
                    Bytes::OffsetAgain
                }
            }
            Bytes::OffsetAgain => {
                regs.offset = io.load_again(Member::Offset, Site::BytesOffsetAgain, regs.offset);
                Bytes::PaddingAgain
            }
            Bytes::PaddingAgain => {
                regs.padding = if regs.known {
                    io.load_slot_again(Member::Padding, regs.slot, Site::BytesPadding, regs.padding)
                } else {
                    io.load_padding(regs.slot)
                };
                Bytes::Copy
            }
            Bytes::Copy => return self.copy(io),
            Bytes::EndPadding => {
                // By the place, not by the count as in `relay_file_read_consume()`.
                let (slot, known) = (regs.pos / size, regs.padding);
                io.load_slot_again(Member::Padding, slot, Site::EndPadding, known);
                return Pc::Read(if regs.left > 0 {
                    Read::Kept
                } else {
                    Read::Unlock
                });
            }
        })
    }

    /// How many bytes can be had there, and the copy of those that are wanted.
    fn copy<M: Memory>(&mut self, io: &mut Io<'_, M>) -> Pc {
        let (size, n) = (io.set.size(), io.set.n());
        let regs = &mut self.regs;
        let start = regs.pos % size;
        let behind = regs.slot.wrapping_add(n).wrapping_sub(regs.consumed % n) % n;
        let is_counted = behind < regs.kept.wrapping_sub(regs.consumed);
        let avail = if regs.slot == regs.new && (io.set.has(Defect::K9) || !is_counted) {
            regs.offset.saturating_sub(start.wrapping_add(regs.padding))
        } else {
            size.wrapping_sub(regs.padding).wrapping_sub(start)
        };
        let len = avail.min(regs.left);
        if len == 0 {
            return Pc::Read(Read::Unlock);
        }
        if let Op::Read {
            is_nowhere: true, ..
        } = self.op
        {
            io.effect(Effect::NotCopied);
            return Pc::Read(Read::Unlock);
        }
        io.effect(Effect::CopiedOut {
            at: regs.pos,
            len,
            to: regs.written,
        });
        regs.n = len;
        regs.written = regs.written.wrapping_add(len);
        regs.left = regs.left.wrapping_sub(len);
        Pc::Consume(Consume::Produced)
    }
}
