//! Evidence with some bytes of one buffer's reads left out or made good, to see whether anything else is wrong.

use std::ops::Range;

use relaybed_abi::EventKind;

use crate::matter::{Matter, ParsedStream, buffer_of, subbuf_bytes};
use crate::run::findings_under;
use crate::streams::reads;
use relaybed_case::evidence::Evidence;
use relaybed_case::finding::Finding;
use relaybed_contract::Geometry;

/// Sub-buffers that are looked at, at most.
const SLOTS_MAX: usize = 64;

/// What the buffer's readers got, in the order of their calls.
pub(super) fn bytes_read(matter: &Matter<'_>, (channel, cpu): (usize, u32)) -> Vec<u8> {
    let got = reads(matter.case, matter.evidence);
    got.iter()
        .filter(|got| (got.channel, got.cpu) == (channel, cpu))
        .flat_map(|got| got.bytes.iter().copied())
        .collect()
}

/// Where calls that gave bytes of the buffer ended, in its stream.
pub(super) fn ends_of_reads(matter: &Matter<'_>, key: (usize, u32)) -> Vec<usize> {
    let got = reads(matter.case, matter.evidence);
    let own = got.iter().filter(|got| (got.channel, got.cpu) == key);
    own.scan(0, |end, got| {
        *end += got.bytes.len();
        Some(*end)
    })
    .collect()
}

/// What the buffer's sub-buffers hold in the end.
pub(super) fn held<'m>(matter: &'m Matter<'_>, (channel, cpu): (usize, u32)) -> Vec<&'m [u8]> {
    let mut seen = matter.evidence.observations.iter().rev();
    let seen = seen
        .find(|seen| seen.at.is_none())
        .and_then(|end| end.channels.get(channel))
        .and_then(|seen| buffer_of(seen, cpu));
    let geometry = Geometry::of(&matter.case.channels[channel]);
    let slots = 0..usize::try_from(geometry.n_subbufs).unwrap_or(usize::MAX);
    seen.map_or_else(Vec::new, |seen| {
        slots
            .take(SLOTS_MAX)
            .map(|slot| subbuf_bytes(&geometry, seen, slot))
            .collect()
    })
}

/// The buffer's stream, if it was parsed.
pub(super) fn stream<'m>(
    matter: &'m Matter<'_>,
    (channel, cpu): (usize, u32),
) -> Option<&'m ParsedStream> {
    let mut streams = matter.streams.iter();
    streams.find(|stream| (stream.channel, stream.cpu) == (channel, cpu))
}

/// What would fail if the readers had not got this range of their bytes.
pub(super) fn findings(
    matter: &Matter<'_>,
    key: (usize, u32),
    range: Range<usize>,
) -> Vec<Finding> {
    let left = evidence(matter, key, range, &[]);
    findings_under(matter.case, &left, &matter.prediction.behaviour)
}

/// What would fail if the readers had got these bytes from there on, in place of as many others.
pub(super) fn findings_with(
    matter: &Matter<'_>,
    key: (usize, u32),
    start: usize,
    bytes: &[u8],
) -> Vec<Finding> {
    let range = start..start.saturating_add(bytes.len());
    let good = evidence(matter, key, range, bytes);
    findings_under(matter.case, &good, &matter.prediction.behaviour)
}

/// The evidence with `with` where the range was: nothing, or as many bytes.
fn evidence(matter: &Matter<'_>, key: (usize, u32), range: Range<usize>, with: &[u8]) -> Evidence {
    let mut left = matter.evidence.clone();
    let mut position = 0;
    for got in reads(matter.case, matter.evidence) {
        if (got.channel, got.cpu) != key {
            continue;
        }
        let own = position..position + got.bytes.len();
        position = own.end;
        let cut = range.start.max(own.start)..range.end.min(own.end);
        if cut.is_empty() {
            continue;
        }
        let start = left.data.len() as u64;
        left.data.extend(&got.bytes[..cut.start - own.start]);
        let instead = cut.start - range.start..cut.end - range.start;
        left.data.extend(with.get(instead).unwrap_or(&[]));
        left.data.extend(&got.bytes[cut.end - own.start..]);
        let end = left.data.len() as u64;
        let event = left
            .events
            .iter_mut()
            .find(|event| event.kind == EventKind::Read.code() && event.order == got.order());
        if let Some(event) = event {
            (event.consumed, event.produced) = (start, end - start);
        }
    }
    left
}
