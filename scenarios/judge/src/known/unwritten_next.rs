//! K33: a reader that had all of a sub-buffer and came between its count and the next one's begin got the next
//! one as it lay there: all of it, or as much as its calls asked for.

use crate::matter::{Matter, is_no_overwrite};
use relaybed_case::finding::Finding;
use relaybed_case::verdict::Property;

use super::without;

/// Whole evidences that are judged again, at most.
const TRIES_MAX: usize = 32;

pub(super) fn explains(matter: &Matter<'_>, all: &[Finding], finding: &Finding) -> bool {
    super::buffer(matter, finding).is_some_and(|key| {
        let spec = &matter.case.channels[key.0];
        is_no_overwrite(spec)
            && spec.header_bytes == 0
            && (is_whole(matter, all, key) || is_begin(matter, key))
    })
}

/// What is wrong lies within one sub-buffer, and the readers got all of that as it was before.
fn is_whole(matter: &Matter<'_>, all: &[Finding], key: (usize, u32)) -> bool {
    let size = usize::try_from(matter.case.channels[key.0].subbuf_size).unwrap_or(usize::MAX);
    let of_key = all
        .iter()
        .filter(|other| super::buffer(matter, other) == Some(key));
    let places: Option<Vec<usize>> = of_key.map(stale).collect();
    let Some(places) = places else {
        return false;
    };
    let (Some(first), Some(last)) = (places.iter().min(), places.iter().max()) else {
        return false;
    };
    let bytes = without::bytes_read(matter, key);
    let Some(given) = bytes.get(*first..) else {
        return false;
    };
    let given = &given[..given.len().min(size)];
    // One sub-buffer, no more.
    last - first < size && is_old(given, &bytes[..*first])
}

/// The readers got the begin of a sub-buffer as it was before, and the rest when it was written. With what
/// the buffer holds there in the end, nothing is wrong.
fn is_begin(matter: &Matter<'_>, key: (usize, u32)) -> bool {
    let Some(first) = first_wrong(matter, key) else {
        return false;
    };
    let bytes = without::bytes_read(matter, key);
    let held = without::held(matter, key);
    let mut tries = 0;
    for end in without::ends_of_reads(matter, key) {
        let Some(given) = bytes.get(first..end) else {
            continue;
        };
        for slot in &held {
            let Some(written) = slot.get(..given.len()).filter(|written| *written != given) else {
                continue;
            };
            if tries == TRIES_MAX || !is_old(given, &bytes[..first]) {
                break;
            }
            tries += 1;
            if without::findings_with(matter, key, first, written).is_empty() {
                return true;
            }
        }
    }
    false
}

/// Where the stream is wrong first: bytes that are no record, or a record that came before.
fn first_wrong(matter: &Matter<'_>, key: (usize, u32)) -> Option<usize> {
    let stream = without::stream(matter, key)?;
    let again = stream.records.iter().enumerate().find(|(at, record)| {
        let mut earlier = stream.records[..*at].iter();
        earlier.any(|other| other.actor == record.actor && other.seq >= record.seq)
    });
    let fault = stream.faults.first().map(|fault| fault.start);
    let first = again
        .map(|(_, record)| record.start)
        .into_iter()
        .chain(fault);
    first.min().map(|at| at as usize)
}

/// Whether these bytes may have lain in the buffer before: never written, or read earlier.
fn is_old(given: &[u8], earlier: &[u8]) -> bool {
    !given.is_empty()
        && (given.iter().all(|byte| *byte == 0)
            || earlier.windows(given.len()).any(|window| window == given))
}

/// Where in the stream bytes are told that were there before.
fn stale(finding: &Finding) -> Option<usize> {
    let is_it = finding.property() == Property::Overwrite;
    let offset = finding.at.offset.filter(|_| is_it)?;
    usize::try_from(offset).ok()
}
