//! Results, events and the bytes that user actors got.

use std::mem::offset_of;

use relaybed_abi::{
    Event, EventKind, OpResult, Phase, RB_DATA_SIZE, RB_MAX_EVENTS, RB_MAX_OPS, RB_NONE32,
    RB_OFF_DATA, RB_OFF_EVENTS, RB_OFF_RESULTS, State,
};
use zerocopy::FromZeros;

use super::ram::{fill, get, get_many};
use super::{Mailbox, ObserveError, Ram, Where};
use relaybed_case::Case;

/// What a run left in the mailbox besides the directory; named as in
/// [`Evidence`](relaybed_case::evidence::Evidence).
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "members are those of the same names in Evidence"
)]
pub struct Parts {
    pub results: Vec<Vec<OpResult>>,
    pub events: Vec<Event>,
    pub events_lost: u32,
    pub data: Vec<u8>,
    pub data_lost: u32,
    pub taint_before: u64,
    pub taint_after: u64,
    /// How often the planted defect struck.
    pub plant_done: u32,
}

impl Parts {
    /// What there is to save of a guest that never got as far: each operation idle, nothing else.
    #[must_use]
    pub fn nothing(case: &Case) -> Self {
        let idle = |ops: usize| vec![OpResult::new_zeroed(); ops];
        Self {
            results: case
                .actors
                .iter()
                .map(|actor| idle(actor.ops.len()))
                .collect(),
            events: Vec::new(),
            events_lost: 0,
            data: Vec::new(),
            data_lost: 0,
            taint_before: 0,
            taint_after: 0,
            plant_done: 0,
        }
    }
}

/// Takes them from the memory of a stopped machine, whether the case is through or not.
///
/// # Errors
/// [`ObserveError`] for states and kinds that do not exist and for results that point at bytes that
/// were never taken.
pub fn evidence_parts(
    ram: &dyn Ram,
    mailbox: &Mailbox,
    case: &Case,
) -> Result<Parts, ObserveError> {
    let counts: Vec<usize> = case.actors.iter().map(|actor| actor.ops.len()).collect();
    parts(ram, mailbox, &counts)
}

/// As [`evidence_parts`], for actors of which only the numbers of operations are known.
///
/// # Errors
/// As [`evidence_parts`].
pub fn parts(ram: &dyn Ram, mailbox: &Mailbox, counts: &[usize]) -> Result<Parts, ObserveError> {
    let header = mailbox.header(ram)?;
    let (data_len, data_lost) = split(header.n_data, RB_DATA_SIZE);
    let mut data = vec![0; data_len];
    let place = mailbox.address() + RB_OFF_DATA as u64;
    fill(ram, place, &mut data, "the data area", Where::Mailbox)?;
    let (mut events, events_lost) = events(ram, mailbox, header.n_events)?;
    for event in &mut events {
        event.op = own_op(counts, event.actor, event.op);
    }
    Ok(Parts {
        results: results(ram, mailbox, counts, header.n_data)?,
        events,
        events_lost,
        data,
        data_lost,
        taint_before: header.taint_ready,
        taint_after: header.taint_now,
        plant_done: header.plant_done,
    })
}

/// Whether the first operation of the request in the mailbox has begun. The machine may run: one word is read
/// after the other, and what they say together was so at some moment.
///
/// # Errors
/// As [`Mailbox::handshake`].
pub fn has_begun(ram: &dyn Ram, mailbox: &Mailbox, ops: usize) -> Result<bool, ObserveError> {
    let now = mailbox.handshake(ram)?;
    if now.phase != Phase::Running {
        return Ok(now.done_seq == now.request_seq);
    }
    for op in 0..ops.min(RB_MAX_OPS) {
        let place = RB_OFF_RESULTS + op * size_of::<OpResult>() + offset_of!(OpResult, state);
        let address = mailbox.address() + place as u64;
        let state: u32 = get(ram, address, "the state of an operation", Where::Mailbox)?;
        if state != State::Idle.code() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn events(ram: &dyn Ram, mailbox: &Mailbox, taken: u32) -> Result<(Vec<Event>, u32), ObserveError> {
    let (count, lost) = split(taken, RB_MAX_EVENTS);
    let place = mailbox.address() + RB_OFF_EVENTS as u64;
    let events: Vec<Event> = get_many(ram, place, count, "the event log", Where::Mailbox)?;
    for (slot, event) in events.iter().enumerate() {
        EventKind::try_from(event.kind).map_err(|source| ObserveError::Code {
            at: Where::Event(slot),
            source,
        })?;
    }
    Ok((events, lost))
}

/// The index into its actor's operations of one counted over all actors; `NONE32` where the two do
/// not belong together.
fn own_op(counts: &[usize], actor: u16, op: u32) -> u32 {
    let before: usize = counts.iter().take(actor.into()).sum();
    let count = counts.get(usize::from(actor)).copied().unwrap_or(0);
    (op as usize)
        .checked_sub(before)
        .filter(|own| *own < count)
        .and_then(|own| u32::try_from(own).ok())
        .unwrap_or(RB_NONE32)
}

fn results(
    ram: &dyn Ram,
    mailbox: &Mailbox,
    counts: &[usize],
    n_data: u32,
) -> Result<Vec<Vec<OpResult>>, ObserveError> {
    let mut results = Vec::new();
    let mut next = 0;
    for (index, count) in counts.iter().copied().enumerate() {
        let place = mailbox.address() + (RB_OFF_RESULTS + next * size_of::<OpResult>()) as u64;
        next += count;
        if next > RB_MAX_OPS {
            let (what, at) = ("the operations of the case", Where::Mailbox);
            let (seen, limit) = (next as u64, RB_MAX_OPS as u64);
            return Err(ObserveError::Beyond {
                what,
                at,
                seen,
                limit,
            });
        }
        let list: Vec<OpResult> = get_many(ram, place, count, "the results", Where::Mailbox)?;
        for (op, result) in list.iter().enumerate() {
            check_result(result, n_data, Where::Operation(index, op))?;
        }
        results.push(list);
    }
    Ok(results)
}

fn check_result(result: &OpResult, n_data: u32, at: Where) -> Result<(), ObserveError> {
    State::try_from(result.state).map_err(|source| ObserveError::Code { at, source })?;
    let seen = u64::from(result.data_offset) + u64::from(result.data_bytes);
    if result.data_bytes != 0 && seen > n_data.into() {
        let what = "its place in the data area";
        return Err(ObserveError::Beyond {
            what,
            at,
            seen,
            limit: n_data.into(),
        });
    }
    Ok(())
}

/// A count that may exceed its table: what is there, and what found no place.
fn split(taken: u32, limit: usize) -> (usize, u32) {
    let limit = u32::try_from(limit).unwrap_or(u32::MAX);
    (taken.min(limit) as usize, taken.saturating_sub(limit))
}
