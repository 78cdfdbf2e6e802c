//! `--format ktap`: Kernel TAP version 1 (Documentation/dev-tools/ktap.rst).

use std::io::{self, Write};

use super::human::is_empty_pass;
use super::{CaseReport, Summary};
use relaybed_case::verdict::Verdict;

pub(super) fn head(out: &mut impl Write, total: usize) -> io::Result<()> {
    writeln!(out, "KTAP version 1\n1..{total}")
}

pub(super) fn case(out: &mut impl Write, number: usize, report: &CaseReport) -> io::Result<()> {
    // No description may contain the sign that directives start with.
    let name = line(&report.name).replace('#', "_");
    if report.amount.unspecified.total() > 0 {
        writeln!(out, "# {name}: unspecified: {}", report.amount.unspecified)?;
    }
    match &report.verdict {
        Verdict::Passed => {
            if is_empty_pass(report) {
                writeln!(out, "# {name}: passed, only safety judged")?;
            }
            writeln!(out, "ok {number} {name}")
        }
        Verdict::Known { id, findings } => {
            let first = findings.first().map(|first| format!(": {first}"));
            let first = first.unwrap_or_default();
            writeln!(
                out,
                "ok {number} {name} # XFAIL known issue {id}{}",
                line(&first)
            )
        }
        Verdict::Fixed { id } => {
            writeln!(out, "# {name}: known issue {id} is fixed here")?;
            writeln!(out, "ok {number} {name}")
        }
        Verdict::Skipped { reason } => writeln!(out, "ok {number} {name} # SKIP {}", line(reason)),
        Verdict::NotRun { reason } => {
            writeln!(out, "ok {number} {name} # SKIP not run: {}", line(reason))
        }
        Verdict::Failed { findings } => {
            let blames = report.detail.blames.iter().map(Some);
            let blames = blames.chain(std::iter::repeat(None));
            for (finding, blame) in findings.iter().zip(blames) {
                let (code, property) = (finding.code(), finding.property());
                writeln!(out, "# {code} {property}: {finding}")?;
                match blame {
                    Some(blame) => writeln!(out, "#   {}", line(&blame.place))?,
                    None => writeln!(out, "#   {}", finding.at)?,
                }
                if let Some(step) = blame.and_then(|blame| blame.step.as_ref()) {
                    writeln!(out, "#   {}", line(&step.to_string()))?;
                }
                writeln!(out, "#   expected: {}", finding.expected())?;
                writeln!(out, "#   seen:     {}", finding.seen())?;
                if finding.more > 0 {
                    writeln!(out, "#   and {} more of {property}", finding.more)?;
                }
            }
            writeln!(out, "# again: {}", line(&report.detail.rerun))?;
            writeln!(out, "not ok {number} {name}")
        }
    }
}

pub(super) fn end(out: &mut impl Write, summary: &Summary) -> io::Result<()> {
    if let Some(relay) = &summary.relay {
        writeln!(out, "# relay: {}", line(&relay.to_string()))?;
    }
    writeln!(
        out,
        "# {} {} {}: pass:{} fail:{} xfail:{} fixed:{} skip:{} notrun:{}",
        summary.kernel,
        summary.backend,
        summary.accel,
        summary.passed,
        summary.failed,
        summary.known,
        summary.fixed,
        summary.skipped,
        summary.not_run
    )
}

/// Text on one line.
pub(super) fn line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}
