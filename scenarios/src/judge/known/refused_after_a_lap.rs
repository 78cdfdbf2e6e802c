//! K7: in overwrite mode the callback refused after a lap, and readers of that buffer got other bytes than
//! the oldest that are there.

use crate::case::{Channel, Mode, Op};
use crate::judge::matter::Matter;
use crate::verdict::{Failure, Property};

pub(super) fn explains(matter: &Matter<'_>, all: &[Failure], failure: &Failure) -> bool {
    let refuses =
        |channel: &Channel| channel.mode == Mode::Overwrite && channel.client.refuse.is_some();
    let Some((index, cpu)) = super::buffer(matter, failure) else {
        return false;
    };
    let lapped = matter.buffers.iter().any(|parsed| {
        (parsed.channel, parsed.seen.cpu) == (index, cpu)
            && parsed.model.is_some_and(|model| {
                model.is_marked_full() && model.produced.0 > model.geometry.n_subbufs
            })
    });
    refuses(&matter.case.channels[index])
        && lapped
        && is_about_reading(matter, failure)
        && all.iter().any(|other| other.property == Property::Reading)
}

fn is_about_reading(matter: &Matter<'_>, failure: &Failure) -> bool {
    match failure.property {
        Property::Reading | Property::Notification => true,
        Property::Model => failure.what.contains("consumed") || failure.what.contains("read"),
        Property::Expectation => {
            super::operation(matter, failure).is_some_and(|op| matches!(op, Op::FileRead { .. }))
        }
        _ => false,
    }
}
