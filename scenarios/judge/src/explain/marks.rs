//! What the evidence says of the order of things: places in the machine-wide count.

use std::collections::BTreeSet;

use relaybed_abi::{EventKind, OpResult, State};
use relaybed_case::{Case, Op};
use relaybed_contract::order::{At, operations};
use relaybed_contract::predict::{Key, changes, sees};

use crate::matter::Matter;

/// What happens at a place of the count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// An operation begins.
    Begin(At),
    /// An operation is over.
    End(At),
    /// A callback of an operation that others meet half way looks at the counts for its event.
    Called(At),
    /// One of its calls of `read()` has returned.
    Read(At),
    /// Its callback has waited long enough.
    Stalled(At),
}

/// The marks in their order, and which operations are to be run in single accesses.
#[derive(Clone, Debug)]
pub(super) struct Marks {
    pub(super) all: Vec<Mark>,
    /// Operations that meet others on a buffer.
    pub(super) met: BTreeSet<At>,
}

impl Marks {
    /// The marks of everything that was done; none if numbers repeat or run back. Where it is `led`, every
    /// operation that can be is run in single accesses.
    pub(super) fn of(matter: &Matter<'_>, led: bool) -> Option<Self> {
        let case = matter.case;
        let mut spans = Vec::new();
        let mut marks = Vec::new();
        for at in operations(case).filter(|at| !case.actors[at.actor].is_nested()) {
            let result = result(matter, at)?;
            if result.state == State::Idle.code() {
                continue;
            }
            let done = result.state == State::Done.code();
            let end = if done { result.order_end } else { u32::MAX };
            if result.order_start >= end {
                return None;
            }
            spans.push((at, result.order_start, end));
            marks.push((result.order_start, Mark::Begin(at)));
            if done {
                marks.push((end, Mark::End(at)));
            }
        }
        let met = if led {
            let all = spans.iter().map(|(at, ..)| *at);
            all.filter(|at| is_stepped(case, *at)).collect()
        } else {
            met(matter, &spans)
        };
        for event in &matter.evidence.events {
            let at = At {
                actor: usize::from(event.actor),
                op: event.op as usize,
            };
            if !met.contains(&at) {
                continue;
            }
            let mark = match EventKind::try_from(event.kind) {
                Ok(EventKind::SubbufStart) => Mark::Called(at),
                Ok(EventKind::Read) => Mark::Read(at),
                Ok(EventKind::Stall) => Mark::Stalled(at),
                _ => continue,
            };
            marks.push((event.order, mark));
        }
        marks.sort_by_key(|(order, _)| *order);
        let repeats = marks.windows(2).any(|pair| pair[0].0 == pair[1].0);
        (!repeats).then(|| Self {
            all: marks.into_iter().map(|(_, mark)| mark).collect(),
            met,
        })
    }
}

/// Operations that can be run in single accesses, and overlap with another on the same buffer.
fn met(matter: &Matter<'_>, spans: &[(At, u32, u32)]) -> BTreeSet<At> {
    let cpus = matter.prediction.online_cpus;
    let keys: Vec<Vec<Key>> = spans
        .iter()
        .map(|(at, ..)| touched(matter.case, *at, cpus))
        .collect();
    let meets = |(i, (at, from, to)): (usize, &(At, u32, u32))| {
        is_stepped(matter.case, *at)
            && spans.iter().enumerate().any(|(j, (other, begin, end))| {
                other.actor != at.actor
                    && begin < to
                    && from < end
                    && keys[i].iter().any(|key| keys[j].contains(key))
            })
    };
    let all = spans.iter().enumerate().filter(|span| meets(*span));
    all.map(|(_, (at, ..))| *at).collect()
}

/// Buffers that an operation changes or looks at.
fn touched(case: &Case, at: At, cpus: u32) -> Vec<Key> {
    let mut keys = changes(case, at, cpus);
    keys.extend(sees(case, at, cpus));
    keys
}

/// Whether the operation is nothing but relay's algorithm on buffers.
fn is_stepped(case: &Case, at: At) -> bool {
    match &case.actors[at.actor].ops[at.op] {
        Op::Write { .. } => case.guest(at.actor, at.op).is_none(),
        Op::Switch { .. }
        | Op::Flush { .. }
        | Op::Reset { .. }
        | Op::Consumed { .. }
        | Op::BufFull { .. }
        | Op::FileRead { .. } => true,
        _ => false,
    }
}

pub(super) fn result<'a>(matter: &Matter<'a>, at: At) -> Option<&'a OpResult> {
    matter.evidence.results.get(at.actor)?.get(at.op)
}
