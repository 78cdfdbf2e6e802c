//! Looking for an order that gives the evidence: depth first, from mark to mark.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

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
use crate::matter::Matter;

/// Orders that give the evidence and by which no defect can be named, before the search gives up.
const UNNAMED_MAX: u32 = 32;

/// Switches from one operation to another in the middle of its accesses: few are tried before many.
pub(super) const SWITCHES: [u32; 7] = [0, 1, 2, 3, 4, 6, 10];

/// Forks that are open at once: each keeps a state, and memory is to stay small.
const FORKS_MAX: usize = 1_000;

/// Where it goes on in more than one way.
struct Fork<'r> {
    state: Stepping<'r>,
    /// The first mark that was not passed.
    next: usize,
    /// What was not tried.
    moves: std::vec::IntoIter<Fired>,
    /// The mark that is passed once all of them were tried.
    then: Option<Mark>,
}

/// What came of going on.
enum Way<'r> {
    /// It gives the evidence, by these defects.
    Found(Defects),
    Fork(Box<Fork<'r>>),
    /// No order that begins like this gives the evidence, or the bound is reached.
    Nowhere,
}

/// A search under way.
pub(super) struct Search<'m, 'a> {
    matter: &'m Matter<'a>,
    marks: &'m Marks,
    steps: u32,
    /// Switches in the middle of accesses that an order may have.
    switches: u32,
    /// States from which nothing was found.
    dead: HashSet<u64>,
    /// Orders that give the evidence and that nothing can be said of, at most.
    unnamed: u32,
}

impl<'m, 'a> Search<'m, 'a> {
    pub(super) fn new(matter: &'m Matter<'a>, marks: &'m Marks, switches: u32, steps: u32) -> Self {
        Self {
            matter,
            marks,
            steps,
            switches,
            dead: HashSet::new(),
            unnamed: UNNAMED_MAX,
        }
    }

    /// Tries all orders from here on; `next` is the first mark that was not passed.
    ///
    /// The forks are kept in a list: an order may have more of them than a thread's stack has room for.
    pub(super) fn from(&mut self, state: Stepping<'a>, next: usize) -> Option<Defects> {
        let mut forks: Vec<Fork<'a>> = Vec::new();
        let mut on = Some((state, next));
        loop {
            if let Some((state, next)) = on.take() {
                match self.go_on(state, next) {
                    Way::Found(met) => return Some(met),
                    Way::Fork(fork) if forks.len() < FORKS_MAX => forks.push(*fork),
                    Way::Fork(_) | Way::Nowhere => {}
                }
            }
            let fork = forks.last_mut()?;
            if let Some(fired) = fork.moves.next() {
                let mut branch = fork.state.clone();
                on = self.apply(&mut branch, fired).map(|()| (branch, fork.next));
            } else if let Some(Fork {
                mut state,
                next,
                then: Some(mark),
                ..
            }) = forks.pop()
            {
                on = self.pass(&mut state, mark).map(|()| (state, next + 1));
            }
        }
    }

    /// Goes on as far as there is one way only.
    fn go_on(&mut self, mut state: Stepping<'a>, mut next: usize) -> Way<'a> {
        loop {
            let Some(mark) = self.marks.all.get(next).copied() else {
                return self.is_it(state).map_or(Way::Nowhere, Way::Found);
            };
            let is_due = self.is_due(&state, mark);
            let moves = if is_due {
                // Others that are under way may come first where this has an effect of its own.
                self.others_first(&state, mark)
            } else {
                self.moves(&state, mark)
            };
            let applied = match &moves[..] {
                [] if is_due => self.pass(&mut state, mark).map(|()| next += 1),
                [] => None,
                [first, others @ ..]
                    if !is_due && (others.is_empty() || self.is_alone(&state, *first)) =>
                {
                    self.apply(&mut state, *first)
                }
                _ if self.is_new(&state, next) => {
                    return Way::Fork(Box::new(Fork {
                        state,
                        next,
                        moves: moves.into_iter(),
                        then: is_due.then_some(mark),
                    }));
                }
                _ if is_due => self.pass(&mut state, mark).map(|()| next += 1),
                _ => None,
            };
            if applied.is_none() {
                return Way::Nowhere;
            }
        }
    }

    /// Effects that may still be tried.
    pub(super) const fn steps_left(&self) -> u32 {
        self.steps
    }

    /// Leads the twin along the accesses of the evidence, and names the defects that were met.
    pub(super) fn led(&mut self, state: Stepping<'_>) -> Option<Defects> {
        let (matter, marks) = (self.matter, self.marks);
        let end = lead(self, (matter, marks), state)?;
        self.is_it(end)
    }

    /// Makes the next step of an operation, whose loads are its own accesses'.
    pub(super) fn feed(&mut self, state: &mut Stepping<'_>, at: At) -> Option<()> {
        let index = state.task(at)?;
        let merged = state.tasks[index].left_out();
        state.tasks[index].is_fed = true;
        self.apply(state, Fired::Step(at, merged))
    }

    /// Whether the mark can be passed now.
    pub(super) fn is_due(&self, state: &Stepping<'_>, mark: Mark) -> bool {
        let holds = |at: At| state.task(at).map(|index| state.tasks[index].holds);
        match mark {
            Mark::Begin(_) => true,
            Mark::End(at) => state
                .task(at)
                .is_none_or(|index| state.tasks[index].is_over()),
            Mark::Called(at) => holds(at).is_none_or(|holds| holds == Holds::Called),
            Mark::Read(at) => holds(at).is_none_or(|holds| holds == Holds::Returned),
            Mark::Stalled(at) => holds(at).is_none_or(|holds| holds == Holds::Stalled),
        }
    }

    /// Others that are under way and may take effect before the mark does.
    fn others_first(&self, state: &Stepping<'_>, mark: Mark) -> Vec<Fired> {
        match mark {
            // Passing it changes what others find.
            Mark::End(at) if state.task(at).is_none() => self.rivals(state, at),
            _ => Vec::new(),
        }
    }

    pub(super) fn pass(&mut self, state: &mut Stepping<'_>, mark: Mark) -> Option<()> {
        let op = |at: At| &self.matter.case.actors[at.actor].ops[at.op];
        match mark {
            Mark::Begin(at) => match op(at) {
                Op::FilePoll { .. } => self.apply(state, Fired::Polls(at)),
                Op::CpuOn { .. } => self.apply(state, Fired::Prepared(at)),
                _ if self.marks.met.contains(&at) => self.apply(state, Fired::Starts(at)),
                _ => {
                    state.open.push(at);
                    Some(())
                }
            },
            Mark::End(at) => match op(at) {
                Op::FilePoll { .. } => self.apply(state, Fired::Polled(at)),
                Op::CpuOn { .. } => self.apply(state, Fired::Online(at)),
                _ if state.task(at).is_some() => self.apply(state, Fired::Ends(at)),
                _ if state.open.contains(&at) => self.apply(state, Fired::Done(at)),
                _ => Some(()),
            },
            Mark::Called(at) | Mark::Stalled(at) | Mark::Read(at) => {
                if let Some(index) = state.task(at) {
                    state.tasks[index].pass();
                }
                Some(())
            }
        }
    }

    /// What may come next so that the mark is reached: first whose mark it is.
    fn moves(&self, state: &Stepping<'_>, mark: Mark) -> Vec<Fired> {
        let at = mark.at();
        let free = |at: At| {
            let index = state.task(at);
            index.is_some_and(|index| matches!(state.tasks[index].holds, Holds::No | Holds::Over))
        };
        let own = free(at).then_some(Fired::Step(at, state.policy.merged));
        own.into_iter().chain(self.rivals(state, at)).collect()
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

    /// Whether what comes next concerns nobody else, so that nothing is lost if it comes at once.
    fn is_alone(&self, state: &Stepping<'_>, fired: Fired) -> bool {
        match fired {
            Fired::Step(at, _) => state
                .task(at)
                .is_some_and(|index| state.tasks[index].is_local()),
            _ => false,
        }
    }

    /// Whether nothing was tried from this state before.
    fn is_new(&mut self, state: &Stepping<'_>, next: usize) -> bool {
        let mut hash = DefaultHasher::new();
        next.hash(&mut hash);
        (state.last, state.switches).hash(&mut hash);
        state.open.hash(&mut hash);
        for task in &state.tasks {
            task.fingerprint(&mut hash);
            if let Some((channel, cpu)) = task.key() {
                let buffers = state.run.live.get(channel).map(|live| &live.buffers);
                if let Some(buffer) = buffers.and_then(|buffers| buffers.get(cpu)) {
                    let counts = (buffer.produced.0, buffer.consumed.0, buffer.offset);
                    let rest = (buffer.data.0, buffer.bytes_consumed, buffer.calls);
                    (counts, rest, &buffer.padding, buffer.completed_bytes).hash(&mut hash);
                    for piece in buffer.subbufs.iter().flat_map(|subbuf| &subbuf.old) {
                        (piece.source, piece.start, piece.len).hash(&mut hash);
                    }
                }
            }
        }
        self.dead.insert(hash.finish())
    }

    /// Has it take effect; `None` where its answer is not what was seen, or the bound is reached.
    fn apply(&mut self, state: &mut Stepping<'_>, fired: Fired) -> Option<()> {
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
        let goes_on = |last: At| {
            let index = state.task(last);
            last != at && index.is_some_and(|index| state.tasks[index].holds == Holds::No)
        };
        state.switches += u32::from(state.last.is_some_and(goes_on));
        state.last = Some(at);
        if state.switches > self.switches {
            return None;
        }
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
    fn is_it(&mut self, state: Stepping<'_>) -> Option<Defects> {
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
