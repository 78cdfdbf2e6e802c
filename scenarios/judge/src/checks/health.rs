//! The guest stayed whole: no WARN, oops, lockdep report, stall or new taint.

use super::warnings;
use crate::matter::{Matter, Report};
use relaybed_case::evidence::Evidence;
use relaybed_case::finding::{Health, Taint, Trouble};
use relaybed_case::verdict::Location;
use relaybed_contract::RefWarning;

/// Texts that kernels print only when something is broken, and what they mean.
///
/// A text counts at the start of a message, behind the time stamp and what precedes it, so that a
/// scenario's own strings or "no BUG: found" in the middle of a line do not.
const SPLATS: &[(&str, Trouble)] = &[
    ("WARNING: CPU:", Trouble::Warn),
    ("WARNING: possible circular locking", Trouble::Lockdep),
    ("WARNING: possible recursive locking", Trouble::Lockdep),
    ("WARNING: possible irq lock inversion", Trouble::Lockdep),
    ("WARNING: inconsistent lock state", Trouble::Lockdep),
    ("WARNING: bad unlock balance", Trouble::Lockdep),
    ("WARNING: suspicious RCU usage", Trouble::RcuUse),
    ("WARNING: held lock freed", Trouble::Lockdep),
    ("WARNING: kmemleak", Trouble::Leak),
    ("WARNING: at ", Trouble::Warn),
    ("WARNING: ", Trouble::Warn),
    ("BUG: ", Trouble::Bug),
    ("kernel BUG at ", Trouble::Bug),
    ("Oops: ", Trouble::Oops),
    ("Oops - ", Trouble::Oops),
    ("general protection fault", Trouble::GeneralProtection),
    ("Kernel panic - not syncing", Trouble::Panic),
    ("invalid opcode: ", Trouble::InvalidOpcode),
    ("divide error: ", Trouble::DivideError),
    ("stack segment: ", Trouble::StackFault),
    ("double fault: ", Trouble::DoubleFault),
    ("Unable to handle kernel", Trouble::BadAccess),
    ("unable to handle kernel", Trouble::BadAccess),
    ("rcu: INFO: rcu_", Trouble::RcuStall),
    ("INFO: rcu_", Trouble::RcuStall),
    ("INFO: task ", Trouble::HungTask),
    ("INFO: possible recursive locking", Trouble::Lockdep),
    ("INFO: trying to register non-static key", Trouble::Lockdep),
    ("watchdog: BUG: ", Trouble::Lockup),
    ("NMI watchdog: ", Trouble::Lockup),
    ("UBSAN: ", Trouble::Ubsan),
    ("list_add corruption", Trouble::List),
    ("list_del corruption", Trouble::List),
    ("refcount_t: ", Trouble::RefCount),
    ("Uhhuh. NMI received", Trouble::UnknownNmi),
    ("Bad page state", Trouble::BadPage),
    ("page allocation failure", Trouble::OutOfMemory),
    ("Out of memory: Killed", Trouble::OutOfMemory),
    ("DEBUG_LOCKS_WARN_ON", Trouble::Lockdep),
];

/// Texts that begin like a splat and are none.
const HARMLESS: &[&str] = &[
    "NMI watchdog: Enabled",
    "NMI watchdog: Perf NMI watchdog permanently disabled",
    "NMI watchdog: disabled",
    "refcount_t: leak check",
    "INFO: task_",
];

/// Checks it.
pub(crate) fn check(matter: &Matter<'_>, report: &mut Report) {
    let (evidence, warnings) = (matter.evidence, &matter.prediction.warnings);
    let predicted = warned(evidence, warnings).unwrap_or_default();
    for (number, what) in reported(&evidence.console) {
        if !predicted.contains(&number) {
            report.fail(Location::default(), what);
        }
    }
    let expected = if predicted.is_empty() {
        0
    } else {
        warnings::taint(warnings)
    };
    let new = evidence.taint_after & !evidence.taint_before & !expected;
    if new != 0 {
        let (before, new) = (Taint(evidence.taint_before), Taint(new));
        report.fail(Location::default(), Health::Tainted { before, new });
    }
}

/// The lines of the console that these warnings are, by their numbers; `None` where they are not there.
pub(crate) fn warned(evidence: &Evidence, warnings: &[RefWarning]) -> Option<Vec<usize>> {
    if warnings.is_empty() {
        return Some(Vec::new());
    }
    let console = &evidence.console;
    let lines: Vec<&str> = console
        .lines()
        .map(|line| message(line).trim_end())
        .collect();
    let splats: Vec<usize> = splats(console).map(|(number, ..)| number).collect();
    let is_tainted = evidence.taint_after & warnings::taint(warnings) != 0;
    warnings::predicted(&lines, &splats, warnings).filter(|_| is_tainted)
}

/// The lines of a console that report trouble, by their numbers from 0, and what each of them is.
pub fn reported(console: &str) -> impl Iterator<Item = (usize, Health)> {
    let splats = splats(console);
    splats.map(|(number, line, trouble)| (number, Health::reported(trouble, line)))
}

/// Lines that begin with a splat, and what it is.
fn splats(console: &str) -> impl Iterator<Item = (usize, &str, Trouble)> {
    console.lines().enumerate().filter_map(|(number, line)| {
        let text = message(line);
        if HARMLESS.iter().any(|harmless| text.starts_with(harmless)) {
            return None;
        }
        SPLATS
            .iter()
            .find(|(splat, _)| text.starts_with(splat) || is_memory_splat(text, splat))
            .map(|(_, trouble)| (number, line.trim_end(), *trouble))
    })
}

/// `PROCESS: page allocation failure` has the process in front.
fn is_memory_splat(text: &str, splat: &str) -> bool {
    matches!(splat, "page allocation failure" | "Bad page state")
        && text
            .split_once(": ")
            .is_some_and(|(_, rest)| rest.starts_with(splat))
}

/// The line without level, time stamp and caller: `<4>[   12.345678][    T1] text`.
fn message(line: &str) -> &str {
    let mut rest = line.trim_start();
    if let Some(level) = rest.strip_prefix('<')
        && let Some((number, text)) = level.split_once('>')
        && number.bytes().all(|b| b.is_ascii_digit())
    {
        rest = text;
    }
    while let Some(inside) = rest.strip_prefix('[') {
        let Some((stamp, text)) = inside.split_once(']') else {
            break;
        };
        if !stamp
            .bytes()
            .all(|b| b.is_ascii_digit() || b" .TC".contains(&b))
        {
            break;
        }
        rest = text.trim_start();
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_lines_are_no_splats() {
        let console = "[    0.000000] Linux version 6.1.0\n\
            [    0.1] Warning: unable to open an initial console.\n\
            [    1.2] relay: one or more items not logged [item size (9) > sub-buffer size (8)]\n\
            [    1.3] DEBUG: no BUG: here\n\
            [    1.4] NMI watchdog: Enabled. Permanently consumes one hw-PMU counter.\n\
            [    1.5] relaybed: WARNING: is a word\n";
        assert_eq!(splats(console).count(), 0);
    }

    #[test]
    fn each_splat_is_seen_behind_a_time_stamp() {
        for (splat, _) in SPLATS {
            let line = format!("<4>[   12.345678][   T17] {splat} 1 PID: 2 at x.c:1");
            assert_eq!(splats(&line).count(), 1, "{splat}");
        }
        assert_eq!(
            splats("[ 1.0] cat: page allocation failure: order:9").count(),
            1
        );
    }
}
