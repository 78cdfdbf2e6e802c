//! From what failed to the verdict: passed, known, or failed.
//!
//! Known is an explanation: the twin with this kernel's defects must give the evidence, to the last
//! answer, count and byte. What takes a defect that the kernel should not have is a failure, and so is
//! everything that nothing explains.

use relaybed_case::verdict::{Failure, Verdict};
use relaybed_twin::{Defects, defects_of, issues};

use super::explain::{Explanation, explain};
use super::matter::Matter;

/// The verdict on a case, from all that failed in it.
pub(super) fn verdict(matter: &Matter<'_>, failures: Vec<Failure>) -> Verdict {
    verdict_of(
        matter,
        failures,
        defects_of(matter.evidence.setting.linux_version),
    )
}

/// The same for a kernel that should have these defects.
pub(super) fn verdict_of(
    matter: &Matter<'_>,
    mut failures: Vec<Failure>,
    expected: Defects,
) -> Verdict {
    if failures.is_empty() {
        return passed(&matter.case.name, expected);
    }
    if let Some(Explanation { met }) = explain(matter, expected) {
        return Verdict::Known {
            id: met.to_string(),
            failures,
        };
    }
    let back = Defects::all()
        .except(expected)
        .iter()
        .find_map(|defect| explain(matter, expected.with(defect)));
    if let (Some(Explanation { met }), Some(first)) = (back, failures.first_mut()) {
        let back = met.except(expected);
        first.what = format!(
            "known issue {back} is back, which this kernel should not have: {}",
            first.what
        );
    }
    Verdict::Failed { failures }
}

/// Nothing failed; where the case would show an issue that this kernel should have, that is news.
fn passed(case: &str, expected: Defects) -> Verdict {
    let missed = issues().iter().find(|issue| {
        issue.defect.is_some_and(|defect| expected.has(defect)) && issue.is_shown_by(case)
    });
    match missed {
        Some(issue) => Verdict::Fixed {
            id: issue.id.clone(),
        },
        None => Verdict::Passed,
    }
}
