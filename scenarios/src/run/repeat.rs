//! What the repetitions of one case came to.

use std::collections::BTreeMap;

use relaybed_case::finding::{Finding, Repetition, Said, Times};
use relaybed_case::verdict::{Location, Verdict};

/// Counts verdicts that say the same.
#[derive(Debug, Default)]
pub(super) struct Tally {
    counts: BTreeMap<Said, u32>,
    first: Option<Said>,
    /// The first that was not as the first, and at which repetition.
    odd: Option<(Said, u32)>,
}

impl Tally {
    /// Adds one; true if it is the first that differs from the first.
    pub(super) fn add(&mut self, verdict: &Verdict) -> bool {
        let said = Said::from(verdict);
        *self.counts.entry(said.clone()).or_insert(0) += 1;
        let first = self.first.get_or_insert_with(|| said.clone());
        if self.odd.is_some() || *first == said {
            return false;
        }
        self.odd = Some((said, self.counts.values().sum()));
        true
    }

    /// The finding that differing verdicts are.
    pub(super) fn finding(&self) -> Option<Finding> {
        let (odd, number) = self.odd.clone()?;
        let counts = self.counts.iter().map(|(said, times)| Times {
            said: said.clone(),
            times: *times,
        });
        let verdicts = Repetition::Verdicts {
            first: self.first.clone()?,
            odd,
            number: number.into(),
            counts: counts.collect(),
        };
        Some(Finding::new(Location::default(), verdicts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use relaybed_case::finding::{Bytes, Padding};

    fn failed(what: Padding) -> Verdict {
        let finding = Finding::new(Location::default(), what);
        Verdict::Failed {
            findings: vec![finding.clone(), finding],
        }
    }

    fn padding(by: u64) -> Verdict {
        failed(Padding::Covers { by: Bytes(by) })
    }

    #[test]
    fn the_same_verdict_again_and_again_is_no_failure() {
        let mut tally = Tally::default();
        for by in 0..3 {
            assert!(!tally.add(&padding(by)));
        }
        assert_eq!(tally.finding(), None);
    }

    #[test]
    fn the_first_that_differs_is_reported_with_all_counts() {
        let mut tally = Tally::default();
        let known = Verdict::Known {
            id: "K2".to_owned(),
            findings: Vec::new(),
        };
        assert!(!tally.add(&Verdict::Passed));
        assert!(!tally.add(&Verdict::Passed));
        assert!(tally.add(&known));
        assert!(!tally.add(&padding(1)));
        let finding = tally.finding().unwrap();
        assert_eq!(finding.expected(), "passed, as the first time");
        assert_eq!(
            finding.seen(),
            "known K2 at repetition 3; in all 1 times failed (padding), 1 times known K2, 2 times passed"
        );
    }
}
