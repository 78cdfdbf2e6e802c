//! The guest stayed whole: no WARN, oops, lockdep report, stall or new taint.

use crate::matter::{Matter, Report};
use relaybed_case::evidence::Evidence;
use relaybed_case::verdict::{Location, Property};

/// Texts that kernels print only when something is broken, and what they mean.
///
/// A text counts at the start of a message, behind the time stamp and what precedes it, so that a
/// scenario's own strings or "no BUG: found" in the middle of a line do not.
const SPLATS: &[(&str, &str)] = &[
    ("WARNING: CPU:", "a WARN"),
    ("WARNING: possible circular locking", "a lockdep report"),
    ("WARNING: possible recursive locking", "a lockdep report"),
    ("WARNING: possible irq lock inversion", "a lockdep report"),
    ("WARNING: inconsistent lock state", "a lockdep report"),
    ("WARNING: bad unlock balance", "a lockdep report"),
    ("WARNING: suspicious RCU usage", "an RCU report"),
    ("WARNING: held lock freed", "a lockdep report"),
    ("WARNING: kmemleak", "a leak report"),
    ("WARNING: at ", "a WARN"),
    ("WARNING: ", "a WARN"),
    ("BUG: ", "a BUG"),
    ("kernel BUG at ", "a BUG"),
    ("Oops: ", "an oops"),
    ("Oops - ", "an oops"),
    ("general protection fault", "a general protection fault"),
    ("Kernel panic - not syncing", "a panic"),
    ("invalid opcode: ", "an invalid opcode"),
    ("divide error: ", "a divide error"),
    ("stack segment: ", "a stack fault"),
    ("double fault: ", "a double fault"),
    ("Unable to handle kernel", "a bad memory access"),
    ("unable to handle kernel", "a bad memory access"),
    ("rcu: INFO: rcu_", "an RCU stall"),
    ("INFO: rcu_", "an RCU stall"),
    ("INFO: task ", "a hung task"),
    ("INFO: possible recursive locking", "a lockdep report"),
    (
        "INFO: trying to register non-static key",
        "a lockdep report",
    ),
    ("watchdog: BUG: ", "a lockup"),
    ("NMI watchdog: ", "a lockup"),
    ("UBSAN: ", "a UBSAN report"),
    ("list_add corruption", "a corrupted list"),
    ("list_del corruption", "a corrupted list"),
    ("refcount_t: ", "a reference count gone wrong"),
    ("Uhhuh. NMI received", "an NMI that nobody knew"),
    ("Bad page state", "a bad page"),
    ("page allocation failure", "memory that ran out"),
    ("Out of memory: Killed", "memory that ran out"),
    ("DEBUG_LOCKS_WARN_ON", "a lockdep report"),
];

/// Texts that begin like a splat and are none.
const HARMLESS: &[&str] = &[
    "NMI watchdog: Enabled",
    "NMI watchdog: Perf NMI watchdog permanently disabled",
    "NMI watchdog: disabled",
    "refcount_t: leak check",
    "INFO: task_",
];

/// Taint bits by the kernel's documentation.
const TAINTS: &[&str] = &[
    "proprietary module",
    "module was force loaded",
    "kernel running on an out of specification system",
    "module was force unloaded",
    "machine check exception",
    "bad page",
    "user asked for taint",
    "kernel died recently",
    "ACPI table overridden",
    "kernel issued warning",
    "staging driver",
    "workaround for platform firmware bug",
    "externally-built module",
    "unsigned module",
    "soft lockup occurred",
    "kernel has been live patched",
    "auxiliary taint",
    "struct randomization",
    "in-kernel test has been run",
];

/// Checks it.
pub(crate) fn check(matter: &Matter<'_>, report: &mut Report) {
    for (line, what) in splats(&matter.evidence.console) {
        report.fail(
            Property::Health,
            Location::default(),
            format!("the kernel reported {what}"),
            "no report of trouble on the console",
            line,
        );
    }
    if let Some(bits) = new_taints(matter.evidence) {
        report.fail(
            Property::Health,
            Location::default(),
            "the kernel is tainted since the case began",
            format!("taint {:#x}", matter.evidence.taint_before),
            format!("{:#x}: {bits}", matter.evidence.taint_after),
        );
    }
}

/// Lines that begin with a splat, and what it is.
pub(super) fn splats(console: &str) -> impl Iterator<Item = (&str, &'static str)> {
    console.lines().filter_map(|line| {
        let text = message(line);
        if HARMLESS.iter().any(|harmless| text.starts_with(harmless)) {
            return None;
        }
        SPLATS
            .iter()
            .find(|(splat, _)| text.starts_with(splat) || is_memory_splat(text, splat))
            .map(|(_, what)| (line.trim_end(), *what))
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

fn new_taints(evidence: &Evidence) -> Option<String> {
    let new = evidence.taint_after & !evidence.taint_before;
    if new == 0 {
        return None;
    }
    let names: Vec<String> = (0..64)
        .filter(|bit| new >> bit & 1 == 1)
        .map(|bit| {
            TAINTS
                .get(bit)
                .map_or_else(|| format!("bit {bit}"), |name| (*name).to_owned())
        })
        .collect();
    Some(names.join(", "))
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
