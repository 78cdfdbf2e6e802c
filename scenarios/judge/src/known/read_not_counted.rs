//! K37: what a read gave was not counted, so that the next one gave the same bytes again, and nothing else is
//! wrong.

use crate::matter::{Matter, is_no_overwrite};
use relaybed_case::finding::Finding;

use super::without;

/// Whole evidences that are judged again, at most.
const TRIES_MAX: usize = 32;
/// Fewer bytes than that may be the same by chance.
const LEN_MIN: usize = 8;

pub(super) fn explains(matter: &Matter<'_>, _all: &[Finding], finding: &Finding) -> bool {
    super::buffer(matter, finding)
        .is_some_and(|key| is_no_overwrite(&matter.case.channels[key.0]) && came_again(matter, key))
}

/// Some bytes, no more than a sub-buffer, came a second time right behind the first. Without the second time nothing is wrong.
fn came_again(matter: &Matter<'_>, key: (usize, u32)) -> bool {
    let Some(stream) = without::stream(matter, key) else {
        return false;
    };
    let size = matter.case.channels[key.0].subbuf_size;
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let bytes = without::bytes_read(matter, key);
    // What came again behind a record that was cut may be no record, but began with a call or its next round.
    let records = stream.records.iter().map(|record| record.start as usize);
    let begins = records.chain(without::ends_of_reads(matter, key));
    let again = begins.flat_map(|at| {
        let most = size.min(at).min(bytes.len().saturating_sub(at));
        let bytes = &bytes;
        (LEN_MIN..=most)
            .rev()
            .filter(move |len| bytes[at - len..at] == bytes[at..at + len])
            .map(move |len| at..at + len)
    });
    again
        .take(TRIES_MAX)
        .any(|range| without::findings(matter, key, range).is_empty())
}
