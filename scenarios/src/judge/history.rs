//! What one channel buffer held at each of its places, write by write.
//!
//! Where all that switches and writes is in one order, and no answer of the callback depends on readers
//! (overwrite mode), the ring is the same whatever readers do beside it. A write is under way for a while:
//! as long as it is, a place that it covers may show its old or its new byte.

use relaybed_abi::RB_RECORD_HEADER;

use crate::case::{Actor, Case, ChannelIndex, Cpu, Op};
use crate::model::content::{Stuff, is_told, stuff};
use crate::model::order::At;
use crate::model::{Buffer, Fate, Geometry, Piece, Prediction, Slot, Source};

use super::matter::{is_logged_into, is_no_overwrite, is_stored_into};

/// Bytes written to one buffer, and places of it, that are kept, at most.
const BYTES_MAX: u64 = 4 << 20;

/// A byte that a place held from a write on.
#[derive(Clone, Copy, Debug)]
struct Held {
    /// Number of the write that put it there.
    write: u32,
    /// The byte; `None`: one that cannot be told, of a time or a checksum.
    byte: Option<u8>,
}

/// What each place of one buffer held, in the order in which it did.
#[derive(Clone, Debug)]
pub(super) struct History {
    places: Vec<Vec<Held>>,
    writes: u32,
    subbuf_size: usize,
}

impl History {
    /// The history of a buffer in overwrite mode; `None` where it is not determined, or too long.
    pub(super) fn of(
        case: &Case,
        prediction: &Prediction,
        (channel, cpu): (ChannelIndex, Cpu),
    ) -> Option<Self> {
        let spec = case.channels.get(channel)?;
        if is_no_overwrite(spec)
            || !spec.open_at_start
            || is_logged_into(case, channel)
            || is_stored_into(case, (channel, cpu))
        {
            return None;
        }
        let mut history = Self::blank(Geometry::of(spec))?;
        let mut log = Vec::new();
        let mut buffer = Buffer::open(Geometry::of(spec), &mut log);
        history.begun(case, &buffer, Slot(0));
        let mut last: Option<At> = None;
        for at in &prediction.order.line {
            let actor = case.actors.get(at.actor)?;
            let op = actor.ops.get(at.op)?;
            if !changes(case, actor, op, (channel, cpu))? {
                continue;
            }
            if last.is_some_and(|last| !prediction.order.is_before(last, *at)) {
                return None;
            }
            last = Some(*at);
            history.perform(case, &mut buffer, *at)?;
        }
        prediction.order.stuck.is_empty().then_some(history)
    }

    /// A ring of zeroes, as relay allocates it.
    fn blank(geometry: Geometry) -> Option<Self> {
        let bytes = geometry.subbuf_size.checked_mul(geometry.n_subbufs)?;
        if bytes == 0 || bytes > BYTES_MAX {
            return None;
        }
        let zero = Held {
            write: 0,
            byte: Some(0),
        };
        Some(Self {
            places: vec![vec![zero]; usize::try_from(bytes).ok()?],
            writes: 0,
            subbuf_size: usize::try_from(geometry.subbuf_size).ok()?,
        })
    }

    fn perform(&mut self, case: &Case, buffer: &mut Buffer, at: At) -> Option<()> {
        let actor = &case.actors[at.actor];
        let mut log = Vec::new();
        match &actor.ops[at.op] {
            Op::Write {
                via,
                payload,
                count,
                ..
            } => {
                let first = actor.first_record(at.op);
                for seq in first..first.saturating_add(*count) {
                    let len = payload.len(case.seed, at.actor, seq);
                    let source = Source::Record {
                        actor: u16::try_from(at.actor).ok()?,
                        op: u16::try_from(at.op).ok()?,
                        seq,
                    };
                    let reserve = *via == crate::case::Via::Reserve;
                    let fate = buffer.write(source, len, reserve, &mut log);
                    self.switched(case, buffer, &mut log);
                    if fate == Fate::Accepted && len > 0 {
                        let piece = *buffer.subbufs[buffer.data.0].current.last()?;
                        self.put(case, buffer.data, &piece);
                    }
                    if u64::from(self.writes) > BYTES_MAX {
                        return None;
                    }
                }
            }
            Op::Switch { len, .. } => {
                buffer.switch_for(*len, &mut log);
            }
            _ => buffer.flush(&mut log),
        }
        self.switched(case, buffer, &mut log);
        Some(())
    }

    /// The headers of the sub-buffers that began.
    fn switched(
        &mut self,
        case: &Case,
        buffer: &Buffer,
        log: &mut Vec<crate::model::SwitchCall>,
    ) {
        for call in log.drain(..).filter(|call| call.accepted) {
            self.begun(case, buffer, call.new);
        }
    }

    fn begun(&mut self, case: &Case, buffer: &Buffer, slot: Slot) {
        let header = buffer.subbufs.get(slot.0).and_then(|s| s.current.first());
        if let Some(piece) = header.filter(|p| matches!(p.source, Source::Header { .. })) {
            self.put(case, slot, &piece.clone());
        }
    }

    fn put(&mut self, case: &Case, slot: Slot, piece: &Piece) {
        self.writes += 1;
        let mut bytes = vec![0; piece.len as usize];
        let stuff = stuff(case, piece.source, piece.total);
        if let Some(stuff) = &stuff {
            stuff.render(piece.from as usize, 0, &mut bytes);
        }
        let has_header = matches!(
            &stuff,
            Some(Stuff::Pattern {
                header: Some(_),
                ..
            })
        );
        let start = slot.0 * self.subbuf_size + piece.start as usize;
        for (at, byte) in bytes.into_iter().enumerate() {
            let from = piece.from as usize + at;
            let told = !has_header || from >= RB_RECORD_HEADER || is_told(from);
            if let Some(place) = self.places.get_mut(start + at) {
                place.push(Held {
                    write: self.writes,
                    byte: told.then_some(byte),
                });
            }
        }
    }

    /// The earliest write, from `from` on, during or after which the place shows the byte.
    fn shows(&self, place: usize, byte: u8, from: u32) -> Option<u32> {
        let held = self.places.get(place)?;
        // The entry before the first that is later still shows while that one is written.
        let first = held.partition_point(|held| held.write < from).max(1) - 1;
        held[first..]
            .iter()
            .find(|held| held.byte.is_none_or(|told| told == byte))
            .map(|held| held.write.max(from))
    }

    /// Follows a reader: gives the first of `bytes`, which one call gave, that the buffer did not hold
    /// anywhere a reader may have been by then. `since` is the write behind which the reader is by now,
    /// and moves on. `None` within: too much to be looked at.
    pub(super) fn follow(&self, bytes: &[u8], since: &mut u32, budget: &mut u64) -> Option<usize> {
        // A reader goes forward, or on to the beginning of a sub-buffer; it sees no place twice in a
        // call that was not written in between, and time runs in one direction.
        let mut states: Vec<(usize, u32)> = (0..self.places.len()).map(|at| (at, *since)).collect();
        for (index, byte) in bytes.iter().enumerate() {
            *budget = budget.saturating_sub(states.len() as u64);
            if *budget == 0 {
                return None;
            }
            states.retain_mut(|(place, time)| match self.shows(*place, *byte, *time) {
                Some(seen) => {
                    *time = seen;
                    true
                }
                None => false,
            });
            let Some(earliest) = states.iter().map(|(_, time)| *time).min() else {
                return Some(index);
            };
            if index + 1 == bytes.len() {
                *since = earliest;
                break;
            }
            self.advance(&mut states, earliest);
        }
        None
    }

    /// Each reader that is possible goes on by a byte, or to the beginning of any sub-buffer.
    fn advance(&self, states: &mut Vec<(usize, u32)>, earliest: u32) {
        for (place, _) in states.iter_mut() {
            *place += 1;
        }
        states.retain(|(place, _)| !place.is_multiple_of(self.subbuf_size));
        states.extend(
            (0..self.places.len())
                .step_by(self.subbuf_size)
                .map(|start| (start, earliest)),
        );
    }
}

/// Whether an operation changes what the buffer holds; `None`: in a way that is not followed here.
fn changes(
    case: &Case,
    actor: &Actor,
    op: &Op,
    (channel, cpu): (ChannelIndex, Cpu),
) -> Option<bool> {
    let spec = &case.channels[channel];
    let here = actor.cpu().map(|own| spec.buffer_cpu(own)) == Some(cpu);
    match op {
        Op::Open { channel: of } | Op::Close { channel: of } | Op::Reset { channel: of }
            if *of == channel =>
        {
            None
        }
        Op::CpuOff { .. } | Op::CpuOn { .. } => None,
        Op::Flush { channel: of } => Some(*of == channel),
        Op::Write { channel: of, .. } | Op::Switch { channel: of, .. } if *of == channel && here => {
            // What is nested lies in the middle of another write.
            let nested = actor.is_nested() || case.actors.iter().any(|other| is_guest(other, actor));
            (!nested).then_some(true)
        }
        _ => Some(false),
    }
}

/// Whether `other` may be nested on a write of `actor`: on its CPU, at least.
fn is_guest(other: &Actor, actor: &Actor) -> bool {
    other.is_nested() && other.cpu() == actor.cpu()
}
