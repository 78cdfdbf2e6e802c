//! What one step of a frame is.

use relaybed_contract::{Fate, SwitchCall};

use crate::{Bytes, Lock, Member, Site};

/// One step of a frame: one access, or one effect that others see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A member was loaded.
    Load {
        /// Which.
        member: Member,
        /// Whose padding, for [`Member::Padding`]; else 0.
        slot: u64,
        /// What it was.
        value: u64,
        /// A compiler may leave it out here.
        site: Option<Site>,
    },
    /// A member was stored.
    Store {
        /// Which.
        member: Member,
        /// Whose padding, for [`Member::Padding`]; else 0.
        slot: u64,
        /// What it was.
        before: u64,
        /// What it is.
        after: u64,
        /// A compiler may leave it out here.
        site: Option<Site>,
    },
    /// One instruction loaded a member and stored it.
    Update {
        /// Which.
        member: Member,
        /// What it was.
        before: u64,
        /// What it is.
        after: u64,
        /// A compiler may store only, what it adds to being known to it.
        site: Option<Site>,
    },
    /// Something that others see.
    Effect(Effect),
    /// It waits for a lock that somebody else holds. Nothing has changed.
    Blocked(Lock),
    /// It is over. Further steps give the same.
    Done(Outcome),
}

/// Something that others see, and is no access to a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// A lock was taken. On x86 that is a locked instruction.
    Locked(Lock),
    /// A lock was given back.
    Unlocked(Lock),
    /// A full barrier: `smp_mb()`.
    Barrier,
    /// Bytes of a record, or of a header, were copied into the ring.
    CopiedIn {
        /// Where, in bytes from the start of the ring.
        at: u64,
        /// What.
        bytes: Bytes,
    },
    /// `relay_reserve()` returned a slot; it is filled later.
    Reserved {
        /// Where, in bytes from the start of the ring.
        at: u64,
    },
    /// Bytes were copied out to the reader.
    CopiedOut {
        /// From where, in bytes from the start of the ring.
        at: u64,
        /// How many.
        len: u64,
        /// Their place in what the call returns.
        to: u64,
    },
    /// The copy to the reader failed: there is no memory.
    NotCopied,
    /// The client's `subbuf_start` was entered, and has counted the call: this one is the nth.
    Called(u64),
    /// The callback has looked at the counts and knows its answer.
    Answered(SwitchCall),
    /// A poll put itself on the wait queue.
    Queued,
    /// `wakeup_work` was queued.
    WakeQueued,
    /// `wakeup_work` was awaited: none is queued.
    WakeSynced,
    /// The file was removed.
    FileRemoved,
    /// The channel's reference to the buffer was dropped.
    Released,
}

/// How a frame ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// A write or a reserve.
    Written {
        /// What became of the record.
        fate: Fate,
    },
    /// A call of `relay_switch_subbuf()`.
    Switched {
        /// What it returned.
        value: u64,
        /// What that means.
        fate: Fate,
    },
    /// A read.
    Read {
        /// Bytes copied.
        bytes: u64,
    },
    /// A poll.
    Polled {
        /// Its event mask.
        mask: u32,
    },
    /// `relay_buf_full()`.
    Full(bool),
    /// Flush, reset, consumed, close.
    Nothing,
}
