//! Making a finding small: fewest preemptions, then fewest operations, then smallest numbers.

use std::time::Instant;

use relaybed_vmm::signals;

use crate::run::drive::{Controlled, Driven, Series};
use crate::run::error::SessionError;
use crate::run::shown::Shown;
use crate::run::stops::Stops;
use relaybed_case::Case;
use relaybed_case::finding::Label;
use relaybed_case::trace::Trace;
use relaybed_search::schedule::{Alike, Checked, Pct, PctShape, Strategy, Token, Tried, shrink};
use relaybed_search::shrink::Answer;

/// Schedules drawn for a smaller scenario before it is taken to hold.
const TRIES: u64 = 8;
/// Schedules that run one after the other on one machine.
const BLOCK: usize = 32;
/// Depth of the races that they look for.
const DEPTH: u32 = 3;

/// A finding on its way to be small.
pub(super) struct Small<'a> {
    pub(super) guest: &'a Controlled<'a>,
    pub(super) until: Instant,
    /// What it must go on to show.
    pub(super) wanted: Option<Label>,
    pub(super) case: Case,
    pub(super) shown: Shown,
    /// Why nothing more can be tried.
    pub(super) stopped: Option<SessionError>,
}

impl Small<'_> {
    /// How small it is.
    pub(super) fn words(&self) -> String {
        let operations: usize = self.case.actors.iter().map(|actor| actor.ops.len()).sum();
        format!(
            "{} preemptions and {operations} operations",
            preemptions(&self.shown.trace)
        )
    }

    pub(super) fn is_over(&self) -> bool {
        Instant::now() > self.until
    }

    /// Fewer operations, smaller numbers: each candidate is given the schedule of the last that failed, as far
    /// as it fits, and a few others. None may take more preemptions. Whether there is a smaller one.
    pub(super) fn scenario(&mut self) -> Result<bool, SessionError> {
        let case = self.case.clone();
        let by_turns = takes_turns(&case);
        let mut best: Option<(Case, Shown)> = None;
        let small = relaybed_search::shrink::shrink(&case, &mut |candidate| {
            // Without a vCPU for each actor no schedule could be written down.
            if by_turns && !takes_turns(candidate) {
                return Answer::Holds;
            }
            let trace = best
                .as_ref()
                .map_or(&self.shown.trace, |(_, shown)| &shown.trace);
            let shape = PctShape {
                vcpus: candidate.vcpus,
                places: trace.steps.len() as u64,
                depth: DEPTH,
            };
            let most = preemptions(trace);
            let alike: Box<dyn Strategy> = Box::new(Alike::new(trace));
            let drawn =
                (0..TRIES).map(|seed| Box::new(Pct::new(seed, &shape)) as Box<dyn Strategy>);
            let strategies = std::iter::once(alike).chain(drawn).collect();
            let is_small = |trace: &Trace| preemptions(trace) <= most;
            match self.first(candidate, strategies, &is_small) {
                First::Stop => Answer::Stop,
                First::None => Answer::Holds,
                First::Found(_, shown) => {
                    best = Some((candidate.clone(), *shown));
                    Answer::Fails
                }
            }
        });
        let smaller = best.filter(|(case, _)| *case == small);
        let is_smaller = smaller.is_some();
        if let Some((case, shown)) = smaller {
            (self.case, self.shown) = (case, shown);
        }
        self.stopped.take().map_or(Ok(is_smaller), Err)
    }

    /// Fewer and earlier switches.
    pub(super) fn schedule(&mut self) -> Result<(), SessionError> {
        let (case, failing) = (self.case.clone(), self.shown.trace.clone());
        let mut best = None;
        let plain = shrink(&failing, &mut |asked| {
            for (block, candidates) in asked.candidates.chunks(BLOCK).enumerate() {
                let boxed = |alike: &Alike| Box::new(alike.clone()) as Box<dyn Strategy>;
                let strategies = candidates.iter().map(boxed).collect();
                match self.first(&case, strategies, &|trace| asked.is_plainer(trace)) {
                    First::Stop => return Tried::Stop,
                    First::None => {}
                    First::Found(at, shown) => {
                        let trace = shown.trace.clone();
                        best = Some(*shown);
                        let candidate = block * BLOCK + at;
                        return Tried::Fails { candidate, trace };
                    }
                }
            }
            Tried::Hold
        });
        if let Some(shown) = best {
            self.shown = shown;
            self.shown.trace = plain;
        }
        self.stopped.take().map_or(Ok(()), Err)
    }

    /// The first strategy whose run shows what is wanted and is small: all run one after the other on one machine, and
    /// what shows something there must show it on a machine of its own.
    fn first(
        &mut self,
        case: &Case,
        strategies: Vec<Box<dyn Strategy>>,
        is_small: &dyn Fn(&Trace) -> bool,
    ) -> First {
        let mut left = strategies;
        let mut tried = 0;
        loop {
            if self.is_over() || signals::interrupted().is_some() {
                return First::Stop;
            }
            let mut block = Block {
                case,
                until: self.until,
                wanted: &self.wanted,
                is_small,
                left: left.into_iter(),
                running: None,
                tried: 0,
                found: None,
            };
            let stops = Stops::accesses();
            let ended = self.guest.series(case, None, (&stops, false), &mut block);
            if signals::interrupted().is_some() {
                return First::Stop;
            }
            match ended {
                Ok(None) => {}
                Ok(Some(undriven)) => block.note(Shown::ended(undriven)),
                Err(error) => {
                    self.stopped = Some(error);
                    return First::Stop;
                }
            }
            tried += block.tried;
            left = block.left.collect();
            match block.found {
                Some(trace) => match Shown::of(self.guest, case, &mut Alike::new(&trace)) {
                    Ok(Some(shown))
                        if Label::of(&shown.verdict) == self.wanted && is_small(&shown.trace) =>
                    {
                        return First::Found(tried - 1, Box::new(shown));
                    }
                    Ok(Some(_)) => {}
                    Ok(None) => return First::Stop,
                    Err(error) => {
                        self.stopped = Some(error);
                        return First::Stop;
                    }
                },
                None if left.is_empty() => return First::None,
                None => {}
            }
        }
    }

    /// Runs it as its token says, and tells what came of that. What is saved is that run.
    pub(super) fn again(&mut self, token: &Token) -> Result<String, SessionError> {
        let mut checked = Checked::new(token.schedule.clone(), &token.marks);
        let Some(shown) = Shown::of(self.guest, &self.case, &mut checked)? else {
            return Ok("interrupted before it was run again".to_owned());
        };
        let same = Label::of(&shown.verdict) == self.wanted;
        Ok(match (checked.end(), same) {
            (None, true) => {
                self.shown = shown;
                "run again by its token: the same".to_owned()
            }
            (None, false) => "run again by its token: the same stops, another verdict".to_owned(),
            (Some(divergence), _) => format!("run again by its token it diverged: {divergence}"),
        })
    }
}

/// Which of several runs was the one.
enum First {
    Found(usize, Box<Shown>),
    None,
    /// Time is up, or nothing more can be run.
    Stop,
}

/// Runs that follow one another on one machine until one shows what is wanted.
struct Block<'a> {
    case: &'a Case,
    until: Instant,
    wanted: &'a Option<Label>,
    is_small: &'a dyn Fn(&Trace) -> bool,
    left: std::vec::IntoIter<Box<dyn Strategy>>,
    running: Option<Box<dyn Strategy>>,
    tried: usize,
    found: Option<Trace>,
}

impl Block<'_> {
    fn note(&mut self, shown: Shown) {
        if Label::of(&shown.verdict) == *self.wanted && (self.is_small)(&shown.trace) {
            self.found = Some(shown.trace);
        }
    }
}

impl Series for Block<'_> {
    fn strategy(&mut self) -> Option<&mut dyn Strategy> {
        if self.found.is_some() || Instant::now() > self.until {
            return None;
        }
        self.running = Some(self.left.next()?);
        self.tried += 1;
        let running = self.running.as_mut()?;
        Some(running.as_mut())
    }

    fn ran(&mut self, driven: Driven) {
        self.note(Shown::judged(self.case, driven));
    }
}

/// How often control passed to another vCPU although the one that stopped could have gone on.
fn preemptions(trace: &Trace) -> usize {
    trace.steps.iter().filter(|step| step.preempts()).count()
}

/// Whether each actor has a vCPU to itself, so that turns can say whose it is.
fn takes_turns(case: &Case) -> bool {
    let mut cpus: Vec<_> = case.actors.iter().map(relaybed_case::Actor::cpu).collect();
    cpus.sort_unstable();
    let all = cpus.len();
    cpus.dedup();
    cpus.len() == all && !cpus.contains(&None)
}
