//! What a lap replaces and what it keeps, and that a refused record changes nothing.

use crate::matter::{Matter, Report};
use crate::parse::{Fault, FaultKind};
use relaybed_case::finding::{Bytes, Overwrite};
use relaybed_case::verdict::Location;

/// Checks it.
pub(crate) fn check(matter: &Matter<'_>, report: &mut Report) {
    for parsed in &matter.buffers {
        for (section, _, faults) in parsed.each() {
            for fault in faults {
                stale(matter, report, fault, || {
                    matter.place(parsed, section, fault.start)
                });
            }
        }
    }
    for stream in &matter.streams {
        for fault in &stream.faults {
            stale(matter, report, fault, || {
                matter.in_stream(stream, fault.start)
            });
        }
    }
}

fn stale(matter: &Matter<'_>, report: &mut Report, fault: &Fault, place: impl Fn() -> Location) {
    if fault.kind != FaultKind::Stale {
        return;
    }
    let stale = Overwrite::Stale {
        record: matter.record_of(fault),
        len: Bytes(fault.len.into()),
    };
    report.fail(place(), stale);
}
