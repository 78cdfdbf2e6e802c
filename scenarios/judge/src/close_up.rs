//! What a finding is about, from near: bytes seen beside those that must be there, and the neighbours of a record
//! that is missing.

use relaybed_abi::RB_RECORD_HEADER;

use relaybed_case::Case;
use relaybed_case::evidence::Evidence;
use relaybed_case::finding::{Bytes, Conservation, Finding, Integrity, Plain, Record, What};
use relaybed_contract::content::{Stuff, is_told, stuff};
use relaybed_contract::{Behaviour, Buffer, Piece, Prediction, Source, predict};

use super::content::data;
use super::identify::Writers;
use super::matter::{Matter, buffer_of, subbuf_bytes};
use super::streams::{CPUS_MAX, streams};

/// Where bytes were seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Area {
    /// In a channel buffer.
    Buffer,
    /// In what a buffer's readers got, and left unread.
    Stream,
    /// In what one operation read.
    Read,
}

/// Bytes as they were seen, beside those that must be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beside {
    /// Where they were seen.
    pub area: Area,
    /// Offset of the first of them in that area.
    pub start: u64,
    /// The bytes.
    pub seen: Vec<u8>,
    /// Those that must be there, as far as that is known.
    pub expected: Vec<Option<u8>>,
    /// The byte that the finding names, among them.
    pub mark: usize,
}

/// A record in a channel buffer, and the offset of its first byte there.
pub type Neighbour = (Record, u64);

/// What a finding is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CloseUp {
    /// The bytes at its place.
    pub bytes: Option<Beside>,
    /// Of a missing record: the one that must stand before it, and the one behind it.
    pub between: Option<(Option<Neighbour>, Option<Neighbour>)>,
}

/// What a finding of this evidence is about; empty where it names no bytes.
#[must_use]
pub fn close_up(case: &Case, evidence: &Evidence, finding: &Finding) -> CloseUp {
    let behaviour = Behaviour::of(evidence.setting.linux_version);
    let prediction = predict(case, &behaviour, evidence.setting.vcpus.min(CPUS_MAX));
    let view = View {
        case,
        evidence,
        prediction: &prediction,
        finding,
    };
    CloseUp {
        bytes: view.bytes(),
        between: view.between(),
    }
}

struct View<'a> {
    case: &'a Case,
    evidence: &'a Evidence,
    prediction: &'a Prediction,
    finding: &'a Finding,
}

impl View<'_> {
    fn bytes(&self) -> Option<Beside> {
        let at = &self.finding.at;
        match (&at.actor, at.op, at.cpu, at.observation) {
            (Some(actor), Some(op), None, _) => self.read(actor, op),
            (_, _, Some(cpu), Some(observation)) => self.buffer(cpu, observation),
            (None, None, Some(cpu), None) => self.stream(cpu),
            _ => None,
        }
    }

    fn channel(&self) -> Option<usize> {
        let name = self.finding.at.channel.as_deref()?;
        self.case.channels.iter().position(|c| c.name == name)
    }

    /// The sub-buffer that the finding names.
    fn buffer(&self, cpu: u32, observation: usize) -> Option<Beside> {
        let at = &self.finding.at;
        let channel = self.channel()?;
        let seen = self.evidence.observations.get(observation)?;
        let model = self.model(channel, cpu, seen.at);
        let geometry = relaybed_contract::Geometry::of(self.case.channels.get(channel)?);
        let size = geometry.subbuf_size;
        let offset = at.offset.or_else(|| at.subbuf?.checked_mul(size))?;
        let slot = usize::try_from(offset.checked_div(size)?).ok()?;
        let seen = buffer_of(seen.channels.get(channel)?, cpu)?;
        let seen = subbuf_bytes(&geometry, seen, slot).to_vec();
        let mut expected = vec![None; seen.len()];
        if let Some(contents) = model.and_then(|model| model.subbufs.get(slot)) {
            let pieces = contents.current.iter();
            pieces.for_each(|piece| self.put(piece, piece.start as usize, &mut expected));
        }
        let start = slot as u64 * size;
        let mark = usize::try_from(offset - start).ok()?;
        self.put_torn(mark, &mut expected);
        let beside = Beside {
            area: Area::Buffer,
            start,
            seen,
            expected,
            mark,
        };
        (mark < beside.seen.len()).then_some(beside)
    }

    fn model(&self, channel: usize, cpu: u32, at: Option<(usize, usize)>) -> Option<&Buffer> {
        let moment = self.prediction.moment(at)?.channels.get(channel)?;
        moment.buffers.get(cpu as usize)?.as_ref()
    }

    /// What the operation read.
    fn read(&self, actor: &str, op: usize) -> Option<Beside> {
        let mark = usize::try_from(self.finding.at.offset?).ok()?;
        let actor = self.case.actors.iter().position(|a| a.name == actor)?;
        let result = self.evidence.results.get(actor)?.get(op)?;
        let (start, len) = (result.data_offset, result.data_bytes);
        let seen = data(self.evidence, start.into(), len.into()).to_vec();
        let predicted = self.prediction.op(actor, op)?;
        let mut expected = Vec::new();
        for read in predicted.reads.iter().flatten() {
            let from = expected.len();
            // Nothing was ever written where no piece is.
            expected.resize(from + read.bytes as usize, Some(0));
            for piece in &read.pieces {
                self.put(piece, from + piece.start as usize, &mut expected);
            }
        }
        if let Some(copied) = &predicted.copied {
            let size = usize::try_from(copied.buffer.geometry.subbuf_size).ok()?;
            expected.resize(seen.len(), None);
            for (slot, contents) in copied.buffer.subbufs.iter().enumerate() {
                for piece in &contents.current {
                    self.put(piece, slot * size + piece.start as usize, &mut expected);
                }
            }
        }
        Some(Beside {
            area: Area::Read,
            start: 0,
            seen,
            expected,
            mark,
        })
    }

    /// What all readers of a buffer got.
    fn stream(&self, cpu: u32) -> Option<Beside> {
        let mark = usize::try_from(self.finding.at.offset?).ok()?;
        let channel = self.channel()?;
        let mut streams = streams(self.case, self.evidence).into_iter();
        let stream = streams.find(|stream| (stream.channel, stream.cpu) == (channel, cpu))?;
        let mut expected = vec![None; stream.bytes.len()];
        self.put_torn(mark, &mut expected);
        Some(Beside {
            area: Area::Stream,
            start: 0,
            seen: stream.bytes,
            expected,
            mark,
        })
    }

    /// The bytes of a torn record, whose wrong byte is at `mark`.
    fn put_torn(&self, mark: usize, expected: &mut [Option<u8>]) {
        let What::Integrity(Integrity::Torn {
            record,
            len,
            wrong_at,
        }) = &self.finding.what
        else {
            return;
        };
        let (Some(source), Bytes(len)) = (self.source(record), *len) else {
            return;
        };
        let wrong_at = usize::try_from(*wrong_at).unwrap_or(usize::MAX);
        let (Some(start), Ok(total)) = (mark.checked_sub(wrong_at), u32::try_from(len)) else {
            return;
        };
        let piece = Piece {
            source,
            start: 0,
            len: total,
            from: 0,
            total,
        };
        self.put(&piece, start, expected);
    }

    fn source(&self, record: &Record) -> Option<Source> {
        let Record::Named { number, actor } = record else {
            return None;
        };
        let named = |a: &relaybed_case::Actor| Plain::from(a.name.as_str()) == *actor;
        let actor = u16::try_from(self.case.actors.iter().position(named)?).ok()?;
        let writers = Writers::of(self.case);
        let op = writers.find(actor, *number)?.op;
        let seq = *number;
        Some(Source::Record { actor, op, seq })
    }

    /// Writes what is known of a piece's bytes to `expected`, from `start` on.
    fn put(&self, piece: &Piece, start: usize, expected: &mut [Option<u8>]) {
        let Some(stuff) = stuff(self.case, piece.source, piece.total) else {
            return;
        };
        let room = expected.len().saturating_sub(start);
        let mut bytes = vec![0; room.min(piece.len as usize)];
        stuff.render(piece.from as usize, 0, &mut bytes);
        let has_header = matches!(
            stuff,
            Stuff::Pattern {
                header: Some(_),
                ..
            }
        );
        let is_open = |at: usize| has_header && at < RB_RECORD_HEADER && !is_told(at);
        let places = expected.iter_mut().skip(start);
        for (index, (place, byte)) in places.zip(bytes).enumerate() {
            *place = (!is_open(piece.from as usize + index)).then_some(byte);
        }
    }

    /// The neighbours of a missing record.
    fn between(&self) -> Option<(Option<Neighbour>, Option<Neighbour>)> {
        match &self.finding.what {
            What::Conservation(Conservation::Missing { record, .. }) => self.in_model(record),
            What::Conservation(Conservation::Lost { first, .. }) => self.in_buffer(first),
            _ => None,
        }
    }

    /// Where the model has it.
    fn in_model(&self, record: &Record) -> Option<(Option<Neighbour>, Option<Neighbour>)> {
        let at = &self.finding.at;
        let observation = self.evidence.observations.get(at.observation?)?;
        let model = self.model(self.channel()?, at.cpu?, observation.at)?;
        let size = model.geometry.subbuf_size;
        // Oldest first: the slot behind the current one.
        let slots = model.subbufs.len();
        let order = (1..=slots).map(|behind| (model.data.0 + behind) % slots.max(1));
        let records: Vec<Neighbour> = order
            .flat_map(|slot| {
                let pieces = model.subbufs[slot].current.iter();
                pieces.map(move |piece| (piece, slot as u64 * size + u64::from(piece.start)))
            })
            .filter_map(|(piece, offset)| Some((self.record(piece)?, offset)))
            .collect();
        let index = records.iter().position(|(of, _)| of == record)?;
        let before = index.checked_sub(1).and_then(|index| records.get(index));
        Some((before.cloned(), records.get(index + 1).cloned()))
    }

    fn record(&self, piece: &Piece) -> Option<Record> {
        let Source::Record { actor, seq, .. } = piece.source else {
            return None;
        };
        let actor = self.case.actors.get(usize::from(actor))?;
        Some(Record::Named {
            number: seq,
            actor: actor.name.as_str().into(),
        })
    }

    /// Where the bytes have its producer's other records.
    fn in_buffer(&self, record: &Record) -> Option<(Option<Neighbour>, Option<Neighbour>)> {
        let at = &self.finding.at;
        let (channel, cpu) = (self.channel()?, at.cpu?);
        let Source::Record { actor, seq, .. } = self.source(record)? else {
            return None;
        };
        let writers = Writers::of(self.case);
        let matter = Matter::new(self.case, self.prediction, self.evidence, &writers);
        let of = (channel, cpu);
        let mut found: Vec<(u32, u64)> = match at.observation {
            Some(observation) => {
                let mut buffers = matter.buffers.iter();
                let parsed = buffers
                    .find(|p| p.observation == observation && (p.channel, p.seen.cpu) == of)?;
                let offset = |slot: usize, start: u32| {
                    slot as u64 * parsed.geometry.subbuf_size + u64::from(start)
                };
                let all = parsed.each().flat_map(|(section, records, _)| {
                    let own = records.iter().filter(|found| found.actor == actor);
                    own.map(move |found| (found.seq, offset(section.slot, found.start)))
                });
                all.collect()
            }
            None => {
                let mut streams = matter.streams.iter();
                let stream = streams.find(|stream| (stream.channel, stream.cpu) == of)?;
                let own = stream.records.iter().filter(|found| found.actor == actor);
                own.map(|found| (found.seq, u64::from(found.start)))
                    .collect()
            }
        };
        found.sort_unstable();
        let named = |(number, offset): &(u32, u64)| {
            let Record::Named { actor, .. } = record else {
                return None;
            };
            let (number, actor) = (*number, actor.clone());
            Some((Record::Named { number, actor }, *offset))
        };
        let behind = found.partition_point(|(number, _)| *number < seq);
        let before = behind.checked_sub(1).and_then(|index| found.get(index));
        Some((before.and_then(named), found.get(behind).and_then(named)))
    }
}
