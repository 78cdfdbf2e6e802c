//! What a lap replaces and what it keeps, and that a refused record changes nothing.

use crate::matter::{Matter, Report};
use crate::parse::{Fault, FaultKind};
use relaybed_case::verdict::{Location, Property};

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
    let name = fault
        .record
        .map_or_else(|| "a record".to_owned(), |id| matter.record(id));
    report.fail(
        Property::Overwrite,
        place(),
        format!("the place of {name} still shows what was there before"),
        format!("{} bytes of the record", fault.len),
        "bytes of an earlier lap, or of nothing",
    );
}
