//! Golden results: the outcome of every scenario on one kernel, as text to compare.

use relaybed_twin::issues;
use serde_json::Value;

/// The outcome of every scenario on the kernel called `name` is as it was. `INSTA_UPDATE=always` takes
/// over what is new.
///
/// # Panics
/// When it is not.
#[track_caller]
pub fn is_as_it_was(name: &str, rows: &[Value]) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../fixtures/golden");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, golden(rows)));
}

/// The rows of a run on one kernel, one line a scenario, by name.
///
/// A known issue is told by its id where the scenario shows it surely. Where it takes a race to show
/// it, it may come or not, and the line says `passed` either way.
#[must_use]
pub fn golden(rows: &[Value]) -> String {
    let mut lines = Vec::new();
    for row in rows {
        let (Some(name), Some(outcome)) = (row["name"].as_str(), row["outcome"].as_str()) else {
            continue;
        };
        let known = row["known"].as_str().unwrap_or_default();
        let word = match outcome {
            "known" if is_sure(known, name) => known.to_owned(),
            "known" => "passed".to_owned(),
            "fixed" => format!("{known} fixed"),
            outcome => outcome.to_owned(),
        };
        lines.push(format!("{name:<58}  {word}\n"));
    }
    lines.sort();
    lines.concat()
}

fn is_sure(ids: &str, case: &str) -> bool {
    ids.split('+').all(|id| {
        issues()
            .iter()
            .any(|issue| issue.id == id && issue.is_shown_by(case))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_issue_that_needs_a_race_does_not_show() {
        let rows = [
            json!({"name": "a/b", "outcome": "passed"}),
            json!({"name": "no-overwrite/race", "outcome": "known", "known": "K2"}),
            json!({"name": "readers/two-empty-flushes", "outcome": "known", "known": "K1"}),
            json!({"summary": {}}),
        ];
        let text = golden(&rows);
        let words: Vec<_> = text.split_whitespace().collect();
        assert_eq!(
            words,
            [
                "a/b",
                "passed",
                "no-overwrite/race",
                "passed",
                "readers/two-empty-flushes",
                "K1"
            ]
        );
    }
}
