//! Leading the twin along the accesses that a run under control saved.
//!
//! Under control one vCPU runs at a time, so all accesses stand in one order, and whose each is the stops
//! say. Each access must find what the one before it left. Each step of an operation that a trace has must be one
//! of its accesses, with member, kind and value, and each of its accesses one of its steps: where a binary leaves
//! a load out, [`relaybed_twin::Site`] says so, and where it makes one earlier than the source, [`Spot::may_pass`].
//! A load is given the value that its access loaded. What lies between an operation's accesses happens right
//! before the next of them, since a vCPU stops behind an access. Where a compiler has a choice there and no access
//! tells, as for `prev_padding`, which no trace has, the run is led by each choice: see [`super::led`].

use std::collections::{BTreeMap, BTreeSet};

use relaybed_case::Case;
use relaybed_case::field::Field;
use relaybed_case::place::Place;
use relaybed_case::trace::{Accessed, Trace};
use relaybed_contract::order::At;
use relaybed_twin::{Member, Spot, Step};

use super::fired::Fired;
use super::marks::{Mark, Marks};
use super::next::{Needs, Next};
use super::own::{Own, Seen, Stored, is_step};
use super::search::Search;
use super::stepping::Stepping;
use super::task::Holds;
use super::unled::{Unled, Why};
use super::whose::may_access;
use crate::matter::Matter;

/// Steps between two accesses of one operation, at most.
const BETWEEN_MAX: usize = 4096;

/// Whether there are accesses to be led along.
pub(super) fn has_accesses(matter: &Matter<'_>) -> bool {
    let trace = matter.evidence.trace.as_ref();
    trace.is_some_and(|trace| !trace.accesses.is_empty())
}

/// Leads the twin along the accesses: the run at its end, or why it comes to none.
pub(super) fn lead<'a>(
    search: &mut Search<'_, 'a>,
    (matter, marks): (&Matter<'_>, &Marks),
    state: Stepping<'a>,
) -> Result<Stepping<'a>, Unled> {
    let nothing = Trace::default();
    let trace = matter.evidence.trace.as_ref().unwrap_or(&nothing);
    agrees_with_itself(&trace.accesses)?;
    let mut leader = Leader {
        search,
        marks,
        state,
        own: BTreeMap::new(),
        begun: BTreeSet::new(),
        next: 0,
        index: None,
    };
    let mut steps = Vec::new();
    let owners = owners(matter.case, trace).into_iter().enumerate();
    for (accessed, (index, at)) in trace.accesses.iter().zip(owners) {
        let Some(at) = at.filter(|at| marks.met.contains(at)) else {
            continue;
        };
        if !is_step(accessed) {
            steps.push((index, at, By::Client));
            continue;
        }
        let Some(seen) = Seen::of(matter.case, index, &accessed.access) else {
            return Err(leader.unled(Some(index), at, Why::Idle));
        };
        leader.own.entry(at).or_default().push(seen);
        steps.push((index, at, By::Relay));
    }
    for (index, at, by) in steps {
        leader.index = Some(index);
        match by {
            By::Relay => leader.come_to(at)?,
            By::Client => leader.client_looks(at)?,
        }
    }
    leader.index = None;
    while leader.next < marks.all.len() {
        leader.pass()?;
    }
    Ok(leader.state)
}

/// Whether each access found what the one before it left.
fn agrees_with_itself(accesses: &[Accessed]) -> Result<(), Unled> {
    let mut memory: BTreeMap<(u32, u32, Field, u32), u64> = BTreeMap::new();
    for (index, accessed) in accesses.iter().enumerate() {
        let access = &accessed.access;
        let slot = access.slot.unwrap_or(0);
        let place = (access.channel, access.cpu, access.field, slot);
        let left = memory.insert(place, access.after).unwrap_or(access.before);
        let keeps = access.kind.stores() || access.before == access.after;
        if left != access.before || !keeps {
            return Err(Unled {
                access: Some(index),
                op: None,
                why: Why::Contradicts(left),
            });
        }
    }
    Ok(())
}

/// The operation of each access: the last one before which its vCPU stopped and that may have any.
fn owners(case: &Case, trace: &Trace) -> Vec<Option<At>> {
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
                if may_access(case, at) {
                    now.insert(step.stop.vcpu, at);
                }
            }
            stop += 1;
        }
        owners.push(now.get(&accessed.vcpu).copied());
    }
    owners
}

/// Whose code an access is.
enum By {
    /// A step of an operation.
    Relay,
    /// Our module looks at what it logs.
    Client,
}

/// Leading under way.
struct Leader<'s, 'm, 'a> {
    search: &'s mut Search<'m, 'a>,
    marks: &'s Marks,
    state: Stepping<'a>,
    own: BTreeMap<At, Own>,
    /// Operations whose begin was passed.
    begun: BTreeSet<At>,
    /// The first mark that was not passed.
    next: usize,
    /// The access at which the trace is.
    index: Option<usize>,
}

impl Leader<'_, '_, '_> {
    fn unled(&self, access: Option<usize>, op: At, why: Why) -> Unled {
        Unled {
            access: access.or(self.index),
            op: Some(op),
            why,
        }
    }

    /// One access of an operation.
    fn come_to(&mut self, at: At) -> Result<(), Unled> {
        while !self.begun.contains(&at) {
            self.pass()?;
        }
        if self.state.task(at).is_none() {
            return Err(self.unled(None, at, Why::Idle));
        }
        let Some(seen) = self.own.entry(at).or_default().arrive() else {
            return Ok(());
        };
        if seen.kind.stores() {
            self.store(at, &seen)?;
        } else {
            self.own.entry(at).or_default().loaded.push_back(seen);
        }
        self.take(at)
    }

    /// The client's code looks at the counts: its argument, which no trace has, was loaded before.
    fn client_looks(&mut self, at: At) -> Result<(), Unled> {
        let Some(next) = self.peek(at, None) else {
            return Ok(());
        };
        if let Step::Load {
            member: Member::PrevPadding,
            ..
        } = next.step
        {
            self.make(at, &next, None)?;
        }
        Ok(())
    }

    /// What the operation does next, if nothing holds it.
    fn peek(&mut self, at: At, now: Option<&Seen>) -> Option<Next> {
        let index = self.state.task(at)?;
        let built = self.state.built;
        let task = &mut self.state.tasks[index];
        if task.holds != Holds::No {
            return None;
        }
        task.ready(&self.state.run, &built)?;
        let key = task.key()?;
        let own = self.own.entry(at).or_default();
        let (frame, set) = task.frame()?;
        let set = self.state.policy.on(set);
        Some(Next::of((frame, &set), key, (own, now)))
    }

    /// Makes a step, whose own load has this value.
    fn make(&mut self, at: At, next: &Next, load: Option<&Seen>) -> Result<Option<Step>, Unled> {
        if let Some(index) = self.state.task(at) {
            self.state.tasks[index].feed = load.copied();
        }
        self.state.policy.is_split = next.is_split;
        let fired = Fired::Step(at, next.merged);
        let made = self.search.apply(&mut self.state, fired);
        self.state.policy.is_split = false;
        if made.is_none() {
            return Err(self.unled(None, at, Why::Answer));
        }
        Ok(self.state.made)
    }

    /// Notes which access a step was.
    fn note(&mut self, at: At, index: usize, spot: Spot) -> Result<(), Unled> {
        let wrong = self.own.entry(at).or_default().note(index, spot);
        match wrong {
            Some(earlier) => {
                Err(self.unled(Some(index), at, Why::Passes(Box::new((spot, earlier)))))
            }
            None => Ok(()),
        }
    }

    /// Makes the next step if it needs no access, or one that was loaded; whether it could.
    fn go_on(&mut self, at: At, next: &Next) -> Result<bool, Unled> {
        match next.needs() {
            Needs::Nothing => {
                self.make(at, next, None)?;
                Ok(true)
            }
            Needs::Load(member, slot) => {
                let Some(key) = self.key(at) else {
                    return Ok(false);
                };
                let own = self.own.entry(at).or_default();
                let found = own.find(key, (member, slot));
                let Some(seen) = found.and_then(|place| own.loaded.remove(place)) else {
                    return Ok(false);
                };
                self.make(at, next, Some(&seen))?;
                self.note(at, seen.index, next.spot)?;
                Ok(true)
            }
            Needs::Store => Ok(false),
        }
    }

    fn key(&self, at: At) -> Option<(usize, usize)> {
        let index = self.state.task(at)?;
        self.state.tasks[index].key()
    }

    /// What the operation can do with what it has loaded, it does now.
    fn take(&mut self, at: At) -> Result<(), Unled> {
        for _ in 0..BETWEEN_MAX {
            if self.own.entry(at).or_default().loaded.is_empty() {
                return Ok(());
            }
            if self.holds(at) == Some(Holds::Locked) {
                self.free(at)?;
            }
            let Some(next) = self.peek(at, None) else {
                return Ok(());
            };
            if !self.go_on(at, &next)? {
                return Ok(());
            }
        }
        Err(self.unled(None, at, Why::Endless))
    }

    fn holds(&self, at: At) -> Option<Holds> {
        let index = self.state.task(at)?;
        Some(self.state.tasks[index].holds)
    }

    /// A store of an operation: the twin goes on to it.
    fn store(&mut self, at: At, seen: &Seen) -> Result<(), Unled> {
        for _ in 0..BETWEEN_MAX {
            match self.holds(at) {
                None | Some(Holds::Over) => break,
                Some(Holds::No) => {}
                Some(Holds::Locked) => {
                    self.free(at)?;
                    continue;
                }
                Some(Holds::Called | Holds::Stalled | Holds::Returned) => {
                    self.pass()?;
                    continue;
                }
            }
            let Some(next) = self.peek(at, Some(seen)) else {
                break;
            };
            if self.go_on(at, &next)? {
                continue;
            }
            if let Needs::Load(..) = next.needs() {
                self.load_late(at, &next)?;
            } else if self.is_stored(at, &next, seen)? {
                return Ok(());
            }
        }
        Err(self.unled(None, at, Why::Idle))
    }

    /// A load that the binary makes behind the store at which the trace is.
    fn load_late(&mut self, at: At, next: &Next) -> Result<(), Unled> {
        let late = match (next.needs(), self.key(at)) {
            (Needs::Load(member, slot), Some(key)) => {
                let own = self.own.entry(at).or_default();
                own.take_late(key, (member, slot))
            }
            _ => None,
        };
        let Some(late) = late else {
            return Err(self.unled(None, at, Why::First(Box::new((next.spot, next.step)))));
        };
        self.make(at, next, Some(&late))?;
        self.note(at, late.index, next.spot)
    }

    /// Makes a store: whether it is the one at which the trace is, and not one that the binary makes later or never.
    fn is_stored(&mut self, at: At, next: &Next, seen: &Seen) -> Result<bool, Unled> {
        let key = self.key(at);
        let step = self.make(at, next, None)?;
        let made = match (step, key) {
            (Some(step), Some(key)) => Stored::of(key, &step).map(|stored| (step, stored)),
            _ => None,
        };
        let Some((step, mut made)) = made else {
            return Err(self.unled(None, at, Why::First(Box::new((next.spot, next.step)))));
        };
        let own = self.own.entry(at).or_default();
        if let Some(dropped) = own.dropped.take() {
            if dropped.member != made.member {
                return Err(self.unled(None, at, Why::Made(Box::new((next.spot, step)))));
            }
            made = made.over(&dropped);
        }
        if made.is(seen) {
            self.note(at, seen.index, next.spot)?;
            return Ok(true);
        }
        if next.spot.is_stored_over() {
            own.dropped = Some(made);
            return Ok(false);
        }
        match own.take_late_store(&made) {
            Some(late) => self.note(at, late.index, next.spot).map(|()| false),
            None => Err(self.unled(None, at, Why::Made(Box::new((next.spot, step))))),
        }
    }

    /// Others go on as far as they need no access: one holds the lock, and must have given it back.
    fn free(&mut self, at: At) -> Result<(), Unled> {
        let tasks = self.state.tasks.iter().map(|task| task.at);
        let others: Vec<At> = tasks.filter(|other| *other != at).collect();
        for other in others {
            for _ in 0..BETWEEN_MAX {
                let Some(next) = self.peek(other, None) else {
                    break;
                };
                if self.holds(at) != Some(Holds::Locked) || !self.go_on(other, &next)? {
                    break;
                }
            }
        }
        if self.holds(at) == Some(Holds::Locked) {
            return Err(self.unled(None, at, Why::Idle));
        }
        Ok(())
    }

    /// Passes the next mark, for which its operation may have something to do that no trace has.
    fn pass(&mut self) -> Result<(), Unled> {
        let Some(mark) = self.marks.all.get(self.next).copied() else {
            return Err(Unled {
                access: self.index,
                op: None,
                why: Why::Marks,
            });
        };
        let at = mark.at();
        let mut left = BETWEEN_MAX;
        while !self.search.is_due(&self.state, mark) {
            left -= 1;
            if left == 0 {
                return Err(self.unled(None, at, Why::Endless));
            }
            if self.holds(at) == Some(Holds::Locked) {
                self.free(at)?;
            }
            let Some(next) = self.peek(at, None) else {
                return Err(self.unled(None, at, Why::Marks));
            };
            if !self.go_on(at, &next)? {
                return Err(self.unled(None, at, Why::First(Box::new((next.spot, next.step)))));
            }
        }
        if let Mark::End(_) = mark
            && let Some(own) = self.own.get(&at)
        {
            if let Some(extra) = own.left() {
                return Err(self.unled(Some(extra), at, Why::Extra));
            }
            if own.dropped.is_some() {
                return Err(self.unled(None, at, Why::Idle));
            }
        }
        if self.search.pass(&mut self.state, mark).is_none() {
            return Err(self.unled(None, at, Why::Answer));
        }
        self.next += 1;
        if let Mark::Begin(_) = mark {
            self.begun.insert(at);
        }
        self.take(at)
    }
}

impl Mark {
    /// The operation.
    pub(super) const fn at(self) -> At {
        match self {
            Self::Begin(at)
            | Self::End(at)
            | Self::Called(at)
            | Self::Read(at)
            | Self::Stalled(at)
            | Self::Made(at, _)
            | Self::Goes(at) => at,
        }
    }
}
