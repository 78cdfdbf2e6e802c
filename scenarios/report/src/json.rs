//! `--format json`: one object a line. A stable interface with a version and a schema, which is made from the very
//! types that are written: members are added, never renamed.

use std::collections::BTreeMap;
use std::io::{self, Write};

use schemars::{JsonSchema, schema_for};
use serde::Serialize;
use serde_json::{Value, json};

use relaybed_judge::Flow;

use super::{CaseReport, Step, Summary, outcome};
use relaybed_case::finding::Finding;
use relaybed_case::verdict::Verdict;

/// Version of the objects: it grows when a member goes or means something else.
pub const VERSION: u32 = 1;

/// A line of `relaybed run --format json`: a scenario, or at the end the summary.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(title = "relaybed report")]
#[expect(
    dead_code,
    clippy::large_enum_variant,
    reason = "describes the shape for the schema"
)]
enum Line {
    /// One scenario.
    Scenario(Row),
    /// The end of a run.
    End(End),
}

/// The last line.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct End {
    /// Version of this format.
    version: u32,
    /// The run as a whole.
    summary: Summary,
}

/// One scenario.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(super) struct Row {
    /// Version of this format.
    version: u32,
    /// Name of the scenario, unique in the run.
    name: String,
    /// What came of it.
    #[schemars(extend("enum" = ["passed", "failed", "known", "fixed", "skipped", "not_run"]))]
    outcome: String,
    /// Release of the kernel.
    kernel: String,
    /// From the request to the verdict.
    duration_ms: f64,
    /// Records judged.
    records: u64,
    /// Bytes judged.
    bytes: u64,
    /// Answers of operations that were compared.
    answers: u64,
    /// Single checks that had nothing to compare with.
    unspecified: u64,
    /// Why, and how many each.
    unspecified_because: BTreeMap<&'static str, u64>,
    /// What became of the records, by channel buffer.
    flow: Vec<Flow>,
    /// The scenario passed, and nothing in it could be judged but safety.
    #[serde(skip_serializing_if = "Option::is_none")]
    only_safety_judged: Option<bool>,
    /// vCPU exits into relaybed while it ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    exits: Option<u64>,
    /// A digest of RAM and registers at the end of a run under control.
    #[serde(skip_serializing_if = "Option::is_none")]
    machine_sha256: Option<String>,
    /// Why a run under control was not led along its accesses.
    #[serde(skip_serializing_if = "Option::is_none")]
    searched: Option<Value>,
    /// Id of the known issue.
    #[serde(skip_serializing_if = "Option::is_none")]
    known: Option<String>,
    /// Why it was skipped or not run, or what is fixed.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Code of the first finding.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    /// Its property.
    #[serde(skip_serializing_if = "Option::is_none")]
    property: Option<String>,
    /// CPU of its channel buffer.
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu: Option<u32>,
    /// The first finding as a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    what: Option<String>,
    /// All findings.
    #[serde(skip_serializing_if = "Option::is_none")]
    failures: Option<Vec<FindingRow>>,
    /// Folder with the evidence.
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<String>,
    /// The line that runs just this again.
    #[serde(skip_serializing_if = "Option::is_none")]
    rerun: Option<String>,
}

/// One finding: its texts, and as `data` the values that they are made of.
#[derive(Debug, Serialize, JsonSchema)]
struct FindingRow {
    /// Its stable code; `relaybed explain CODE` says what it means.
    code: String,
    /// The property that is broken.
    property: String,
    /// Where, as values.
    at: Value,
    /// Where, in words.
    #[serde(rename = "where")]
    place: String,
    /// What is wrong.
    what: String,
    /// What a correct kernel shows.
    expected: String,
    /// What was seen.
    seen: String,
    /// The values that the texts are made of.
    data: Value,
    /// The step or claim of the scenario's file.
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<Step>,
    /// The bytes around it: expected behind `-`, seen behind `+`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(default)]
    bytes: Vec<String>,
    /// Of a missing record: between which two it belongs.
    #[serde(skip_serializing_if = "Option::is_none")]
    between: Option<String>,
    /// How many more there were of this property.
    #[serde(skip_serializing_if = "is_zero")]
    #[schemars(default)]
    more: u64,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature is serde's"
)]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// The JSON Schema of a line.
#[must_use]
pub fn schema() -> Value {
    schema_for!(Line).to_value()
}

pub(super) fn case(out: &mut impl Write, report: &CaseReport) -> io::Result<()> {
    writeln!(out, "{}", row(report))
}

/// The object of one scenario.
pub(super) fn row(report: &CaseReport) -> Value {
    let amount = report.amount;
    let detail = &report.detail;
    let findings = report.verdict.findings();
    let first = findings.first();
    let is_empty = super::human::is_empty_pass(report);
    let because = amount.unspecified.iter();
    let mut row = Row {
        version: VERSION,
        name: report.name.clone(),
        outcome: outcome(&report.verdict).to_owned(),
        kernel: report.kernel.clone(),
        duration_ms: round(report.duration_ms),
        records: amount.records,
        bytes: amount.bytes,
        answers: amount.answers,
        unspecified: amount.unspecified.total(),
        unspecified_because: because.map(|(why, checks)| (why.name(), checks)).collect(),
        flow: report.flow.clone(),
        only_safety_judged: is_empty.then_some(true),
        exits: report.exits,
        machine_sha256: report.digest.clone(),
        searched: amount.searched.map(|why| json!(why)),
        code: first.map(|first| first.code().to_string()),
        property: first.map(|first| first.property().to_string()),
        cpu: first.and_then(|first| first.at.cpu),
        what: first.map(ToString::to_string),
        ..Row::default()
    };
    match &report.verdict {
        Verdict::Failed { .. } | Verdict::Known { .. } => {
            row.failures = Some(rows(report));
            let is_failure = matches!(report.verdict, Verdict::Failed { .. });
            if is_failure || !detail.rerun.is_empty() {
                row.evidence = detail
                    .evidence
                    .as_ref()
                    .map(|path| path.display().to_string());
                row.rerun = Some(detail.rerun.clone());
            }
        }
        Verdict::Fixed { id } => row.reason = Some(format!("known issue {id} is fixed here")),
        Verdict::Skipped { reason } | Verdict::NotRun { reason } => {
            row.reason = Some(reason.clone());
        }
        Verdict::Passed => {}
    }
    if let Verdict::Known { id, .. } | Verdict::Fixed { id } = &report.verdict {
        row.known = Some(id.clone());
    }
    json!(row)
}

fn rows(report: &CaseReport) -> Vec<FindingRow> {
    let blames = report.detail.blames.iter().map(Some);
    let blames = blames.chain(std::iter::repeat(None));
    let findings = report.verdict.findings().iter().zip(blames);
    findings
        .map(|(finding, blame)| finding_row(finding, blame))
        .collect()
}

fn finding_row(finding: &Finding, blame: Option<&super::Blame>) -> FindingRow {
    let bytes = blame.and_then(|blame| blame.bytes.as_ref());
    FindingRow {
        code: finding.code().to_string(),
        property: finding.property().to_string(),
        at: json!(finding.at),
        place: blame.map_or_else(|| finding.at.to_string(), |blame| blame.place.clone()),
        what: finding.to_string(),
        expected: finding.expected(),
        seen: finding.seen(),
        data: json!(finding.what),
        step: blame.and_then(|blame| blame.step.clone()),
        bytes: bytes.map_or_else(Vec::new, |rows| rows.lines().map(str::to_owned).collect()),
        between: blame.and_then(|blame| blame.between.clone()),
        more: finding.more,
    }
}

pub(super) fn end(out: &mut impl Write, summary: &Summary) -> io::Result<()> {
    let end = End {
        version: VERSION,
        summary: summary.clone(),
    };
    writeln!(out, "{}", json!(end))
}

fn round(ms: f64) -> f64 {
    (ms * 1000.0).round() / 1000.0
}
