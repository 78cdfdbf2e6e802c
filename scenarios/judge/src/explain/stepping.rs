//! A run under way on relay as the kernels have it.

use std::collections::{BTreeMap, VecDeque};

use relaybed_case::{Case, Op};
use relaybed_contract::order::At;
use relaybed_contract::predict::Key;
use relaybed_contract::{Behaviour, Honest, OpPrediction, Prediction, Simulation};
use relaybed_twin::{Around, AsBuilt, Defect, Defects, Opening, Sites, Spot, Step};

use super::fired::Fired;
use super::policy::Policy;
use super::polls::Poll;
use super::task::{Holds, Task};

/// CPUs that the abi has room for.
const CPUS_MAX: u32 = 64;
/// Accesses that the end of an operation may take when others have none left to make.
const LAST_STEPS_MAX: u32 = 100_000;

/// Relay of a release with these defects.
pub(super) fn built(linux_version: u32, defects: Defects) -> AsBuilt {
    AsBuilt {
        behaviour: Behaviour::of(linux_version),
        defects,
    }
}

/// A run under way.
#[derive(Clone)]
pub(super) struct Stepping<'a> {
    pub(super) run: Simulation<'a>,
    pub(super) built: AsBuilt,
    pub(super) policy: Policy,
    /// Operations that began and have had no effect yet.
    pub(super) open: Vec<At>,
    pub(super) polls: Vec<Poll>,
    /// Operations that others meet half way.
    pub(super) tasks: Vec<Task>,
    /// Locks and waiters of each buffer.
    around: BTreeMap<Key, Around>,
    /// Openings that wait behind the making of a file, or have.
    openings: Vec<(At, Opening)>,
    /// CPUs that were prepared, and what came of it.
    prepared: Vec<(At, u32)>,
    pub(super) fired: Vec<Fired>,
    /// Whose access was the last one.
    pub(super) last: Option<At>,
    /// Switches away from the middle of operations that could have gone on.
    pub(super) switches: usize,
    /// Where each step stood, if that is kept: of a run that is led.
    pub(super) spots: Option<Vec<Option<Spot>>>,
    /// What the compiler left out before each step that an operation is to follow, and where it stood.
    pub(super) plan: BTreeMap<At, VecDeque<(Sites, Option<Spot>)>>,
    /// The last step that was made.
    pub(super) made: Option<Step>,
}

impl<'a> Stepping<'a> {
    pub(super) fn new(case: &'a Case, vcpus: u32, built: &'a AsBuilt) -> Self {
        let cpus = vcpus.min(CPUS_MAX);
        Self {
            run: Simulation::assumed(case, &built.behaviour, cpus, built),
            built: *built,
            policy: Policy::ALL[0],
            open: Vec::new(),
            polls: Vec::new(),
            tasks: Vec::new(),
            around: BTreeMap::new(),
            openings: Vec::new(),
            prepared: Vec::new(),
            fired: Vec::new(),
            last: None,
            switches: 0,
            spots: None,
            plan: BTreeMap::new(),
            made: None,
        }
    }

    /// Has something take effect: the operation whose answer is known now, if one's is.
    pub(super) fn fire(&mut self, fired: Fired, seen: impl Fn(At) -> (u32, u64)) -> Option<At> {
        self.fired.push(fired);
        if let (Fired::Step(at, merged), true) = (fired, self.spots.is_some()) {
            let spot = self.spot(at, merged);
            self.spots.get_or_insert_default().push(spot);
        }
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
            Fired::Makes(..) | Fired::Goes(_) => {
                self.open_half(fired);
                None
            }
            Fired::Opened(at) => {
                self.open_whole(at);
                Some(at)
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
            Fired::Starts(at) => {
                match Task::begin(&self.run, at) {
                    Some(task) => self.tasks.push(task),
                    None => self.open.push(at),
                }
                None
            }
            Fired::Step(at, merged) => {
                if let Some(index) = self.task(at) {
                    self.policy.merged = merged;
                    self.made = self.step(index);
                }
                None
            }
            Fired::Ends(at) => {
                let index = self.task(at)?;
                self.tasks.remove(index).end(&mut self.run);
                Some(at)
            }
        };
        for poll in &mut self.polls {
            poll.look(&self.run);
        }
        answered
    }

    /// Goes on with an opening until the next place at which others may come.
    fn open_half(&mut self, fired: Fired) {
        let at = fired.at();
        let Op::Open { channel } = self.run.case.actors[at.actor].ops[at.op] else {
            return;
        };
        let known = self.openings.iter().position(|(of, _)| *of == at);
        let index = known.unwrap_or_else(|| {
            let opening = Opening::begin(&mut self.run, channel);
            self.openings.push((at, opening));
            self.openings.len() - 1
        });
        let (_, opening) = &mut self.openings[index];
        match fired {
            Fired::Makes(_, cpu) => opening.make(&mut self.run, cpu),
            _ => opening.begin_buffer(&mut self.run),
        }
    }

    /// Has an opening come to its end.
    fn open_whole(&mut self, at: At) {
        let known = self.openings.iter().position(|(of, _)| *of == at);
        if let Some(index) = known {
            let (_, opening) = self.openings.remove(index);
            let accepted = opening.end(self.built.defects, &mut self.run);
            let value = Some(u64::from(accepted));
            self.run.done.ops[at.actor][at.op] = OpPrediction::ok(value);
        }
    }

    /// The place of an operation's task.
    pub(super) fn task(&self, at: At) -> Option<usize> {
        self.tasks.iter().position(|task| task.at == at)
    }

    /// How many switches there are once this takes effect.
    pub(super) fn switches_with(&self, fired: Option<Fired>) -> usize {
        let Some(Fired::Step(at, _)) = fired else {
            return self.switches;
        };
        let is_left = |last: At| {
            let index = self.task(last).filter(|_| last != at);
            index.is_some_and(|index| self.tasks[index].is_within())
        };
        self.switches + usize::from(self.last.is_some_and(is_left))
    }

    fn step(&mut self, index: usize) -> Option<Step> {
        let task = &mut self.tasks[index];
        let Some(key) = task.key() else {
            task.holds = Holds::Over;
            return None;
        };
        let around = self.around.entry(key).or_default();
        let made = task.step(&mut self.run, around, (&self.built, &self.policy));
        // Whoever waits for a lock may try again now.
        for other in &mut self.tasks {
            if other.holds == Holds::Locked {
                other.holds = Holds::No;
            }
        }
        made
    }

    /// The same as what was fired on another relay, with the order kept as far as it goes there.
    pub(super) fn follow(&mut self, fired: Fired, seen: impl Fn(At) -> (u32, u64)) {
        match fired {
            Fired::Step(at, _) => {
                if let Some(index) = self.task(at) {
                    // What was done at once is not done again.
                    match self.tasks[index].ahead.checked_sub(1) {
                        Some(ahead) => self.tasks[index].ahead = ahead,
                        None => {
                            self.keep_apart(index);
                            self.follow_step(index);
                        }
                    }
                    return;
                }
            }
            Fired::Ends(at) => {
                let mut left = LAST_STEPS_MAX;
                while let Some(index) = self.task(at).filter(|index| !self.tasks[*index].is_over())
                {
                    left -= 1;
                    if left == 0 {
                        break;
                    }
                    self.follow_step(index);
                }
            }
            _ => {}
        }
        self.fire(fired, seen);
    }

    /// Where the next step of an operation stands, with these left out before it.
    fn spot(&self, at: At, merged: Sites) -> Option<Spot> {
        let (frame, set) = self.tasks[self.task(at)?].frame()?;
        let policy = Policy {
            merged,
            ..self.policy
        };
        Some(frame.spot(&policy.on(set)))
    }

    /// What is left out before the next step: what was there, until the operation goes another way.
    fn planned(&mut self, index: usize, at: At) -> Sites {
        let usual = Policy::ALL[0].merged;
        let plan = self.plan.get_mut(&at).and_then(VecDeque::pop_front);
        let Some((merged, stood)) = plan else {
            return usual;
        };
        let is_begun = self.tasks[index].ready(&self.run, &self.built).is_some();
        if is_begun && stood.is_some() && self.spot(at, merged) != stood {
            self.plan.remove(&at);
            return usual;
        }
        merged
    }

    /// Where a fix keeps two operations on a buffer apart, the one that has begun comes to its end before the
    /// other begins: K41 to K43.
    fn keep_apart(&mut self, index: usize) {
        let task = &self.tasks[index];
        let Some(op) = task.begins() else {
            return;
        };
        let (key, defects) = (task.key(), self.built.defects);
        // Whoever waits for a lock gets it once another has come to its end.
        for _ in 0..self.tasks.len() {
            for other in (0..self.tasks.len()).filter(|other| *other != index) {
                let mut left = LAST_STEPS_MAX;
                while left > 0
                    && self.tasks[other].key() == key
                    && self.tasks[other].keeps_out(&op, defects)
                {
                    self.follow_step(other);
                    if self.tasks[other].holds == Holds::Locked {
                        break;
                    }
                    self.tasks[other].ahead += 1;
                    left -= 1;
                }
            }
        }
    }

    fn follow_step(&mut self, index: usize) {
        let at = self.tasks[index].at;
        loop {
            match self.tasks[index].holds {
                Holds::Over => return,
                Holds::No | Holds::Locked => {}
                // On this relay there are no marks to wait for.
                Holds::Called | Holds::Stalled | Holds::Returned => self.tasks[index].pass(),
            }
            let merged = self.planned(index, at);
            self.fire(Fired::Step(at, merged), |_| (0, 0));
            if !self.tasks[index].must_go_on(self.built.defects) {
                return;
            }
            self.tasks[index].ahead += 1;
        }
    }

    pub(super) fn finish(mut self) -> Prediction {
        self.run.done.order.line = self
            .fired
            .iter()
            .filter(|fired| fired.is_last())
            .map(|fired| fired.at())
            .collect();
        self.run.finish()
    }
}
