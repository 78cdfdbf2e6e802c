//! Bytes of a channel buffer, and the open file's own position.

use relaybed_contract::{Buffer, ReadPrediction};

use crate::contents::pieces_at;

/// What lies in these bytes of the channel buffer, whether it belongs there or not.
pub(crate) fn bytes_at(buffer: &Buffer, start: u64, len: u64) -> ReadPrediction {
    let mut pieces = Vec::new();
    pieces_at(buffer, start, len, 0, &mut pieces);
    ReadPrediction {
        pieces,
        bytes: u32::try_from(len).unwrap_or(u32::MAX),
    }
}

/// Where a `read()` that took `len` bytes from byte `start` of the ring leaves the open file's position:
/// `relay_file_read_end_pos()`.
pub(crate) fn end_of(buffer: &Buffer, start: u64, len: u64) -> u64 {
    let (size, n) = (buffer.geometry.subbuf_size, buffer.geometry.n_subbufs);
    let slot = start / size;
    let padding = usize::try_from(slot)
        .ok()
        .and_then(|slot| buffer.padding.get(slot))
        .copied()
        .unwrap_or(0);
    let end = if start % size + len + padding == size {
        (slot + 1) * size
    } else {
        start + len
    };
    if end >= size * n { 0 } else { end }
}
