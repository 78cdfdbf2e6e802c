//! Leading the twin along the accesses that a run under control saved.
//!
//! Under control one vCPU runs at a time, so all accesses stand in one order, and whose each is the stops
//! say. An operation's loads are given the values that its own accesses loaded, in whatever order the compiler
//! put them; each of its stores must be the very next store of its own: member and value. Memory follows
//! the stores, and every access must have found what is there. What lies between an operation's accesses
//! happens right before the next of them, since a vCPU stops behind an access.

use std::collections::BTreeMap;

use relaybed_case::access::Access;
use relaybed_case::field::Field;
use relaybed_case::place::Place;
use relaybed_case::trace::{Accessed, Trace};
use relaybed_contract::order::At;
use relaybed_twin::{Member, Step};

use super::marks::{Mark, Marks};
use super::search::Search;
use super::stepping::Stepping;
use super::task::Holds;
use crate::matter::Matter;

/// Steps between two accesses of one operation, at most.
const BETWEEN_MAX: usize = 4096;

/// Stores of one operation that the compiler put behind others, at a time.
const OWED_MAX: usize = 2;

/// A value that an operation's own access loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Loaded {
    pub(super) member: Member,
    pub(super) slot: u64,
    pub(super) value: u64,
}

/// Whether there are accesses to be led along.
pub(super) fn has_accesses(matter: &Matter<'_>) -> bool {
    let trace = matter.evidence.trace.as_ref();
    trace.is_some_and(|trace| !trace.accesses.is_empty())
}

/// Leads the twin along the accesses: the run at its end; `None` where they are not of this algorithm.
pub(super) fn lead<'a>(
    search: &mut Search<'_, '_>,
    (matter, marks): (&Matter<'_>, &Marks),
    mut state: Stepping<'a>,
) -> Option<Stepping<'a>> {
    let trace = matter.evidence.trace.as_ref()?;
    let whose = owners(trace);
    let mut next = 0;
    for (accessed, at) in trace.accesses.iter().zip(whose) {
        let Some(at) = at.filter(|at| marks.met.contains(at)) else {
            continue;
        };
        if !is_step(&accessed.access) {
            continue;
        }
        while !state.fired.contains(&super::fired::Fired::Starts(at)) {
            next = pass(search, marks, &mut state, next)?;
        }
        // An operation that is refused makes none.
        state.task(at)?;
        next = follow(search, marks, &mut state, next, (at, accessed))?;
    }
    while next < marks.all.len() {
        next = pass(search, marks, &mut state, next)?;
    }
    state.owed.is_empty().then_some(state)
}

/// The operation of each access: that before which its vCPU stopped last.
fn owners(trace: &Trace) -> Vec<Option<At>> {
    let mut now: BTreeMap<u32, At> = BTreeMap::new();
    let mut stop = 0;
    let mut owners = Vec::with_capacity(trace.accesses.len());
    for accessed in &trace.accesses {
        while stop < accessed.before {
            if let Some(step) = trace.steps.get(stop)
                && let Place::Operation { actor, op } = step.stop.place
            {
                let at = At {
                    actor: actor as usize,
                    op: op as usize,
                };
                now.insert(step.stop.vcpu, at);
            }
            stop += 1;
        }
        owners.push(now.get(&accessed.vcpu).copied());
    }
    owners
}

/// Passes the next mark, for which its operation may have something to do that no trace has.
fn pass(
    search: &mut Search<'_, '_>,
    marks: &Marks,
    state: &mut Stepping<'_>,
    next: usize,
) -> Option<usize> {
    let mark = *marks.all.get(next)?;
    let mut left = BETWEEN_MAX;
    while !search.is_due(state, mark) {
        left = left.checked_sub(1)?;
        let index = state.task(mark.at())?;
        if state.tasks[index].holds != Holds::No || stores_next(state, mark.at())? {
            return None;
        }
        search.feed(state, mark.at())?;
    }
    search.pass(state, mark)?;
    Some(next + 1)
}

/// One access of an operation under way.
fn follow(
    search: &mut Search<'_, '_>,
    marks: &Marks,
    state: &mut Stepping<'_>,
    mut next: usize,
    (at, accessed): (At, &Accessed),
) -> Option<usize> {
    let access = &accessed.access;
    let Seen {
        member,
        slot,
        before,
        after,
    } = Seen::of(state, access)?;
    if !access.kind.stores() {
        let value = before;
        let loaded = Loaded {
            member,
            slot,
            value,
        };
        take(search, state, at, loaded)?;
        return Some(next);
    }
    let is_owed = |owed: &Owed| {
        let stored = &owed.stored;
        owed.at == at && stored.is(member, slot, (stored.before, after))
    };
    if let Some(index) = state.owed.iter().position(is_owed) {
        state.owed.remove(index);
        return Some(next);
    }
    let mut left = BETWEEN_MAX;
    loop {
        left = left.checked_sub(1)?;
        let index = state.task(at)?;
        match state.tasks[index].holds {
            Holds::No => {}
            Holds::Over | Holds::Locked => return None,
            Holds::Called | Holds::Stalled | Holds::Returned => {
                next = pass(search, marks, state, next)?;
                continue;
            }
        }
        let key = state.tasks[index].key()?;
        search.feed(state, at)?;
        let Some(made) = state.made.as_ref().and_then(Stored::of) else {
            continue;
        };
        let of_key = key == (access.channel as usize, access.cpu as usize);
        if of_key && made.is(member, slot, (before, after)) {
            return Some(next);
        }
        // A store that is stored over at once the compiler leaves out.
        let dead = state
            .owed
            .iter()
            .position(|owed| owed.at == at && owed.stored.is_over(&made, before));
        if let Some(dead) = dead
            && of_key
            && made.is(member, slot, (made.before, after))
        {
            state.owed.remove(dead);
            return Some(next);
        }
        // It may put one behind the next ones of the same operation.
        state.owed.push(Owed { at, stored: made });
        if state.owed.len() > OWED_MAX {
            return None;
        }
    }
}

/// An access in the twin's terms.
struct Seen {
    member: Member,
    slot: u64,
    before: u64,
    after: u64,
}

impl Seen {
    /// The trace has `data` in bytes, the twin by slots.
    fn of(state: &Stepping<'_>, access: &Access) -> Option<Self> {
        let spec = state.run.case.channels.get(access.channel as usize)?;
        let scale = match access.field {
            Field::Data => spec.subbuf_size.max(1),
            _ => 1,
        };
        let mut members = Member::ALL.into_iter();
        Some(Self {
            member: members.find(|member| member.field() == Some(access.field))?,
            slot: u64::from(access.slot.unwrap_or(0)),
            before: access.before / scale,
            after: access.after / scale,
        })
    }
}

/// A store that the twin made and the trace has later, or never.
#[derive(Clone, Debug)]
pub(super) struct Owed {
    at: At,
    stored: Stored,
}

/// A store that the twin made.
#[derive(Clone, Debug)]
struct Stored {
    member: Member,
    slot: u64,
    before: u64,
    after: u64,
}

impl Stored {
    /// The store of a step, if a trace has it.
    fn of(step: &Step) -> Option<Self> {
        let (member, slot, before, after) = match *step {
            Step::Store {
                member,
                slot,
                before,
                after,
                ..
            } => (member, slot, before, after),
            Step::Update {
                member,
                before,
                after,
                ..
            } => (member, 0, before, after),
            _ => return None,
        };
        member.field().is_some().then_some(Self {
            member,
            slot,
            before,
            after,
        })
    }

    /// Whether the later one stores over it, and it was made over `before`.
    fn is_over(&self, later: &Self, before: u64) -> bool {
        (self.member, self.slot, self.before) == (later.member, later.slot, before)
    }

    fn is(&self, member: Member, slot: u64, (before, after): (u64, u64)) -> bool {
        (self.member, self.slot, self.before, self.after) == (member, slot, before, after)
    }
}

/// A value that was loaded: what the operation can do with it, it does now.
fn take(
    search: &mut Search<'_, '_>,
    state: &mut Stepping<'_>,
    at: At,
    loaded: Loaded,
) -> Option<()> {
    let index = state.task(at)?;
    state.tasks[index].loaded.push(loaded);
    let mut left = BETWEEN_MAX;
    while state.tasks[state.task(at)?].takes_load() {
        left = left.checked_sub(1)?;
        search.feed(state, at)?;
    }
    Some(())
}

/// Whether the next step of the operation is one that a trace has as a store.
fn stores_next(state: &Stepping<'_>, at: At) -> Option<bool> {
    let index = state.task(at)?;
    let next = state.tasks[index].next_step();
    Some(matches!(
        next,
        Some(Step::Store { member, .. } | Step::Update { member, .. }) if member.field().is_some()
    ))
}

/// Whether the access is a step of an operation on a buffer: our module looks at what it logs.
fn is_step(access: &Access) -> bool {
    access.by.is_relay() || access.kind.stores()
}

impl Mark {
    /// The operation.
    pub(super) const fn at(self) -> At {
        match self {
            Self::Begin(at)
            | Self::End(at)
            | Self::Called(at)
            | Self::Read(at)
            | Self::Stalled(at) => at,
        }
    }
}
