//! How reading changes a channel buffer.

use super::buffer::{Buffer, Piece};

/// A piece in a pipe does not leave its page.
const PAGE: u64 = relaybed_abi::RB_PAGE_SIZE as u64;

impl Buffer {
    /// One `read()` of up to `size` bytes: what it gives, places counted from its first byte.
    ///
    /// Without writers at work it gives min(size, available) bytes: complete sub-buffers without
    /// their padding, then what the unfinished one holds.
    pub fn read(&mut self, size: u32) -> Vec<Piece> {
        let mut got = Vec::new();
        let mut at = 0u32;
        if size == 0 {
            return got;
        }
        self.skip_lapped();
        while at < size {
            self.count_consumed();
            let taken = self.take(size - at, at, &mut got);
            if taken == 0 {
                break;
            }
            at += taken;
        }
        got
    }

    /// One `splice()` of up to `size` bytes into a pipe that has room for pieces of so many pages: it takes
    /// from complete sub-buffers only, and from one at most.
    pub fn splice(&mut self, size: u32, pages: u32) -> Vec<Piece> {
        let mut got = Vec::new();
        if size == 0 {
            return got;
        }
        self.skip_lapped();
        self.count_consumed();
        if self.is_readable() {
            let slot = self.consumed.slot(self.geometry.n_subbufs).0 as u64;
            let start = slot * self.geometry.subbuf_size + self.bytes_consumed;
            // A piece ends with its page.
            let room = u64::from(pages) * PAGE - start % PAGE;
            let room = u32::try_from(room).unwrap_or(u32::MAX);
            self.take(size.min(room), 0, &mut got);
        }
        got
    }

    /// Up to `size` bytes from the read position on, of one sub-buffer; `at` is the place that they get.
    fn take(&mut self, size: u32, at: u32, got: &mut Vec<Piece>) -> u32 {
        let start = u32::try_from(self.bytes_consumed).unwrap_or(u32::MAX);
        let slot = self.consumed.slot(self.geometry.n_subbufs);
        let pieces = &self.subbufs[slot.0].current;
        let end = u32::try_from(self.readable_end()).unwrap_or(u32::MAX);
        let end = end.min(start.saturating_add(size));
        if end <= start {
            return 0;
        }
        let first = pieces.partition_point(|piece| piece.end() <= start);
        for piece in &pieces[first..] {
            let Some(part) = piece.clip(start, end) else {
                break;
            };
            got.push(Piece {
                start: at + (part.start - start),
                ..part
            });
        }
        self.bytes_consumed = u64::from(end);
        self.count_read_out();
        end - start
    }

    /// What any `read()` does before it takes the first byte, and one that can take none does too: what a
    /// lap replaced is passed over, and complete sub-buffers with nothing left count as consumed.
    pub(super) fn look(&mut self) {
        self.skip_lapped();
        self.count_consumed();
    }

    /// `poll()` finds it readable: a sub-buffer boundary has been crossed.
    #[must_use]
    pub fn is_readable(&self) -> bool {
        self.produced.0 != self.consumed.0
    }

    /// End of what can be read of the sub-buffer the read position is in.
    fn readable_end(&self) -> u64 {
        if self.consumed.0 < self.produced.0 {
            self.complete_fill(self.consumed.slot(self.geometry.n_subbufs))
        } else if self.is_marked_full() {
            0
        } else {
            self.offset
        }
    }

    /// In overwrite mode, sub-buffers that a lap replaced are gone, their unread rest too. A refused
    /// switch has replaced none yet.
    fn skip_lapped(&mut self) {
        let n = self.geometry.n_subbufs;
        let kept = if self.is_marked_full() { n } else { n - 1 };
        if self.produced.ready(self.consumed) > kept {
            self.consumed.0 = self.produced.0 - kept;
            self.bytes_consumed = 0;
        }
    }

    /// Complete sub-buffers with nothing left to read count as consumed.
    fn count_consumed(&mut self) {
        while self.consumed.0 < self.produced.0 && self.bytes_consumed >= self.readable_end() {
            self.consumed.0 += 1;
            self.bytes_consumed = 0;
        }
    }

    /// After bytes were handed out, the sub-buffer they came from may be consumed; empty ones
    /// behind it only count when a read comes to them.
    fn count_read_out(&mut self) {
        if self.consumed.0 < self.produced.0 && self.bytes_consumed >= self.readable_end() {
            self.consumed.0 += 1;
            self.bytes_consumed = 0;
        }
    }
}
