//! Reads give the bytes, in the amounts, that relay documents.

use relaybed_abi::{Event, EventKind, Stat};
use zerocopy::FromBytes;

use crate::matter::{Matter, Report};
use crate::words;
use relaybed_case::verdict::{Location, Property};
use relaybed_case::{FileCall, Op};
use relaybed_contract::content::piece_mismatch;
use relaybed_contract::{Piece, ReadPrediction};

/// A regular file that its owner may read: what relay asks of the file system.
const FILE_MODE: u32 = 0o100_400;

/// Checks it.
pub(crate) fn check(matter: &Matter<'_>, report: &mut Report) {
    for (actor, script) in matter.case.actors.iter().enumerate() {
        for (index, op) in script.ops.iter().enumerate() {
            match op {
                Op::FileRead { size, .. } => {
                    read(matter, report, (actor, index), *size, "read() of the file");
                }
                Op::File { call, .. } => call_of(matter, report, (actor, index), call),
                Op::Stat { .. } => stat(matter, report, (actor, index)),
                Op::List { .. } => list(matter, report, (actor, index)),
                Op::FileCopy { .. } => copied(matter, report, (actor, index)),
                _ => {}
            }
        }
    }
}

/// Judges any other system call on a descriptor.
fn call_of(matter: &Matter<'_>, report: &mut Report, at: (usize, usize), call: &FileCall) {
    let taking = match call {
        FileCall::Readv { .. } => Some("readv() of the file"),
        FileCall::Splice { .. } => Some("splice() of the file"),
        FileCall::Sendfile { .. } => Some("sendfile() of the file"),
        _ => None,
    };
    if let Some(what) = taking {
        let most = u32::try_from(call.takes()).unwrap_or(u32::MAX);
        read(matter, report, at, most, what);
        returned(matter, report, at);
        return;
    }
    let what = match call {
        FileCall::Stat => {
            stat(matter, report, at);
            return;
        }
        FileCall::ReadNowhere { .. } => "read() into memory that is not there",
        FileCall::Pread { .. } => "pread() of the file",
        FileCall::Write { .. } => "write() to the file",
        FileCall::Truncate { .. } => "ftruncate() of the file",
        FileCall::Seek { .. } => "lseek() in the file",
        FileCall::Map(_) => "mmap() of the file",
        FileCall::Store { .. } => "writing through a mapping",
        // Descriptors and mappings that come and go are another property's.
        _ => return,
    };
    super::model::compare_result(matter, report, at, what, Property::Reading);
}

/// What calls return is what came out.
fn returned(matter: &Matter<'_>, report: &mut Report, at: (usize, usize)) {
    let Some(result) = super::model::result(matter, at.0, at.1) else {
        return;
    };
    let came = u64::from(result.data_bytes);
    if result.value != came && matter.evidence.data_lost == 0 {
        report.fail(
            Property::Reading,
            matter.operation(at.0, at.1),
            "a call did not return as many bytes as it moved",
            words::bytes(came),
            words::bytes(result.value),
        );
    }
}

/// What a file is: its size as modelled, and the rest as relay makes its files.
fn stat(matter: &Matter<'_>, report: &mut Report, at: (usize, usize)) {
    let what = "the size of the file";
    super::model::compare_result(matter, report, at, what, Property::Reading);
    let predicted = matter.prediction.op(at.0, at.1).and_then(|op| op.stat);
    let result = super::model::result(matter, at.0, at.1).filter(|result| result.error == 0);
    let (Some(predicted), Some(result)) = (predicted, result) else {
        return;
    };
    let bytes = data(matter, result.data_offset.into(), result.data_bytes.into());
    let Ok(seen) = Stat::read_from_bytes(bytes) else {
        return;
    };
    let pairs = [
        ("type and permissions of the file", FILE_MODE, seen.mode),
        (
            "names that the file has",
            u32::from(predicted.is_named),
            seen.nlink,
        ),
        ("owner of the file", 0, seen.uid),
        ("group of the file", 0, seen.gid),
    ];
    for (what, expected, seen) in pairs {
        if expected != seen {
            let at = matter.operation(at.0, at.1);
            report.fail(Property::Lifetime, at, what, expected, seen);
        }
    }
}

/// Which files there are.
fn list(matter: &Matter<'_>, report: &mut Report, at: (usize, usize)) {
    let what = "files in the channel's directory";
    super::model::compare_result(matter, report, at, what, Property::Lifetime);
    let predicted = matter.prediction.op(at.0, at.1);
    let result = super::model::result(matter, at.0, at.1).filter(|result| result.error == 0);
    let (Some(names), Some(result)) = (predicted.and_then(|op| op.names.as_ref()), result) else {
        return;
    };
    let bytes = data(matter, result.data_offset.into(), result.data_bytes.into());
    let seen = String::from_utf8_lossy(bytes);
    let seen: Vec<&str> = seen.lines().collect();
    if *names != seen && matter.evidence.data_lost == 0 {
        report.fail(
            Property::Lifetime,
            matter.operation(at.0, at.1),
            what,
            words::list(names),
            words::list(&seen),
        );
    }
}

/// The calls of one operation, in their order.
fn calls<'a>(matter: &Matter<'a>, (actor, op): (usize, usize)) -> Vec<&'a Event> {
    let mut events: Vec<&Event> = matter
        .evidence
        .events
        .iter()
        .filter(|event| {
            event.kind == EventKind::Read.code()
                && usize::from(event.actor) == actor
                && event.op as usize == op
        })
        .collect();
    events.sort_by_key(|event| event.order);
    events
}

fn read(
    matter: &Matter<'_>,
    report: &mut Report,
    at: (usize, usize),
    size: u32,
    what: &'static str,
) {
    let Some(result) = super::model::result(matter, at.0, at.1) else {
        return;
    };
    let events = calls(matter, at);
    for event in &events {
        let got = event.produced.cast_signed();
        if got > i64::from(size) {
            report.fail(
                Property::Reading,
                matter.operation(at.0, at.1),
                "a read() gave more than was asked for",
                format!("at most {size} bytes"),
                given(event),
            );
        }
    }
    super::model::compare_result(matter, report, at, what, Property::Reading);
    let Some(expected) = matter
        .prediction
        .op(at.0, at.1)
        .and_then(|predicted| predicted.reads.as_ref())
    else {
        report.amount.unspecified += 1;
        return;
    };
    let ended_well = predicted_error(matter, at) == Some(result.error.unsigned_abs());
    if ended_well && matter.evidence.data_lost == 0 && matter.evidence.events_lost == 0 {
        exact(matter, report, at, expected, &events);
    }
}

fn predicted_error(matter: &Matter<'_>, at: (usize, usize)) -> Option<u32> {
    matter.prediction.op(at.0, at.1).and_then(|op| op.error)
}

/// Each call gives what the model says: amount, then bytes.
fn exact(
    matter: &Matter<'_>,
    report: &mut Report,
    at: (usize, usize),
    expected: &[ReadPrediction],
    events: &[&Event],
) {
    let place = |offset: u64| Location {
        offset: Some(offset),
        ..matter.operation(at.0, at.1)
    };
    let mut sum = 0u64;
    for (index, predicted) in expected.iter().enumerate() {
        let Some(event) = events.get(index) else {
            // Calls after the last byte may be left out by the reader.
            if expected[index..].iter().any(|read| read.bytes > 0) {
                report.fail(
                    Property::Reading,
                    place(sum),
                    "not every read() was made",
                    expected.len(),
                    events.len(),
                );
            }
            return;
        };
        if event.produced != u64::from(predicted.bytes) {
            report.fail(
                Property::Reading,
                place(sum),
                format!("call {index} of read() gave another amount"),
                words::bytes(u64::from(predicted.bytes)),
                given(event),
            );
            return;
        }
        let bytes = data(matter, event.consumed, u64::from(predicted.bytes));
        if let Some((wrong, piece)) = first_wrong(matter, &predicted.pieces, bytes) {
            report.fail(
                Property::Reading,
                place(sum + u64::from(wrong)),
                format!("call {index} of read() gave other bytes"),
                piece,
                "other bytes",
            );
            return;
        }
        report.amount.bytes += u64::from(predicted.bytes);
        sum += u64::from(predicted.bytes);
    }
    if let Some(event) = events.get(expected.len()) {
        report.fail(
            Property::Reading,
            place(sum),
            "a read() more was made than must give bytes",
            expected.len(),
            format!(
                "{} calls, the next of which gave {}",
                events.len(),
                given(event)
            ),
        );
    }
}

/// What one call gave, in words.
fn given(event: &Event) -> String {
    u64::try_from(event.produced.cast_signed()).map_or_else(
        |_| {
            let errno = event.produced.cast_signed().unsigned_abs();
            words::errno(u32::try_from(errno).unwrap_or(u32::MAX))
        },
        words::bytes,
    )
}

fn data<'a>(matter: &Matter<'a>, start: u64, len: u64) -> &'a [u8] {
    let range = usize::try_from(start)
        .ok()
        .zip(usize::try_from(start.saturating_add(len)).ok());
    range
        .and_then(|(start, end)| matter.evidence.data.get(start..end))
        .unwrap_or(&[])
}

/// First place where `bytes` is not as `pieces` say, and the piece's name.
fn first_wrong(matter: &Matter<'_>, pieces: &[Piece], bytes: &[u8]) -> Option<(u32, String)> {
    pieces.iter().find_map(|piece| {
        let own = bytes.get(piece.start as usize..piece.end() as usize);
        let wrong = match own {
            Some(own) => piece_mismatch(matter.case, piece, own)?,
            None => 0,
        };
        let at = piece
            .start
            .saturating_add(u32::try_from(wrong).unwrap_or(u32::MAX));
        let name = crate::parse::record_id(piece).map_or_else(
            || "the header of a sub-buffer".to_owned(),
            |id| matter.record(id),
        );
        Some((at, name))
    })
}

/// What a mapping shows is what the buffer holds, as far as it was asked to reach.
fn copied(matter: &Matter<'_>, report: &mut Report, at: (usize, usize)) {
    let Some(result) = super::model::result(matter, at.0, at.1) else {
        return;
    };
    let predicted = matter.prediction.op(at.0, at.1);
    let Some(copied) = predicted.and_then(|predicted| predicted.copied.as_ref()) else {
        report.amount.unspecified += 1;
        return;
    };
    if matter.evidence.data_lost > 0 {
        return;
    }
    let seen = data(
        matter,
        u64::from(result.data_offset),
        u64::from(result.data_bytes),
    );
    if seen.len() as u64 != copied.len {
        report.fail(
            Property::Reading,
            matter.operation(at.0, at.1),
            "the mapping does not show as many bytes as were mapped",
            words::bytes(copied.len),
            words::bytes(seen.len() as u64),
        );
        return;
    }
    report.amount.bytes += copied.len;
    if let Some((offset, expected)) =
        super::model::contents_mismatch(matter, &copied.buffer, seen, |_| false)
    {
        report.fail(
            Property::Reading,
            Location {
                offset: Some(offset),
                ..matter.operation(at.0, at.1)
            },
            "the mapping shows other bytes than the buffer holds",
            expected,
            "other bytes",
        );
    }
}
