//! Every format over the same few scenarios.

use super::*;
use relaybed_case::finding::{Bytes, Finding, Padding};
use relaybed_case::verdict::{Location, Searched};

pub(super) fn report(name: &str, verdict: Verdict) -> CaseReport {
    CaseReport {
        name: name.into(),
        summary: "Shows something.".into(),
        verdict,
        amount: Amount {
            records: 12,
            bytes: 1200,
            unspecified: Default::default(),
            exact_buffers: 2,
            answers: 3,
            searched: None,
        },
        kernel: "6.1.0-1-amd64".into(),
        duration_ms: 2.5,
        exits: Some(7),
        digest: None,
        detail: Detail::default(),
    }
}

#[test]
fn a_run_that_was_searched_says_why() {
    let mut searched = report("schedules/a", Verdict::Passed);
    let row = json::row(&searched);
    assert!(!row.contains_key("searched"));
    searched.amount.searched = Some(Searched::Shared);
    assert_eq!(json::row(&searched)["searched"], "shared");
    let mut out = Vec::new();
    human::case(&mut out, &searched).unwrap();
    let text = String::from_utf8(out).unwrap();
    let says = "searched, not led: two actors on one vCPU";
    assert!(text.contains(says), "{text}");
}

pub(super) fn reports() -> Vec<CaseReport> {
    let at = Location {
        channel: Some("cpu".into()),
        cpu: Some(1),
        subbuf: Some(2),
        ..Location::default()
    };
    let mut finding = Finding::new(at, Padding::Covers { by: Bytes(1) });
    finding.more = 42;
    let mut failed = report(
        "padding/b",
        Verdict::Failed {
            findings: vec![finding.clone()],
        },
    );
    failed.detail = Detail {
        blames: Vec::new(),
        console_tail: vec!["last words".into()],
        evidence: Some("out/padding/b".into()),
        rerun: "relaybed run padding/b".into(),
        notes: Vec::new(),
    };
    vec![
        report("ordering/a", Verdict::Passed),
        failed,
        report(
            "readers/k",
            Verdict::Known {
                id: "K1".into(),
                findings: vec![finding],
            },
        ),
        report("readers/f", Verdict::Fixed { id: "K4".into() }),
        report(
            "readers/s",
            Verdict::Skipped {
                reason: "needs 4 vCPUs, the machine has 2".into(),
            },
        ),
    ]
}

pub(super) fn summary() -> Summary {
    Summary {
        passed: 1,
        failed: 1,
        skipped: 1,
        known: 1,
        fixed: 1,
        not_run: 0,
        kernel: "6.1.0-1-amd64".into(),
        kernel_origin: "linux-image 6.1.1-1".into(),
        relay: None,
        backend: "qemu".into(),
        accel: "tcg".into(),
        accel_reason: "no /dev/kvm".into(),
        vcpus: 2,
        machines: [(2, 1)].into(),
        seed: 1,
        boot_ms: 3000.0,
        boots: 1,
        forked: false,
        empty: 0,
        unspecified: Default::default(),
        records: 48,
        bytes: 4800,
        judge_ms: 1.0,
        total_ms: 4000.0,
        exits: Some([("console".to_owned(), 400), ("other".to_owned(), 0)].into()),
        own_rss_kib: 20000,
        fuzz: None,
        explored: None,
    }
}

/// JSON, an object a line.
pub(crate) fn rows(text: &str) -> Vec<serde_json::Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn rendered(format: Format) -> String {
    let mut bytes = Vec::new();
    let mut reporter = Reporter::new(format, &mut bytes, 5).unwrap();
    for report in reports() {
        reporter.case(report).unwrap();
    }
    reporter.end(&summary()).unwrap();
    anstream::adapter::strip_str(&String::from_utf8(bytes).unwrap()).to_string()
}

#[test]
fn human() {
    insta::assert_snapshot!(rendered(Format::Human));
}

#[test]
fn json_has_one_object_a_line_and_the_summary_last() {
    let text = rendered(Format::Json);
    let rows = rows(&text);
    assert_eq!(rows.len(), 6);
    assert_eq!(rows[1]["property"], "padding");
    assert_eq!(rows[1]["cpu"], 1);
    assert_eq!(rows[1]["code"], "R0801");
    assert_eq!(rows[1]["failures"][0]["more"], 42);
    let data = &rows[1]["failures"][0]["data"];
    assert_eq!(data["padding"]["covers"]["by"], 1, "{data}");
    assert_eq!(rows[2]["known"], "K1");
    assert_eq!(rows[5]["summary"]["boot_ms"], 3000.0);
    insta::assert_snapshot!(text);
}

#[test]
fn ktap() {
    insta::assert_snapshot!(rendered(Format::Ktap));
}

#[test]
fn junit() {
    insta::assert_snapshot!(rendered(Format::Junit));
}
