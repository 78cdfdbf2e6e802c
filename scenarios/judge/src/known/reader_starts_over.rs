//! K31: a reader of a no-overwrite buffer went back by the whole ring and got all of it again, written or
//! not, and nothing else is wrong.

use relaybed_abi::EventKind;

use crate::matter::{Matter, is_no_overwrite};
use relaybed_case::Op;
use relaybed_case::finding::{Accounting, Conservation, Expectation, Finding, What};

use super::without;

/// Bytes in front of the place from which the reader went back, by which it is found again.
const TAIL_BYTES: usize = 64;
/// Places that may be that one, at most.
const TRIES_MAX: usize = 8;

pub(super) fn explains(matter: &Matter<'_>, all: &[Finding], finding: &Finding) -> bool {
    if super::buffer(matter, finding).is_some_and(|key| is_ahead(matter, all, key, finding)) {
        return true;
    }
    let keys = match super::buffer(matter, finding) {
        Some(key) => vec![key],
        None if is_refusal(finding) => matter.streams.iter().map(|s| (s.channel, s.cpu)).collect(),
        None => return false,
    };
    keys.into_iter().any(|key| {
        is_no_overwrite(&matter.case.channels[key.0])
            && went_back(matter, key)
            && rest_is_right(matter, key, all)
    })
}

/// The buffer was left with more consumed than was produced, which only a reader that was set back by the
/// ring from the first sub-buffers on leaves, unless a client said so; what is missing lies behind.
fn is_ahead(matter: &Matter<'_>, all: &[Finding], key: (usize, u32), finding: &Finding) -> bool {
    let told = |other: &Finding| {
        matches!(
            other.what,
            What::Accounting(Accounting::ConsumedAhead { .. })
        ) && super::buffer(matter, other) == Some(key)
    };
    let said = |op: &Op| matches!(op, Op::Consumed { channel, .. } if *channel == key.0);
    let mut ops = matter.case.actors.iter().flat_map(|actor| &actor.ops);
    is_no_overwrite(&matter.case.channels[key.0])
        && all.iter().any(told)
        && !ops.any(said)
        && (told(finding)
            || matches!(
                finding.what,
                What::Conservation(Conservation::Missing { .. } | Conservation::Lost { .. })
            ))
}

/// The claim of a scenario's author that nothing is refused: a buffer that was set back looks full.
fn is_refusal(finding: &Finding) -> bool {
    matches!(finding.what, What::Expectation(Expectation::Refused { .. }))
}

/// The callback saw fewer sub-buffers consumed than before, which only a reset may do.
fn went_back(matter: &Matter<'_>, (channel, cpu): (usize, u32)) -> bool {
    let is_reset = |op: &Op| matches!(op, Op::Reset { channel: of } | Op::Open { channel: of } if *of == channel);
    let ops = || matter.case.actors.iter().flat_map(|actor| &actor.ops);
    let mut calls: Vec<_> = matter
        .evidence
        .events
        .iter()
        .filter(|event| {
            event.kind == EventKind::SubbufStart.code()
                && (usize::from(event.channel), u32::from(event.buf_cpu)) == (channel, cpu)
        })
        .collect();
    calls.sort_by_key(|event| event.order);
    let consumed = calls.iter().map(|event| event.consumed.cast_signed());
    !ops().any(is_reset) && !consumed.is_sorted()
}

/// What came between the place where something is wrong first and the place where the bytes in front of
/// it came again is no more than the ring, and without it all is right.
fn rest_is_right(matter: &Matter<'_>, key: (usize, u32), all: &[Finding]) -> bool {
    let Some(stream) = without::stream(matter, key) else {
        return false;
    };
    let bytes = without::bytes_read(matter, key);
    let again = stream.records.windows(2).find_map(|pair| {
        let same = pair[0].actor == pair[1].actor;
        (same && pair[1].seq <= pair[0].seq).then_some(pair[1].start)
    });
    let wrong = stream.faults.first().map(|fault| fault.start);
    let Some(from) = again.into_iter().chain(wrong).min().map(|at| at as usize) else {
        return false;
    };
    let Some(tail) = bytes
        .get(from.saturating_sub(TAIL_BYTES)..from)
        .filter(|tail| tail.len() >= 8)
    else {
        return false;
    };
    let spec = &matter.case.channels[key.0];
    let ring = usize::try_from(spec.subbuf_size * spec.n_subbufs).unwrap_or(usize::MAX);
    let behind = &bytes[from..bytes.len().min(from.saturating_add(ring))];
    let ends = behind.windows(tail.len()).enumerate();
    ends.filter(|(_, window)| *window == tail)
        .take(TRIES_MAX)
        .any(|(at, _)| {
            let left = without::findings(matter, key, from..from + at + tail.len());
            left.iter()
                .all(|other| is_refusal(other) && all.contains(other))
        })
}
