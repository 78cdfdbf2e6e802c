//! What the kernel says of reference counts that are used wrongly: which lines are just what was predicted.
//!
//! `refcount_warn_saturate()` says what was done, in words of its own, and the stack who did it. Both must be what
//! was predicted; any other line stays what it is.

use std::fmt::Write as _;

use relaybed_contract::RefWarning;

/// The taint that a warning leaves.
const WARNED: u64 = 1 << 9;
/// Where all of them come from.
const PLACE: &str = "refcount_warn_saturate+";
/// The end of a warning's stack.
const END: &str = "---[ end trace ";

/// What the kernel says, and which function of relay's brings it about.
const fn text(warning: RefWarning) -> (&'static str, &'static str) {
    match warning {
        RefWarning::AddedToNone => (
            "refcount_t: addition on 0; use-after-free.",
            "relay_file_open+",
        ),
        RefWarning::AddedToSaturated => {
            ("refcount_t: saturated; leaking memory.", "relay_file_open+")
        }
        RefWarning::TakenFromSaturated => (
            "refcount_t: underflow; use-after-free.",
            "relay_file_release+",
        ),
    }
}

/// The taints that warnings leave.
pub(crate) const fn taint(warnings: &[RefWarning]) -> u64 {
    if warnings.is_empty() { 0 } else { WARNED }
}

/// What of the console was predicted, by numbers of lines: for each warning its own line and the WARNING behind it,
/// with relay's function in the stack. `None` where one of them is not there, as often as it must be, in its order.
pub(crate) fn predicted(
    lines: &[&str],
    splats: &[usize],
    warnings: &[RefWarning],
) -> Option<Vec<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    for warning in warnings {
        let (said, by) = text(*warning);
        let own = from + lines[from..].iter().position(|line| *line == said)?;
        let end = own + lines[own..].iter().position(|line| line.starts_with(END))?;
        // Nothing else is said between the two.
        let inside: Vec<usize> = splats
            .iter()
            .copied()
            .filter(|splat| (own..end).contains(splat))
            .collect();
        let [first, second] = inside[..] else {
            return None;
        };
        let is_it = lines[second].starts_with("WARNING: ") && lines[second].contains(PLACE);
        let called = is_called_by(&lines[second..end], by);
        if first != own || !is_it || !called {
            return None;
        }
        found.extend([first, second]);
        from = end;
    }
    Some(found)
}

/// Whether the innermost call of a stack is this function's: relay's own, or the one that our module was built with.
/// Lines with a question mark are no calls for sure.
fn is_called_by(stack: &[&str], function: &str) -> bool {
    let mut behind = stack
        .iter()
        .skip_while(|line| !line.starts_with("Call Trace:"));
    let calls = |line: &&&str| !line.trim_start().starts_with(['?', '<']);
    let call = behind
        .by_ref()
        .skip(1)
        .find(calls)
        .map_or("", |line| line.trim_start());
    call.strip_prefix("own_")
        .unwrap_or(call)
        .starts_with(function)
}

/// A console with these warnings.
pub(crate) fn console(warnings: &[RefWarning]) -> String {
    let mut text_of = String::new();
    for warning in warnings {
        let (said, by) = text(*warning);
        let _ = write!(
            text_of,
            "{said}\nWARNING: CPU: 0 PID: 1 at lib/refcount.c:1 {PLACE}0x1/0x2\nCall Trace:\n <TASK>\n {by}0x1/0x2\n{END}0 ]---\n"
        );
    }
    text_of
}
