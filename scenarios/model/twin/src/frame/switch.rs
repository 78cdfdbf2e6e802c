//! `relay_switch_subbuf()` (`kernel/relay.c`, all releases), and `relay_flush()` around it.
//!
//! Until 6.16 the padding goes through `prev_padding`, which the callback's argument is loaded from again, and
//! a record that is too big is noted in `last_toobig`; from 6.17 it is a local variable, the callback has no
//! such argument, and `stats.big_count` counts. `relay_flush()` holds `relay_channels_mutex`, but not for
//! a global channel.

use relaybed_contract::Fate;

use super::place::{Callback, Switch, Write};
use super::{Frame, Op, Pc};
use crate::io::Io;
use crate::{Effect, Lock, Member, Memory, Outcome, Site};

impl Frame {
    pub(super) fn switch<M: Memory>(&mut self, pc: Switch, io: &mut Io<'_, M>) -> Pc {
        let size = io.set.size();
        let regs = &mut self.regs;
        Pc::Switch(match pc {
            Switch::Lock => {
                if io.lock(Lock::Channels) {
                    Switch::Enter
                } else {
                    Switch::Lock
                }
            }
            Switch::Enter if regs.len > size => Switch::TooBig,
            Switch::Enter => Switch::Compare,
            Switch::Compare => {
                regs.offset = io.load(Member::Offset);
                if regs.offset == size.wrapping_add(1) {
                    Switch::Unused
                } else {
                    Switch::Fill
                }
            }
            Switch::Unused => {
                io.load_again(Member::Produced, Site::SwitchUnused, 0);
                Switch::Data
            }
            Switch::Fill => {
                let offset = io.load_again(Member::Offset, Site::SwitchPadding, regs.offset);
                regs.padding = size.wrapping_sub(offset);
                if io.set.prev_padding && !io.set.pads_late {
                    Switch::PrevPadding
                } else {
                    Switch::OldSlot
                }
            }
            Switch::PrevPadding => {
                io.store(Member::PrevPadding, regs.padding);
                if io.set.pads_late {
                    Switch::Padding
                } else {
                    Switch::OldSlot
                }
            }
            Switch::OldSlot => {
                regs.produced = io.load(Member::Produced);
                regs.slot = regs.produced % io.set.n();
                if io.set.prev_padding && io.set.pads_late {
                    Switch::PrevPadding
                } else {
                    Switch::Padding
                }
            }
            Switch::Padding => {
                io.store_padding(regs.slot, regs.padding);
                Switch::Count
            }
            Switch::Count
            | Switch::SizeFirst
            | Switch::FillAgain
            | Switch::Size
            | Switch::Barrier
            | Switch::Waiters
            | Switch::Wake => self.complete(pc, io),
            _ => return self.turn(pc, io),
        })
    }

    /// Counting the sub-buffer, and waking who waits.
    fn complete<M: Memory>(&mut self, pc: Switch, io: &mut Io<'_, M>) -> Switch {
        let regs = &mut self.regs;
        match pc {
            Switch::Count => {
                let known = Some((Site::SwitchProduced, regs.produced));
                match io.add(Member::Produced, 1, known, &mut regs.half) {
                    Some(_) => {
                        regs.counted = true;
                        regs.fills = is_full(io);
                        if io.set.sizes_early {
                            Switch::SizeFirst
                        } else {
                            Switch::FillAgain
                        }
                    }
                    None => Switch::Count,
                }
            }
            Switch::SizeFirst => {
                regs.half = Some(io.load(Member::FileSize));
                Switch::FillAgain
            }
            Switch::FillAgain => {
                let known = regs.padding;
                let slot = regs.slot;
                let padding = io.load_slot_again(Member::Padding, slot, Site::SwitchFill, known);
                regs.bytes = io.set.size().wrapping_sub(padding);
                Switch::Size
            }
            Switch::Size => match io.add(Member::FileSize, regs.bytes, None, &mut regs.half) {
                Some(_) => Switch::Barrier,
                None => Switch::Size,
            },
            Switch::Barrier => {
                io.effect(Effect::Barrier);
                Switch::Waiters
            }
            Switch::Waiters => {
                if io.load(Member::ReadWait) == 0 {
                    Switch::Data
                } else {
                    Switch::Wake
                }
            }
            _ => {
                io.around.is_wake_queued = true;
                io.effect(Effect::WakeQueued);
                Switch::Data
            }
        }
    }

    /// Turning to the next sub-buffer.
    fn turn<M: Memory>(&mut self, pc: Switch, io: &mut Io<'_, M>) -> Pc {
        let regs = &mut self.regs;
        Pc::Switch(match pc {
            Switch::Data => {
                regs.old = io.load(Member::Data);
                Switch::NewSlot
            }
            Switch::NewSlot => {
                regs.produced = io.load(Member::Produced);
                regs.new = regs.produced % io.set.n();
                Switch::ZeroOffset
            }
            Switch::ZeroOffset => {
                if !regs.counted {
                    regs.fills = is_full(io);
                }
                io.store(Member::Offset, 0);
                if !io.set.prev_padding {
                    return Pc::Callback(Callback::Enter);
                }
                Switch::PrevArgument
            }
            Switch::PrevArgument => {
                regs.padding = io.load(Member::PrevPadding);
                return Pc::Callback(Callback::Enter);
            }
            Switch::Decide if regs.accepted => Switch::StoreData,
            Switch::Decide => Switch::MarkFull,
            Switch::MarkFull => {
                io.store(Member::Offset, io.set.size().wrapping_add(1));
                (regs.len, regs.fate) = (0, Fate::Refused);
                Switch::End
            }
            Switch::StoreData => {
                io.store(Member::Data, regs.new);
                Switch::ZeroPadding
            }
            Switch::ZeroPadding => {
                io.store_padding(regs.new, 0);
                Switch::Again
            }
            Switch::Again => {
                regs.offset = io.load(Member::Offset);
                if regs.len.wrapping_add(regs.offset) > io.set.size() {
                    Switch::TooBig
                } else {
                    Switch::End
                }
            }
            Switch::TooBig => {
                if io.set.stats {
                    if io.add(Member::BigCount, 1, None, &mut regs.half).is_none() {
                        return Pc::Switch(pc);
                    }
                } else {
                    io.store(Member::LastToobig, regs.len);
                }
                (regs.len, regs.fate) = (0, Fate::TooBig);
                Switch::End
            }
            Switch::Unlock => {
                io.unlock(Lock::Channels);
                return Pc::Done(Outcome::Nothing);
            }
            _ => return self.switched(io.set.is_global),
        })
    }

    /// Back to who called.
    fn switched(&self, is_global: bool) -> Pc {
        let (value, fate) = (self.regs.len, self.regs.fate);
        match self.op {
            Op::Switch { .. } => Pc::Done(Outcome::Switched { value, fate }),
            Op::Flush if is_global => Pc::Done(Outcome::Nothing),
            Op::Flush => Pc::Switch(Switch::Unlock),
            _ => Pc::Write(Write::Switched),
        }
    }
}

/// What the callback will find, if no reader comes: see `Frame::inside`. No step.
fn is_full<M: Memory>(io: &Io<'_, M>) -> bool {
    let produced = io.glance(Member::Produced, 0);
    super::callback::is_full(produced, io.glance(Member::Consumed, 0), io.set.n())
}
