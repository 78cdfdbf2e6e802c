//! What the evidence says of the order of things: places in the machine-wide count.

use std::collections::{BTreeMap, BTreeSet};

use relaybed_abi::{Event, EventKind, OpResult, State};
use relaybed_case::{Case, FileCall, Op};
use relaybed_contract::Source;
use relaybed_contract::order::{At, operations};
use relaybed_contract::predict::{Key, changes, sees};
use relaybed_twin::{self as twin, Footprint};

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
    /// What it does at a gate, a callback or the filling of a slot, has waited long enough.
    Stalled(At),
    /// An opening has made this CPU's file, and its client waits.
    Made(At, usize),
    /// Its client has waited long enough.
    Goes(At),
}

/// The marks in their order, and which operations are to be run in single accesses.
#[derive(Clone, Debug)]
pub(super) struct Marks {
    pub(super) all: Vec<Mark>,
    /// Operations that meet others on a buffer.
    pub(super) met: BTreeSet<At>,
    /// Openings that wait behind the making of a file.
    pub(super) held: BTreeSet<At>,
    /// What those others may access.
    beside: BTreeMap<At, Footprint>,
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
        let beside = if led {
            BTreeMap::new()
        } else {
            beside(matter, &spans)
        };
        let met: BTreeSet<At> = if led {
            let all = spans.iter().map(|(at, ..)| *at);
            all.filter(|at| is_stepped(case, *at)).collect()
        } else {
            beside.keys().copied().collect()
        };
        let mut held = BTreeSet::new();
        for event in &matter.evidence.events {
            let at = At {
                actor: usize::from(event.actor),
                op: event.op as usize,
            };
            if let Some(mark) = half_way(case, at, event) {
                held.insert(at);
                marks.push((event.order, mark));
                continue;
            }
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
            held,
            beside,
        })
    }

    /// Whether a step of an operation can come before or after anything that others do meanwhile.
    pub(super) fn is_apart(&self, at: At, step: &twin::Step) -> bool {
        let beside = self.beside.get(&at);
        beside.is_some_and(|beside| Footprint::of_step(step).commutes(beside))
    }
}

/// What an event says of an opening that waits behind the making of a file.
fn half_way(case: &Case, at: At, event: &Event) -> Option<Mark> {
    let op = case.actors.get(at.actor)?.ops.get(at.op)?;
    let Op::Open { channel } = op else {
        return None;
    };
    let cpu = usize::from(event.buf_cpu);
    let created = case.channels[*channel].client.created?;
    match EventKind::try_from(event.kind) {
        Ok(EventKind::CreateFile) if event.verdict == 1 && created.covers(cpu) => {
            Some(Mark::Made(at, cpu))
        }
        Ok(EventKind::Stall) => Some(Mark::Goes(at)),
        _ => None,
    }
}

/// Operations that can be run in single accesses and overlap with others on the same buffer, with what
/// those others may access.
fn beside(matter: &Matter<'_>, spans: &[(At, u32, u32)]) -> BTreeMap<At, Footprint> {
    let cpus = matter.prediction.online_cpus;
    let keys: Vec<Vec<Key>> = spans
        .iter()
        .map(|(at, ..)| touched(matter.case, *at, cpus))
        .collect();
    let mut all = BTreeMap::new();
    for (i, (at, from, to)) in spans.iter().enumerate() {
        if !is_stepped(matter.case, *at) {
            continue;
        }
        for (j, (other, begin, end)) in spans.iter().enumerate() {
            let overlaps = other.actor != at.actor && begin < to && from < end;
            if overlaps && keys[i].iter().any(|key| keys[j].contains(key)) {
                let footprint: &mut Footprint = all.entry(*at).or_default();
                *footprint = footprint.and(footprint_of(matter.case, *other));
            }
        }
    }
    all
}

/// What an operation may access of a buffer.
fn footprint_of(case: &Case, at: At) -> Footprint {
    let no_record = Source::Record {
        actor: 0,
        op: 0,
        seq: 0,
    };
    let op = match &case.actors[at.actor].ops[at.op] {
        Op::Write { .. } => twin::Op::Write {
            source: no_record,
            len: 0,
        },
        Op::Switch { .. } => twin::Op::Switch { len: 0 },
        Op::Flush { .. } => twin::Op::Flush,
        Op::Reset { .. } => twin::Op::Reset,
        Op::Consumed { .. } => twin::Op::Consumed { n: 0 },
        Op::BufFull { .. } => twin::Op::BufFull,
        Op::FileRead { .. }
        | Op::File {
            call: FileCall::Readv { .. },
            ..
        } => twin::Op::Read {
            size: 0,
            is_nowhere: false,
        },
        Op::FilePoll { .. } => twin::Op::Poll { waits: true },
        _ => return Footprint::ALL,
    };
    // Whoever is interrupted does what comes in its middle too.
    match case.guest(at.actor, at.op) {
        None => Footprint::of_op(&op, true),
        Some(_) => Footprint::ALL,
    }
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
        | Op::FileRead { .. }
        | Op::File {
            call: FileCall::Readv { .. },
            ..
        } => true,
        _ => false,
    }
}

pub(super) fn result<'a>(matter: &Matter<'a>, at: At) -> Option<&'a OpResult> {
    matter.evidence.results.get(at.actor)?.get(at.op)
}
