//! `relay_close()` (`kernel/relay.c`, all releases), as far as it concerns one buffer.
//!
//! Under `relay_channels_mutex`: store finalized; await `wakeup_work`; remove the file; drop the reference. Who
//! waits in poll is not woken (K4; fixed: `wakeup_work` is queued first).

use super::place::Close;
use super::{Frame, Pc};
use crate::io::Io;
use crate::{Defect, Effect, Lock, Member, Memory, Outcome};

impl Frame {
    pub(super) fn close<M: Memory>(pc: Close, io: &mut Io<'_, M>) -> Pc {
        Pc::Close(match pc {
            Close::Lock => {
                if io.lock(Lock::Channels) {
                    Close::Finalized
                } else {
                    Close::Lock
                }
            }
            Close::Finalized => {
                io.store(Member::Finalized, 1);
                if io.set.has(Defect::K4) {
                    Close::Sync
                } else {
                    Close::Wake
                }
            }
            Close::Wake => {
                io.around.is_wake_queued = true;
                io.effect(Effect::WakeQueued);
                Close::Sync
            }
            Close::Sync => {
                io.around.is_wake_queued = false;
                io.effect(Effect::WakeSynced);
                Close::Remove
            }
            Close::Remove => {
                io.effect(Effect::FileRemoved);
                Close::Release
            }
            Close::Release => {
                io.effect(Effect::Released);
                Close::Unlock
            }
            Close::Unlock => {
                io.unlock(Lock::Channels);
                return Pc::Done(Outcome::Nothing);
            }
        })
    }
}
