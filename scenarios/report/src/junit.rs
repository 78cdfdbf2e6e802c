//! `--format junit`: one document at the end, one suite a folder of scenarios.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::{CaseReport, Summary, human};
use relaybed_case::verdict::Verdict;

pub(super) fn all(out: &mut impl Write, seen: &[CaseReport], summary: &Summary) -> io::Result<()> {
    let mut name = format!("relaybed on {}", summary.kernel);
    if let Some(relay) = &summary.relay {
        name += &format!(" with {relay}");
    }
    let mut report = Report::new(name);
    report.add_test_suites(suites(seen, ""));
    report.serialize(out).map_err(io::Error::other)
}

/// One suite a folder of scenarios, its name after `prefix`.
pub(super) fn suites(seen: &[CaseReport], prefix: &str) -> Vec<TestSuite> {
    let mut suites: BTreeMap<&str, TestSuite> = BTreeMap::new();
    for case in seen {
        let (suite, _) = case.name.split_once('/').unwrap_or(("", &case.name));
        suites
            .entry(suite)
            .or_insert_with(|| TestSuite::new(format!("{prefix}{suite}")))
            .add_test_case(row(case));
    }
    suites.into_values().collect()
}

fn row(case: &CaseReport) -> TestCase {
    let status = match &case.verdict {
        Verdict::Passed | Verdict::Fixed { .. } => TestCaseStatus::success(),
        Verdict::Skipped { reason } => skipped(reason.clone()),
        Verdict::NotRun { reason } => skipped(format!("not run: {reason}")),
        Verdict::Known { id, .. } => skipped(format!("known issue {id}")),
        Verdict::Failed { findings } => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            if let Some(first) = findings.first() {
                status.set_type(first.property().name());
                status.set_message(format!("{}: {first}", first.code()));
            }
            let mut text = Vec::new();
            // Writing to memory cannot fail.
            let _ = human::findings(&mut text, findings, &case.detail);
            status.set_description(String::from_utf8_lossy(&text).into_owned());
            status
        }
    };
    let mut row = TestCase::new(case.name.clone(), status);
    if let Verdict::Fixed { id } = &case.verdict {
        row.set_system_out(format!("known issue {id} is fixed here"));
    }
    if human::is_empty_pass(case) {
        row.set_system_out("nothing could be judged but safety");
    }
    row.set_time(Duration::from_secs_f64(case.duration_ms.max(0.0) / 1000.0));
    row
}

fn skipped(reason: String) -> TestCaseStatus {
    let mut status = TestCaseStatus::skipped();
    status.set_message(reason);
    status
}
