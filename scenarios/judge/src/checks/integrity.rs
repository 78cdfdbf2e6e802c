//! A record's bytes are what its producer wrote.

use crate::matter::{Matter, Report};
use crate::parse::{Fault, FaultKind};
use relaybed_case::finding::{Bytes, Integrity};
use relaybed_case::unspecified::Why;
use relaybed_case::verdict::Location;

/// Checks it.
pub(crate) fn check(matter: &Matter<'_>, report: &mut Report) {
    for parsed in &matter.buffers {
        report.amount.records += parsed.records.len() as u64;
        for (section, _, faults) in parsed.each() {
            report.amount.bytes += u64::from(section.fill);
            report.leave(Why::Alike, u64::from(section.vague > 0));
            for fault in faults {
                let at = wrong_byte(fault);
                judge_fault(matter, report, fault, matter.place(parsed, section, at));
            }
        }
    }
    for stream in &matter.streams {
        report.amount.records += stream.records.len() as u64;
        report.amount.bytes += u64::from(stream.section.fill);
        report.leave(Why::Alike, u64::from(stream.section.vague > 0));
        for fault in &stream.faults {
            let at = wrong_byte(fault);
            judge_fault(matter, report, fault, matter.in_stream(stream, at));
        }
    }
}

fn wrong_byte(fault: &Fault) -> u32 {
    match fault.kind {
        FaultKind::Torn { wrong_at } => fault.start.saturating_add(wrong_at),
        _ => fault.start,
    }
}

fn judge_fault(matter: &Matter<'_>, report: &mut Report, fault: &Fault, at: Location) {
    let len = Bytes(fault.len.into());
    let record = matter.record_of(fault);
    let what = match fault.kind {
        FaultKind::Torn { wrong_at } => Integrity::Torn {
            record,
            len,
            wrong_at: wrong_at.into(),
        },
        FaultKind::Junk => Integrity::Junk { record, len },
        FaultKind::BadHeader => Integrity::BadHeader { len },
        _ => return,
    };
    report.fail(at, what);
}
