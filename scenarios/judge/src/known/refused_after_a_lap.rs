//! K7: in overwrite mode the callback refused after a lap, and readers of that buffer got other bytes than
//! the oldest that are there.

use crate::matter::Matter;
use relaybed_case::finding::{Finding, MaybeStart, Notification, SubbufStart, What};
use relaybed_case::verdict::Property;
use relaybed_case::{Channel, Mode, Op};

use super::is_count_of_reads;

pub(super) fn explains(matter: &Matter<'_>, all: &[Finding], finding: &Finding) -> bool {
    let refuses =
        |channel: &Channel| channel.mode == Mode::Overwrite && channel.client.refuse.is_some();
    let Some((index, cpu)) = super::buffer(matter, finding) else {
        return false;
    };
    let calls = matter.prediction.calls[index].get(cpu as usize);
    let n = matter.case.channels[index].n_subbufs;
    let lapped = calls.and_then(Option::as_ref).is_some_and(|calls| {
        let mut calls = calls.iter();
        calls.any(|call| !call.accepted && call.produced.0 > n)
    });
    refuses(&matter.case.channels[index])
        && lapped
        && is_about_reading(matter, finding)
        && (all
            .iter()
            .any(|other| other.property() == Property::Reading)
            || is_about_consumed(finding))
}

/// Where the bytes happen to be the right ones, only how many sub-buffers count as consumed is wrong.
fn is_about_consumed(finding: &Finding) -> bool {
    match &finding.what {
        What::Model(_) => is_count_of_reads(finding),
        What::Notification(Notification::SubbufStart {
            expected: MaybeStart(Some(expected)),
            seen: MaybeStart(Some(seen)),
            ..
        }) => {
            let consumed = expected.consumed;
            *expected == SubbufStart { consumed, ..*seen }
        }
        _ => false,
    }
}

fn is_about_reading(matter: &Matter<'_>, finding: &Finding) -> bool {
    match finding.property() {
        Property::Reading | Property::Notification => true,
        Property::Model => is_count_of_reads(finding),
        Property::Expectation => {
            super::operation(matter, finding).is_some_and(|op| matches!(op, Op::FileRead { .. }))
        }
        _ => false,
    }
}
