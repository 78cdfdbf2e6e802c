//! How a frame makes its one access of a step.

use crate::{Around, Bytes, Effect, Lock, Member, Memory, Setting, Site, Step};

/// One step being made. Each method makes the step, or, where a compiler leaves the access out, none.
pub(crate) struct Io<'a, M> {
    pub(crate) mem: &'a mut M,
    pub(crate) around: &'a mut Around,
    pub(crate) set: &'a Setting,
    pub(crate) step: Option<Step>,
}

impl<M: Memory> Io<'_, M> {
    pub(crate) fn load(&mut self, member: Member) -> u64 {
        self.load_slot(member, 0)
    }

    pub(crate) fn load_padding(&mut self, slot: u64) -> u64 {
        self.load_slot(Member::Padding, slot)
    }

    fn load_slot(&mut self, member: Member, slot: u64) -> u64 {
        self.load_at(member, slot, None)
    }

    fn load_at(&mut self, member: Member, slot: u64, site: Option<Site>) -> u64 {
        let value = self.glance(member, slot);
        self.step = Some(Step::Load {
            member,
            slot,
            value,
            site,
        });
        value
    }

    /// What a member is, without a step.
    pub(crate) fn glance(&self, member: Member, slot: u64) -> u64 {
        if member == Member::ReadWait {
            self.around.waiters.into()
        } else {
            self.mem.load(member, slot)
        }
    }

    /// A load whose value the compiler may know to be `known`.
    pub(crate) fn load_again(&mut self, member: Member, site: Site, known: u64) -> u64 {
        self.load_slot_again(member, 0, site, known)
    }

    pub(crate) fn load_slot_again(
        &mut self,
        member: Member,
        slot: u64,
        site: Site,
        known: u64,
    ) -> u64 {
        if self.set.merged.has(site) {
            known
        } else {
            self.load_at(member, slot, Some(site))
        }
    }

    pub(crate) fn store(&mut self, member: Member, value: u64) {
        self.store_slot(member, 0, value, None);
    }

    /// A store that a compiler may make behind the next one.
    pub(crate) fn store_first(&mut self, member: Member, value: u64, site: Site) {
        self.store_slot(member, 0, value, Some(site));
    }

    pub(crate) fn store_padding(&mut self, slot: u64, value: u64) {
        self.store_slot(Member::Padding, slot, value, None);
    }

    fn store_slot(&mut self, member: Member, slot: u64, after: u64, site: Option<Site>) {
        let before = self.mem.load(member, slot);
        self.mem.store(member, slot, after);
        self.step = Some(Step::Store {
            member,
            slot,
            before,
            after,
            site,
        });
    }

    /// Adds to a member, whose value the compiler may know to be the one of `site`. `half` keeps what was
    /// loaded where the addition is a load and a store. The new value; `None`: the store comes next.
    pub(crate) fn add(
        &mut self,
        member: Member,
        by: u64,
        site: Option<(Site, u64)>,
        half: &mut Option<u64>,
    ) -> Option<u64> {
        let known = site.filter(|(site, _)| self.set.merged.has(*site));
        let site = site.map(|(site, _)| site);
        if let Some(before) = half.take().or(known.map(|(_, value)| value)) {
            self.store_slot(member, 0, before.wrapping_add(by), site);
            return Some(before.wrapping_add(by));
        }
        if self.set.is_split {
            *half = Some(self.load_at(member, 0, site));
            return None;
        }
        let before = self.mem.load(member, 0);
        let after = before.wrapping_add(by);
        self.mem.store(member, 0, after);
        self.step = Some(Step::Update {
            member,
            before,
            after,
            site,
        });
        Some(after)
    }

    pub(crate) fn effect(&mut self, effect: Effect) {
        self.step = Some(Step::Effect(effect));
    }

    pub(crate) fn put(&mut self, at: u64, bytes: Bytes) {
        self.mem.put(at, bytes);
        self.effect(Effect::CopiedIn { at, bytes });
    }

    /// Takes a lock; whether it could.
    pub(crate) fn lock(&mut self, lock: Lock) -> bool {
        let free = !self.around.is_held(lock);
        if free {
            self.around.set_held(lock, true);
            self.effect(Effect::Locked(lock));
        } else {
            self.step = Some(Step::Blocked(lock));
        }
        free
    }

    pub(crate) fn unlock(&mut self, lock: Lock) {
        self.around.set_held(lock, false);
        self.effect(Effect::Unlocked(lock));
    }
}
