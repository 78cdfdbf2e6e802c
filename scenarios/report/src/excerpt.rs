//! The bytes around a failure, as hex.

use relaybed_case::Case;
use relaybed_case::evidence::{BufferSeen, Evidence};
use relaybed_case::hex;
use relaybed_case::verdict::Failure;

/// Rows shown before and after the marked byte.
const AROUND: usize = 4;

/// The bytes of the channel buffer around the failure's offset; `None` where it has no such place.
#[must_use]
pub fn excerpt(evidence: &Evidence, case: &Case, failure: &Failure) -> Option<String> {
    // An offset in what an actor read is not one in a buffer.
    if failure.at.actor.is_some() && failure.at.cpu.is_none() {
        return None;
    }
    let buffer = buffer(evidence, case, failure)?;
    let offset = match (failure.at.offset, failure.at.subbuf) {
        (Some(offset), _) => offset,
        (None, Some(subbuf)) => subbuf.checked_mul(subbuf_size(case, failure)?)?,
        (None, None) => return None,
    };
    let mark = usize::try_from(offset).ok()?;
    (mark < buffer.bytes.len()).then(|| hex::excerpt(&buffer.bytes, 0, mark, AROUND))
}

fn channel(case: &Case, failure: &Failure) -> Option<usize> {
    let name = failure.at.channel.as_deref()?;
    case.channels
        .iter()
        .position(|channel| channel.name == name)
}

fn subbuf_size(case: &Case, failure: &Failure) -> Option<u64> {
    Some(case.channels.get(channel(case, failure)?)?.subbuf_size)
}

fn buffer<'a>(evidence: &'a Evidence, case: &Case, failure: &Failure) -> Option<&'a BufferSeen> {
    let observation = match failure.at.observation {
        Some(index) => evidence.observations.get(index)?,
        None => evidence.observations.last()?,
    };
    let seen = observation.channels.get(channel(case, failure)?)?;
    seen.buffers
        .iter()
        .find(|buffer| Some(buffer.cpu) == failure.at.cpu)
}
