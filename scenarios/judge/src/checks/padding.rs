//! Padding says exactly how much of a sub-buffer is unused, and is never handed out.

use crate::matter::{Matter, Parsed, Report};
use crate::parse::FaultKind;
use relaybed_case::verdict::Property;

/// Checks it.
pub(crate) fn check(matter: &Matter<'_>, report: &mut Report) {
    for parsed in &matter.buffers {
        range(matter, report, parsed);
        for (section, _, faults) in parsed.each() {
            for fault in faults {
                let (expected, seen) = match fault.kind {
                    FaultKind::Overrun { by } => (
                        "padding behind the last record".to_owned(),
                        format!("{by} bytes of the record called padding"),
                    ),
                    FaultKind::Tail => (
                        "padding right behind the last record".to_owned(),
                        format!("{} bytes between that are neither", fault.len),
                    ),
                    _ => continue,
                };
                let at = matter.place(parsed, section, fault.start);
                let what = if section.complete {
                    "the padding of a complete sub-buffer is wrong"
                } else {
                    "the offset in the current sub-buffer is not where its records end"
                };
                report.fail(Property::Padding, at, what, expected, seen);
            }
        }
    }
}

/// No sub-buffer can have more padding than bytes.
fn range(matter: &Matter<'_>, report: &mut Report, parsed: &Parsed<'_>) {
    let size = parsed.geometry.subbuf_size;
    for (slot, padding) in parsed.seen.padding.iter().enumerate() {
        if *padding > size {
            let mut at = matter.whole(parsed);
            at.subbuf = Some(slot as u64);
            report.fail(
                Property::Padding,
                at,
                "there is more padding than sub-buffer",
                format!("at most {size} bytes"),
                crate::words::bytes(*padding),
            );
        }
    }
    if parsed.seen.padding.len() as u64 != parsed.geometry.n_subbufs {
        report.fail(
            Property::Padding,
            matter.whole(parsed),
            "there is not one padding a sub-buffer",
            parsed.geometry.n_subbufs,
            parsed.seen.padding.len(),
        );
    }
}
