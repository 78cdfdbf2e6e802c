//! `--format github`: the report for people, and for each failure an annotation at its line of the scenario's file.

use std::io::{self, Write};

use super::CaseReport;
use relaybed_case::verdict::Verdict;

/// The annotation of a scenario, if it needs one.
pub(super) fn case(out: &mut impl Write, report: &CaseReport) -> io::Result<()> {
    let name = &report.name;
    let findings = report.verdict.findings();
    let first = findings.first().map_or_else(String::new, |first| {
        let (code, expected, seen) = (first.code(), first.expected(), first.seen());
        format!("{code}: {first}\nexpected: {expected}\nseen: {seen}")
    });
    let (level, title, message) = match &report.verdict {
        Verdict::Failed { .. } => {
            let again = format!("{first}\nagain: {}", report.detail.rerun);
            ("error", format!("{name} failed"), again)
        }
        Verdict::Known { id, .. } => ("notice", format!("{name}: known issue {id}"), first),
        Verdict::Fixed { id } => {
            let fixed = "this kernel should show it and does not".to_owned();
            let title = format!("{name}: known issue {id} is fixed here");
            ("warning", title, fixed)
        }
        Verdict::NotRun { reason } => ("warning", format!("{name} was not run"), reason.clone()),
        Verdict::Passed | Verdict::Skipped { .. } => return Ok(()),
    };
    let step = report
        .detail
        .blames
        .first()
        .and_then(|blame| blame.step.as_ref());
    let at = step.map_or_else(String::new, |step| {
        let (path, line, column) = (property(&step.path), step.line, step.column);
        format!("file={path},line={line},col={column},")
    });
    let (title, message) = (property(&title), data(&message));
    writeln!(out, "::{level} {at}title={title}::{message}")
}

/// A text as a workflow command takes it.
fn data(text: &str) -> String {
    let text = text.replace('%', "%25");
    text.replace('\r', "%0D").replace('\n', "%0A")
}

/// The same for the value of a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
