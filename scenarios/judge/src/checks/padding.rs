//! Padding says exactly how much of a sub-buffer is unused, and is never handed out.

use crate::matter::{Matter, Parsed, Report};
use crate::parse::FaultKind;
use relaybed_case::finding::{Bytes, Padding};

/// Checks it.
pub(crate) fn check(matter: &Matter<'_>, report: &mut Report) {
    for parsed in &matter.buffers {
        range(matter, report, parsed);
        for (section, _, faults) in parsed.each() {
            for fault in faults {
                let gap = Bytes(fault.len.into());
                let what = match (fault.kind, section.complete) {
                    (FaultKind::Overrun { by }, true) => Padding::Covers {
                        by: Bytes(by.into()),
                    },
                    (FaultKind::Overrun { by }, false) => Padding::OffsetInside {
                        by: Bytes(by.into()),
                    },
                    (FaultKind::Tail, true) => Padding::TooSmall { gap },
                    (FaultKind::Tail, false) => Padding::OffsetBehind { gap },
                    _ => continue,
                };
                report.fail(matter.place(parsed, section, fault.start), what);
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
            let beyond = Padding::BeyondSize {
                padding: Bytes(*padding),
                subbuf_size: Bytes(size),
            };
            report.fail(at, beyond);
        }
    }
    let expected = parsed.geometry.n_subbufs;
    let seen = parsed.seen.padding.len() as u64;
    if seen != expected {
        report.fail(matter.whole(parsed), Padding::Entries { expected, seen });
    }
}
