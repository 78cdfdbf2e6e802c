//! K1: after two empty sub-buffers in a row, reads and the consumed count of that buffer are off.

use crate::judge::matter::Matter;
use crate::verdict::{Failure, Property};

use super::buffer;

pub(super) fn explains(matter: &Matter<'_>, all: &[Failure], failure: &Failure) -> bool {
    let property = matches!(
        failure.property,
        Property::Reading | Property::Model | Property::Expectation | Property::Notification
    );
    let off = ["consumed", "read", "poll"]
        .iter()
        .any(|word| failure.what.contains(word));
    property
        && off
        && all.iter().any(|other| other.property == Property::Reading)
        && buffer(matter, failure).is_some_and(|(channel, cpu)| {
            matter.buffers.iter().any(|parsed| {
                parsed.channel == channel
                    && parsed.seen.cpu == cpu
                    && parsed.model.is_some_and(|model| model.two_empty)
            })
        })
}
