//! When a mutant's result counts, and when it is tried again.
//!
//! On a host that starves its guests a sound relay seems to hang as well. So a kill by a hang counts only if it
//! can be repeated and the unchanged relay does not hang.

use relaybed_report::mutation::{Killed, MutantOutcome};

/// How often a mutant is tried that runs into trouble of our own.
const TRIES: usize = 3;

/// The name of what is no scenario: the boot of the guest.
pub(super) const BOOT: &str = "boot";

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The mutant is tried, or tried again.
    Try,
    /// The unchanged relay is run against what killed the mutant last.
    Unchanged,
    /// This is what the mutant came to.
    Believe(MutantOutcome),
}

/// What comes next, by what the mutant came to so far, and whether the unchanged relay ended well beside it.
pub(super) fn next(tries: &[MutantOutcome], unchanged_ended_well: Option<bool>) -> Next {
    let Some(last) = tries.last() else {
        return Next::Try;
    };
    if matches!(last, MutantOutcome::Trouble { .. }) && tries.len() < TRIES {
        return Next::Try;
    }
    if !is_doubtful(last) {
        return Next::Believe(last.clone());
    }
    let doubts = tries.iter().filter(|outcome| is_doubtful(outcome)).count();
    match (doubts, unchanged_ended_well) {
        (1, _) => Next::Try,
        (_, None) => Next::Unchanged,
        (_, Some(true)) => Next::Believe(last.clone()),
        (_, Some(false)) => Next::Believe(MutantOutcome::Trouble {
            why: format!(
                "{}, and then the unchanged relay did not end well either: this host starves its guests",
                last.text()
            ),
        }),
    }
}

/// Whether a starved guest would have looked the same.
fn is_doubtful(outcome: &MutantOutcome) -> bool {
    match outcome {
        MutantOutcome::Killed { by, how, .. } => *how == Killed::Hang || by == BOOT,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use relaybed_report::mutation::Stage;

    use super::*;

    fn killed(by: &str, how: Killed) -> MutantOutcome {
        MutantOutcome::Killed {
            by: by.to_owned(),
            how,
            code: None,
            stage: Stage::Suites,
        }
    }

    fn trouble() -> MutantOutcome {
        let why = "no disk".to_owned();
        MutantOutcome::Trouble { why }
    }

    #[test]
    fn what_the_guest_did_is_believed_at_once() {
        assert_eq!(next(&[], None), Next::Try);
        let survived = MutantOutcome::Survived {
            changed: Vec::new(),
        };
        for outcome in [
            killed("a/b", Killed::Finding),
            killed("a/b", Killed::Crash),
            survived,
        ] {
            let once = next(std::slice::from_ref(&outcome), None);
            assert_eq!(once, Next::Believe(outcome));
        }
    }

    #[test]
    fn a_hang_counts_if_it_comes_again_and_the_unchanged_relay_ends_well() {
        for doubtful in [
            killed("a/b", Killed::Hang),
            killed(BOOT, Killed::Hang),
            killed(BOOT, Killed::Crash),
        ] {
            let twice = [doubtful.clone(), doubtful.clone()];
            assert_eq!(next(&twice[..1], None), Next::Try);
            assert_eq!(next(&twice, None), Next::Unchanged);
            assert_eq!(next(&twice, Some(true)), Next::Believe(doubtful.clone()));
            let Next::Believe(MutantOutcome::Trouble { why }) = next(&twice, Some(false)) else {
                panic!("the host was starved");
            };
            assert!(why.contains(&doubtful.text()), "{why}");
        }
    }

    #[test]
    fn a_hang_that_does_not_come_again_is_forgotten() {
        let hang = killed("a/b", Killed::Hang);
        let finding = killed("a/c", Killed::Finding);
        assert_eq!(
            next(&[hang.clone(), finding.clone()], None),
            Next::Believe(finding)
        );
        let survived = MutantOutcome::Survived {
            changed: Vec::new(),
        };
        assert_eq!(
            next(&[hang, survived.clone()], None),
            Next::Believe(survived)
        );
    }

    #[test]
    fn trouble_is_tried_again_but_not_for_ever() {
        let hang = killed(BOOT, Killed::Hang);
        assert_eq!(next(&[trouble()], None), Next::Try);
        assert_eq!(next(&[trouble(), trouble()], None), Next::Try);
        assert_eq!(
            next(&[trouble(), trouble(), trouble()], None),
            Next::Believe(trouble())
        );
        assert_eq!(next(&[trouble(), hang.clone()], None), Next::Try);
        let after = [trouble(), hang.clone(), trouble(), hang];
        assert_eq!(next(&after, None), Next::Unchanged);
    }
}
