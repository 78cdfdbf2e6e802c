//! One order of a run's operations that gives the evidence.

use relaybed_abi::{OpResult, State};
use relaybed_case::{Case, Op};
use relaybed_contract::order::{At, operations};
use relaybed_contract::predict::bound;
use relaybed_contract::{Behaviour, Honest, OpPrediction, Prediction, Simulation};
use relaybed_twin::{AsBuilt, Defect, Defects};

use super::agree::agrees;
use super::fired::Fired;
use super::polls::Poll;
use crate::matter::Matter;

/// Effects that are tried, over all orders. A bound in steps is the same on every host.
const STEPS_MAX: u32 = 20_000;

/// CPUs that the abi has room for.
const CPUS_MAX: u32 = 64;

/// What happens at a place of the machine-wide count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Begin(At),
    End(At),
}

/// The order in which operations took effect.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// Every place of the count, and what took effect before it.
    fired: Vec<Fired>,
}

impl Line {
    /// An order in which relay with these defects gives the evidence, if there is one within the bound.
    pub(super) fn find(matter: &Matter<'_>, defects: Defects) -> Option<Self> {
        let marks = marks(matter)?;
        let built = AsBuilt {
            behaviour: Behaviour::of(matter.evidence.setting.linux_version),
            defects,
        };
        let mut state = Stepping::new(matter.case, matter.evidence.setting.vcpus, &built);
        state.run.start();
        let mut search = Search {
            matter,
            marks: &marks,
            steps: STEPS_MAX,
        };
        search.from(state, 0)
    }

    /// What takes effect, in its order.
    pub(super) fn fired(&self) -> &[Fired] {
        &self.fired
    }

    /// The same order on relay with other defects.
    pub(super) fn replay(&self, matter: &Matter<'_>, defects: Defects) -> Prediction {
        let built = AsBuilt {
            behaviour: Behaviour::of(matter.evidence.setting.linux_version),
            defects,
        };
        let mut state = Stepping::new(matter.case, matter.evidence.setting.vcpus, &built);
        state.run.start();
        for fired in &self.fired {
            state.fire(*fired, |at| seen(matter, at));
        }
        state.finish()
    }
}

/// The marks of all operations that were done, in their order; none if numbers repeat or run back.
fn marks(matter: &Matter<'_>) -> Option<Vec<Mark>> {
    let mut marks = Vec::new();
    for at in operations(matter.case) {
        let result = result(matter, at)?;
        if matter.case.actors[at.actor].is_nested() || result.state != State::Done.code() {
            continue;
        }
        if result.order_start >= result.order_end {
            return None;
        }
        marks.push((result.order_start, Mark::Begin(at)));
        marks.push((result.order_end, Mark::End(at)));
    }
    marks.sort_by_key(|(order, _)| *order);
    let repeats = marks.windows(2).any(|pair| pair[0].0 == pair[1].0);
    (!repeats).then(|| marks.into_iter().map(|(_, mark)| mark).collect())
}

fn result<'a>(matter: &Matter<'a>, at: At) -> Option<&'a OpResult> {
    matter.evidence.results.get(at.actor)?.get(at.op)
}

/// Errno and value that an operation was seen to give.
fn seen(matter: &Matter<'_>, at: At) -> (u32, u64) {
    let seen = result(matter, at);
    seen.map_or((0, 0), |seen| (seen.error.unsigned_abs(), seen.value))
}

/// One run of a case on relay with these defects, in an order that its gates allow: what takes effect,
/// and what comes of it.
pub(crate) fn one_run(
    case: &Case,
    vcpus: u32,
    linux_version: u32,
    defects: Defects,
) -> (Vec<Fired>, Prediction) {
    let built = AsBuilt {
        behaviour: Behaviour::of(linux_version),
        defects,
    };
    let mut state = Stepping::new(case, vcpus, &built);
    state.run.start();
    let line = state.run.done.order.line.clone();
    let op = |at: At| &case.actors[at.actor].ops[at.op];
    let mut next = vec![0; case.actors.len()];
    let mut rest: Vec<At> = line
        .into_iter()
        .filter(|at| !case.actors[at.actor].is_nested())
        .collect();
    loop {
        state.begin_halves(case, &next);
        state.end_polls(false);
        // Who polls does nothing else.
        let free = |at: &At| state.polls.iter().all(|poll| poll.at.actor != at.actor);
        let Some(index) = rest.iter().position(free) else {
            if state.polls.is_empty() {
                break;
            }
            state.end_polls(true);
            continue;
        };
        let at = rest.remove(index);
        next[at.actor] = at.op + 1;
        match op(at) {
            Op::CpuOn { .. } => state.fire(Fired::Online(at), |_| (0, 0)),
            Op::FilePoll { .. } => None,
            _ => state.fire(Fired::Done(at), |_| (0, 0)),
        };
    }
    let fired = state.fired.clone();
    (fired, state.finish())
}

/// A run under way.
#[derive(Clone)]
struct Stepping<'a> {
    run: Simulation<'a>,
    built: AsBuilt,
    /// Operations that began and have had no effect yet.
    open: Vec<At>,
    polls: Vec<Poll>,
    /// CPUs that were prepared, and what came of it.
    prepared: Vec<(At, u32)>,
    fired: Vec<Fired>,
}

impl<'a> Stepping<'a> {
    fn new(case: &'a Case, vcpus: u32, built: &'a AsBuilt) -> Self {
        let cpus = vcpus.min(CPUS_MAX);
        Self {
            run: Simulation::assumed(case, &built.behaviour, cpus, built),
            built: *built,
            open: Vec::new(),
            polls: Vec::new(),
            prepared: Vec::new(),
            fired: Vec::new(),
        }
    }

    /// Has something take effect: the operation whose answer is known now, if one's is.
    fn fire(&mut self, fired: Fired, seen: impl Fn(At) -> (u32, u64)) -> Option<At> {
        self.fired.push(fired);
        let answered = match fired {
            Fired::Done(at) => {
                self.run.step(at, &mut Honest);
                Some(at)
            }
            Fired::Prepared(at) => {
                // K30 fixed: whoever opens waits for the CPU, as if that came at once.
                if self.built.defects.has(Defect::K30) {
                    let errno = self.run.prepare_cpu(at);
                    self.prepared.push((at, errno));
                }
                None
            }
            Fired::Online(at) => {
                let prepared = self.prepared.iter().find(|(of, _)| *of == at);
                let errno = match prepared {
                    Some((_, errno)) => *errno,
                    None => self.run.prepare_cpu(at),
                };
                self.run.cpu_came(at, errno);
                Some(at)
            }
            Fired::Polls(at) => {
                self.polls.push(Poll::begin(&self.run, at));
                None
            }
            Fired::Polled(at) => {
                let index = self.polls.iter().position(|poll| poll.at == at)?;
                let poll = self.polls.remove(index);
                let answer = poll.end(&self.run, self.built.defects, seen(at));
                self.run.done.ops[at.actor][at.op] = answer;
                Some(at)
            }
        };
        for poll in &mut self.polls {
            poll.look(&self.run);
        }
        answered
    }

    /// Has every actor that has come to an operation of two halves begin it.
    fn begin_halves(&mut self, case: &Case, next: &[usize]) {
        for (actor, op) in next.iter().enumerate() {
            let at = At { actor, op: *op };
            let begins = match case.actors[actor].ops.get(*op) {
                Some(Op::FilePoll { .. }) => Fired::Polls(at),
                Some(Op::CpuOn { .. }) => Fired::Prepared(at),
                _ => continue,
            };
            if !self.fired.contains(&begins) {
                self.fire(begins, |_| (0, 0));
            }
        }
    }

    /// Ends the polls that have something to report, or all.
    fn end_polls(&mut self, all: bool) {
        let ready: Vec<(At, u64)> = self
            .polls
            .iter()
            .filter_map(|poll| poll.reports(&self.run, all).map(|mask| (poll.at, mask)))
            .collect();
        for (at, mask) in ready {
            let error = if mask == 0 {
                super::polls::ECANCELED
            } else {
                0
            };
            self.fire(Fired::Polled(at), |_| (error, mask));
        }
    }

    fn finish(mut self) -> Prediction {
        self.run.done.order.line = self
            .fired
            .iter()
            .filter_map(|fired| match fired {
                Fired::Done(at) | Fired::Online(at) | Fired::Polled(at) => Some(*at),
                Fired::Prepared(_) | Fired::Polls(_) => None,
            })
            .collect();
        self.run.finish()
    }
}

struct Search<'m, 'a> {
    matter: &'m Matter<'a>,
    marks: &'m [Mark],
    steps: u32,
}

impl Search<'_, '_> {
    /// Tries all orders from here on; `next` is the first mark that was not passed.
    fn from(&mut self, mut state: Stepping<'_>, mut next: usize) -> Option<Line> {
        loop {
            let Some(mark) = self.marks.get(next) else {
                return self.is_it(state);
            };
            match *mark {
                Mark::Begin(at) => {
                    let begins = match self.matter.case.actors[at.actor].ops[at.op] {
                        Op::FilePoll { .. } => Some(Fired::Polls(at)),
                        Op::CpuOn { .. } => Some(Fired::Prepared(at)),
                        _ => None,
                    };
                    match begins {
                        Some(begins) => {
                            self.apply(&mut state, begins)?;
                        }
                        None => state.open.push(at),
                    }
                    next += 1;
                }
                Mark::End(at) => {
                    let ends = match self.matter.case.actors[at.actor].ops[at.op] {
                        Op::FilePoll { .. } => Some(Fired::Polled(at)),
                        Op::CpuOn { .. } => Some(Fired::Online(at)),
                        _ => None,
                    };
                    if let Some(ends) = ends {
                        // Another that is under way may have had its effect by now.
                        for other in self.rivals(&state, at) {
                            let mut branch = state.clone();
                            if self.apply_open(&mut branch, other).is_some()
                                && let Some(line) = self.from(branch, next)
                            {
                                return Some(line);
                            }
                        }
                        self.apply(&mut state, ends)?;
                        next += 1;
                        continue;
                    }
                    if !state.open.contains(&at) {
                        next += 1;
                        continue;
                    }
                    for other in self.rivals(&state, at) {
                        let mut branch = state.clone();
                        if self.apply_open(&mut branch, other).is_some()
                            && let Some(line) = self.from(branch, next)
                        {
                            return Some(line);
                        }
                    }
                    self.apply_open(&mut state, at)?;
                    next += 1;
                }
            }
        }
    }

    /// Others that are under way and touch what the operation touches.
    fn rivals(&self, state: &Stepping<'_>, at: At) -> Vec<At> {
        let mine = touched(self.matter.case, at);
        let meets = |other: &&At| {
            let theirs = touched(self.matter.case, **other);
            **other != at && (mine.is_none() || theirs.is_none() || mine == theirs)
        };
        state.open.iter().filter(meets).copied().collect()
    }

    fn apply_open(&mut self, state: &mut Stepping<'_>, at: At) -> Option<()> {
        state.open.retain(|open| *open != at);
        self.apply(state, Fired::Done(at))
    }

    /// Has it take effect; `None` where its answer is not what was seen, or the bound is reached.
    fn apply(&mut self, state: &mut Stepping<'_>, fired: Fired) -> Option<()> {
        self.steps = self.steps.checked_sub(1)?;
        let Some(at) = state.fire(fired, |at| seen(self.matter, at)) else {
            return Some(());
        };
        let nested = |actor: &usize| self.matter.case.is_nested_on(*actor, at.actor, at.op);
        let guests = (0..self.matter.case.actors.len()).filter(nested);
        let agree = |at: At, run: &Simulation<'_>| {
            let predicted: &OpPrediction = &run.done.ops[at.actor][at.op];
            agrees(self.matter, at, predicted)
        };
        let all = guests
            .flat_map(|actor| {
                (0..self.matter.case.actors[actor].ops.len()).map(move |op| At { actor, op })
            })
            .chain([at])
            .all(|at| agree(at, &state.run));
        all.then_some(())
    }

    /// The end: everything is compared.
    fn is_it(&self, state: Stepping<'_>) -> Option<Line> {
        let line = Line {
            fired: state.fired.clone(),
        };
        super::is_equal(self.matter, &state.finish()).then_some(line)
    }
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
