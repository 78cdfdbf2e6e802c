//! Bytes that readers got, beside what was predicted of them.

use relaybed_case::Case;
use relaybed_case::evidence::Evidence;
use relaybed_contract::content::piece_mismatch;
use relaybed_contract::{Piece, ReadPrediction};

/// A part of the data area; nothing where it is not there.
pub(crate) fn data(evidence: &Evidence, start: u64, len: u64) -> &[u8] {
    let range = usize::try_from(start)
        .ok()
        .zip(usize::try_from(start.saturating_add(len)).ok());
    range
        .and_then(|(start, end)| evidence.data.get(start..end))
        .unwrap_or(&[])
}

/// Where bytes are not as predicted first: the piece, or `None` for what was never written, which is zero.
pub(crate) fn first_wrong<'p>(
    case: &Case,
    read: &'p ReadPrediction,
    bytes: &[u8],
) -> Option<(u32, Option<&'p Piece>)> {
    let mut at = 0u32;
    let zero = |from: u32, to: u32| {
        let part = bytes.get(from as usize..to as usize)?;
        let wrong = part.iter().position(|byte| *byte != 0)?;
        Some((from + u32::try_from(wrong).unwrap_or(0), None))
    };
    for piece in &read.pieces {
        if let Some(wrong) = zero(at, piece.start) {
            return Some(wrong);
        }
        let own = bytes.get(piece.start as usize..piece.end() as usize);
        let wrong = own.map_or(Some(0), |own| piece_mismatch(case, piece, own));
        if let Some(wrong) = wrong {
            let wrong = u32::try_from(wrong).unwrap_or(u32::MAX);
            return Some((piece.start.saturating_add(wrong), Some(piece)));
        }
        at = piece.end();
    }
    zero(at, read.bytes)
}

/// Whether these are the bytes that were predicted.
pub(crate) fn is_read(case: &Case, read: &ReadPrediction, bytes: &[u8]) -> bool {
    bytes.len() == read.bytes as usize && first_wrong(case, read, bytes).is_none()
}
