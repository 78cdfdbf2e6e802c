//! What QEMU's monitor says of a vCPU's local interrupt controller.

use crate::debugger::Interrupts;

/// Takes the answer to `info lapic`.
pub(super) fn parse(text: &str) -> Option<Interrupts> {
    let requested = text
        .lines()
        .find_map(|line| line.trim_start().strip_prefix("IRR"))?;
    let left = text
        .split("current_count")
        .nth(1)?
        .trim_start_matches([' ', '=', '\t'])
        .split(|c: char| !c.is_ascii_digit())
        .next()?
        .parse()
        .ok()?;
    Some(Interrupts {
        pending: !requested.contains("(none)"),
        timer: Some(left).filter(|left| *left > 0),
    })
}
