//! Whether a known issue passes or fails: `--known`.

use std::collections::BTreeSet;
use std::str::FromStr;

use relaybed_case::finding::{Finding, Regression};
use relaybed_case::verdict::{Location, Verdict};
use relaybed_twin::issues;

/// Which known issues fail a scenario that shows them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// The ids that are named.
    named: BTreeSet<String>,
    /// Whether those fail, and not all others.
    named_fail: Choice,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Choice {
    /// Those that are named fail; none is, by default.
    #[default]
    Named,
    /// All others do.
    Others,
}

/// A malformed value of `--known`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotKnown {
    /// Neither a word nor a list.
    #[error("'{0}' is not one of pass, fail, K2,K5=fail and K2,K5=pass")]
    Malformed(String),
    /// No such issue.
    #[error("there is no known issue '{0}'; `relaybed known` lists them")]
    NoIssue(String),
}

impl FromStr for Known {
    type Err = NotKnown;

    fn from_str(text: &str) -> Result<Self, NotKnown> {
        let malformed = || NotKnown::Malformed(text.to_owned());
        let (ids, word) = text.rsplit_once('=').unwrap_or(("", text));
        let named_fail = match (word, ids.is_empty()) {
            ("fail", false) | ("pass", true) => Choice::Named,
            ("pass", false) | ("fail", true) => Choice::Others,
            _ => return Err(malformed()),
        };
        let ids = ids.split(',').filter(|_| !ids.is_empty());
        let named: BTreeSet<String> = ids.map(|id| id.trim().to_uppercase()).collect();
        let is_issue = |id: &&String| issues().iter().any(|issue| issue.id == **id);
        match named.iter().find(|id| !is_issue(id)) {
            Some(id) => Err(NotKnown::NoIssue(id.clone())),
            None => Ok(Self { named, named_fail }),
        }
    }
}

impl Known {
    fn fails(&self, id: &str) -> bool {
        self.named.contains(id) == (self.named_fail == Choice::Named)
    }

    /// The verdict, failed where an issue shows that must not.
    #[must_use]
    pub fn apply(&self, verdict: Verdict) -> Verdict {
        let Verdict::Known { id, findings } = &verdict else {
            return verdict;
        };
        let unwanted: Vec<&str> = id.split('+').filter(|id| self.fails(id)).collect();
        if unwanted.is_empty() {
            return verdict;
        }
        let at = findings
            .first()
            .map_or_else(Location::default, |first| first.at.clone());
        let id = unwanted.join("+");
        let what = Regression::Unwanted { id: id.into() };
        let mut failed = verdict;
        failed.fail(vec![Finding::new(at, what)]);
        failed
    }
}

impl std::fmt::Display for Known {
    /// As `--known` takes it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ids: Vec<&str> = self.named.iter().map(String::as_str).collect();
        let (word, all) = match self.named_fail {
            Choice::Named => ("fail", "pass"),
            Choice::Others => ("pass", "fail"),
        };
        match ids.is_empty() {
            true => f.write_str(all),
            false => write!(f, "{}={word}", ids.join(",")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(id: &str) -> Verdict {
        Verdict::Known {
            id: id.to_owned(),
            findings: Vec::new(),
        }
    }

    #[track_caller]
    fn fails(known: &str, id: &str) -> bool {
        let policy: Known = known.parse().unwrap();
        assert_eq!(policy.to_string(), known);
        let verdict = policy.apply(shown(id));
        let failed = matches!(verdict, Verdict::Failed { .. });
        assert!(failed || verdict == shown(id));
        failed
    }

    #[test]
    fn what_is_known_fails_as_it_is_asked_for() {
        assert!(!fails("pass", "K2"));
        assert!(fails("fail", "K2"));
        assert!(fails("K2,K5=fail", "K2"));
        assert!(fails("K2,K5=fail", "K1+K5"));
        assert!(!fails("K2,K5=fail", "K1"));
        assert!(!fails("K2=pass", "K2"));
        assert!(fails("K2=pass", "K1+K2"));
        assert_eq!(Known::default().to_string(), "pass");
        let passed: Known = "fail".parse().unwrap();
        assert_eq!(passed.apply(Verdict::Passed), Verdict::Passed);
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        for bad in ["", "perhaps", "K2", "K2=perhaps", "=fail2"] {
            assert!(
                matches!(bad.parse::<Known>(), Err(NotKnown::Malformed(_))),
                "{bad}"
            );
        }
        assert_eq!(
            "K2,K999=fail".parse::<Known>(),
            Err(NotKnown::NoIssue("K999".into()))
        );
    }
}
