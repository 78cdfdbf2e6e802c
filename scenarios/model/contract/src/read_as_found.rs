//! Reading as the releases so far do it, with what goes wrong behind empty sub-buffers.
//!
//! relay keeps the read position as the consumed count and the bytes consumed of one sub-buffer, and makes
//! a byte offset of the two. An offset in padding is moved to the next sub-buffer, once and for this call
//! only: behind two empty sub-buffers it lands in padding again, or the two notions part ways and bytes
//! come twice (known issue K1). Written down here so that such a run is told from every other.

use super::buffer::{Buffer, Piece};

impl Buffer {
    /// One `read()` of up to `size` bytes as kernels do it: what it gives, and how many bytes.
    pub(super) fn read_as_found(&mut self, size: u32) -> (Vec<Piece>, u32) {
        let mut got = Vec::new();
        let mut at = 0;
        while at < size && self.found_some() {
            let start = self.found_start();
            let slot = start / self.geometry.subbuf_size;
            let from = start % self.geometry.subbuf_size;
            let len = self.found_len(slot, from).min(u64::from(size - at));
            if len == 0 {
                break;
            }
            let narrow = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
            let (from, len) = (narrow(from), narrow(len));
            self.pieces_at(slot, from, from + len, at, &mut got);
            self.found_consume(start, len.into());
            at += len;
        }
        (got, at)
    }

    /// What such a `read()` does before it takes the first byte.
    pub(super) fn look_as_found(&mut self) {
        self.found_some();
    }

    /// What lies there, whether it belongs there or not.
    fn pieces_at(&self, slot: u64, from: u32, to: u32, at: u32, got: &mut Vec<Piece>) {
        let subbuf = usize::try_from(slot)
            .ok()
            .and_then(|slot| self.subbufs.get(slot));
        let Some(subbuf) = subbuf else { return };
        let all = subbuf.current.iter().copied().chain(subbuf.remains());
        for part in all.filter_map(|piece| piece.clip(from, to)) {
            got.push(Piece {
                start: at + (part.start - from),
                ..part
            });
        }
    }

    /// Whether it takes anything to be there.
    fn found_some(&mut self) -> bool {
        self.found_consume(0, 0);
        let (size, n) = (self.geometry.subbuf_size, self.geometry.n_subbufs);
        let ready = self.produced.ready(self.consumed);
        if self.is_marked_full() {
            return ready != 0;
        }
        if ready >= n {
            self.consumed.0 = self.produced.0 - n + 1;
            self.bytes_consumed = 0;
        }
        let write = (self.produced.0 % n) * size + self.offset;
        let read = (self.consumed.0 % n) * size + self.bytes_consumed;
        read != write || (self.offset == size && self.produced.0 > self.consumed.0)
    }

    /// Byte offset in the whole buffer where it starts.
    fn found_start(&self) -> u64 {
        let (size, n) = (self.geometry.subbuf_size, self.geometry.n_subbufs);
        let start = ((self.consumed.0 % n) * size + self.bytes_consumed) % (n * size);
        let slot = start / size;
        if start % size >= size - self.padding_at(slot) {
            (slot + 1) % n * size
        } else {
            start
        }
    }

    /// How many bytes it takes to be there.
    fn found_len(&self, slot: u64, from: u64) -> u64 {
        let size = self.geometry.subbuf_size;
        let padding = self.padding_at(slot);
        let end = if slot == self.data.0 as u64 {
            self.offset.min(size)
        } else {
            size
        };
        end.saturating_sub(from + padding)
    }

    fn padding_at(&self, slot: u64) -> u64 {
        let slot = usize::try_from(slot).unwrap_or(usize::MAX);
        self.padding.get(slot).copied().unwrap_or(0)
    }

    /// Counts `len` bytes from `start` as consumed.
    fn found_consume(&mut self, start: u64, len: u64) {
        let (size, n) = (self.geometry.subbuf_size, self.geometry.n_subbufs);
        if self.produced.0 == self.consumed.0 && self.offset == self.bytes_consumed {
            return;
        }
        if self.bytes_consumed + len > size {
            self.count_one();
        }
        self.bytes_consumed += len;
        let slot = if start == 0 {
            self.consumed.0 % n
        } else {
            start / size
        };
        let at_writer = slot == self.produced.0 % n && self.offset == size;
        if self.bytes_consumed + self.padding_at(slot) == size && !at_writer {
            self.count_one();
        }
    }

    fn count_one(&mut self) {
        self.consumed.0 += self.produced.ready(self.consumed).min(1);
        self.bytes_consumed = 0;
    }
}
