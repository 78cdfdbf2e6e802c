//! Each record stands where the one before ends.

use crate::matter::{Matter, Report};
use crate::parse::{Fault, FaultKind};
use relaybed_case::finding::{Bytes, Placement};
use relaybed_case::verdict::Location;

/// Checks it.
pub(crate) fn check(matter: &Matter<'_>, report: &mut Report) {
    for parsed in &matter.buffers {
        for (section, _, faults) in parsed.each() {
            for fault in faults {
                displaced(matter, report, fault, || {
                    matter.place(parsed, section, fault.start)
                });
            }
        }
    }
    for stream in &matter.streams {
        for fault in &stream.faults {
            displaced(matter, report, fault, || {
                matter.in_stream(stream, fault.start)
            });
        }
    }
}

fn displaced(
    matter: &Matter<'_>,
    report: &mut Report,
    fault: &Fault,
    place: impl Fn() -> Location,
) {
    let FaultKind::Displaced { by } = fault.kind else {
        return;
    };
    let displaced = Placement::Displaced {
        record: matter.record_of(fault),
        by: Bytes(by.into()),
    };
    report.fail(place(), displaced);
}
