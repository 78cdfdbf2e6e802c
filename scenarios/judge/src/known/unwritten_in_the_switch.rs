//! K32: a reader that came while a callback had reserved the next sub-buffer's header got that sub-buffer
//! as it lay there, and nothing else is wrong.

use crate::matter::{Matter, is_no_overwrite};
use relaybed_case::finding::Finding;
use relaybed_case::verdict::Property;

use super::without;

pub(super) fn explains(matter: &Matter<'_>, _all: &[Finding], finding: &Finding) -> bool {
    let Some(key) = super::buffer(matter, finding) else {
        return false;
    };
    let spec = &matter.case.channels[key.0];
    finding.property() == Property::Integrity
        && is_no_overwrite(spec)
        && spec.header_bytes > 0
        && left_out(
            matter,
            key,
            usize::try_from(spec.subbuf_size).unwrap_or(usize::MAX),
        )
}

/// Without the bytes that are no record, no more than a sub-buffer of them, all is right; and they are what
/// the buffer held before: nothing, or what was read a lap ago.
fn left_out(matter: &Matter<'_>, key: (usize, u32), size: usize) -> bool {
    let Some(fault) = without::stream(matter, key).and_then(|stream| stream.faults.first()) else {
        return false;
    };
    let header = matter.case.channels[key.0].header_bytes as usize;
    let range = fault.start as usize..fault.start as usize + fault.len as usize;
    let bytes = without::bytes_read(matter, key);
    let Some(given) = bytes.get(range.clone()).filter(|given| given.len() <= size) else {
        return false;
    };
    // The header of the sub-buffer comes again behind them, when it is read in its turn.
    let held = &given[..given.len().saturating_sub(header)];
    let earlier = &bytes[..range.start];
    let is_old = held.iter().all(|byte| *byte == 0)
        || (held.len() >= 8 && earlier.windows(held.len()).any(|window| window == held));
    is_old && without::findings(matter, key, range).is_empty()
}
