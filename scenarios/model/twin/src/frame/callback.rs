//! `relay_subbuf_start()` (`kernel/relay.c`) and the client's `subbuf_start`, as our module has it.
//!
//! From 6.17 relay looks first whether the buffer is full, and counts that. Without a client's callback the
//! same look decides; until 6.16 there is no other (5.10 fills in a default callback, to the same effect).
//! Our module's callback counts its calls, asks `relay_buf_full()` unless it refuses or accepts anyway, notes
//! the counts in its event, and where it accepts and has a header, stores the offset first
//! (`subbuf_start_reserve()`) and writes the header then.

use relaybed_contract::{Consumed, Produced, Slot, Source, SwitchCall};

use super::place::{Callback, Reset, Switch};
use super::{Frame, Op, Pc};
use crate::io::Io;
use crate::{Bytes, Effect, Member, Memory, Site};

impl Frame {
    pub(super) fn callback<M: Memory>(&mut self, pc: Callback, io: &mut Io<'_, M>) -> Pc {
        let is_reset = self.op == Op::Reset;
        let regs = &mut self.regs;
        Pc::Callback(match pc {
            Callback::Enter if io.set.stats => Callback::StatProduced,
            Callback::Enter if io.set.has_callback => Callback::Called,
            Callback::Enter if is_reset && io.set.merged.has(Site::ResetFull) => Callback::Return,
            Callback::Enter => Callback::RuleProduced,
            Callback::StatProduced => {
                regs.produced = io.load(Member::Produced);
                Callback::StatConsumed
            }
            Callback::RuleProduced => {
                let known = regs.produced;
                regs.produced = io.load_again(Member::Produced, Site::RuleProduced, known);
                Callback::RuleConsumed
            }
            Callback::StatConsumed => {
                regs.consumed = io.load(Member::Consumed);
                regs.accepted = !is_full(regs.produced, regs.consumed, io.set.n());
                if !regs.accepted {
                    Callback::StatCount
                } else if io.set.has_callback {
                    Callback::Called
                } else {
                    Callback::Return
                }
            }
            Callback::StatCount => match io.add(Member::FullCount, 1, None, &mut regs.half) {
                None => Callback::StatCount,
                Some(_) if io.set.has_callback => Callback::Called,
                Some(_) => Callback::Return,
            },
            Callback::RuleConsumed => {
                regs.consumed = io.load(Member::Consumed);
                regs.accepted = !is_full(regs.produced, regs.consumed, io.set.n());
                Callback::Return
            }
            Callback::Return if is_reset => return Pc::Reset(Reset::Unlock),
            Callback::Return => return Pc::Switch(Switch::Decide),
            _ => self.client(pc, io),
        })
    }

    /// The client's own.
    fn client<M: Memory>(&mut self, pc: Callback, io: &mut Io<'_, M>) -> Callback {
        let is_reset = self.op == Op::Reset;
        let regs = &mut self.regs;
        match pc {
            Callback::Called => {
                regs.refuses = false;
                if !is_reset {
                    // The client's own count; it looks after it or not.
                    let call = io.glance(Member::Calls, 0).wrapping_add(1);
                    io.mem.store(Member::Calls, 0, call);
                    regs.refuses = io.set.refuses(call);
                    io.effect(Effect::Called(call));
                }
                regs.accepted = !regs.refuses;
                if regs.refuses || io.set.geometry.overwrite {
                    Callback::EventProduced
                } else {
                    Callback::FullProduced
                }
            }
            Callback::FullProduced => {
                regs.produced = io.load(Member::Produced);
                Callback::FullConsumed
            }
            Callback::FullConsumed => {
                regs.consumed = io.load(Member::Consumed);
                regs.accepted = !is_full(regs.produced, regs.consumed, io.set.n());
                Callback::EventProduced
            }
            Callback::EventProduced => {
                regs.produced = io.load_again(Member::Produced, Site::CallbackEvent, regs.produced);
                Callback::EventConsumed
            }
            Callback::EventConsumed => {
                regs.consumed = io.load_again(Member::Consumed, Site::CallbackEvent, regs.consumed);
                Callback::Answer
            }
            Callback::Answer => {
                io.effect(Effect::Answered(self.call()));
                if self.regs.accepted && io.set.geometry.header_bytes > 0 {
                    Callback::Reserve
                } else {
                    Callback::Return
                }
            }
            Callback::Reserve => {
                io.store(Member::Offset, io.set.geometry.header_bytes);
                regs.reserved = true;
                Callback::HeaderNumber
            }
            Callback::HeaderNumber => {
                regs.produced = io.load(Member::Produced);
                Callback::Header
            }
            _ => {
                let len = u32::try_from(io.set.geometry.header_bytes).unwrap_or(u32::MAX);
                let bytes = Bytes {
                    source: Source::Header {
                        produced: regs.produced,
                    },
                    from: 0,
                    len,
                    total: len,
                };
                io.put(regs.new.wrapping_mul(io.set.size()), bytes);
                Callback::Return
            }
        }
    }

    /// What the callback saw.
    fn call(&self) -> SwitchCall {
        let slot = |value: u64| Slot(usize::try_from(value).unwrap_or(usize::MAX));
        let is_switch = self.op != Op::Reset;
        SwitchCall {
            new: slot(self.regs.new),
            old: is_switch.then(|| slot(self.regs.old)),
            produced: Produced(self.regs.produced),
            consumed: Consumed(self.regs.consumed),
            prev_padding: if is_switch { self.regs.padding } else { 0 },
            accepted: self.regs.accepted,
        }
    }
}

/// `relay_buf_full()` of these counts.
pub(super) const fn is_full(produced: u64, consumed: u64, n: u64) -> bool {
    produced.wrapping_sub(consumed) >= n
}
