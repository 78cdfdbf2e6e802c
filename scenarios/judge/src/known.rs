//! From what failed to the verdict: passed, known, or failed.
//!
//! Known is an explanation: the twin with this kernel's defects must give the evidence, to the last
//! answer, count and byte. A run under control must be led along its accesses, whatever it came to. What
//! takes a defect that the kernel should not have is a failure, and so is everything that nothing explains.

use relaybed_case::finding::{Finding, Regression};
use relaybed_case::verdict::Verdict;
use relaybed_twin::{Defects, defects_of, issues};

use super::explain::{Explanation, STEPS_MAX, STEPS_MAX_BACK, explain, led, must_be_led};
use super::matter::Matter;

/// The verdict on a case, from all that failed in it.
pub(super) fn verdict(matter: &Matter<'_>, findings: Vec<Finding>) -> Verdict {
    verdict_of(
        matter,
        findings,
        defects_of(matter.evidence.setting.linux_version),
    )
}

/// The same for a kernel that should have these defects.
pub(super) fn verdict_of(
    matter: &Matter<'_>,
    mut findings: Vec<Finding>,
    expected: Defects,
) -> Verdict {
    let explained = if must_be_led(matter) {
        match led(matter, expected) {
            Ok(_) if findings.is_empty() => None,
            Ok(led) => led.explanation(matter),
            Err(unled) => {
                findings.push(*unled);
                None
            }
        }
    } else if findings.is_empty() {
        None
    } else {
        explain(matter, expected, STEPS_MAX)
    };
    if findings.is_empty() {
        return passed(&matter.case.name, expected);
    }
    if let Some(Explanation { met }) = explained {
        return Verdict::Known {
            id: met.to_string(),
            findings,
        };
    }
    let back = Defects::ALL
        .minus(expected)
        .iter()
        .find_map(|defect| explain(matter, expected.with(defect), STEPS_MAX_BACK));
    if let (Some(Explanation { met }), Some(first)) = (back, findings.first()) {
        let back = regression(met.minus(expected));
        let back = Finding::new(first.at.clone(), back);
        findings.insert(0, back);
    }
    Verdict::Failed { findings }
}

/// Defects that showed and should be gone.
fn regression(back: Defects) -> Regression {
    let issues = issues().iter();
    let of = issues.filter(|issue| issue.defect.is_some_and(|defect| back.has(defect)));
    let kernels: Vec<String> = of.map(|issue| issue.kernels.to_string()).collect();
    Regression::Back {
        id: back.to_string().into(),
        kernels: kernels.join("; ").into(),
    }
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
