//! K33: a reader that had all of a sub-buffer and came between its count and the next one's begin got the next
//! one as it lay there.

use crate::judge::matter::{Matter, is_no_overwrite};
use crate::verdict::{Failure, Property};

use super::without;

pub(super) fn explains(matter: &Matter<'_>, all: &[Failure], failure: &Failure) -> bool {
    let Some(key) = super::buffer(matter, failure) else {
        return false;
    };
    let spec = &matter.case.channels[key.0];
    let size = usize::try_from(spec.subbuf_size).unwrap_or(usize::MAX);
    let of_key = all
        .iter()
        .filter(|other| super::buffer(matter, other) == Some(key));
    let places: Option<Vec<usize>> = of_key.map(stale).collect();
    let Some(places) = places.filter(|_| is_no_overwrite(spec) && spec.header_bytes == 0) else {
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
    let earlier = &bytes[..*first];
    let is_old = given.iter().all(|byte| *byte == 0)
        || earlier.windows(given.len()).any(|window| window == given);
    // One sub-buffer, no more.
    last - first < size && !given.is_empty() && is_old
}

/// Where in the stream bytes are told that were there before.
fn stale(failure: &Failure) -> Option<usize> {
    let is_it =
        failure.property == Property::Overwrite && failure.what.contains("was there before");
    let offset = failure.at.offset.filter(|_| is_it)?;
    usize::try_from(offset).ok()
}
