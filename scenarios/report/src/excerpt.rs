//! The bytes around a finding, as hex.

use relaybed_case::Case;
use relaybed_case::evidence::{BufferSeen, Evidence};
use relaybed_case::finding::Finding;
use relaybed_case::hex;

/// Rows shown before and after the marked byte.
const AROUND: usize = 4;

/// The bytes of the channel buffer around the finding's offset; `None` where it has no such place.
#[must_use]
pub fn excerpt(evidence: &Evidence, case: &Case, finding: &Finding) -> Option<String> {
    // An offset in what an actor read is not one in a buffer.
    if finding.at.actor.is_some() && finding.at.cpu.is_none() {
        return None;
    }
    let buffer = buffer(evidence, case, finding)?;
    let offset = match (finding.at.offset, finding.at.subbuf) {
        (Some(offset), _) => offset,
        (None, Some(subbuf)) => subbuf.checked_mul(subbuf_size(case, finding)?)?,
        (None, None) => return None,
    };
    let mark = usize::try_from(offset).ok()?;
    (mark < buffer.bytes.len()).then(|| hex::excerpt(&buffer.bytes, 0, mark, AROUND))
}

fn channel(case: &Case, finding: &Finding) -> Option<usize> {
    let name = finding.at.channel.as_deref()?;
    case.channels
        .iter()
        .position(|channel| channel.name == name)
}

fn subbuf_size(case: &Case, finding: &Finding) -> Option<u64> {
    Some(case.channels.get(channel(case, finding)?)?.subbuf_size)
}

fn buffer<'a>(evidence: &'a Evidence, case: &Case, finding: &Finding) -> Option<&'a BufferSeen> {
    let observation = match finding.at.observation {
        Some(index) => evidence.observations.get(index)?,
        None => evidence.observations.last()?,
    };
    let seen = observation.channels.get(channel(case, finding)?)?;
    seen.buffers
        .iter()
        .find(|buffer| Some(buffer.cpu) == finding.at.cpu)
}
