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
            unspecified: open(),
            exact_buffers: 2,
            answers: 3,
            searched: None,
        },
        flow: vec![Flow {
            channel: "cpu".into(),
            cpu: 1,
            written: 14,
            kept: Some(12),
            refused: Some(2),
            overwritten: Some(0),
            lost: Some(0),
            read: None,
        }],
        kernel: "6.1.0-1-amd64".into(),
        duration_ms: 2.5,
        exits: Some(7),
        digest: None,
        detail: Detail::default(),
    }
}

fn open() -> Unspecified {
    let mut open = Unspecified::default();
    open.add(relaybed_case::unspecified::Why::Order, 2);
    open
}

#[test]
fn a_run_that_was_searched_says_why() {
    let mut searched = report("schedules/a", Verdict::Passed);
    let row = json::row(&searched);
    assert!(row.get("searched").is_none());
    searched.amount.searched = Some(Searched::Shared);
    assert_eq!(json::row(&searched)["searched"], "shared");
    let mut out = Vec::new();
    human::case(&mut out, &searched, true).unwrap();
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
        blames: vec![Blame {
            place: "channel cpu, CPU 1, sub-buffer 2, at the end".into(),
            step: Some(Step {
                path: "my/b.toml".into(),
                line: 12,
                column: 5,
                text: "{ flush = \"cpu\" }".into(),
                actor: Some("writer".into()),
                operation: Some(3),
                record: None,
                rounds: vec![(2, 3)],
                around: vec![
                    (11, "script = [".into()),
                    (12, "    { flush = \"cpu\" },".into()),
                ],
            }),
            bytes: Some("- 0000  00 11\n+ 0000  00[12]".into()),
            between: None,
        }],
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
        started_s: Some(1_795_871_389),
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
        in_model: Vec::new(),
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

#[test]
fn tap() {
    insta::assert_snapshot!(rendered(Format::Tap));
}

#[test]
fn github() {
    insta::assert_snapshot!(rendered(Format::Github));
}

/// Where the schema is published.
const SCHEMA: &str = include_str!("../../../fixtures/report.schema.json");

#[test]
fn the_published_schema_is_that_of_what_is_written() {
    let published: serde_json::Value = serde_json::from_str(SCHEMA).unwrap();
    let hint = "a member that went needs a new VERSION; relaybed schema report > fixtures/report.schema.json";
    assert!(published == schema(), "{hint}");
    for row in rows(&rendered(Format::Json)) {
        assert_eq!(row["version"], VERSION);
        let branch = if row.get("summary").is_some() {
            "End"
        } else {
            "Row"
        };
        is_described(&schema(), &schema()["$defs"][branch], &row, branch);
    }
}

/// Fails where a value has a member that its schema does not know, or lacks one that it must have.
fn is_described(
    root: &serde_json::Value,
    schema: &serde_json::Value,
    value: &serde_json::Value,
    at: &str,
) {
    if let Some(of) = schema["$ref"].as_str() {
        return is_described(
            root,
            root.pointer(of.trim_start_matches('#')).unwrap(),
            value,
            at,
        );
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        let choice = choices
            .iter()
            .find(|choice| (choice["type"] == "null") == value.is_null());
        return is_described(root, choice.unwrap(), value, at);
    }
    if let Some(words) = schema["enum"].as_array() {
        assert!(words.contains(value), "{at}: {value}");
    }
    if let (Some(items), Some(schema)) = (value.as_array(), schema.get("items")) {
        items
            .iter()
            .for_each(|item| is_described(root, schema, item, at));
    }
    let (Some(members), Some(known)) = (value.as_object(), schema["properties"].as_object()) else {
        return;
    };
    for (name, value) in members {
        let at = format!("{at}.{name}");
        assert!(known.contains_key(name), "{at} is not in the schema");
        is_described(root, &known[name], value, &at);
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        assert!(
            members.contains_key(name.as_str().unwrap()),
            "{at}.{name} is missing"
        );
    }
}

/// Attributes and elements that `junit-10.xsd` of Jenkins' xUnit plugin has, all of which GitLab takes.
const JUNIT: [(&str, &[&str]); 8] = [
    (
        "testsuites",
        &["name", "time", "tests", "failures", "errors"],
    ),
    (
        "testsuite",
        &[
            "name",
            "tests",
            "failures",
            "errors",
            "skipped",
            "time",
            "timestamp",
        ],
    ),
    ("properties", &[]),
    ("property", &["name", "value"]),
    ("testcase", &["name", "classname", "time"]),
    ("failure", &["message", "type"]),
    ("skipped", &["message", "type"]),
    ("system-out", &[]),
];

#[test]
fn junit_has_what_its_readers_take_and_nothing_else() {
    let text = rendered(Format::Junit);
    let mut seen = std::collections::BTreeSet::new();
    for tag in text.split('<').skip(2).filter(|tag| !tag.starts_with('/')) {
        let (tag, _) = tag.split_once('>').unwrap();
        let mut words = tag.trim_end_matches('/').split("=\"");
        let first = words.next().unwrap();
        let (element, first) = first.split_once(' ').unwrap_or((first, ""));
        let known = JUNIT.iter().find(|(name, _)| *name == element);
        let (_, known) = known.unwrap_or_else(|| panic!("<{element}>"));
        let others = words.filter_map(|word| word.rsplit_once("\" ").map(|(_, name)| name));
        for name in std::iter::once(first)
            .chain(others)
            .filter(|name| !name.is_empty())
        {
            assert!(known.contains(&name), "{name} of <{element}>");
        }
        seen.insert(element.to_owned());
    }
    assert_eq!(seen.len(), JUNIT.len(), "{seen:?}");
}

#[test]
fn a_failure_without_a_line_to_paste_ends_with_its_text() {
    let mut failed = reports().remove(1);
    let Verdict::Failed { findings } = &failed.verdict else {
        panic!("it failed");
    };
    let said = findings[0].to_string();
    failed.detail.rerun = String::new();
    let mut out = Vec::new();
    let mut reporter = Reporter::new(Format::Human, &mut out, 1).unwrap();
    reporter.case(failed).unwrap();
    reporter.end(&summary()).unwrap();
    let text = human::plain(&String::from_utf8(out).unwrap());
    let last = text
        .lines()
        .find(|line| line.starts_with("failed "))
        .unwrap();
    assert!(last.ends_with(&format!(": {said}")), "{last}");
}
