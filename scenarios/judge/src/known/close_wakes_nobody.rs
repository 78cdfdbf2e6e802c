//! K4: all that is wrong is a poll without timeout that was not woken although its channel was closed.

use crate::matter::Matter;
use relaybed_case::Op;
use relaybed_case::finding::{Finding, Notification, What};

use super::buffer;

pub(super) fn explains(matter: &Matter<'_>, _all: &[Finding], finding: &Finding) -> bool {
    matches!(
        &finding.what,
        What::Notification(Notification::PollNotWoken { .. })
    ) && buffer(matter, finding)
        .is_some_and(|(channel, _)| matter.has_op(channel, |op| matches!(op, Op::Close { .. })))
}
