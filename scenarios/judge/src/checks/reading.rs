//! Reads give the bytes, in the amounts, that relay documents.

use relaybed_abi::{Event, EventKind, Stat};
use zerocopy::FromBytes;

use super::model::{Of, byte_at, compare_result, due};
use crate::content;
use crate::matter::{Matter, Report};
use relaybed_case::finding::{Bytes, Call, Due, Lifetime, List, Outcome, Plain, Reading};
use relaybed_case::unspecified::Why;
use relaybed_case::verdict::Location;
use relaybed_case::{FileCall, Op};
use relaybed_contract::{Piece, ReadPrediction};

/// A regular file that its owner may read: what relay asks of the file system.
const FILE_MODE: u32 = 0o100_400;

/// Checks it.
pub(crate) fn check(matter: &Matter<'_>, report: &mut Report) {
    for (actor, script) in matter.case.actors.iter().enumerate() {
        for (index, op) in script.ops.iter().enumerate() {
            match op {
                Op::FileRead { size, .. } => {
                    read(matter, report, (actor, index), *size, Call::Read);
                    returned(matter, report, (actor, index));
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
        FileCall::Readv { .. } => Some(Call::Readv),
        FileCall::Splice { .. } => Some(Call::Splice),
        FileCall::Sendfile { .. } => Some(Call::Sendfile),
        _ => None,
    };
    if let Some(taking) = taking {
        let most = u32::try_from(call.takes()).unwrap_or(u32::MAX);
        read(matter, report, at, most, taking);
        returned(matter, report, at);
        return;
    }
    let call = match call {
        FileCall::Stat => {
            stat(matter, report, at);
            return;
        }
        FileCall::ReadNowhere { .. } => Call::ReadNowhere,
        FileCall::Pread { .. } => Call::Pread,
        FileCall::Write { .. } => Call::FileWrite,
        FileCall::Truncate { .. } => Call::Truncate,
        FileCall::Seek { .. } => Call::Seek,
        FileCall::Map(_) => Call::Map,
        FileCall::Mremap { .. } => Call::Remap,
        FileCall::Store { .. } => Call::Store,
        // Descriptors and mappings that come and go are another property's.
        _ => return,
    };
    compare_result(matter, report, at, call, Of::Reading);
}

/// What calls return is what came out.
fn returned(matter: &Matter<'_>, report: &mut Report, at: (usize, usize)) {
    let Some(result) = super::model::result(matter, at.0, at.1) else {
        return;
    };
    let came = u64::from(result.data_bytes);
    if result.value != came && matter.evidence.data_lost == 0 {
        let (moved, returned) = (Bytes(came), Bytes(result.value));
        let at = matter.operation(at.0, at.1);
        report.fail(at, Reading::NotMoved { moved, returned });
    }
}

/// What a file is: its size as modelled, and the rest as relay makes its files.
fn stat(matter: &Matter<'_>, report: &mut Report, at: (usize, usize)) {
    compare_result(matter, report, at, Call::Stat, Of::Reading);
    let predicted = matter.prediction.op(at.0, at.1).and_then(|op| op.stat);
    let result = super::model::result(matter, at.0, at.1).filter(|result| result.error == 0);
    let (Some(predicted), Some(result)) = (predicted, result) else {
        return;
    };
    let bytes = data(matter, result.data_offset.into(), result.data_bytes.into());
    let Ok(seen) = Stat::read_from_bytes(bytes) else {
        return;
    };
    let at = matter.operation(at.0, at.1);
    if seen.mode != FILE_MODE {
        let mode = |mode: u32| Plain::from(format!("{mode:#o}"));
        let (expected, seen) = (mode(FILE_MODE), mode(seen.mode));
        report.fail(at.clone(), Lifetime::FileMode { expected, seen });
    }
    let links = (u64::from(predicted.is_named), u64::from(seen.nlink));
    if let (expected, seen) = links
        && expected != seen
    {
        report.fail(at.clone(), Lifetime::FileLinks { expected, seen });
    }
    let (owner, group) = (u64::from(seen.uid), u64::from(seen.gid));
    let expected = 0;
    if owner != expected {
        let seen = owner;
        report.fail(at.clone(), Lifetime::FileOwner { expected, seen });
    }
    if group != expected {
        let seen = group;
        report.fail(at, Lifetime::FileGroup { expected, seen });
    }
}

/// Which files there are.
fn list(matter: &Matter<'_>, report: &mut Report, at: (usize, usize)) {
    compare_result(matter, report, at, Call::List, Of::Lifetime);
    let predicted = matter.prediction.op(at.0, at.1);
    let result = super::model::result(matter, at.0, at.1).filter(|result| result.error == 0);
    let (Some(names), Some(result)) = (predicted.and_then(|op| op.names.as_ref()), result) else {
        return;
    };
    let bytes = data(matter, result.data_offset.into(), result.data_bytes.into());
    let seen = String::from_utf8_lossy(bytes);
    let seen: Vec<&str> = seen.lines().collect();
    if *names != seen && matter.evidence.data_lost == 0 {
        let list = |names: &[&str]| names.iter().map(|name| Plain::from(*name)).collect();
        let expected: Vec<&str> = names.iter().map(String::as_str).collect();
        let (expected, seen): (List<Plain>, List<Plain>) = (list(&expected), list(&seen));
        let at = matter.operation(at.0, at.1);
        report.fail(at, Lifetime::Names { expected, seen });
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

fn read(matter: &Matter<'_>, report: &mut Report, at: (usize, usize), size: u32, call: Call) {
    let Some(result) = super::model::result(matter, at.0, at.1) else {
        return;
    };
    let events = calls(matter, at);
    for event in &events {
        let got = event.produced.cast_signed();
        if got > i64::from(size) {
            let too_much = Reading::TooMuch {
                asked: Bytes(size.into()),
                seen: given(event),
            };
            report.fail(matter.operation(at.0, at.1), too_much);
        }
    }
    compare_result(matter, report, at, call, Of::Reading);
    let Some(expected) = matter
        .prediction
        .op(at.0, at.1)
        .and_then(|predicted| predicted.reads.as_ref())
    else {
        report.leave(Why::Order, 1);
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
                let unmade = Reading::Unmade {
                    expected: expected.len() as u64,
                    seen: events.len() as u64,
                };
                report.fail(place(sum), unmade);
            }
            return;
        };
        if event.produced != u64::from(predicted.bytes) {
            let amount = Reading::Amount {
                call: index as u64,
                expected: Bytes(predicted.bytes.into()),
                seen: given(event),
            };
            report.fail(place(sum), amount);
            return;
        }
        let bytes = data(matter, event.consumed, u64::from(predicted.bytes));
        if let Some((wrong, expected)) = first_wrong(matter, predicted, bytes) {
            let other = Reading::Bytes {
                call: index as u64,
                expected,
                seen: byte_at(bytes, wrong.into()),
            };
            report.fail(place(sum + u64::from(wrong)), other);
            return;
        }
        report.amount.bytes += u64::from(predicted.bytes);
        sum += u64::from(predicted.bytes);
    }
    if let Some(event) = events.get(expected.len()) {
        let extra = Reading::Extra {
            expected: expected.len() as u64,
            seen: events.len() as u64,
            gave: given(event),
        };
        report.fail(place(sum), extra);
    }
}

/// What one call gave.
fn given(event: &Event) -> Outcome {
    Outcome::of_read(event.produced.cast_signed())
}

fn data<'a>(matter: &Matter<'a>, start: u64, len: u64) -> &'a [u8] {
    content::data(matter.evidence, start, len)
}

/// First place where `bytes` is not as predicted, and what should be there.
fn first_wrong(matter: &Matter<'_>, read: &ReadPrediction, bytes: &[u8]) -> Option<(u32, Due)> {
    let (at, piece) = content::first_wrong(matter.case, read, bytes)?;
    let byte = |piece: &Piece| u64::from(at.saturating_sub(piece.start));
    let expected = piece.map_or(Due::Zero, |piece| due(matter, piece, byte(piece)));
    Some((at, expected))
}

/// What a mapping shows is what the buffer holds, as far as it was asked to reach.
fn copied(matter: &Matter<'_>, report: &mut Report, at: (usize, usize)) {
    let Some(result) = super::model::result(matter, at.0, at.1) else {
        return;
    };
    let predicted = matter.prediction.op(at.0, at.1);
    if predicted.is_some_and(|predicted| predicted.error.is_some_and(|error| error != 0)) {
        compare_result(matter, report, at, Call::Copy, Of::Reading);
        return;
    }
    let Some(copied) = predicted.and_then(|predicted| predicted.copied.as_ref()) else {
        report.leave(Why::Order, 1);
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
        let length = Reading::MappingLength {
            expected: Bytes(copied.len),
            seen: Bytes(seen.len() as u64),
        };
        report.fail(matter.operation(at.0, at.1), length);
        return;
    }
    report.amount.bytes += copied.len;
    if let Some((offset, expected)) =
        super::model::contents_mismatch(matter, &copied.buffer, seen, |_| false)
    {
        let at = Location {
            offset: Some(offset),
            ..matter.operation(at.0, at.1)
        };
        let seen = byte_at(seen, offset);
        report.fail(at, Reading::MappingBytes { expected, seen });
    }
}
