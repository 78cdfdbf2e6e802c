//! K4: all that is wrong is a poll without timeout that was not woken although its channel was closed.

use crate::checks::polling::NOT_WOKEN;
use crate::matter::Matter;
use relaybed_case::Op;
use relaybed_case::verdict::{Failure, Property};

use super::buffer;

pub(super) fn explains(matter: &Matter<'_>, _all: &[Failure], failure: &Failure) -> bool {
    failure.property == Property::Notification
        && failure.what == NOT_WOKEN
        && buffer(matter, failure)
            .is_some_and(|(channel, _)| matter.has_op(channel, |op| matches!(op, Op::Close { .. })))
}
