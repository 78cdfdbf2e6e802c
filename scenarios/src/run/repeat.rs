//! What the repetitions of one case came to.

use std::collections::BTreeMap;

use relaybed_case::verdict::{Failure, Location, Property, Verdict};
use relaybed_report::outcome;

/// Counts verdicts that say the same.
#[derive(Debug, Default)]
pub(super) struct Tally {
    counts: BTreeMap<String, u32>,
    first: Option<String>,
    /// The first that was not as the first, and the how manieth it was.
    odd: Option<(String, u32)>,
}

impl Tally {
    /// Adds one; true if it is the first that differs from the first.
    pub(super) fn add(&mut self, verdict: &Verdict) -> bool {
        let words = words(verdict);
        *self.counts.entry(words.clone()).or_insert(0) += 1;
        let first = self.first.get_or_insert_with(|| words.clone());
        if self.odd.is_some() || *first == words {
            return false;
        }
        self.odd = Some((words, self.counts.values().sum()));
        true
    }

    /// The failure that differing verdicts are.
    pub(super) fn failure(&self) -> Option<Failure> {
        let (odd, number) = self.odd.as_ref()?;
        let first = self.first.as_ref()?;
        let counts: Vec<String> = self
            .counts
            .iter()
            .map(|(words, count)| format!("{count} times {words}"))
            .collect();
        Some(Failure {
            property: Property::Repetition,
            at: Location::default(),
            what: "repetitions of the same scenario came to different verdicts".to_owned(),
            expected: format!("{first}, as the first time"),
            seen: format!("{odd} at repetition {number}; in all {}", counts.join(", ")),
        })
    }
}

/// What makes two verdicts the same: outcome, issue, and the properties that are broken. Values seen
/// may differ where a scenario leaves them open.
fn words(verdict: &Verdict) -> String {
    let outcome = outcome(verdict);
    match verdict {
        Verdict::Known { id, .. } | Verdict::Fixed { id } => format!("{outcome} {id}"),
        Verdict::Failed { failures } => {
            let mut broken: Vec<Property> = failures.iter().map(|f| f.property).collect();
            broken.sort();
            broken.dedup();
            let names: Vec<String> = broken.iter().map(|p| format!("{p:?}")).collect();
            format!("{outcome} ({})", names.join(", ").to_lowercase())
        }
        _ => outcome.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(property: Property) -> Verdict {
        let failure = Failure {
            property,
            at: Location::default(),
            what: String::new(),
            expected: String::new(),
            seen: String::new(),
        };
        Verdict::Failed {
            failures: vec![failure.clone(), failure],
        }
    }

    #[test]
    fn the_same_verdict_again_and_again_is_no_failure() {
        let mut tally = Tally::default();
        for _ in 0..3 {
            assert!(!tally.add(&failed(Property::Padding)));
        }
        assert_eq!(tally.failure(), None);
    }

    #[test]
    fn the_first_that_differs_is_told_with_all_counts() {
        let mut tally = Tally::default();
        let known = Verdict::Known {
            id: "K2".to_owned(),
            failures: Vec::new(),
        };
        assert!(!tally.add(&Verdict::Passed));
        assert!(!tally.add(&Verdict::Passed));
        assert!(tally.add(&known));
        assert!(!tally.add(&failed(Property::Padding)));
        let failure = tally.failure().unwrap();
        assert_eq!(failure.expected, "passed, as the first time");
        assert_eq!(
            failure.seen,
            "known K2 at repetition 3; in all 1 times failed (padding), 1 times known K2, 2 times passed"
        );
    }
}
