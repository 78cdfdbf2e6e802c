//! `relay_file_read_consume()` (`kernel/relay.c`, all releases).
//!
//! It is called twice in a round of a read: with nothing from `relay_file_read_avail()`, to step past what was
//! read to its end, and with what was copied. Its two loads of the counts and the two of positions behind
//! them are what K37 is about. K1 fixed: the call with nothing is repeated for as long as it moves the count.

use super::place::{Bytes, Consume, Count, Read};
use super::{Frame, Pc};
use crate::io::Io;
use crate::{Defect, Member, Memory, Site};

impl Frame {
    pub(super) fn consume<M: Memory>(&mut self, pc: Consume, io: &mut Io<'_, M>) -> Pc {
        let size = io.set.size();
        let regs = &mut self.regs;
        Pc::Consume(match pc {
            Consume::Produced => {
                regs.produced = io.load(Member::Produced);
                (regs.moved, regs.known) = (false, false);
                Consume::Consumed
            }
            Consume::Consumed => {
                regs.consumed = io.load(Member::Consumed);
                if regs.produced == regs.consumed {
                    Consume::Offset
                } else {
                    Consume::Over
                }
            }
            Consume::Offset => {
                regs.offset = io.load(Member::Offset);
                Consume::Bytes
            }
            Consume::Bytes => {
                regs.bytes = io.load(Member::BytesConsumed);
                regs.known = true;
                if regs.offset == regs.bytes {
                    Consume::Return
                } else {
                    Consume::Over
                }
            }
            Consume::Over => {
                regs.bytes = if regs.known {
                    io.load_again(Member::BytesConsumed, Site::ConsumeBytes, regs.bytes)
                } else {
                    io.load(Member::BytesConsumed)
                };
                if regs.bytes.wrapping_add(regs.n) > size {
                    return if io.set.is_listed {
                        Pc::Count(Count::OverProduced)
                    } else {
                        Pc::Consume(Consume::Zero)
                    };
                }
                Consume::Add
            }
            Consume::Zero => {
                io.store(Member::BytesConsumed, 0);
                regs.bytes = 0;
                Consume::Add
            }
            Consume::Add if regs.n == 0 && io.set.merged.has(Site::ConsumeAddNothing) => {
                Consume::Slot
            }
            Consume::Add => {
                let known = Some((Site::ConsumeAdd, regs.bytes));
                match io.add(Member::BytesConsumed, regs.n, known, &mut regs.half) {
                    Some(bytes) => {
                        regs.bytes = bytes;
                        Consume::Slot
                    }
                    None => Consume::Add,
                }
            }
            _ => return self.consume_end(pc, io),
        })
    }

    /// Whether the sub-buffer is read to its end.
    fn consume_end<M: Memory>(&mut self, pc: Consume, io: &mut Io<'_, M>) -> Pc {
        let (size, n) = (io.set.size(), io.set.n());
        let regs = &mut self.regs;
        Pc::Consume(match pc {
            Consume::Slot => {
                // From byte 0 of the ring is taken for from nowhere: it comes to the same slot, sequentially.
                regs.slot = if regs.pos == 0 {
                    regs.consumed =
                        io.load_again(Member::Consumed, Site::ConsumeConsumed, regs.consumed);
                    regs.consumed % n
                } else {
                    regs.pos / size
                };
                Consume::BytesAgain
            }
            Consume::BytesAgain => {
                regs.bytes =
                    io.load_again(Member::BytesConsumed, Site::ConsumeBytesStored, regs.bytes);
                Consume::Padding
            }
            Consume::Padding => {
                regs.padding = io.load_padding(regs.slot);
                if regs.bytes.wrapping_add(regs.padding) == size {
                    Consume::ProducedAgain
                } else {
                    Consume::Return
                }
            }
            Consume::ProducedAgain => {
                regs.produced =
                    io.load_again(Member::Produced, Site::ConsumeProduced, regs.produced);
                if regs.slot == regs.produced % n {
                    Consume::OffsetAgain
                } else {
                    return read_to_its_end(io.set.is_listed);
                }
            }
            Consume::OffsetAgain => {
                regs.offset = if regs.known {
                    io.load_again(Member::Offset, Site::ConsumeOffset, regs.offset)
                } else {
                    io.load(Member::Offset)
                };
                if regs.offset == size {
                    Consume::Return
                } else {
                    return read_to_its_end(io.set.is_listed);
                }
            }
            Consume::ZeroEnd => {
                io.store(Member::BytesConsumed, 0);
                regs.bytes = 0;
                Consume::Return
            }
            // With something from the read, with nothing from `relay_file_read_avail()`.
            _ if regs.n > 0 => return Pc::Bytes(Bytes::EndPadding),
            _ if regs.moved && !io.set.has(Defect::K1) => Consume::Produced,
            _ => return Pc::Read(Read::Consumed),
        })
    }
}

const fn read_to_its_end(is_listed: bool) -> Pc {
    if is_listed {
        Pc::Count(Count::Produced)
    } else {
        Pc::Consume(Consume::ZeroEnd)
    }
}
