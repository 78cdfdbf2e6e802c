//! `--format tap`: TAP version 14, for everything that reads TAP and not the kernel's dialect.
//!
//! A known issue is a test that is still to do: it is not ok, and no harness counts it as a failure.

use std::io::{self, Write};

use serde_json::json;

use super::human::is_empty_pass;
use super::ktap::line;
use super::{CaseReport, Summary};
use relaybed_case::finding::Finding;
use relaybed_case::verdict::Verdict;

pub(super) fn head(out: &mut impl Write, total: usize) -> io::Result<()> {
    writeln!(out, "TAP version 14\n1..{total}")
}

pub(super) fn case(out: &mut impl Write, number: usize, report: &CaseReport) -> io::Result<()> {
    let name = escaped(&report.name);
    let (word, directive) = match &report.verdict {
        Verdict::Passed => ("ok", String::new()),
        Verdict::Fixed { id } => ("ok", format!(" # known issue {id} is fixed here")),
        Verdict::Known { id, .. } => ("not ok", format!(" # TODO known issue {id}")),
        Verdict::Skipped { reason } => ("ok", format!(" # SKIP {}", escaped(reason))),
        Verdict::NotRun { reason } => ("ok", format!(" # SKIP not run: {}", escaped(reason))),
        Verdict::Failed { .. } => ("not ok", String::new()),
    };
    if is_empty_pass(report) {
        writeln!(out, "# {name}: passed, only safety judged")?;
    }
    if report.amount.unspecified.total() > 0 {
        writeln!(out, "# {name}: unspecified: {}", report.amount.unspecified)?;
    }
    writeln!(out, "{word} {number} - {name}{directive}")?;
    match report.verdict.findings().first() {
        Some(first) => diagnosis(out, report, first),
        None => Ok(()),
    }
}

/// The block of YAML behind a result; strings as JSON has them, which YAML reads.
fn diagnosis(out: &mut impl Write, report: &CaseReport, first: &Finding) -> io::Result<()> {
    writeln!(out, "  ---")?;
    writeln!(out, "  message: {}", json!(first.to_string()))?;
    writeln!(out, "  code: {}", first.code())?;
    writeln!(out, "  property: {}", first.property())?;
    let blame = report.detail.blames.first();
    let place = blame.map_or_else(|| first.at.to_string(), |blame| blame.place.clone());
    writeln!(out, "  where: {}", json!(place))?;
    writeln!(out, "  expected: {}", json!(first.expected()))?;
    writeln!(out, "  seen: {}", json!(first.seen()))?;
    if let Some(step) = blame.and_then(|blame| blame.step.as_ref()) {
        let (line, column) = (step.line, step.column);
        writeln!(out, "  at:\n    file: {}", json!(step.path))?;
        writeln!(out, "    line: {line}\n    column: {column}")?;
    }
    let others = report.verdict.findings().len() - 1;
    if others > 0 {
        writeln!(out, "  others: {others}")?;
    }
    if !report.detail.rerun.is_empty() {
        writeln!(out, "  again: {}", json!(report.detail.rerun))?;
    }
    writeln!(out, "  ...")
}

pub(super) fn end(out: &mut impl Write, summary: &Summary) -> io::Result<()> {
    writeln!(
        out,
        "# {}: {} passed, {} failed, {} known, {} skipped, {} not run",
        line(&summary.kernel),
        summary.passed + summary.fixed,
        summary.failed,
        summary.known,
        summary.skipped,
        summary.not_run
    )
}

/// Text on one line, in which nothing is a directive.
fn escaped(text: &str) -> String {
    line(text).replace('\\', "\\\\").replace('#', "\\#")
}
