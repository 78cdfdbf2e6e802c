//! What a user writes into a channel buffer through a mapping.

use super::buffer::{Buffer, Piece, Source};

impl Buffer {
    /// `len` bytes of `source` at byte `at` of the buffer, in however many sub-buffers they lie.
    pub fn store(&mut self, source: Source, at: u64, len: u32) {
        self.stored = true;
        let size = self.geometry.subbuf_size;
        let end = at.saturating_add(u64::from(len));
        for (slot, contents) in self.subbufs.iter_mut().enumerate() {
            let begin = size.saturating_mul(slot as u64);
            let (from, to) = (at.max(begin), end.min(begin.saturating_add(size)));
            if from >= to {
                continue;
            }
            let narrow = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
            let piece = Piece {
                source,
                start: narrow(from - begin),
                len: narrow(to - from),
                from: narrow(from - at),
                total: len,
            };
            let fill = contents.fill();
            if let Some(part) = piece.clip(0, fill) {
                overlay(&mut contents.current, part);
            }
            if let Some(part) = piece.clip(fill, u32::MAX) {
                overlay(&mut contents.old, part);
            }
        }
    }
}

/// Puts a piece in the place of what is there, and keeps the rest of that.
fn overlay(pieces: &mut Vec<Piece>, new: Piece) {
    let mut kept: Vec<Piece> = pieces
        .iter()
        .flat_map(|old| [old.clip(0, new.start), old.clip(new.end(), u32::MAX)])
        .flatten()
        .collect();
    kept.push(new);
    kept.sort_by_key(|piece| piece.start);
    *pieces = kept;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Geometry;

    #[test]
    fn a_store_replaces_what_it_covers_and_spans_sub_buffers() {
        let geometry = Geometry {
            subbuf_size: 10,
            n_subbufs: 3,
            overwrite: false,
            header_bytes: 0,
            has_file: true,
            refuse: None,
        };
        let mut log = Vec::new();
        let mut buffer = Buffer::open(geometry, &mut log);
        let record = Source::Record {
            actor: 0,
            op: 0,
            seq: 0,
        };
        buffer.write(record, 8, false, &mut log);
        let stored = Source::Stored { actor: 1, op: 2 };
        buffer.store(stored, 6, 6);
        let places = |pieces: &[Piece]| -> Vec<(Source, u32, u32, u32)> {
            let of = |p: &Piece| (p.source, p.start, p.len, p.from);
            pieces.iter().map(of).collect()
        };
        let first = &buffer.subbufs[0];
        assert_eq!(
            places(&first.current),
            [(record, 0, 6, 0), (stored, 6, 2, 0)]
        );
        assert_eq!(places(&first.old), [(stored, 8, 2, 2)]);
        assert_eq!(places(&buffer.subbufs[1].old), [(stored, 0, 2, 4)]);
        assert!(buffer.subbufs[2].old.is_empty());
    }
}
