//! Sub-buffers' bytes as records, parsed once.
//!
//! Where the model knows what stands in a sub-buffer it serves as a hint for records that cannot name
//! themselves; what is reported is what the bytes say.

use relaybed_abi::{RB_HEADER_ACTOR, RB_RECORD_MAGIC, pattern_mismatch};

use relaybed_case::Case;
use relaybed_contract::buffer::{Piece, Source};

use super::identify::{Known, Writers};

/// Expected records around the next one that a record is compared with.
const NEAR: usize = 4;

/// A record that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where it starts in its section.
    pub start: u32,
    /// Its length in bytes.
    pub len: u32,
    /// The actor.
    pub actor: u16,
    /// Its operation.
    pub op: u16,
    /// Number of the record.
    pub seq: u32,
    /// Its time; 0 without header.
    pub time_ns: u64,
}

/// What is wrong with a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The record is there, but not all of its bytes: the first wrong one.
    Torn {
        /// Its offset in the record.
        wrong_at: u32,
    },
    /// A whole record starts this many bytes behind its place.
    Displaced {
        /// How many.
        by: u32,
    },
    /// The place of a record shows what was there before it.
    Stale,
    /// Bytes that no producer wrote.
    Junk,
    /// A record goes on where the padding is said to begin.
    Overrun {
        /// By so many bytes.
        by: u32,
    },
    /// Between the last record and the padding there are bytes that are neither.
    Tail,
    /// The header reserved at the start of the sub-buffer is not the one written.
    BadHeader,
}

/// A place where the bytes are not as they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong.
    pub kind: FaultKind,
    /// Where, in the section.
    pub start: u32,
    /// How many bytes are concerned.
    pub len: u32,
    /// Actor and number of the record that is concerned, where known.
    pub record: Option<(u16, u32)>,
}

/// One sub-buffer, or one stream, parsed.
#[derive(Clone, Debug, Default)]
pub struct Section {
    /// Its number, counted from the last opening or reset.
    pub number: u64,
    /// Its place in the ring.
    pub slot: usize,
    /// Bytes of it that are said to hold data.
    pub fill: u32,
    /// Whether it is complete.
    pub complete: bool,
    /// The records found, in `Parse::records`.
    pub records: std::ops::Range<usize>,
    /// The faults found, in `Parse::faults`.
    pub faults: std::ops::Range<usize>,
    /// Every expected record was found whole at its very place, and nothing else.
    pub clean: bool,
    /// Bytes that could not be told apart, and need not be.
    pub vague: u32,
}

/// What to parse, and what is known of it.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a> {
    /// The whole sub-buffer, padding included.
    pub bytes: &'a [u8],
    /// Bytes of it that are said to hold data.
    pub fill: u32,
    /// What the model says is there; `None`: it does not know.
    pub expected: Option<&'a [Piece]>,
    /// What the model says was there before.
    pub before: &'a [Piece],
    /// Bytes of the header that the callback reserves.
    pub header_bytes: u32,
    /// Sub-buffers produced when it began; `None` for a stream, which may have many headers.
    pub produced: Option<u64>,
    /// The channel.
    pub channel: usize,
    /// The CPU whose buffer it is.
    pub cpu: u32,
    /// It may end in the middle of a record: a reader took no more.
    pub may_be_cut: bool,
}

/// Parses texts of one buffer in their order.
#[derive(Debug)]
pub struct Parser<'a> {
    pub(super) case: &'a Case,
    pub(super) writers: &'a Writers<'a>,
    /// Records found.
    pub records: Vec<Found>,
    /// Faults found.
    pub faults: Vec<Fault>,
    /// By actor: the number after the last one found.
    pub(super) next: Vec<Option<u32>>,
    /// Sub-buffers produced at the next header of a stream.
    pub(super) next_header: u64,
    /// The record in whose middle a text ends may be one that was there before.
    pub(super) may_repeat: bool,
}

/// Where the parser is in one text.
pub(super) struct Walk<'a> {
    pub(super) text: Text<'a>,
    pub(super) at: usize,
    pub(super) hint: usize,
    pub(super) clean: bool,
    pub(super) vague: u32,
    /// What the last search for a record gave: nothing is searched twice.
    pub(super) ahead: Option<(usize, Option<Known>)>,
}

impl<'a> Parser<'a> {
    /// A parser for one buffer.
    #[must_use]
    pub fn new(case: &'a Case, writers: &'a Writers<'a>) -> Self {
        Self {
            case,
            writers,
            records: Vec::new(),
            faults: Vec::new(),
            next: vec![None; case.actors.len()],
            next_header: 0,
            may_repeat: false,
        }
    }

    /// Parses one text.
    pub fn parse(&mut self, text: Text<'_>, number: u64, slot: usize, complete: bool) -> Section {
        let records = self.records.len();
        let faults = self.faults.len();
        let mut walk = Walk {
            text,
            at: 0,
            hint: 0,
            clean: true,
            vague: 0,
            ahead: None,
        };
        let fill = (text.fill as usize).min(text.bytes.len());
        self.leading_header(&mut walk, fill);
        while walk.at < fill {
            self.step(&mut walk, fill);
        }
        let expected = text.expected.map_or(0, <[Piece]>::len);
        Section {
            number,
            slot,
            fill: text.fill,
            complete,
            records: records..self.records.len(),
            faults: faults..self.faults.len(),
            clean: walk.clean
                && text.expected.is_some()
                && walk.hint == expected
                && self.faults.len() == faults,
            vague: walk.vague,
        }
    }

    fn leading_header(&mut self, walk: &mut Walk<'_>, fill: usize) {
        let Some(produced) = walk.text.produced else {
            return;
        };
        let len = (walk.text.header_bytes as usize).min(fill);
        if len == 0 {
            return;
        }
        if let Some(at) = header_mismatch(produced, &walk.text.bytes[..len]) {
            self.fault(FaultKind::BadHeader, at, len - at, None);
        }
        walk.at = len;
        if let Some([first, ..]) = walk.text.expected
            && matches!(first.source, Source::Header { .. })
        {
            walk.hint = 1;
        }
    }

    fn step(&mut self, walk: &mut Walk<'_>, fill: usize) {
        let rest = &walk.text.bytes[walk.at..];
        if let Some(known) = self.recognise(walk, rest) {
            self.take(walk, known, fill);
            return;
        }
        if walk.text.produced.is_none() && self.header_in_stream(walk, fill) {
            return;
        }
        self.gap(walk, fill);
    }

    /// The record at the start of `rest`.
    pub(super) fn recognise(&self, walk: &Walk<'_>, rest: &[u8]) -> Option<Known> {
        if rest.starts_with(&RB_RECORD_MAGIC.to_le_bytes())
            && let Some(known) = self.writers.by_header(rest)
        {
            return Some(known);
        }
        if let Some(expected) = walk.text.expected {
            let hint = walk.hint.min(expected.len());
            let ahead = &expected[hint..expected.len().min(hint + NEAR + 1)];
            let behind = &expected[hint.saturating_sub(NEAR)..hint];
            let hinted = ahead
                .iter()
                .chain(behind)
                .find_map(|piece| self.short(piece, rest));
            if hinted.is_some() {
                return hinted;
            }
        }
        let next = |actor: u16| self.next.get(usize::from(actor)).copied().flatten();
        self.writers
            .by_bytes(rest, walk.text.channel, walk.text.cpu, next)
            .filter(|known| known.certain || walk.text.expected.is_none())
    }

    pub(super) fn short(&self, piece: &Piece, rest: &[u8]) -> Option<Known> {
        let Source::Record { actor, seq, .. } = piece.source else {
            return None;
        };
        let writer = self.writers.find(actor, seq)?;
        self.writers.at_seq(writer, seq, rest)
    }

    fn take(&mut self, walk: &mut Walk<'_>, known: Known, fill: usize) {
        let id = (known.actor, known.seq);
        if walk.text.expected.is_none() && self.is_long_past(walk, &known) {
            return;
        }
        if self.is_leftover(walk, &known) {
            let missing = walk.text.expected.and_then(|pieces| pieces.get(walk.hint));
            let record = missing.and_then(record_id);
            let len = missing.map_or(known.len, |piece| piece.total);
            self.fault(FaultKind::Stale, walk.at, len as usize, record);
            walk.hint += 1;
            walk.at += len as usize;
            walk.clean = false;
            return;
        }
        let end = walk.at + known.len as usize;
        if end > fill {
            let by = u32::try_from(end - fill).unwrap_or(u32::MAX);
            self.fault(
                FaultKind::Overrun { by },
                walk.at,
                known.len as usize,
                Some(id),
            );
        } else if let Some(wrong_at) = known.wrong_at {
            self.fault(
                FaultKind::Torn { wrong_at },
                walk.at,
                known.len as usize,
                Some(id),
            );
        }
        self.records.push(Found {
            start: u32::try_from(walk.at).unwrap_or(u32::MAX),
            len: known.len,
            actor: known.actor,
            op: known.op,
            seq: known.seq,
            time_ns: known.time_ns,
        });
        if let Some(next) = self.next.get_mut(usize::from(known.actor)) {
            *next = Some(known.seq.saturating_add(1));
        }
        self.advance_hint(walk, id);
        walk.at = end;
    }

    /// Keeps the hint on the expected record behind the one found.
    fn advance_hint(&self, walk: &mut Walk<'_>, id: (u16, u32)) {
        let Some(expected) = walk.text.expected else {
            return;
        };
        if let Some(piece) = expected.get(walk.hint)
            && record_id(piece) == Some(id)
        {
            walk.clean &= piece.start as usize == walk.at;
            walk.hint += 1;
            return;
        }
        walk.clean = false;
        let end = expected.len().min(walk.hint + NEAR);
        if let Some(ahead) = expected
            .get(walk.hint..end)
            .and_then(|near| near.iter().position(|piece| record_id(piece) == Some(id)))
        {
            walk.hint += ahead + 1;
        }
    }

    /// A whole record that stood here a lap ago, where the model knows of a newer one.
    fn is_leftover(&self, walk: &Walk<'_>, known: &Known) -> bool {
        let Some(expected) = walk.text.expected else {
            return false;
        };
        let Some(next) = expected.get(walk.hint) else {
            return false;
        };
        let id = Some((known.actor, known.seq));
        next.start as usize == walk.at
            && record_id(next) != id
            && walk
                .text
                .before
                .iter()
                .any(|piece| piece.start as usize == walk.at && record_id(piece) == id)
            && !expected.iter().any(|piece| record_id(piece) == id)
    }

    /// Without the model: a whole record from far before the last one found of its actor, in a
    /// place of the size of the one that should come next.
    fn is_long_past(&mut self, walk: &mut Walk<'_>, known: &Known) -> bool {
        let Some(next) = self.next.get(usize::from(known.actor)).copied().flatten() else {
            return false;
        };
        let due = self.writers.find(known.actor, next);
        let same_len = due.is_some_and(|writer| self.writers.len(writer, next) == known.len);
        if known.seq.saturating_add(2) >= next || !same_len || !known.certain {
            return false;
        }
        let record = Some((known.actor, next));
        self.fault(FaultKind::Stale, walk.at, known.len as usize, record);
        self.next[usize::from(known.actor)] = Some(next + 1);
        walk.at += known.len as usize;
        walk.clean = false;
        true
    }

    fn header_in_stream(&mut self, walk: &mut Walk<'_>, fill: usize) -> bool {
        let len = walk.text.header_bytes as usize;
        if len == 0 || walk.at + len > fill {
            return false;
        }
        let bytes = &walk.text.bytes[walk.at..walk.at + len];
        let same = header_mismatch(self.next_header, bytes).is_none();
        if same {
            self.next_header += 1;
            walk.at += len;
        }
        same
    }

    pub(super) fn fault(
        &mut self,
        kind: FaultKind,
        start: usize,
        len: usize,
        record: Option<(u16, u32)>,
    ) {
        self.faults.push(Fault {
            kind,
            start: u32::try_from(start).unwrap_or(u32::MAX),
            len: u32::try_from(len).unwrap_or(u32::MAX),
            record,
        });
    }
}

/// Actor and number of the record that a piece is of.
#[must_use]
pub fn record_id(piece: &Piece) -> Option<(u16, u32)> {
    match piece.source {
        Source::Record { actor, seq, .. } => Some((actor, seq)),
        Source::Header { .. } | Source::Stored { .. } => None,
    }
}

pub(super) fn header_mismatch(produced: u64, bytes: &[u8]) -> Option<usize> {
    let seq = u32::try_from(produced & u64::from(u32::MAX)).unwrap_or(0);
    pattern_mismatch(RB_HEADER_ACTOR, seq, 0, bytes)
}
