//! How fast mutants are tried.

use std::time::Instant;

use relaybed_report::mutation::{MutantOutcome, MutantRow};

use super::say;

/// Progress and speed, for those who wait.
pub(super) struct Pace {
    begun: Instant,
    done: usize,
    all: usize,
    survived: usize,
}

impl Pace {
    pub(super) fn new(all: usize) -> Self {
        Self {
            begun: Instant::now(),
            done: 0,
            all,
            survived: 0,
        }
    }

    pub(super) fn report(&mut self, row: &MutantRow) {
        self.done += 1;
        self.survived += usize::from(matches!(row.outcome, MutantOutcome::Survived { .. }));
        let done = u32::try_from(self.done).unwrap_or(u32::MAX);
        let each = self.begun.elapsed() / done;
        let rest = each * u32::try_from(self.all - self.done).unwrap_or(0);
        say(&format!(
            "{} of {}, {} survived, {:.1} a minute, {} min left: {} {}:{} {} `{}` -> `{}`: {} ({:.0} s)\n",
            self.done,
            self.all,
            self.survived,
            60.0 / each.as_secs_f64().max(0.001),
            rest.as_secs().div_ceil(60),
            row.id,
            row.function,
            row.line,
            row.operator,
            row.before,
            row.after,
            row.outcome.text(),
            row.seconds
        ));
    }
}
