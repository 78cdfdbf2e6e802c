//! The bytes of a contract's buffer as an overlay: what lies where, whatever the counts say.
//!
//! In the twin all pieces of a sub-buffer lie in [`Subbuf::old`], sorted by start and none over another;
//! [`Subbuf::current`] is empty and [`Buffer::stored`] is set. So [`Subbuf::remains`] gives everything, and
//! whoever compares bytes need not know which model they come from. A byte in no piece was never written.

use relaybed_contract::buffer::Subbuf;
use relaybed_contract::{Buffer, Piece};

use crate::Bytes;

/// Puts bytes at byte `at` from the start of the ring, over what lies there: also behind its end, as K41 does, up to
/// the end of its last page.
pub(crate) fn put(buffer: &mut Buffer, at: u64, bytes: Bytes) {
    let size = buffer.geometry.subbuf_size;
    let room = buffer.geometry.alloc_size().saturating_sub(at);
    let all = bytes.len.min(narrow(room));
    let mut done = 0;
    while done < all {
        let place = at.saturating_add(u64::from(done));
        let start = narrow(place % size);
        let room = narrow(size).saturating_sub(start);
        let len = room.min(all - done);
        let slot = usize::try_from(place / size).unwrap_or(usize::MAX);
        let ring = size.saturating_mul(buffer.subbufs.len() as u64);
        let (pieces, start, len) = match buffer.subbufs.get_mut(slot) {
            Some(subbuf) => (&mut subbuf.old, start, len),
            None => (&mut buffer.behind, narrow(place - ring), all - done),
        };
        let piece = Piece {
            source: bytes.source,
            start,
            len,
            from: bytes.from + done,
            total: bytes.total,
        };
        overlay(pieces, piece);
        done += len;
    }
}

/// What lies in `len` bytes from byte `at` of the ring, places counted from `to`. Bytes that were never
/// written are in no piece.
pub fn pieces_at(buffer: &Buffer, at: u64, len: u64, to: u32, got: &mut Vec<Piece>) {
    let size = buffer.geometry.subbuf_size;
    let end = at.saturating_add(len);
    let mut place = at;
    while place < end {
        let slot = usize::try_from(place / size).unwrap_or(usize::MAX);
        let ring = size.saturating_mul(buffer.subbufs.len() as u64);
        let (pieces, begin, until) = match buffer.subbufs.get(slot) {
            Some(subbuf) => {
                let begin = place - place % size;
                (&subbuf.old, begin, (end - begin).min(size))
            }
            None => (&buffer.behind, ring, end - ring),
        };
        let (from, until) = (narrow(place - begin), narrow(until));
        let first = pieces.partition_point(|piece| piece.end() <= from);
        for piece in &pieces[first..] {
            let Some(part) = piece.clip(from, until) else {
                break;
            };
            got.push(Piece {
                start: to + narrow(place - at) + (part.start - from),
                ..part
            });
        }
        place = begin.saturating_add(u64::from(until).max(1));
    }
}

/// Puts a buffer of the contract's into the twin's form; the same bytes lie at the same places.
pub fn flatten(buffer: &mut Buffer) {
    buffer.stored = true;
    for subbuf in &mut buffer.subbufs {
        let mut all = subbuf.current.clone();
        all.extend(subbuf.remains());
        *subbuf = Subbuf {
            current: Vec::new(),
            old: all,
        };
    }
}

/// Puts a piece in the place of what is there, and keeps the rest of that.
fn overlay(pieces: &mut Vec<Piece>, new: Piece) {
    if pieces.last().is_none_or(|last| last.end() <= new.start) {
        pieces.push(new);
        return;
    }
    let first = pieces.partition_point(|piece| piece.end() <= new.start);
    let behind = pieces.partition_point(|piece| piece.start < new.end());
    // Where the new one lies in a gap, `behind` is `first`, and nothing is replaced.
    let head = pieces[first..behind]
        .first()
        .and_then(|p| p.clip(0, new.start));
    let tail = pieces[first..behind]
        .last()
        .and_then(|p| p.clip(new.end(), u32::MAX));
    pieces.splice(first..behind, head.into_iter().chain([new]).chain(tail));
}

fn narrow(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
