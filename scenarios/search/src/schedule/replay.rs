//! Running a recorded schedule again, and noticing where the machine does something else.

use std::fmt;

use super::decisions::{Schedule, default_next};
use super::strategy::Strategy;
use relaybed_case::fnv::Fnv;
use relaybed_case::place::Stop;
use relaybed_case::trace::Choice;
use relaybed_case::trace::Trace;

/// The first thing that went otherwise than recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Divergence {
    /// Another vCPU stopped, or at another place.
    Stop {
        /// Number of the stop.
        index: usize,
        /// As recorded.
        expected: Stop,
        /// As it was now.
        seen: Stop,
    },
    /// Other vCPUs had work.
    Enabled {
        /// Number of the stop.
        index: usize,
        /// Who stopped, and where.
        stop: Stop,
        /// As recorded.
        expected: Vec<u32>,
        /// As it was now.
        seen: Vec<u32>,
    },
    /// The recorded vCPU has no work.
    Decision {
        /// Number of the stop.
        index: usize,
        /// Who stopped, and where.
        stop: Stop,
        /// The vCPU that should go on.
        next: u32,
    },
    /// One of the stops of a stretch differs; the record tells them apart only together.
    Stretch {
        /// Number of the first stop that may be it.
        from: usize,
        /// Number of the last one.
        to: usize,
    },
    /// The run had another number of stops.
    Length {
        /// As recorded.
        expected: usize,
        /// As it was now.
        seen: usize,
    },
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stop {
                index,
                expected,
                seen,
            } => write!(f, "stop {index}: {seen}; recorded was {expected}"),
            Self::Enabled {
                index,
                stop,
                expected,
                seen,
            } => write!(
                f,
                "stop {index}, {stop}: vCPUs {seen:?} had work; recorded were {expected:?}"
            ),
            Self::Decision { index, stop, next } => write!(
                f,
                "stop {index}, {stop}: vCPU {next} should go on, but has no work"
            ),
            Self::Stretch { from, to } if from == to => {
                write!(f, "stop {from} is not the recorded one")
            }
            Self::Stretch { from, to } => {
                write!(f, "one of the stops {from} to {to} is not the recorded one")
            }
            Self::Length { expected, seen } => {
                write!(f, "the run had {seen} stops; recorded were {expected}")
            }
        }
    }
}

/// Decides as a recorded run did, up to the first divergence; by default behind it.
#[derive(Clone, Debug)]
pub struct Replay<'a> {
    recorded: &'a Trace,
    passed: usize,
    diverged: Option<Divergence>,
}

impl<'a> Replay<'a> {
    /// Of a whole trace: a divergence is named to the step.
    #[must_use]
    pub fn new(recorded: &'a Trace) -> Self {
        Self {
            recorded,
            passed: 0,
            diverged: None,
        }
    }

    /// The first divergence, once the run has ended.
    #[must_use]
    pub fn end(self) -> Option<Divergence> {
        let expected = self.recorded.steps.len();
        let seen = self.passed;
        self.diverged
            .or_else(|| (seen != expected).then_some(Divergence::Length { expected, seen }))
    }

    fn follow(&self, choice: &Choice<'_>) -> Result<u32, Option<Divergence>> {
        // Behind the record's end the length tells.
        let step = self.recorded.steps.get(choice.index).ok_or(None)?;
        let index = choice.index;
        if step.stop != *choice.stop {
            return Err(Some(Divergence::Stop {
                index,
                expected: step.stop.clone(),
                seen: choice.stop.clone(),
            }));
        }
        if step.enabled != choice.enabled {
            return Err(Some(Divergence::Enabled {
                index,
                stop: choice.stop.clone(),
                expected: step.enabled.clone(),
                seen: choice.enabled.to_vec(),
            }));
        }
        Ok(step.next)
    }
}

impl Strategy for Replay<'_> {
    fn choose(&mut self, choice: &Choice<'_>) -> u32 {
        self.passed = choice.index + 1;
        if self.diverged.is_none() {
            match self.follow(choice) {
                // A trace of a file may say a vCPU that was not enabled.
                Ok(next) if choice.enabled.contains(&next) => return next,
                Ok(next) => {
                    self.diverged = Some(Divergence::Decision {
                        index: choice.index,
                        stop: choice.stop.clone(),
                        next,
                    });
                }
                Err(divergence) => self.diverged = divergence,
            }
        }
        default_next(choice)
    }
}

/// Digests of a run at some of its stops: enough to notice that another run is not the same, and to say
/// roughly where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// Stops of the run.
    pub stops: u64,
    /// The low bits of the digest over all stops up to the end of each stretch.
    pub digests: Vec<u16>,
}

/// Stretches that a run is cut into; the last may be shorter.
const STRETCHES: u64 = 16;

impl Marks {
    /// Of a run.
    #[must_use]
    pub fn of(trace: &Trace) -> Self {
        let mut marks = Self {
            stops: trace.steps.len() as u64,
            digests: Vec::new(),
        };
        let mut running = Fnv::default();
        for (step, index) in trace.steps.iter().zip(0..) {
            mark(&mut running, &step.stop);
            if marks.ends_at(index) {
                marks.digests.push(low(running));
            }
        }
        marks
    }

    /// How many digests a run of so many stops has.
    #[must_use]
    pub fn count(stops: u64) -> u64 {
        stops.div_ceil(Self::stretch(stops))
    }

    fn stretch(stops: u64) -> u64 {
        stops.div_ceil(STRETCHES).max(1)
    }

    /// Whether a stretch ends with the stop of this number.
    fn ends_at(&self, index: u64) -> bool {
        index.saturating_add(1) == self.stops
            || index
                .saturating_add(1)
                .is_multiple_of(Self::stretch(self.stops))
    }
}

fn mark(running: &mut Fnv, stop: &Stop) {
    running.write(&stop.digest().to_le_bytes());
}

/// The digest's high half folded into 16 bits: the low ones of FNV mix worst.
fn low(running: Fnv) -> u16 {
    let [.., a, b, c, d] = running.0.to_le_bytes();
    u16::from_le_bytes([a ^ c, b ^ d])
}

/// Decides as a schedule says and compares the run with the marks of the recorded one.
#[derive(Clone, Debug)]
pub struct Checked<'a> {
    decided: super::decisions::Decided,
    marks: &'a Marks,
    running: Fnv,
    passed: u64,
    /// Stretches that agreed.
    agreed: usize,
    diverged: Option<Divergence>,
}

impl<'a> Checked<'a> {
    /// Of what a token holds.
    #[must_use]
    pub fn new(schedule: Schedule, marks: &'a Marks) -> Self {
        Self {
            decided: schedule.strategy(),
            marks,
            running: Fnv::default(),
            passed: 0,
            agreed: 0,
            diverged: None,
        }
    }

    /// The first divergence, once the run has ended.
    #[must_use]
    pub fn end(self) -> Option<Divergence> {
        let count = |stops: u64| usize::try_from(stops).unwrap_or(usize::MAX);
        let (expected, seen) = (count(self.marks.stops), count(self.passed));
        self.diverged
            .or_else(|| (seen != expected).then_some(Divergence::Length { expected, seen }))
    }

    fn compare(&mut self, index: u64) {
        if self.diverged.is_some() || !self.marks.ends_at(index) {
            return;
        }
        let Some(recorded) = self.marks.digests.get(self.agreed) else {
            return;
        };
        if *recorded == low(self.running) {
            self.agreed += 1;
            return;
        }
        let stretch = Marks::stretch(self.marks.stops);
        let count = |stops: u64| usize::try_from(stops).unwrap_or(usize::MAX);
        self.diverged = Some(Divergence::Stretch {
            from: count((self.agreed as u64).saturating_mul(stretch)),
            to: count(index),
        });
    }
}

impl Strategy for Checked<'_> {
    fn choose(&mut self, choice: &Choice<'_>) -> u32 {
        let index = choice.index as u64;
        self.passed = index.saturating_add(1);
        mark(&mut self.running, choice.stop);
        self.compare(index);
        self.decided.choose(choice)
    }
}
