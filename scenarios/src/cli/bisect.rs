//! `relaybed run --bisect`: what a run says to `git bisect run`.

use std::process::ExitCode;

use relaybed_report::exit::Exit;

use super::{Stop, say};
use crate::run::{PlanError, SessionError, SuiteEnd};

/// This commit cannot be tested: git tries another one near it.
const SKIP: u8 = 125;

/// From here on git stops the whole bisection: the commit is not to blame.
const OURS: u8 = 128;

/// The exit code of a run for git, with the reason where it is not the verdict.
pub(super) fn for_git(ended: Result<SuiteEnd, Stop>) -> ExitCode {
    let code = match ended {
        Ok(end) => of_end(&end),
        Err(stop) => {
            let code = of_stop(&stop);
            stop.print();
            code
        }
    };
    if code == SKIP {
        say("relaybed: this commit cannot be tested (125)\n");
    }
    ExitCode::from(code)
}

fn of_end(end: &SuiteEnd) -> u8 {
    let summary = &end.summary;
    match end.exit {
        Exit::Interrupted | Exit::NoReader | Exit::SetUp | Exit::Usage => ours(end.exit),
        // A guest that dies or hangs does so in a scenario, which it did not pass.
        Exit::Failed | Exit::GuestDied | Exit::Deadline => 1,
        Exit::Passed if summary.passed + summary.known + summary.fixed == 0 => SKIP,
        Exit::Passed => 0,
    }
}

fn of_stop(stop: &Stop) -> u8 {
    let why = stop.why.as_deref();
    let builds = why
        .and_then(|why| why.downcast_ref::<PlanError>())
        .is_none_or(|error| !error.is_unbuildable());
    let boots = why
        .and_then(|why| why.downcast_ref::<SessionError>())
        .is_none_or(|error| !matches!(error.exit(), Exit::GuestDied | Exit::Deadline));
    if builds && boots {
        ours(stop.exit)
    } else {
        SKIP
    }
}

/// Our own exit codes, out of the way of those that git knows.
fn ours(exit: Exit) -> u8 {
    match exit {
        Exit::Interrupted | Exit::NoReader => exit.code(),
        exit => OURS.saturating_add(exit.code()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_of_our_own_stops_git() {
        let code = |exit| of_stop(&Stop::said(exit));
        assert_eq!(code(Exit::SetUp), 131);
        assert_eq!(code(Exit::Usage), 130);
        assert_eq!(code(Exit::Interrupted), 130);
    }
}
