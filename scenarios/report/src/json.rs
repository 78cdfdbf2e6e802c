//! `--format json`: one object a line. A stable interface: members are added, never renamed.

use std::io::{self, Write};

use serde_json::{Map, Value, json};

use super::{CaseReport, Detail, Summary, outcome};
use relaybed_case::finding::Finding;
use relaybed_case::verdict::Verdict;

pub(super) fn case(out: &mut impl Write, report: &CaseReport) -> io::Result<()> {
    writeln!(out, "{}", Value::Object(row(report)))
}

/// The members of one scenario's object.
pub(super) fn row(report: &CaseReport) -> Map<String, Value> {
    let mut row = Map::new();
    let mut put = |key: &str, value: Value| row.insert(key.to_owned(), value);
    put("name", json!(report.name));
    put("outcome", json!(outcome(&report.verdict)));
    put("kernel", json!(report.kernel));
    put("duration_ms", json!(round(report.duration_ms)));
    put("records", json!(report.amount.records));
    put("bytes", json!(report.amount.bytes));
    put("unspecified", json!(report.amount.unspecified.total()));
    put("unspecified_because", json!(report.amount.unspecified));
    put("answers", json!(report.amount.answers));
    if super::human::is_empty_pass(report) {
        put("only_safety_judged", json!(true));
    }
    if let Some(exits) = report.exits {
        put("exits", json!(exits));
    }
    if let Some(digest) = &report.digest {
        put("machine_sha256", json!(digest));
    }
    if let Some(why) = report.amount.searched {
        put("searched", json!(why));
    }
    match &report.verdict {
        Verdict::Failed { findings } => {
            blame(&mut put, findings, &report.detail);
            put("evidence", json!(report.detail.evidence));
            put("rerun", json!(report.detail.rerun));
        }
        Verdict::Known { id, findings } => {
            put("known", json!(id));
            blame(&mut put, findings, &report.detail);
            if !report.detail.rerun.is_empty() {
                put("evidence", json!(report.detail.evidence));
                put("rerun", json!(report.detail.rerun));
            }
        }
        Verdict::Fixed { id } => {
            put("known", json!(id));
            put("reason", json!(format!("known issue {id} is fixed here")));
        }
        Verdict::Skipped { reason } | Verdict::NotRun { reason } => {
            put("reason", json!(reason));
        }
        Verdict::Passed => {}
    }
    row
}

fn blame(
    put: &mut impl FnMut(&str, Value) -> Option<Value>,
    findings: &[Finding],
    detail: &Detail,
) {
    if let Some(first) = findings.first() {
        put("code", json!(first.code()));
        put("property", json!(first.property()));
        put("cpu", json!(first.at.cpu));
        put("what", json!(first.to_string()));
    }
    let mut all: Vec<Value> = findings.iter().map(finding).collect();
    for (row, blame) in all.iter_mut().zip(&detail.blames) {
        blame.put(row);
    }
    put("failures", json!(all));
}

/// One finding: its texts, and as `data` the values that they are made of.
fn finding(finding: &Finding) -> Value {
    let mut row = json!({
        "code": finding.code(),
        "property": finding.property(),
        "at": finding.at,
        "what": finding.to_string(),
        "expected": finding.expected(),
        "seen": finding.seen(),
        "data": finding.what,
    });
    if finding.more > 0 {
        row["more"] = json!(finding.more);
    }
    row
}

pub(super) fn end(out: &mut impl Write, summary: &Summary) -> io::Result<()> {
    writeln!(out, "{}", json!({ "summary": summary }))
}

fn round(ms: f64) -> f64 {
    (ms * 1000.0).round() / 1000.0
}
