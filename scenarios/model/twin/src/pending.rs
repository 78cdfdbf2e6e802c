//! Stores that others do not see yet.
//!
//! x86 keeps a CPU's stores in a buffer while its later loads pass them, and lets others see them in order,
//! later; the CPU itself sees its own at once. That shows only where vCPUs really run in parallel: under
//! control one runs at a time, and a switch of vCPUs drains everything. The same buffer serves for a fix
//! whose section contains a wait: what the section stores is held back until its end.
//!
//! A driver keeps one [`Pending`] a CPU, steps frames of that CPU on [`Pending::on`], lets
//! [`Pending::drain_one`] happen whenever it likes, and drains all after a step that [`drains`].

use std::collections::VecDeque;

use crate::{Bytes, Effect, Member, Memory, Step};

/// One store that is held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Held {
    /// A member and its value.
    Member {
        /// Which.
        member: Member,
        /// Whose padding; else 0.
        slot: u64,
        /// Its value.
        value: u64,
    },
    /// Bytes of the ring.
    Bytes {
        /// Where, from the start of the ring.
        at: u64,
        /// What.
        bytes: Bytes,
    },
}

/// Stores of one CPU that others do not see yet, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Pending(VecDeque<Held>);

impl Pending {
    /// The memory as this CPU sees it: its loads find its own stores, which are added here.
    pub fn on<'a, M: Memory>(&'a mut self, mem: &'a mut M) -> Behind<'a, M> {
        Behind { pending: self, mem }
    }

    /// Lets others see the oldest store; which one it was.
    pub fn drain_one<M: Memory>(&mut self, mem: &mut M) -> Option<Held> {
        let held = self.0.pop_front()?;
        match held {
            Held::Member {
                member,
                slot,
                value,
            } => mem.store(member, slot, value),
            Held::Bytes { at, bytes } => mem.put(at, bytes),
        }
        Some(held)
    }

    /// Lets others see all stores.
    pub fn drain<M: Memory>(&mut self, mem: &mut M) {
        while self.drain_one(mem).is_some() {}
    }

    /// How many stores are held back.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether others see all stores.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Whether all stores of a CPU are seen by others once it has made this step: full barriers, and locked
/// instructions, which taking and giving back a lock, queueing work and dropping a reference are made of.
#[must_use]
pub const fn drains(step: &Step) -> bool {
    matches!(
        step,
        Step::Effect(
            Effect::Barrier
                | Effect::Locked(_)
                | Effect::Unlocked(_)
                | Effect::Queued
                | Effect::WakeQueued
                | Effect::WakeSynced
                | Effect::FileRemoved
                | Effect::Released
        )
    )
}

/// A memory behind a CPU's pending stores.
#[derive(Debug)]
pub struct Behind<'a, M> {
    pending: &'a mut Pending,
    mem: &'a mut M,
}

impl<M: Memory> Memory for Behind<'_, M> {
    fn load(&self, member: Member, slot: u64) -> u64 {
        let own = self.pending.0.iter().rev().find_map(|held| match *held {
            Held::Member {
                member: stored,
                slot: of,
                value,
            } if stored == member && of == slot => Some(value),
            _ => None,
        });
        own.unwrap_or_else(|| self.mem.load(member, slot))
    }

    fn store(&mut self, member: Member, slot: u64, value: u64) {
        self.pending.0.push_back(Held::Member {
            member,
            slot,
            value,
        });
    }

    fn put(&mut self, at: u64, bytes: Bytes) {
        self.pending.0.push_back(Held::Bytes { at, bytes });
    }
}
