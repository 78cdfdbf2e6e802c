//! Whether one operation's answer is what was predicted of it.

use relaybed_abi::{Event, EventKind, State};
use relaybed_case::Op;
use relaybed_contract::order::At;
use relaybed_contract::predict::Key;
use relaybed_contract::{OpPrediction, ReadPrediction, SwitchCall};

use crate::content::{data, is_read};
use crate::matter::Matter;

/// Compares what can be compared at once; a copy of a mapping and what a file is come with the rest.
pub(super) fn agrees(matter: &Matter<'_>, at: At, predicted: &OpPrediction) -> bool {
    let result = matter.evidence.results.get(at.actor);
    let Some(result) = result.and_then(|results| results.get(at.op)) else {
        return false;
    };
    if result.state != State::Done.code() {
        return true;
    }
    let error = predicted
        .error
        .is_none_or(|error| error == result.error.unsigned_abs());
    let value = match &matter.case.actors[at.actor].ops[at.op] {
        // POLLRDNORM comes to those who ask for it.
        Op::FilePoll { .. } => predicted
            .value
            .is_none_or(|value| value & !0x40 == result.value & !0x40),
        _ => predicted.value.is_none_or(|value| value == result.value),
    };
    let refused = predicted
        .refused
        .is_none_or(|refused| refused == result.refused);
    error
        && value
        && refused
        && predicted
            .reads
            .as_ref()
            .is_none_or(|reads| all_read(matter, at, reads))
}

/// Every call gave the bytes that were predicted, and there was none more.
fn all_read(matter: &Matter<'_>, at: At, reads: &[ReadPrediction]) -> bool {
    let events = calls_of(matter, at);
    events.len() == reads.len()
        && events.iter().zip(reads).all(|(event, read)| {
            event.produced == u64::from(read.bytes)
                && is_read(
                    matter.case,
                    read,
                    data(matter.evidence, event.consumed, event.produced),
                )
        })
}

/// The calls of `read()` of an operation, in their order.
fn calls_of<'a>(matter: &Matter<'a>, at: At) -> Vec<&'a Event> {
    let mut events: Vec<_> = matter
        .evidence
        .events
        .iter()
        .filter(|event| {
            event.kind == EventKind::Read.code()
                && usize::from(event.actor) == at.actor
                && event.op as usize == at.op
        })
        .collect();
    events.sort_by_key(|event| event.order);
    events
}

/// Whether one call of `read()` gave what was predicted of it.
pub(super) fn is_returned(
    matter: &Matter<'_>,
    at: At,
    number: usize,
    read: &ReadPrediction,
) -> bool {
    let events = calls_of(matter, at);
    events.get(number).is_some_and(|event| {
        event.produced == u64::from(read.bytes)
            && is_read(
                matter.case,
                read,
                data(matter.evidence, event.consumed, event.produced),
            )
    })
}

/// Whether a buffer's callback was called so, as its call of this number.
pub(super) fn is_call(matter: &Matter<'_>, key: Key, number: usize, call: &SwitchCall) -> bool {
    let cpu = u32::try_from(key.1).unwrap_or(u32::MAX);
    crate::checks::notification::is_call(matter, (key.0, cpu), number, call)
}
