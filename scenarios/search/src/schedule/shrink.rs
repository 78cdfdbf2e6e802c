//! Making a failing schedule plain: fewer switches first, then earlier ones.

use super::decisions::Schedule;
use super::segments::{self, Alike, Segment};
use relaybed_case::trace::Trace;

/// What the caller saw of candidates.
#[derive(Clone, Debug)]
pub enum Tried {
    /// None of them fails as the schedule did, or none is plainer.
    Hold,
    /// The first that fails as the schedule did and is plainer.
    Fails {
        /// Its number among the candidates.
        candidate: usize,
        /// What happened.
        trace: Trace,
    },
    /// No more of this: time is up.
    Stop,
}

/// Candidates, and which runs of them are plain enough.
#[derive(Debug)]
pub struct Asked<'a> {
    /// To be run one after the other.
    pub candidates: &'a [Alike],
    best: (usize, usize, u64),
}

impl Asked<'_> {
    /// Whether a run is plainer than the plainest so far.
    #[must_use]
    pub fn is_plainer(&self, trace: &Trace) -> bool {
        plainness(trace) < self.best
    }
}

/// The plainest failing run that was found, `failing` itself if there is none plainer.
///
/// `asks` runs candidates until one fails. The runs that it reports get plainer each time, so this ends by itself.
pub fn shrink(failing: &Trace, asks: &mut dyn FnMut(&Asked<'_>) -> Tried) -> Trace {
    let mut best = failing.clone();
    loop {
        let before = plainness(&best);
        // As few switches as there can be, and only then as early as they can be.
        while let Some(plainer) = passed(&best, &FEWER, asks) {
            match plainer {
                Ok(trace) => best = trace,
                Err(last) => return last,
            }
        }
        match passed(&best, &[earlier], asks) {
            Some(Err(last)) => return last,
            Some(Ok(trace)) => best = trace,
            None => {}
        }
        if plainness(&best) == before {
            return best;
        }
    }
}

/// Makes candidates that might be plainer, the boldest first.
type Pass = fn(&[Segment]) -> Vec<Vec<Segment>>;

/// Those that leave switches out.
const FEWER: [Pass; 3] = [tails, heads, swaps];

/// Each pass once; `None`: nothing plainer was found, `Err`: the last that was, since time is up.
fn passed(
    failing: &Trace,
    passes: &[Pass],
    asks: &mut dyn FnMut(&Asked<'_>) -> Tried,
) -> Option<Result<Trace, Trace>> {
    let mut best = failing.clone();
    for pass in passes {
        let mut from = 0;
        loop {
            let all = pass(&segments::of(&best)).into_iter().skip(from);
            let candidates: Vec<Alike> = all.map(Alike::of).collect();
            if candidates.is_empty() {
                break;
            }
            let asked = Asked {
                candidates: &candidates,
                best: plainness(&best),
            };
            match asks(&asked) {
                Tried::Stop => return Some(Err(best)),
                Tried::Fails { candidate, trace } if asked.is_plainer(&trace) => {
                    best = trace;
                    // Those before it were tried and held; a later round tries them again.
                    from += candidate;
                }
                Tried::Fails { .. } | Tried::Hold => break,
            }
        }
    }
    (plainness(&best) < plainness(failing)).then_some(Ok(best))
}

/// What gets smaller: decisions, then switches, then how late the decisions are.
fn plainness(trace: &Trace) -> (usize, usize, u64) {
    let schedule = Schedule::of(trace);
    let late = schedule.decisions.iter().map(|decision| decision.index);
    let late = late.fold(0, u64::saturating_add);
    (schedule.decisions.len(), trace.switches(), late)
}

/// The first stretches only, few before many.
fn tails(segments: &[Segment]) -> Vec<Vec<Segment>> {
    let mut lengths = vec![0];
    let mut length = 1;
    while length < segments.len() {
        lengths.push(length);
        length *= 2;
    }
    // What is left of a halving search, from the long end.
    lengths.extend((1..segments.len()).rev().take(NEAR_THE_END));
    lengths
        .iter()
        .map(|length| segments[..*length].to_vec())
        .collect()
}

/// How many stretches are taken from the end one at a time.
const NEAR_THE_END: usize = 4;

/// The stops of the first stretches one vCPU after another, each in one stretch; many before few.
fn heads(segments: &[Segment]) -> Vec<Vec<Segment>> {
    let mut vcpus: Vec<u32> = segments.iter().map(|segment| segment.vcpu).collect();
    vcpus.sort_unstable();
    vcpus.dedup();
    let mut candidates = Vec::new();
    let mut length = segments.len();
    while length > 2 {
        let (head, rest) = segments.split_at(length);
        // Every vCPU is the last of them once; it has most to do with what follows.
        for at in 0..vcpus.len() {
            vcpus.rotate_left(at.min(1));
            let of = |vcpu: &u32| Segment {
                vcpu: *vcpu,
                stops: head
                    .iter()
                    .filter(|s| s.vcpu == *vcpu)
                    .map(|s| s.stops)
                    .sum(),
            };
            let whole: Vec<Segment> = vcpus.iter().map(of).chain(rest.iter().copied()).collect();
            candidates.push(segments::merged(&whole));
        }
        length -= (length / 8).max(1);
    }
    candidates
}

/// Two neighbours change places, so that each joins the next stretch of its vCPU: up to two switches less.
fn swaps(segments: &[Segment]) -> Vec<Vec<Segment>> {
    let swapped = |at: usize| {
        let mut candidate = segments.to_vec();
        candidate.swap(at, at + 1);
        segments::merged(&candidate)
    };
    // The late ones first: they depend on the early ones, not the other way round.
    (1..segments.len())
        .rev()
        .map(|at| swapped(at - 1))
        .collect()
}

/// Each stretch shorter: by all but one stop, by half, by one.
fn earlier(segments: &[Segment]) -> Vec<Vec<Segment>> {
    let mut candidates = Vec::new();
    for (at, segment) in segments.iter().enumerate() {
        let mut lengths = vec![1, segment.stops / 2, segment.stops.saturating_sub(1)];
        lengths.dedup();
        for stops in lengths {
            if (1..segment.stops).contains(&stops) {
                let mut candidate = segments.to_vec();
                candidate[at].stops = stops;
                candidates.push(candidate);
            }
        }
    }
    candidates
}
