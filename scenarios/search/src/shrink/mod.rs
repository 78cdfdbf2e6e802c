//! Making a failing case small: fewer actors, operations and channels, smaller numbers, plainer words, as
//! long as somebody who runs it says that it still fails.
//!
//! Pure: what asks the kernel is the caller's function. Every case that is asked about is one that a
//! scenario file can say, and smaller than the last one that failed, so this ends by itself.

mod drop;
mod edit;
mod numbers;
mod size;
#[cfg(test)]
mod tests;
mod words;

pub use size::size;

use relaybed_case::Case;

/// What the caller says of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It fails as the case did.
    Fails,
    /// It does not, or in another way.
    Holds,
    /// No more of this: time is up.
    Stop,
}

/// Makes candidates that might be smaller, the boldest first.
type Pass = fn(&Case) -> Vec<Case>;

const PASSES: [Pass; 9] = [
    drop::actors,
    drop::channels,
    drop::chunks,
    drop::gates,
    words::merge_actors,
    drop::single,
    words::channels,
    words::actors,
    numbers::all,
];

/// Whether a file can say it, within the limits that files have: smaller sub-buffers may ask for more
/// of the event log, and sizes that relay refuses for more memory where it accepts them.
fn can_be_said(case: &Case) -> bool {
    relaybed_lang::write(case).is_ok_and(|text| relaybed_lang::load(&case.name, &text).is_ok())
}

/// The smallest case found that still fails. `asks` is asked about each candidate in turn.
#[must_use]
pub fn shrink(case: &Case, asks: &mut dyn FnMut(&Case) -> Answer) -> Case {
    // Claims are no part of what is drawn, and a file says gates and slots in its own order.
    let mut best = relaybed_lang::canonical(case.clone());
    loop {
        let before = size(&best);
        for pass in PASSES {
            let mut candidates = pass(&best);
            let mut at = 0;
            while at < candidates.len() {
                let candidate = edit::finish(candidates[at].clone());
                at += 1;
                if size(&candidate) >= size(&best) || !can_be_said(&candidate) {
                    continue;
                }
                match asks(&candidate) {
                    Answer::Stop => return best,
                    Answer::Holds => {}
                    Answer::Fails => {
                        best = candidate;
                        candidates = pass(&best);
                        // What was tried before this one most likely holds still; a later round sees.
                        at = at.saturating_sub(1);
                    }
                }
            }
        }
        if size(&best) == before {
            return best;
        }
    }
}
