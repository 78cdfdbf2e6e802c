//! Exit codes: an interface that scripts and CI rely on.

use std::process::ExitCode;

/// How a call of `relaybed` ended, for the shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Everything that ran passed (known issues and skipped scenarios included).
    Passed,
    /// A scenario failed: the kernel misbehaved.
    Failed,
    /// The command line or a scenario file is wrong.
    Usage,
    /// Something needed is missing or unusable: kernel, tool, evidence folder.
    SetUp,
    /// The guest died in the middle: panic, reset, or the end of its machine.
    GuestDied,
    /// The guest made no progress before the deadline.
    Deadline,
    /// Whoever read the output has closed it.
    NoReader,
    /// Ctrl-C or SIGTERM.
    Interrupted,
}

impl Exit {
    /// The number given to the shell.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Passed => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::SetUp => 3,
            Self::GuestDied => 4,
            Self::Deadline => 5,
            Self::NoReader => 141,
            Self::Interrupted => 130,
        }
    }

    /// The one to report when both happened: what stopped the run from saying more wins.
    #[must_use]
    pub fn worse(self, other: Self) -> Self {
        self.max(other)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// The text on exit codes in `--help`.
pub const HELP: &str = "\
Exit codes:
  0    every scenario that ran passed (known issues are listed and are not failures; nor are
       issues that this kernel should have and does not show)
  1    a scenario failed: the kernel did not keep relay's contract
  2    usage: the command line, or a scenario file that does not parse or check
  3    set-up: a missing or unusable kernel, tool or evidence folder
  4    the guest died: panic, reset, or its virtual machine ended
  5    no progress before the deadline
  130  interrupted
  141  the reader of the output closed it, as `head` does (128 + SIGPIPE)";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stops_a_run_outranks_a_failure() {
        assert_eq!(Exit::Failed.worse(Exit::Passed), Exit::Failed);
        assert_eq!(Exit::GuestDied.worse(Exit::Failed), Exit::GuestDied);
        assert_eq!(Exit::Failed.worse(Exit::Deadline), Exit::Deadline);
    }
}
