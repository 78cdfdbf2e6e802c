//! K2: of a no-overwrite buffer that was full, the oldest sub-buffer is missing in what was read,
//! and nothing else is wrong.

use crate::judge::matter::Matter;
use crate::verdict::{Failure, Property};

use super::buffer;

pub(super) fn explains(matter: &Matter<'_>, _all: &[Failure], failure: &Failure) -> bool {
    failure.property == Property::Conservation
        && failure.what.contains("missing")
        && buffer(matter, failure).is_some_and(|(channel, cpu)| {
            matter
                .streams
                .iter()
                .any(|stream| stream.channel == channel && stream.cpu == cpu)
                && filled(matter, channel, cpu)
        })
}

/// A sub-buffer began while all others, or all but one, were unread.
fn filled(matter: &Matter<'_>, channel: usize, cpu: u32) -> bool {
    matter.evidence.events.iter().any(|event| {
        usize::from(event.channel) == channel
            && u32::from(event.buf_cpu) == cpu
            && event.kind == relaybed_abi::EventKind::SubbufStart.code()
            // A reader in the window frees one before the callback looks.
            && event.produced.saturating_sub(event.consumed).saturating_add(1)
                >= matter.case.channels[channel].n_subbufs
    })
}
