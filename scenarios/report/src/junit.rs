//! `--format junit`: one document at the end, one suite a folder of scenarios.
//!
//! It keeps to what the schemas of Jenkins have in common with what GitLab reads: counts, times and properties of
//! suites; of a case its name, class and time, and one of `failure` and `skipped`.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::human::plain;
use super::xml::Element;
use super::{CaseReport, Summary, human, time};
use relaybed_case::verdict::Verdict;

pub(super) fn all(out: &mut impl Write, seen: &[CaseReport], summary: &Summary) -> io::Result<()> {
    let mut name = format!("relaybed on {}", summary.kernel);
    if let Some(relay) = &summary.relay {
        name += &format!(" with {relay}");
    }
    out.write_all(root(&name, suites(seen, "", Some(summary))).as_bytes())
}

/// The document of these suites.
pub(super) fn root(name: &str, suites: Vec<Suite>) -> String {
    let sum = |count: fn(&Suite) -> usize| suites.iter().map(count).sum::<usize>();
    let ms: f64 = suites.iter().map(|suite| suite.ms).sum();
    Element::new("testsuites")
        .with("name", name)
        .with("time", seconds(ms))
        .with("tests", sum(|suite| suite.cases.len()))
        .with("failures", sum(|suite| suite.failures))
        .with("errors", sum(|suite| suite.errors))
        .children(suites.into_iter().map(Suite::element))
        .document()
}

/// A suite in the making.
#[derive(Default)]
pub(super) struct Suite {
    name: String,
    cases: Vec<Element>,
    failures: usize,
    errors: usize,
    skipped: usize,
    ms: f64,
    timestamp: Option<String>,
    properties: Vec<(&'static str, String)>,
}

impl Suite {
    /// A suite of one case that could not be tried.
    pub(super) fn trouble(name: &str, case: &str, why: &[String]) -> Self {
        let message = why.first().map_or("", String::as_str);
        let error = Element::new("error")
            .with("message", message)
            .text(why.join("\nbecause: "));
        let case = Element::new("testcase")
            .with("name", case)
            .with("classname", name)
            .with("time", seconds(0.0));
        Self {
            name: name.to_owned(),
            cases: vec![case.child(error)],
            errors: 1,
            ..Self::default()
        }
    }

    fn add(&mut self, case: &CaseReport) {
        match &case.verdict {
            Verdict::Failed { .. } => self.failures += 1,
            Verdict::Skipped { .. } | Verdict::NotRun { .. } | Verdict::Known { .. } => {
                self.skipped += 1;
            }
            Verdict::Passed | Verdict::Fixed { .. } => {}
        }
        self.ms += case.duration_ms;
        self.cases.push(row(case, &self.name));
    }

    fn element(self) -> Element {
        let suite = Element::new("testsuite")
            .with("name", &self.name)
            .with("tests", self.cases.len())
            .with("failures", self.failures)
            .with("errors", self.errors)
            .with("skipped", self.skipped)
            .with("time", seconds(self.ms));
        let suite = match &self.timestamp {
            Some(timestamp) => suite.with("timestamp", timestamp),
            None => suite,
        };
        let property = |(name, value): &(&str, String)| {
            let property = Element::new("property");
            property.with("name", name).with("value", value)
        };
        let properties = Element::new("properties").children(self.properties.iter().map(property));
        let has_properties = !self.properties.is_empty();
        suite
            .children(has_properties.then_some(properties))
            .children(self.cases)
    }
}

/// One suite a folder of scenarios, its name after `prefix`.
pub(super) fn suites(seen: &[CaseReport], prefix: &str, summary: Option<&Summary>) -> Vec<Suite> {
    let mut suites: BTreeMap<&str, Suite> = BTreeMap::new();
    for case in seen {
        let (suite, _) = case.name.split_once('/').unwrap_or(("", &case.name));
        let new = || Suite {
            name: format!("{prefix}{suite}"),
            timestamp: summary.and_then(|summary| time::utc(summary.started_s?)),
            properties: summary.map_or_else(Vec::new, properties),
            ..Suite::default()
        };
        suites.entry(suite).or_insert_with(new).add(case);
    }
    suites.into_values().collect()
}

fn properties(summary: &Summary) -> Vec<(&'static str, String)> {
    let relay = summary.relay.as_ref().map(ToString::to_string);
    let relay = relay.map(|relay| ("relay", relay));
    [
        ("kernel", summary.kernel.clone()),
        ("package", summary.kernel_origin.clone()),
        ("machine", format!("{} {}", summary.backend, summary.accel)),
        ("seed", summary.seed.to_string()),
    ]
    .into_iter()
    .chain(relay)
    .collect()
}

fn row(case: &CaseReport, suite: &str) -> Element {
    let (_, name) = case.name.split_once('/').unwrap_or(("", &case.name));
    let row = Element::new("testcase")
        .with("name", name)
        .with("classname", suite)
        .with("time", seconds(case.duration_ms));
    let says = match &case.verdict {
        Verdict::Fixed { id } => Some(format!("known issue {id} is fixed here")),
        Verdict::Passed if human::is_empty_pass(case) => {
            Some("passed, only safety judged".to_owned())
        }
        _ => None,
    };
    let open = case.amount.unspecified;
    let open = (open.total() > 0).then(|| format!("unspecified: {open}"));
    let says: Vec<String> = says.into_iter().chain(open).collect();
    let says = (!says.is_empty()).then(|| Element::new("system-out").text(says.join("\n")));
    row.children(outcome(case)).children(says)
}

/// The element of a case that did not simply pass.
fn outcome(case: &CaseReport) -> Option<Element> {
    let skipped = |kind: &str, reason: &str| {
        let skipped = Element::new("skipped");
        skipped.with("message", reason).with("type", kind)
    };
    match &case.verdict {
        Verdict::Passed | Verdict::Fixed { .. } => None,
        Verdict::Skipped { reason } => Some(skipped("skipped", reason)),
        Verdict::NotRun { reason } => Some(skipped("not run", &format!("not run: {reason}"))),
        Verdict::Known { id, findings } => {
            let first = findings.first().map(|first| format!(": {first}"));
            let message = format!("known issue {id}{}", first.unwrap_or_default());
            Some(skipped("known", &message).text(text(case)))
        }
        Verdict::Failed { findings } => {
            let failure = Element::new("failure");
            let failure = match findings.first() {
                Some(first) => failure
                    .with("message", format!("{}: {first}", first.code()))
                    .with("type", first.property()),
                None => failure,
            };
            Some(failure.text(text(case)))
        }
    }
}

/// The findings as people see them.
fn text(case: &CaseReport) -> String {
    let mut text = Vec::new();
    // Writing to memory cannot fail.
    let _ = human::findings(&mut text, case.verdict.findings(), &case.detail);
    plain(&String::from_utf8_lossy(&text))
}

fn seconds(ms: f64) -> String {
    format!("{:.3}", ms.max(0.0) / 1000.0)
}
