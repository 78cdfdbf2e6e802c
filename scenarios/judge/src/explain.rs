//! Whether relay as the kernels have it gives the evidence, and by which of its defects.
//!
//! The twin is led along what the evidence says of the order: each operation begins and ends at its
//! place in the machine-wide count, callbacks and calls of `read()` have theirs. A run under control saved
//! all accesses, and the twin must make just these. In a free run, where operations overlap, their
//! accesses are tried in the orders that the count allows, those with few switches first, up to a bound. Each answer is
//! compared as it comes, and the end in full: counts, paddings, bytes, callbacks, files.

mod agree;
mod fed;
mod fired;
mod forging;
mod jobs;
mod label;
mod lead;
mod line;
mod marks;
mod next;
mod own;
mod policy;
mod polls;
mod search;
mod stepping;
mod task;
mod unled;
mod whose;

use relaybed_abi::State;
use relaybed_case::finding::Finding;
use relaybed_case::verdict::Searched;
use relaybed_twin::Defects;

use super::checks;
use super::matter::{Matter, Report};
pub(super) use fired::Fired;
pub(super) use forging::one_run;
use lead::has_accesses;
use line::Line;
use marks::Marks;
use policy::Policy;
use search::Search;
use stepping::{Stepping, built};
use unled::{Unled, Why};

/// Effects that are tried over all orders before a free run counts as not explained. A bound in steps is
/// the same on every host. A race among 754 records took 25,000 of the third that each policy has.
pub(super) const STEPS_MAX: u32 = 150_000;
/// The same for a defect that the kernel should not have.
pub(super) const STEPS_MAX_BACK: u32 = 4_000;
/// Effects of a run that is led.
const LED_STEPS_MAX: u32 = 1 << 24;

/// A way in which the twin gives the evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Explanation {
    /// The defects without which it would have been right: the fewest whose fix keeps the contract.
    pub(super) met: Defects,
}

/// Whether the run was under control, saved its accesses, came to its end, and says whose each access is: then it
/// must be led.
pub(super) fn must_be_led(matter: &Matter<'_>) -> bool {
    has_accesses(matter) && searched(matter).is_none()
}

/// Why a run that was under control and saved its accesses cannot be led along them.
pub(super) fn searched(matter: &Matter<'_>) -> Option<Searched> {
    if !has_accesses(matter) {
        return None;
    }
    let mut results = matter.evidence.results.iter().flatten();
    if results.any(|result| result.state != State::Done.code()) {
        return Some(Searched::Unfinished);
    }
    whose::unsure(matter)
}

/// Leads relay with these defects along the accesses of the evidence, to the same end in everything.
///
/// # Errors
///
/// A finding that says at which access it was not relay any more.
pub(super) fn led(matter: &Matter<'_>, defects: Defects) -> Result<Led, Box<Finding>> {
    let built = built(matter.evidence.setting.linux_version, defects);
    let unled = |unled: &Unled| Box::new(unled.finding(matter));
    let Some(marks) = Marks::of(matter, true) else {
        return Err(unled(&Unled::whole(Why::Marks)));
    };
    let lead = |policy: Policy| {
        let mut state = Stepping::new(matter.case, matter.evidence.setting.vcpus, &built);
        state.spots = Some(Vec::new());
        state.policy = policy;
        state.run.start();
        let mut search = Search::new(matter, &marks, LED_STEPS_MAX);
        let end = search.led(state)?;
        let line = Line::of(&end);
        if !is_equal(matter, &end.finish()) {
            return Err(Unled::whole(Why::End));
        }
        Ok(Led { line, defects })
    };
    // A binary has one way all the time. It shows only in what comes of it.
    let mut first = None;
    for policy in Policy::unseen(built.behaviour.prev_padding) {
        match lead(policy) {
            Ok(led) => return Ok(led),
            Err(found) => {
                let is_shown = matches!(found.why, Why::Answer | Why::End);
                let found = first.get_or_insert(found);
                if !is_shown {
                    return Err(unled(found));
                }
            }
        }
    }
    let first = first.unwrap_or(Unled::whole(Why::End));
    Err(unled(&first))
}

/// A run that was led to its end.
pub(super) struct Led {
    line: Line,
    defects: Defects,
}

impl Led {
    /// The defects that were met, where something is wrong.
    pub(super) fn explanation(&self, matter: &Matter<'_>) -> Option<Explanation> {
        let met = label::met(matter, &self.line, self.defects)?;
        Some(Explanation { met })
    }
}

/// Explains the evidence by relay with these defects: a run under control by its accesses, a free one by an
/// order that agrees with the evidence, within a bound.
pub(super) fn explain(
    matter: &Matter<'_>,
    defects: Defects,
    steps_max: u32,
) -> Option<Explanation> {
    if must_be_led(matter) {
        return led(matter, defects).ok()?.explanation(matter);
    }
    let built = built(matter.evidence.setting.linux_version, defects);
    let begin = |policy: Policy| {
        let mut state = Stepping::new(matter.case, matter.evidence.setting.vcpus, &built);
        state.policy = policy;
        state.run.start();
        state
    };
    let marks = Marks::of(matter, false)?;
    let policies = match marks.met.is_empty() {
        true => &Policy::ALL[..1],
        false => &Policy::ALL[..],
    };
    let share = steps_max / u32::try_from(policies.len()).unwrap_or(1);
    let mut tries = policies.iter();
    let met = tries.find_map(|policy| Search::new(matter, &marks, share).from(begin(*policy)));
    met.map(|met| Explanation { met })
}

/// The checks that leave nothing open where everything is predicted.
const EQUAL: &[super::run::Checker] = &[
    checks::health::check,
    checks::evidence::check,
    checks::reading::check,
    checks::lifetime::check,
    checks::notification::check,
    checks::model::check,
];

/// Whether the evidence is what was predicted, in everything.
fn is_equal(matter: &Matter<'_>, prediction: &relaybed_contract::Prediction) -> bool {
    let is_warned = checks::health::warned(matter.evidence, &prediction.warnings).is_some();
    if prediction.uses_freed || !is_warned {
        return false;
    }
    let own = Matter::new(matter.case, prediction, matter.evidence, matter.writers);
    let mut report = Report::default();
    EQUAL.iter().all(|check| {
        check(&own, &mut report);
        report.findings.is_empty()
    })
}
