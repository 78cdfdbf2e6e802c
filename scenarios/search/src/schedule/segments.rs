//! A schedule as stretches of one vCPU each: how long each runs before control passes.
//!
//! Decisions name stops by their number in the run, so taking one away moves all behind it. Stretches count
//! the stops of their own vCPU, and can be reordered and shortened without another meaning something else.

use super::decisions::default_next;
use super::strategy::Strategy;
use relaybed_case::trace::Choice;
use relaybed_case::trace::Trace;

/// One vCPU runs for some stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) vcpu: u32,
    /// Stops of this vCPU, at the last of which control passes.
    pub(super) stops: usize,
}

/// The stretches of a run. The first stop is made by a vCPU that nobody chose; it has a stretch as well.
pub(super) fn of(trace: &Trace) -> Vec<Segment> {
    let mut segments: Vec<Segment> = Vec::new();
    for step in &trace.steps {
        match segments.last_mut() {
            Some(last) if last.vcpu == step.stop.vcpu => last.stops += 1,
            _ => segments.push(Segment {
                vcpu: step.stop.vcpu,
                stops: 1,
            }),
        }
    }
    segments
}

/// Stretches of the same vCPU in a row are one.
pub(super) fn merged(segments: &[Segment]) -> Vec<Segment> {
    let mut merged: Vec<Segment> = Vec::new();
    for segment in segments.iter().filter(|segment| segment.stops > 0) {
        match merged.last_mut() {
            Some(last) if last.vcpu == segment.vcpu => last.stops += segment.stops,
            _ => merged.push(*segment),
        }
    }
    merged
}

/// Decides so that the run has these stretches, as far as it can; by default behind them.
#[derive(Clone, Debug)]
pub struct Alike {
    segments: Vec<Segment>,
    at: usize,
    /// Stops seen of the stretch at `at`.
    seen: usize,
}

impl Alike {
    /// Has the stretches of a run, perhaps of another program.
    #[must_use]
    pub fn new(trace: &Trace) -> Self {
        Self::of(of(trace))
    }

    pub(super) fn of(segments: Vec<Segment>) -> Self {
        Self {
            segments,
            at: 0,
            seen: 0,
        }
    }
}

impl Strategy for Alike {
    fn choose(&mut self, choice: &Choice<'_>) -> u32 {
        let segment = |at: usize| self.segments.get(at).copied();
        if let Some(current) = segment(self.at)
            && current.vcpu == choice.stop.vcpu
        {
            self.seen += 1;
            if self.seen < current.stops && choice.enabled.contains(&current.vcpu) {
                return current.vcpu;
            }
            self.at += 1;
            self.seen = 0;
        }
        // A stretch whose vCPU has no work is over before it began.
        while let Some(next) = self.segments.get(self.at) {
            if choice.enabled.contains(&next.vcpu) {
                return next.vcpu;
            }
            self.at += 1;
        }
        default_next(choice)
    }
}
