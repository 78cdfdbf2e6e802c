//! From evidence to a verdict: all checkers, the most telling property first.

use relaybed_case::Case;
use relaybed_case::evidence::Evidence;
use relaybed_case::finding::Finding;
use relaybed_case::verdict::{Amount, Verdict};
use relaybed_contract::{Behaviour, predict};

use super::cause;
use super::checks;
use super::explain;
use super::identify::Writers;
use super::known;
use super::matter::{Matter, Report};

/// CPUs that the abi has room for: a guest's claim of more is none.
const CPUS_MAX: u32 = 64;

/// A checker: a pure function over everything there is.
pub(super) type Checker = fn(&Matter<'_>, &mut Report);

/// The checkers in the order in which findings are reported. What names one record comes before what
/// only counts, and equality with the model, which catches everything else, comes late.
const CHECKERS: &[Checker] = &[
    checks::health::check,
    checks::evidence::check,
    checks::safety::check,
    checks::affinity::check,
    checks::padding::check,
    checks::overwrite::check,
    checks::placement::check,
    checks::integrity::check,
    checks::ordering::check,
    checks::conservation::check,
    checks::reading::check,
    checks::fragments::check,
    checks::lifetime::check,
    checks::accounting::check,
    checks::notification::check,
    checks::model::check,
    checks::expectation::check,
];

fn check(matter: &Matter<'_>) -> Report {
    let mut report = Report::default();
    for check in CHECKERS {
        check(matter, &mut report);
    }
    report
}

/// What is not as relay is documented to be.
pub(super) fn findings_of(case: &Case, evidence: &Evidence) -> Vec<Finding> {
    let behaviour = Behaviour::of(evidence.setting.linux_version);
    let cpus = evidence.setting.vcpus.min(CPUS_MAX);
    let prediction = predict(case, &behaviour, cpus);
    let writers = Writers::of(case);
    check(&Matter::new(case, &prediction, evidence, &writers)).findings
}

/// Judges the evidence of one run of a case.
///
/// Findings are ordered by how much their property tells, so that the first is the one to look at.
#[must_use]
pub fn judge(case: &Case, evidence: &Evidence) -> (Verdict, Amount) {
    let behaviour = Behaviour::of(evidence.setting.linux_version);
    let cpus = evidence.setting.vcpus.min(CPUS_MAX);
    let prediction = predict(case, &behaviour, cpus);
    let writers = Writers::of(case);
    let matter = Matter::new(case, &prediction, evidence, &writers);
    let mut report = check(&matter);
    let findings = std::mem::take(&mut report.findings);
    report.amount.searched = explain::searched(&matter);
    let mut verdict = known::verdict(&matter, findings);
    if let Verdict::Failed { findings } | Verdict::Known { findings, .. } = &mut verdict {
        report.count_the_others(findings);
        cause::first(&matter, findings);
    }
    (verdict, report.amount)
}
