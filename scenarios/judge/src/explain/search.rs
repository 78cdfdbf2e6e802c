//! Looking for an order that gives the evidence, from mark to mark, best first: the state that has passed most
//! marks with the fewest switches is continued.
//!
//! Why not depth first: in a run of many calls, a switch in the middle of an operation is rare, and each call's
//! answer shows at once whether the order up to it was right. A missing switch is therefore near the mark that
//! was not reached. Depth first looks for it from the beginning of the run.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;

use relaybed_case::{Case, Op};
use relaybed_contract::Simulation;
use relaybed_contract::order::At;
use relaybed_contract::predict::bound;
use relaybed_twin::{Defects, Sites};

use super::agree::{agrees, is_call, is_returned};
use super::fired::Fired;
use super::label;
use super::lead::lead;
use super::line::{Line, seen};
use super::marks::{Mark, Marks};
use super::stepping::Stepping;
use super::task::Holds;
use super::unled::Unled;
use crate::matter::Matter;

/// Orders that give the evidence and by which no defect can be named, before the search gives up.
const UNNAMED_MAX: u32 = 32;

/// Moves that wait at once: each keeps a state, and memory is to stay small. The worst are given up.
const WAITING_MAX: usize = 2_000;

/// What may come next.
#[derive(Clone, Copy)]
enum Move {
    Fire(Fired),
    Pass(Mark),
}

/// A move that was not tried yet.
struct Waiting<'r> {
    state: Rc<Stepping<'r>>,
    /// The first mark that was not passed.
    next: usize,
    what: Move,
}

/// Which move is tried first, the least of all: switches so far and marks to come, each counting as much as
/// the other; then the newest state, and there the order in which they were found.
type Rank = (usize, Reverse<usize>, usize);

/// What came of going on.
enum Way<'r> {
    /// It gives the evidence, by these defects.
    Found(Defects),
    /// It goes on in more than one way.
    Fork(Box<Stepping<'r>>, usize, Vec<Move>),
    /// No order that begins like this gives the evidence, or the bound is reached.
    Nowhere,
}

impl Move {
    const fn fired(self) -> Option<Fired> {
        match self {
            Self::Fire(fired) => Some(fired),
            Self::Pass(_) => None,
        }
    }
}

/// A search under way.
pub(super) struct Search<'m, 'a> {
    matter: &'m Matter<'a>,
    marks: &'m Marks,
    steps: u32,
    /// States from which it was gone on.
    tried: HashSet<u64>,
    /// Orders that give the evidence and that nothing can be said of, at most.
    unnamed: u32,
}

impl<'m, 'a> Search<'m, 'a> {
    pub(super) fn new(matter: &'m Matter<'a>, marks: &'m Marks, steps: u32) -> Self {
        Self {
            matter,
            marks,
            steps,
            tried: HashSet::new(),
            unnamed: UNNAMED_MAX,
        }
    }

    /// Tries orders from here on, those first that come far with few switches.
    pub(super) fn from(&mut self, state: Stepping<'a>) -> Option<Defects> {
        let mut waiting: BTreeMap<Rank, Waiting<'a>> = BTreeMap::new();
        let mut forks = 0;
        let mut on = Some((state, 0));
        loop {
            match on.map_or(Way::Nowhere, |(state, next)| self.go_on(state, next)) {
                Way::Found(met) => return Some(met),
                Way::Fork(state, next, moves) => {
                    let state = Rc::new(*state);
                    forks += 1;
                    for (index, what) in moves.into_iter().enumerate() {
                        let ahead = self.marks.all.len() - next;
                        let rank = (
                            state.switches_with(what.fired()) + ahead,
                            Reverse(forks),
                            index,
                        );
                        let state = Rc::clone(&state);
                        waiting.insert(rank, Waiting { state, next, what });
                    }
                    while waiting.len() > WAITING_MAX {
                        waiting.pop_last();
                    }
                }
                Way::Nowhere => {}
            }
            if self.steps == 0 {
                return None;
            }
            let (_, Waiting { state, next, what }) = waiting.pop_first()?;
            let mut state = Rc::unwrap_or_clone(state);
            on = match what {
                Move::Fire(fired) => self.advance(&mut state, fired).map(|()| (state, next)),
                Move::Pass(mark) => self.pass(&mut state, mark).map(|()| (state, next + 1)),
            };
        }
    }

    /// Goes on as far as there is one way only.
    fn go_on(&mut self, mut state: Stepping<'a>, mut next: usize) -> Way<'a> {
        loop {
            let Some(mark) = self.marks.all.get(next).copied() else {
                return self.is_it(state).map_or(Way::Nowhere, Way::Found);
            };
            let moves = self.moves(&state, mark);
            let only = match &moves[..] {
                [] => return Way::Nowhere,
                [only] => Some(*only),
                _ => None,
            };
            let done = match only {
                Some(Move::Fire(fired)) => self.advance(&mut state, fired),
                Some(Move::Pass(mark)) => self.pass(&mut state, mark).map(|()| next += 1),
                None if self.is_new(&state, next) => {
                    return Way::Fork(Box::new(state), next, moves);
                }
                None => None,
            };
            if done.is_none() {
                return Way::Nowhere;
            }
        }
    }

    /// Leads the twin along the accesses of the evidence.
    pub(super) fn led(&mut self, state: Stepping<'a>) -> Result<Stepping<'a>, Unled> {
        let (matter, marks) = (self.matter, self.marks);
        lead(self, (matter, marks), state)
    }

    /// Whether the mark can be passed now.
    pub(super) fn is_due(&self, state: &Stepping<'_>, mark: Mark) -> bool {
        let holds = |at: At| state.task(at).map(|index| state.tasks[index].holds);
        match mark {
            Mark::Begin(_) | Mark::Made(..) | Mark::Goes(_) => true,
            Mark::End(at) => state
                .task(at)
                .is_none_or(|index| state.tasks[index].is_over()),
            Mark::Called(at) => holds(at).is_none_or(|holds| holds == Holds::Called),
            Mark::Read(at) => holds(at).is_none_or(|holds| holds == Holds::Returned),
            Mark::Stalled(at) => holds(at).is_none_or(|holds| holds == Holds::Stalled),
        }
    }

    pub(super) fn pass(&mut self, state: &mut Stepping<'_>, mark: Mark) -> Option<()> {
        let op = |at: At| &self.matter.case.actors[at.actor].ops[at.op];
        match mark {
            Mark::Begin(at) => match op(at) {
                Op::FilePoll { .. } => self.apply(state, Fired::Polls(at)),
                Op::CpuOn { .. } => self.apply(state, Fired::Prepared(at)),
                _ if self.marks.held.contains(&at) => Some(()),
                _ if self.marks.met.contains(&at) => self.apply(state, Fired::Starts(at)),
                _ => {
                    state.open.push(at);
                    Some(())
                }
            },
            Mark::End(at) => match op(at) {
                Op::FilePoll { .. } => self.apply(state, Fired::Polled(at)),
                Op::CpuOn { .. } => self.apply(state, Fired::Online(at)),
                _ if self.marks.held.contains(&at) => self.apply(state, Fired::Opened(at)),
                _ if state.task(at).is_some() => self.apply(state, Fired::Ends(at)),
                _ if state.open.contains(&at) => self.apply(state, Fired::Done(at)),
                _ => Some(()),
            },
            Mark::Made(at, cpu) => self.apply(state, Fired::Makes(at, cpu)),
            Mark::Goes(at) => self.apply(state, Fired::Goes(at)),
            Mark::Called(at) | Mark::Stalled(at) | Mark::Read(at) => {
                if let Some(index) = state.task(at) {
                    state.tasks[index].pass();
                }
                Some(())
            }
        }
    }

    /// What may come next so that the mark is passed: first whose mark it is.
    fn moves(&self, state: &Stepping<'_>, mark: Mark) -> Vec<Move> {
        let at = mark.at();
        if self.is_due(state, mark) {
            // Others that are under way may come first where this has an effect of its own.
            let rivals = match mark {
                Mark::End(_) if state.task(at).is_none() => self.rivals(state, at),
                _ => Vec::new(),
            };
            let rivals = rivals.into_iter().map(Move::Fire);
            return rivals.chain([Move::Pass(mark)]).collect();
        }
        let is_free = state
            .task(at)
            .is_some_and(|index| matches!(state.tasks[index].holds, Holds::No | Holds::Over));
        let own = is_free.then_some(Fired::Step(at, state.policy.merged));
        let all = own.into_iter().chain(self.rivals(state, at));
        all.map(Move::Fire).collect()
    }

    /// Others that are under way and touch what the operation touches.
    fn rivals(&self, state: &Stepping<'_>, at: At) -> Vec<Fired> {
        let mine = touched(self.matter.case, at);
        let meets = |other: At| {
            let theirs = touched(self.matter.case, other);
            other != at && (mine.is_none() || theirs.is_none() || mine == theirs)
        };
        let free = |holds: Holds| holds == Holds::No;
        let steps = state
            .tasks
            .iter()
            .filter(|task| free(task.holds) && meets(task.at));
        let whole = state.open.iter().filter(|open| meets(**open));
        steps
            .map(|task| Fired::Step(task.at, state.policy.merged))
            .chain(whole.map(|at| Fired::Done(*at)))
            .collect()
    }

    /// Whether nothing was tried from this state before.
    fn is_new(&mut self, state: &Stepping<'_>, next: usize) -> bool {
        let mut hash = DefaultHasher::new();
        next.hash(&mut hash);
        state.open.hash(&mut hash);
        for task in &state.tasks {
            task.fingerprint(&mut hash);
        }
        for live in &state.run.live {
            (live.generation, &live.there, &live.buffers).hash(&mut hash);
        }
        (&state.run.uncounted, &state.run.done.warnings).hash(&mut hash);
        self.tried.insert(hash.finish())
    }

    /// Has it take effect, and of an operation in single accesses all that comes with the next one which
    /// others can see: the orders of the rest make no difference.
    fn advance(&mut self, state: &mut Stepping<'_>, fired: Fired) -> Option<()> {
        let Fired::Step(at, _) = fired else {
            return self.apply(state, fired);
        };
        let mut is_seen = false;
        loop {
            self.apply(state, fired)?;
            is_seen |= state
                .made
                .is_none_or(|made| !self.marks.is_apart(at, &made));
            let next = state
                .task(at)
                .and_then(|index| state.tasks[index].goes_on(state.policy));
            if next.is_none_or(|next| is_seen && !self.marks.is_apart(at, &next)) {
                return Some(());
            }
        }
    }

    /// Has it take effect; `None` where its answer is not what was seen, or the bound is reached.
    pub(super) fn apply(&mut self, state: &mut Stepping<'_>, fired: Fired) -> Option<()> {
        self.steps = self.steps.checked_sub(1)?;
        if let Fired::Done(at) = fired {
            state.open.retain(|open| *open != at);
        }
        if let Fired::Step(at, merged) = fired {
            return self.apply_step(state, at, merged);
        }
        let Some(at) = state.fire(fired, |at| seen(self.matter, at)) else {
            return Some(());
        };
        let case = self.matter.case;
        let guests =
            (0..case.actors.len()).filter(|actor| case.is_nested_on(*actor, at.actor, at.op));
        let agree =
            |at: At, run: &Simulation<'_>| agrees(self.matter, at, &run.done.ops[at.actor][at.op]);
        let all = guests
            .flat_map(|actor| (0..case.actors[actor].ops.len()).map(move |op| At { actor, op }))
            .chain([at])
            .all(|at| agree(at, &state.run));
        all.then_some(())
    }

    /// One access; callbacks and calls of `read()` are compared as they come.
    fn apply_step(&mut self, state: &mut Stepping<'_>, at: At, merged: Sites) -> Option<()> {
        state.switches = state.switches_with(Some(Fired::Step(at, merged)));
        state.last = Some(at);
        let key = state.task(at).and_then(|index| state.tasks[index].key());
        let before = calls(state, key);
        state.fire(Fired::Step(at, merged), |_| (0, 0));
        if let (Some(key), Some(before)) = (key, before)
            && calls(state, Some(key)) > Some(before)
        {
            let call = &state.run.done.calls[key.0][key.1].as_ref()?[before];
            is_call(self.matter, key, before, call).then_some(())?;
        }
        let index = state.task(at)?;
        let task = &state.tasks[index];
        if task.holds == Holds::Returned {
            let (number, read) = task.returned()?;
            is_returned(self.matter, at, number, read).then_some(())?;
        }
        Some(())
    }

    /// The end: everything is compared, and the defects are named by which it came to this.
    pub(super) fn is_it(&mut self, state: Stepping<'_>) -> Option<Defects> {
        let line = Line::of(&state);
        let defects = state.built.defects;
        if !super::is_equal(self.matter, &state.finish()) {
            return None;
        }
        let met = label::met(self.matter, &line, defects);
        if met.is_none() {
            self.unnamed = self.unnamed.checked_sub(1)?;
            if self.unnamed == 0 {
                self.steps = 0;
            }
        }
        met
    }
}

/// How many calls of a buffer's callback there were.
fn calls(state: &Stepping<'_>, key: Option<(usize, usize)>) -> Option<usize> {
    let (channel, cpu) = key?;
    let calls = state.run.done.calls.get(channel)?.get(cpu)?.as_ref()?;
    Some(calls.len())
}

/// The channel that an operation touches; `None`: maybe all of them.
fn touched(case: &Case, at: At) -> Option<usize> {
    match &case.actors[at.actor].ops[at.op] {
        Op::Signal { .. } | Op::Wait { .. } | Op::Delay { .. } | Op::Sysrq { .. } => {
            Some(usize::MAX)
        }
        Op::Checkpoint { .. } | Op::CpuOff { .. } | Op::CpuOn { .. } => None,
        Op::Klog { .. } | Op::KlogRegister { .. } | Op::KlogUnregister { .. } => None,
        op => op
            .channel()
            .or_else(|| bound(case, at).map(|(channel, _, _)| channel)),
    }
}
