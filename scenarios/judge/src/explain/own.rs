//! An operation's own accesses, as the trace of a run under control has them.

use std::collections::{BTreeSet, VecDeque};

use relaybed_case::access::{Access, AccessKind};
use relaybed_case::field::Field;
use relaybed_case::{Case, trace::Accessed};
use relaybed_contract::predict::Key;
use relaybed_twin::{Member, Spot, Step};

/// How far from its place in the source a compiler may have put an access, in accesses of the operation.
const MOVED_MAX: usize = 4;
/// Steps whose order is compared with that of a new one.
const DONE_MAX: usize = 64;

/// An access in the twin's terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// Its place in the trace.
    pub(super) index: usize,
    pub(super) key: Key,
    pub(super) member: Member,
    pub(super) slot: u64,
    pub(super) kind: AccessKind,
    pub(super) before: u64,
    pub(super) after: u64,
}

impl Seen {
    /// The trace has `data` in bytes, the twin by slots; none where that is between two.
    pub(super) fn of(case: &Case, index: usize, access: &Access) -> Option<Self> {
        let spec = case.channels.get(access.channel as usize)?;
        let scale = match access.field {
            Field::Data => spec.subbuf_size.max(1),
            _ => 1,
        };
        if !access.before.is_multiple_of(scale) || !access.after.is_multiple_of(scale) {
            return None;
        }
        let mut members = Member::ALL.into_iter();
        Some(Self {
            index,
            key: (access.channel as usize, access.cpu as usize),
            member: members.find(|member| member.field() == Some(access.field))?,
            slot: u64::from(access.slot.unwrap_or(0)),
            kind: access.kind,
            before: access.before / scale,
            after: access.after / scale,
        })
    }

    /// Whether it is to this member of this buffer.
    fn is_to(&self, key: Key, member: Member, slot: u64) -> bool {
        let of_slot = self.slot == slot || member != Member::Padding;
        self.key == key && self.member == member && of_slot
    }
}

/// A store that the twin made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) key: Key,
    pub(super) member: Member,
    slot: u64,
    pub(super) before: u64,
    after: u64,
    kind: AccessKind,
}

impl Stored {
    /// The store of a step, if a trace has it.
    pub(super) fn of(key: Key, step: &Step) -> Option<Self> {
        let (member, slot, before, after, kind) = match *step {
            Step::Store {
                member,
                slot,
                before,
                after,
                ..
            } => (member, slot, before, after, AccessKind::Store),
            Step::Update {
                member,
                before,
                after,
                ..
            } => (member, 0, before, after, AccessKind::LoadAndStore),
            _ => return None,
        };
        is_in_trace(member).then_some(Self {
            key,
            member,
            slot,
            before,
            after,
            kind,
        })
    }

    /// Whether the access is this store.
    pub(super) fn is(&self, seen: &Seen) -> bool {
        seen.is_to(self.key, self.member, self.slot)
            && (self.kind, self.before, self.after) == (seen.kind, seen.before, seen.after)
    }

    /// The same, made over what another one was made over.
    pub(super) const fn over(self, other: &Self) -> Self {
        Self {
            before: other.before,
            ..self
        }
    }
}

/// The accesses of one operation.
#[derive(Debug, Default)]
pub(super) struct Own {
    /// All of them, in their order.
    all: Vec<Seen>,
    /// How many of them were come by.
    arrived: usize,
    /// Those that a step took before they were come by.
    taken: BTreeSet<usize>,
    /// Loads that were come by and that no step has taken.
    pub(super) loaded: VecDeque<Seen>,
    /// Steps that were made, and the access of each.
    done: VecDeque<(usize, Spot)>,
    /// A store that the compiler leaves out, since the next one is to the same member.
    pub(super) dropped: Option<Stored>,
}

impl Own {
    pub(super) fn push(&mut self, seen: Seen) {
        self.all.push(seen);
    }

    /// The next access; none where a step has taken it, as it should have come earlier.
    pub(super) fn arrive(&mut self) -> Option<Seen> {
        let seen = *self.all.get(self.arrived)?;
        self.arrived += 1;
        (!self.taken.remove(&seen.index)).then_some(seen)
    }

    /// Those that were not come by, and were not taken.
    fn ahead(&self) -> impl Iterator<Item = &Seen> {
        let ahead = self.all.iter().skip(self.arrived);
        ahead.filter(|seen| !self.taken.contains(&seen.index))
    }

    /// The place among what was loaded of this load.
    pub(super) fn find(&self, key: Key, (member, slot): (Member, u64)) -> Option<usize> {
        let mut loaded = self.loaded.iter();
        loaded.position(|seen| seen.is_to(key, member, slot))
    }

    /// How many loads of the member are made from here on to the next store, unless one that is under way.
    pub(super) fn loads_to_store(&self, key: Key, member: Member, is_storing: bool) -> usize {
        let ahead = self
            .ahead()
            .take_while(|seen| !is_storing && !seen.kind.stores());
        let of_it = |seen: &&Seen| seen.is_to(key, member, 0);
        self.loaded.iter().chain(ahead).filter(of_it).count()
    }

    /// What the next access to the member does to it; a store that is under way comes before those ahead.
    pub(super) fn next_to(
        &self,
        key: Key,
        member: Member,
        now: Option<&Seen>,
    ) -> Option<AccessKind> {
        let mut all = self.loaded.iter().chain(now).chain(self.ahead());
        let next = all.find(|seen| seen.is_to(key, member, 0));
        next.map(|seen| seen.kind)
    }

    /// Takes a load that is made later than its place in the source.
    pub(super) fn take_late(&mut self, key: Key, (member, slot): (Member, u64)) -> Option<Seen> {
        let is_it = |seen: &&Seen| seen.kind == AccessKind::Load && seen.is_to(key, member, slot);
        let late = self.ahead().take(MOVED_MAX).find(is_it).copied()?;
        self.taken.insert(late.index);
        Some(late)
    }

    /// Takes a store that is made later than its place in the source.
    pub(super) fn take_late_store(&mut self, stored: &Stored) -> Option<Seen> {
        let is_it = |seen: &&Seen| stored.is(seen);
        let late = self.ahead().take(MOVED_MAX).find(is_it).copied()?;
        self.taken.insert(late.index);
        Some(late)
    }

    /// Notes by which access a step was made: the earlier step that it must not have passed, if there is one.
    pub(super) fn note(&mut self, index: usize, spot: Spot) -> Option<Spot> {
        let passed = |(of, earlier): &&(usize, Spot)| *of > index && !spot.may_pass(*earlier);
        let wrong = self.done.iter().find(passed).map(|(_, earlier)| *earlier);
        self.done.push_back((index, spot));
        if self.done.len() > DONE_MAX {
            self.done.pop_front();
        }
        wrong
    }

    /// An access that no step made.
    pub(super) fn left(&self) -> Option<usize> {
        let left = self.loaded.front().or_else(|| self.all.get(self.arrived));
        left.map(|seen| seen.index)
    }
}

/// Whether the access is a step of an operation on a buffer: our module looks at what it logs.
pub(super) fn is_step(accessed: &Accessed) -> bool {
    accessed.access.by.is_relay() || accessed.access.kind.stores()
}

/// Whether a trace has the accesses to the member. The list in `read_wait` is not watched: who waits is seen by
/// what poll does.
pub(super) const fn is_in_trace(member: Member) -> bool {
    member.field().is_some() && !matches!(member, Member::ReadWait)
}
