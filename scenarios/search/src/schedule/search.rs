//! All schedules in a fixed order, those with the fewest preemptions first, none twice.
//!
//! A *preemption* is a switch away from a vCPU that could have gone on. Most races need one or two, and how
//! many schedules have so few grows with the length of the run only as a power of that number (Musuvathi and
//! Qadeer: *Iterative Context Bounding*, PLDI 2007).
//!
//! A schedule is a list of decisions, ascending. Taking its last one away gives another schedule, its
//! parent; so all of them form a tree below the default one, in which each is reached in one way. A run
//! of a schedule shows what can be decided behind its last decision: those are its children. Children that can
//! only do what the one before them did, in another order of what [commutes](super::commute), are left out.

use std::sync::Arc;

use super::commute::Entries;
use super::decisions::{Decision, Schedule, default_next};
use relaybed_case::place::Place;
use relaybed_case::trace::{Step, Trace};

/// The schedules that are still to be run.
#[derive(Clone, Debug)]
pub struct Search {
    /// For each number of preemptions up to the bound, depth first: schedules with children left.
    levels: Vec<Vec<Branch>>,
    entries: Entries,
    left_out: u64,
}

/// Children of one schedule which all have the same number of preemptions.
#[derive(Clone, Debug)]
struct Branch {
    parent: Arc<Schedule>,
    /// What can be decided next, the last first.
    children: Vec<Decision>,
}

/// A schedule to run, and what it costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The decisions; behind them the default goes on.
    pub schedule: Schedule,
    /// How many of them preempt.
    pub preemptions: usize,
}

impl Search {
    /// The search below the default schedule, of which `first` is the run, for at most `preemptions`.
    #[must_use]
    pub fn new(first: &Trace, preemptions: usize) -> Self {
        let mut search = Self {
            levels: vec![Vec::new(); preemptions.saturating_add(1).min(LEVELS_MAX)],
            entries: Entries::default(),
            left_out: 0,
        };
        search.learn(
            &Candidate {
                schedule: Schedule::default(),
                preemptions: 0,
            },
            first,
        );
        search
    }

    /// Adds what the run of a candidate showed.
    pub fn learn(&mut self, candidate: &Candidate, trace: &Trace) {
        self.entries.learn(trace);
        let behind = candidate.schedule.decisions.last();
        if let Some(last) = behind {
            self.leave_out(candidate, *last, trace);
        }
        let begin = behind.map_or(0, |last| last.index.saturating_add(1));
        let begin = usize::try_from(begin).unwrap_or(usize::MAX);
        let parent = Arc::new(candidate.schedule.clone());
        let mut free = Vec::new();
        let mut preempting = Vec::new();
        for (index, step) in trace.steps.iter().enumerate().skip(begin) {
            for next in alternatives(index, step) {
                let decision = Decision {
                    index: index as u64,
                    next,
                };
                match costs(step) {
                    true => preempting.push(decision),
                    false => free.push(decision),
                }
            }
        }
        let cost = candidate.preemptions;
        for (level, mut children) in [(cost, free), (cost + 1, preempting)] {
            children.reverse();
            if let Some(branches) = self.levels.get_mut(level)
                && !children.is_empty()
            {
                let parent = Arc::clone(&parent);
                branches.push(Branch { parent, children });
            }
        }
    }

    /// Leaves out the siblings of a candidate that can only do the same.
    fn leave_out(&mut self, candidate: &Candidate, last: Decision, trace: &Trace) {
        let alike = self.entries.alike_behind(trace, last);
        let level = self.levels.get_mut(candidate.preemptions);
        // The one that it was drawn from: nothing was added since.
        let Some(branch) = level.and_then(|branches| branches.last_mut()) else {
            return;
        };
        let (_, of_parent) = candidate
            .schedule
            .decisions
            .split_last()
            .unwrap_or((&last, &[]));
        if branch.parent.decisions != of_parent {
            return;
        }
        let before = branch.children.len();
        let same = |child: &Decision| {
            child.next == last.next
                && (1..=alike).contains(&(child.index.saturating_sub(last.index)))
        };
        branch.children.retain(|child| !same(child));
        self.left_out += (before - branch.children.len()) as u64;
    }

    /// How many schedules were left out because others that were run do the same.
    #[must_use]
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Whether there is one left to be run.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.levels
            .iter()
            .flatten()
            .all(|branch| branch.children.is_empty())
    }

    /// The next schedule to run; its run is to be [learnt](Self::learn) before the next is asked for.
    pub fn draw(&mut self) -> Option<Candidate> {
        for (preemptions, branches) in self.levels.iter_mut().enumerate() {
            while let Some(branch) = branches.last_mut() {
                let Some(decision) = branch.children.pop() else {
                    branches.pop();
                    continue;
                };
                let mut schedule = Schedule::clone(&branch.parent);
                schedule.decisions.push(decision);
                return Some(Candidate {
                    schedule,
                    preemptions,
                });
            }
        }
        None
    }
}

/// vCPUs that could go on after this step, but for the default.
fn alternatives(index: usize, step: &Step) -> impl Iterator<Item = u32> {
    let default = default_next(&step.choice(index));
    let may = step.stop.place.is_switch_point() || step.next != step.stop.vcpu;
    let waits = step.stop.place == Place::Waits;
    let stopped = step.stop.vcpu;
    let enabled = step.enabled.iter().copied();
    enabled.filter(move |vcpu| may && *vcpu != default && !(waits && *vcpu == stopped))
}

/// Whether letting another vCPU go on here preempts the one that stopped.
fn costs(step: &Step) -> bool {
    step.stop.place != Place::Waits && step.enabled.contains(&step.stop.vcpu)
}

/// Schedules with more preemptions than this are more than anybody can run.
const LEVELS_MAX: usize = 64;
