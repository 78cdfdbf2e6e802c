//! K7: in overwrite mode the callback refused after a lap, and readers of that buffer got other bytes than
//! the oldest that are there.

use crate::matter::Matter;
use relaybed_case::verdict::{Failure, Property};
use relaybed_case::{Channel, Mode, Op};

pub(super) fn explains(matter: &Matter<'_>, all: &[Failure], failure: &Failure) -> bool {
    let refuses =
        |channel: &Channel| channel.mode == Mode::Overwrite && channel.client.refuse.is_some();
    let Some((index, cpu)) = super::buffer(matter, failure) else {
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
        && is_about_reading(matter, failure)
        && (all.iter().any(|other| other.property == Property::Reading)
            || is_about_consumed(failure))
}

/// Where the bytes happen to be the right ones, only how many sub-buffers count as consumed is wrong.
fn is_about_consumed(failure: &Failure) -> bool {
    let but_for_consumed = |text: &str| {
        let mut words: Vec<String> = text.split(' ').map(str::to_owned).collect();
        let number = words
            .iter()
            .position(|word| word == "consumed")
            .map(|at| at + 1);
        if let Some(number) = number.filter(|at| *at < words.len()) {
            words.remove(number);
        }
        words
    };
    match failure.property {
        Property::Model => failure.what.contains("consumed"),
        Property::Notification => {
            failure.what.contains("subbuf_start")
                && but_for_consumed(&failure.expected) == but_for_consumed(&failure.seen)
        }
        _ => false,
    }
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
