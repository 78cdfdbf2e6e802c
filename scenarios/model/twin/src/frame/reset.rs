//! `__relay_reset()` (`kernel/relay.c`, all releases), and `relay_reset()` around it.
//!
//! `wakeup_work` is awaited, then each member is stored, and the callback called, all without a thought of
//! who else is there. From 6.17 the statistics are zeroed too. `relay_reset()` holds
//! `relay_channels_mutex`, but not for a global channel. The order of the stores is the compiler's.

use super::place::{Callback, Reset};
use super::{Frame, Pc};
use crate::io::Io;
use crate::{Effect, Lock, Member, Memory, Outcome, Site};

impl Frame {
    pub(super) fn reset<M: Memory>(&mut self, pc: Reset, io: &mut Io<'_, M>) -> Pc {
        let regs = &mut self.regs;
        let mut zero = |member: Member, then: Reset| {
            io.store(member, 0);
            then
        };
        Pc::Reset(match pc {
            Reset::Produced => zero(Member::Produced, Reset::Consumed),
            Reset::Consumed => zero(Member::Consumed, Reset::Bytes),
            Reset::Bytes => zero(Member::BytesConsumed, Reset::Finalized),
            Reset::Finalized => zero(Member::Finalized, Reset::Data),
            Reset::Data => zero(Member::Data, Reset::Offset),
            Reset::Offset => {
                let then = if io.set.stats {
                    Reset::FullCount
                } else {
                    Reset::Padding
                };
                io.store(Member::Offset, 0);
                then
            }
            Reset::FullCount => zero(Member::FullCount, Reset::BigCount),
            Reset::BigCount => zero(Member::BigCount, Reset::Padding),
            Reset::Padding => {
                io.store_padding(regs.index.into(), 0);
                regs.index += 1;
                if u64::from(regs.index) < io.set.n() {
                    Reset::Padding
                } else {
                    Reset::Argument
                }
            }
            Reset::Argument => {
                regs.new = io.load_again(Member::Data, Site::ResetData, 0);
                return Pc::Callback(Callback::Enter);
            }
            Reset::Lock => {
                if io.lock(Lock::Channels) {
                    Reset::Sync
                } else {
                    Reset::Lock
                }
            }
            Reset::Sync => {
                io.around.is_wake_queued = false;
                io.effect(Effect::WakeSynced);
                Reset::Produced
            }
            Reset::Unlock => {
                if !io.set.is_global {
                    io.unlock(Lock::Channels);
                }
                return Pc::Done(Outcome::Nothing);
            }
        })
    }
}
