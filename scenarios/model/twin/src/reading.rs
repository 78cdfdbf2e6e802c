//! `relay_file_read()` as the kernels have it: K1 and K7.
//!
//! `relay_file_read_start_pos()` steps over the padding of one sub-buffer only (K1), and
//! `relay_file_read_avail()` returns before it looks for a lap while the buffer is marked full (K7).

use relaybed_contract::{Buffer, Piece, ReadPrediction};

use crate::defects::{Defect, Defects};

/// One `read()` of up to `size` bytes; `position` is the open file's own, which goes along.
pub(crate) fn read(
    defects: Defects,
    buffer: &mut Buffer,
    position: &mut u64,
    size: u32,
) -> ReadPrediction {
    let mut pieces = Vec::new();
    let mut at = 0;
    while at < size && found_some(defects, buffer) {
        let start = found_start(buffer);
        let len = found_len(buffer, start).min(u64::from(size - at));
        if len == 0 {
            break;
        }
        let part = bytes_at(buffer, start, len);
        pieces.extend(part.pieces.iter().map(|piece| Piece {
            start: piece.start + at,
            ..*piece
        }));
        found_consume(buffer, start, len);
        *position = end_of(buffer, start, len);
        at += part.bytes;
    }
    ReadPrediction { pieces, bytes: at }
}

/// What a `read()` does before it takes the first byte; whether it would then take one.
pub(crate) fn look(defects: Defects, buffer: &mut Buffer, size: u32) -> bool {
    found_some(defects, buffer) && {
        let start = found_start(buffer);
        found_len(buffer, start).min(size.into()) > 0
    }
}

/// What lies in these bytes of the channel buffer, whether it belongs there or not.
pub(crate) fn bytes_at(buffer: &Buffer, start: u64, len: u64) -> ReadPrediction {
    let size = buffer.geometry.subbuf_size.max(1);
    let narrow = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    let (mut at, end) = (start, start.saturating_add(len));
    let mut pieces = Vec::new();
    while at < end {
        let (slot, from) = (at / size, at % size);
        let to = size.min(from + (end - at));
        let subbuf = usize::try_from(slot)
            .ok()
            .and_then(|slot| buffer.subbufs.get(slot));
        if let Some(subbuf) = subbuf {
            let all = subbuf.current.iter().copied().chain(subbuf.remains());
            pieces.extend(
                all.filter_map(|piece| piece.clip(narrow(from), narrow(to)))
                    .map(|part| Piece {
                        start: narrow(at - start) + (part.start - narrow(from)),
                        ..part
                    }),
            );
        }
        at += to - from;
    }
    ReadPrediction {
        pieces,
        bytes: narrow(len),
    }
}

/// `relay_file_read_avail()`.
fn found_some(defects: Defects, buffer: &mut Buffer) -> bool {
    found_consume(buffer, 0, 0);
    let (size, n) = (buffer.geometry.subbuf_size, buffer.geometry.n_subbufs);
    let ready = buffer.produced.ready(buffer.consumed);
    let full = buffer.is_marked_full();
    if full && defects.has(Defect::K7) {
        return ready != 0;
    }
    // While the buffer is marked full, the switch that was refused has replaced nothing.
    let kept = if full { n } else { n - 1 };
    if ready > kept {
        buffer.consumed.0 = buffer.produced.0 - kept;
        buffer.bytes_consumed = 0;
    }
    if !defects.has(Defect::K1) {
        pass_over_read_out(buffer);
    }
    if full {
        return buffer.produced.ready(buffer.consumed) != 0;
    }
    let write = (buffer.produced.0 % n) * size + buffer.offset;
    let read = (buffer.consumed.0 % n) * size + buffer.bytes_consumed;
    read != write || (buffer.offset == size && buffer.produced.0 > buffer.consumed.0)
}

/// K1 fixed: complete sub-buffers with nothing left to read count as consumed, however many.
fn pass_over_read_out(buffer: &mut Buffer) {
    let (size, n) = (buffer.geometry.subbuf_size, buffer.geometry.n_subbufs);
    while buffer.produced.ready(buffer.consumed) > 0
        && buffer.bytes_consumed + padding_at(buffer, buffer.consumed.0 % n) >= size
    {
        count_one(buffer);
    }
}

/// `relay_file_read_start_pos()`.
fn found_start(buffer: &Buffer) -> u64 {
    let (size, n) = (buffer.geometry.subbuf_size, buffer.geometry.n_subbufs);
    let start = ((buffer.consumed.0 % n) * size + buffer.bytes_consumed) % (n * size);
    let slot = start / size;
    if start % size >= size - padding_at(buffer, slot) {
        (slot + 1) % n * size
    } else {
        start
    }
}

/// `relay_file_read_subbuf_avail()`.
fn found_len(buffer: &Buffer, start: u64) -> u64 {
    let size = buffer.geometry.subbuf_size;
    let (slot, from) = (start / size, start % size);
    let padding = padding_at(buffer, slot);
    let end = if slot == buffer.data.0 as u64 {
        buffer.offset.min(size)
    } else {
        size
    };
    end.saturating_sub(from + padding)
}

/// `relay_file_read_end_pos()`.
fn end_of(buffer: &Buffer, start: u64, len: u64) -> u64 {
    let (size, n) = (buffer.geometry.subbuf_size, buffer.geometry.n_subbufs);
    let slot = start / size;
    let end = if start % size + len + padding_at(buffer, slot) == size {
        (slot + 1) * size
    } else {
        start + len
    };
    if end >= size * n { 0 } else { end }
}

fn padding_at(buffer: &Buffer, slot: u64) -> u64 {
    let slot = usize::try_from(slot).unwrap_or(usize::MAX);
    buffer.padding.get(slot).copied().unwrap_or(0)
}

/// `relay_file_read_consume()`.
fn found_consume(buffer: &mut Buffer, start: u64, len: u64) {
    let (size, n) = (buffer.geometry.subbuf_size, buffer.geometry.n_subbufs);
    if buffer.produced.0 == buffer.consumed.0 && buffer.offset == buffer.bytes_consumed {
        return;
    }
    if buffer.bytes_consumed + len > size {
        count_one(buffer);
    }
    buffer.bytes_consumed += len;
    let slot = if start == 0 {
        buffer.consumed.0 % n
    } else {
        start / size
    };
    let at_writer = slot == buffer.produced.0 % n && buffer.offset == size;
    if buffer.bytes_consumed + padding_at(buffer, slot) == size && !at_writer {
        count_one(buffer);
    }
}

fn count_one(buffer: &mut Buffer) {
    buffer.consumed.0 += buffer.produced.ready(buffer.consumed).min(1);
    buffer.bytes_consumed = 0;
}
