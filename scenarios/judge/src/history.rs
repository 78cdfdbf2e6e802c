//! What one channel buffer held at each of its places, write by write.
//!
//! Where all that switches and writes is in one order, and no answer of the callback depends on readers
//! (overwrite mode), the ring is the same whatever readers do beside it. A write is under way for a while:
//! as long as it is, a place that it covers may show its old or its new byte.

use relaybed_abi::RB_RECORD_HEADER;

use relaybed_case::{Actor, Case, ChannelIndex, Cpu, Op};
use relaybed_contract::content::{Stuff, is_told, stuff};
use relaybed_contract::order::At;
use relaybed_contract::{Buffer, Fate, Geometry, Piece, Prediction, Slot, Source};

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
                    let reserve = via.is_reserve();
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
        log: &mut Vec<relaybed_contract::SwitchCall>,
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

    /// Every place.
    pub(super) fn anywhere(&self) -> Vec<usize> {
        (0..self.places.len()).collect()
    }

    /// Follows a reader through the bytes that one call gave. It starts at one of `starts` or where a
    /// sub-buffer does, behind write `since`. Gives where it may be then; the first byte that the buffer
    /// did not hold wherever the reader may have been; or that this is too much to be looked at.
    pub(super) fn follow(
        &self,
        bytes: &[u8],
        (starts, since): (&[usize], u32),
        budget: &mut u64,
    ) -> Followed {
        // A reader goes forward, or on to the beginning of a sub-buffer; time runs in one direction.
        let mut states: Vec<(usize, u32)> = starts.iter().map(|at| (*at, since)).collect();
        self.advance_to_starts(&mut states, since);
        for (index, byte) in bytes.iter().enumerate() {
            *budget = budget.saturating_sub(states.len() as u64);
            if *budget == 0 {
                return Followed::TooMuch;
            }
            states.retain_mut(|(place, time)| match self.shows(*place, *byte, *time) {
                Some(seen) => {
                    *time = seen;
                    true
                }
                None => false,
            });
            let Some(earliest) = states.iter().map(|(_, time)| *time).min() else {
                return Followed::Lost { at: index };
            };
            for (place, _) in &mut states {
                *place += 1;
            }
            self.advance_to_starts(&mut states, earliest);
        }
        let since = states.iter().map(|(_, time)| *time).min();
        Followed::Through {
            places: states.into_iter().map(|(place, _)| place).collect(),
            since: since.unwrap_or(0),
        }
    }

    /// Whoever reads may go on at the beginning of any sub-buffer.
    fn advance_to_starts(&self, states: &mut Vec<(usize, u32)>, earliest: u32) {
        states.retain(|(place, _)| !place.is_multiple_of(self.subbuf_size));
        states.extend(
            (0..self.places.len())
                .step_by(self.subbuf_size)
                .map(|start| (start, earliest)),
        );
    }
}

/// What came of following a reader through one call.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Followed {
    /// Every byte is explained.
    Through {
        /// Where the reader may be now.
        places: Vec<usize>,
        /// It has seen this write.
        since: u32,
    },
    /// This byte is not.
    Lost {
        /// Which of the call.
        at: usize,
    },
    /// The budget is used up.
    TooMuch,
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
        Op::Write { channel: of, .. } | Op::Switch { channel: of, .. }
            if *of == channel && here =>
        {
            // What is nested lies in the middle of another write.
            let nested =
                actor.is_nested() || case.actors.iter().any(|other| is_guest(other, actor));
            (!nested).then_some(true)
        }
        _ => Some(false),
    }
}

/// Whether `other` may be nested on a write of `actor`: on its CPU, at least.
fn is_guest(other: &Actor, actor: &Actor) -> bool {
    other.is_nested() && other.cpu() == actor.cpu()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::cases::{case, channel, producer, records};
    use relaybed_case::Mode;
    use relaybed_contract::{Behaviour, behaviour::version, predict};

    /// Three laps of a small ring, and its history.
    fn laps() -> (Case, History) {
        let writer = producer("writer", 0, vec![records(40, 90, 40)]);
        let case = case(channel(200, 4, Mode::Overwrite), vec![writer], 0);
        let prediction = predict(&case, &Behaviour::of(version(6, 1)), 2);
        let history = History::of(&case, &prediction, (0, 0)).expect("one writer is in order");
        (case, history)
    }

    /// What `len` places from `start` on showed behind a write.
    fn shown(history: &History, start: usize, len: usize, write: u32) -> Vec<u8> {
        (start..start + len)
            .map(|place| {
                let held = &history.places[place];
                let last = held.partition_point(|held| held.write <= write) - 1;
                held[last].byte.unwrap_or(0x5a)
            })
            .collect()
    }

    fn follow_from(history: &History, bytes: &[u8], since: u32) -> Followed {
        history.follow(bytes, (&history.anywhere(), since), &mut (1 << 24))
    }

    fn lost_at(history: &History, bytes: &[u8]) -> Option<usize> {
        match follow_from(history, bytes, 0) {
            Followed::Lost { at } => Some(at),
            Followed::Through { .. } => None,
            Followed::TooMuch => panic!("it is not much"),
        }
    }

    #[test]
    fn what_was_there_is_followed_however_it_is_torn() {
        let (_, history) = laps();
        assert_eq!(lost_at(&history, &[]), None);
        for write in [1, 5, 20, history.writes] {
            let whole = shown(&history, 30, 500, write);
            assert_eq!(lost_at(&history, &whole), None, "write {write}");
        }
        // Overtaken in the middle, then on to another sub-buffer; never-written zeroes are what pages have.
        let mut torn = shown(&history, 30, 101, 4);
        torn.extend(shown(&history, 131, 300, 25));
        torn.extend(shown(&history, 0, 150, 33));
        assert_eq!(lost_at(&history, &torn), None);
        assert_eq!(lost_at(&history, &[0; 64]), None);
    }

    #[test]
    fn foreign_bytes_older_bytes_and_too_many_are_found() {
        let (_, history) = laps();
        let early = shown(&history, 10, 120, 3);
        let mut foreign = early.clone();
        foreign.extend((0..40u8).map(|at| at.wrapping_mul(37) ^ 0xa5));
        let at = lost_at(&history, &foreign).expect("nobody wrote those");
        assert!((120..140).contains(&at), "{at}");

        // Time does not run backwards: an old lap behind the newest.
        let mut older = shown(&history, 10, 150, history.writes);
        older.extend(shown(&history, 160, 40, 3));
        assert!(lost_at(&history, &older).is_some());

        // Nor does what a reader saw in an earlier call.
        let late = shown(&history, 10, 150, history.writes);
        let Followed::Through { since, places } = follow_from(&history, &late, 0) else {
            panic!("it is there");
        };
        assert!(since > 20 && places.contains(&160), "{since} {places:?}");
        assert!(matches!(
            follow_from(&history, &early, since),
            Followed::Lost { .. }
        ));

        let beyond: Vec<u8> = shown(&history, 600, 200, history.writes)
            .into_iter()
            .chain(std::iter::repeat_n(0, 64))
            .collect();
        assert!(lost_at(&history, &beyond).is_some());
    }

    #[test]
    fn what_is_not_in_one_order_has_no_history() {
        let writers = (0..2).map(|i| producer(&format!("w{i}"), 0, vec![records(40, 90, 3)]));
        let racing = case(channel(200, 4, Mode::Overwrite), writers.collect(), 0);
        let prediction = predict(&racing, &Behaviour::of(version(6, 1)), 2);
        assert!(History::of(&racing, &prediction, (0, 0)).is_none());
        assert!(History::of(&racing, &prediction, (0, 1)).is_some());
    }
}
