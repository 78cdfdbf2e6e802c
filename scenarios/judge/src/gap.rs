//! Bytes where a record should start and none does: what they are, and where the next one starts.

use relaybed_abi::RB_RECORD_MAGIC;

use relaybed_contract::buffer::{Piece, Source};
use relaybed_contract::content::piece_mismatch;

use super::identify::{Known, Writer};
use super::parse::{FaultKind, Parser, Walk, header_mismatch, record_id};

/// Records of one operation that the cut end of a stream is compared with.
const CUT_SEARCH: usize = 256;
/// Bytes of a gap in which records without header are looked for.
const GAP_SEARCH: usize = 4096;

impl Parser<'_> {
    /// Something that is no record: says what it is, and goes on behind it.
    pub(super) fn gap(&mut self, walk: &mut Walk<'_>, fill: usize) {
        walk.clean = false;
        let at = walk.at;
        let expected = walk.text.expected.and_then(|pieces| pieces.get(walk.hint));
        if let Some(piece) = expected
            && let Some(id) = record_id(piece)
            && piece.start as usize == at
            && self.is_bounded(walk, piece.total as usize, fill)
        {
            self.missing_record(walk, id, piece.total as usize, fill);
            return;
        }
        let (resume, found) = match walk.ahead {
            Some((place, found)) if place > at => (place, found),
            _ => self.resume(walk, fill),
        };
        walk.ahead = Some((resume, found));
        if found.is_none() && walk.text.may_be_cut && self.is_cut(walk, fill) {
            walk.at = fill;
            return;
        }
        let gap = resume - at;
        if self.records_may_be_short(walk) {
            // Which of them came before is a guess, and so is which is missing here.
            walk.vague += u32::try_from(gap).unwrap_or(u32::MAX);
            walk.at = resume;
            return;
        }
        let missing = expected
            .filter(|piece| piece.start as usize == at)
            .and_then(|piece| record_id(piece).map(|id| (id, piece.total as usize)))
            .or_else(|| self.guess_missing(walk, found.as_ref(), gap));
        let found_id = found.map(|known| (known.actor, known.seq));
        if let Some(id) = found_id
            && gap < 64
            && (missing.map(|(id, _)| id) == Some(id) || self.follows(id, missing, gap))
        {
            let by = u32::try_from(gap).unwrap_or(u32::MAX);
            self.fault(FaultKind::Displaced { by }, at, gap, Some(id));
            walk.at = resume;
            return;
        }
        match missing {
            Some((id, len)) if at + len <= resume || at + len == fill => {
                self.missing_record(walk, id, len.min(walk.text.bytes.len() - at), fill);
            }
            None if found.is_none() && walk.text.expected.is_some() => {
                self.fault(FaultKind::Tail, at, gap, None);
                walk.at = resume;
            }
            _ => {
                self.fault(FaultKind::Junk, at, gap, missing.map(|(id, _)| id));
                walk.at = resume;
            }
        }
    }

    /// Whether the rest of the text is the beginning of a record, or of a header, that may come next.
    fn is_cut(&self, walk: &Walk<'_>, fill: usize) -> bool {
        let Some(rest) = walk.text.bytes.get(walk.at..fill) else {
            return false;
        };
        let in_header = rest.len() < walk.text.header_bytes as usize
            && header_mismatch(self.next_header, rest).is_none();
        if in_header {
            return true;
        }
        let here = |writer: &&Writer<'_>| {
            writer.channel == walk.text.channel && writer.cpu == walk.text.cpu
        };
        self.writers.all().iter().filter(here).any(|writer| {
            let next = self.next.get(usize::from(writer.actor)).copied().flatten();
            let next = next.filter(|_| !self.may_repeat);
            let first = next.unwrap_or(0).max(writer.first);
            let end = writer.first.saturating_add(writer.count);
            (first..end).take(CUT_SEARCH).any(|seq| {
                let total = self.writers.len(writer, seq);
                let piece = Piece {
                    source: Source::Record {
                        actor: writer.actor,
                        op: writer.op,
                        seq,
                    },
                    start: 0,
                    len: u32::try_from(rest.len()).unwrap_or(u32::MAX),
                    from: 0,
                    total,
                };
                rest.len() < total as usize && piece_mismatch(self.case, &piece, rest).is_none()
            })
        })
    }

    fn records_may_be_short(&self, walk: &Walk<'_>) -> bool {
        walk.text.expected.is_none() && self.writers.has_short(walk.text.channel, walk.text.cpu)
    }

    /// The place of a record that is not there: a part of it is, or what was there before.
    fn missing_record(&mut self, walk: &mut Walk<'_>, id: (u16, u32), len: usize, fill: usize) {
        let at = walk.at;
        let own = &walk.text.bytes[at..(at + len).min(fill.max(at))];
        let Some(writer) = self.writers.find(id.0, id.1) else {
            self.fault(FaultKind::Junk, at, len, Some(id));
            walk.at = at + len.max(1);
            return;
        };
        let total = u32::try_from(len).unwrap_or(u32::MAX);
        let piece = Piece {
            source: Source::Record {
                actor: id.0,
                op: writer.op,
                seq: id.1,
            },
            start: 0,
            len: total,
            from: 0,
            total,
        };
        let right = piece_mismatch(self.case, &piece, own).unwrap_or(own.len());
        let kind = if right >= 4.min(len / 2).max(1) {
            FaultKind::Torn {
                wrong_at: u32::try_from(right).unwrap_or(u32::MAX),
            }
        } else {
            FaultKind::Stale
        };
        self.fault(kind, at, len, Some(id));
        if walk.text.expected.is_some() {
            walk.hint += 1;
        }
        if let Some(next) = self.next.get_mut(usize::from(id.0)) {
            *next = Some(id.1.saturating_add(1));
        }
        walk.at = at + len.max(1);
    }

    /// Whether the record found is the very next of its actor, so that nothing is missing before.
    fn follows(&self, id: (u16, u32), missing: Option<((u16, u32), usize)>, gap: usize) -> bool {
        let next = self.next.get(usize::from(id.0)).copied().flatten();
        next == Some(id.1) && missing.is_none_or(|(_, len)| len != gap)
    }

    /// Without the model: a gap between two records of one actor is the place of the one between. Else it may
    /// be that of any actor's next record, if that is just as long.
    fn guess_missing(
        &self,
        walk: &Walk<'_>,
        found: Option<&Known>,
        gap: usize,
    ) -> Option<((u16, u32), usize)> {
        let between = match found {
            Some(known) => {
                let next = self.next.get(usize::from(known.actor)).copied().flatten();
                let skipped = next.filter(|next| *next < known.seq);
                skipped.and_then(|next| self.with_len((known.actor, next)))
            }
            None => self.records.last().and_then(|last| {
                let next = last.seq.checked_add(1)?;
                self.with_len((last.actor, next))
            }),
        };
        if between.is_some_and(|(_, len)| len == gap) {
            return between;
        }
        let fits = |(actor, next): (usize, &Option<u32>)| {
            let id = (u16::try_from(actor).ok()?, (*next)?);
            let writer = self.writers.find(id.0, id.1)?;
            let here = (writer.channel, writer.buffer) == (walk.text.channel, walk.text.cpu);
            self.with_len(id).filter(|(_, len)| here && *len == gap)
        };
        self.next.iter().enumerate().find_map(fits).or(between)
    }

    /// A record and its length in bytes, if it has any.
    fn with_len(&self, id: (u16, u32)) -> Option<((u16, u32), usize)> {
        let writer = self.writers.find(id.0, id.1)?;
        let len = self.writers.len(writer, id.1) as usize;
        (len > 0).then_some((id, len))
    }

    /// Where the next record is recognised behind the walk's place; the fill if there is none.
    fn resume(&self, walk: &Walk<'_>, fill: usize) -> (usize, Option<Known>) {
        let magic = RB_RECORD_MAGIC.to_le_bytes();
        for at in walk.at + 1..fill {
            let rest = &walk.text.bytes[at..];
            if rest.starts_with(&magic)
                && let Some(known) = self.writers.by_header(rest)
                && self.is_news(&known)
            {
                return (at, Some(known));
            }
            if at - walk.at <= GAP_SEARCH
                && let Some(known) = self.recognise_short(walk, at, rest)
            {
                return (at, Some(known));
            }
        }
        (fill, None)
    }

    /// Not a record that its actor has left behind: remains of an earlier lap show in gaps.
    fn is_news(&self, known: &Known) -> bool {
        let next = self.next.get(usize::from(known.actor)).copied().flatten();
        next.is_none_or(|next| known.seq >= next)
    }

    /// Whether the place of the missing record is followed by the record that is expected there.
    fn is_bounded(&self, walk: &Walk<'_>, len: usize, fill: usize) -> bool {
        let end = walk.at + len;
        let next = walk.text.expected.and_then(|all| all.get(walk.hint + 1));
        match next {
            None => end == fill,
            Some(next) => walk
                .text
                .bytes
                .get(end..)
                .and_then(|rest| self.recognise(walk, rest))
                .is_some_and(|known| record_id(next) == Some((known.actor, known.seq))),
        }
    }

    /// A record without header that the model says comes next, or that its length makes certain.
    fn recognise_short(&self, walk: &Walk<'_>, at: usize, rest: &[u8]) -> Option<Known> {
        let expected = walk.text.expected?;
        let near = expected.get(walk.hint..expected.len().min(walk.hint + 2))?;
        near.iter()
            .filter(|piece| piece.total >= 8 || piece.start as usize == at)
            .find_map(|piece| self.short(piece, rest))
    }
}
