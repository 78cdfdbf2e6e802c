//! poll tells what there is, and wakes those who wait.

use relaybed_abi::{ChanState, OpResult};

use crate::matter::{Matter, Report, buffer_of};
use relaybed_case::Op;
use relaybed_case::verdict::Property;
use relaybed_contract::order::At;
use relaybed_contract::predict::{bound, changes};

const POLLIN: u64 = 0x1;
const POLLERR: u64 = 0x8;
const POLLHUP: u64 = 0x10;
const POLLRDNORM: u64 = 0x40;
/// What the agent says of a poll without a timeout when nobody is left who could end it.
pub(crate) const ECANCELED: u32 = 125;
/// What is said of a poll that had to be called off though relay owed it an answer.
pub(crate) const NOT_WOKEN: &str = "a poll() without a timeout was not woken";

/// Checks it.
pub(super) fn check(matter: &Matter<'_>, report: &mut Report) {
    for (actor, script) in matter.case.actors.iter().enumerate() {
        for (index, op) in script.ops.iter().enumerate() {
            let Op::FilePoll { timeout_ms, .. } = op else {
                continue;
            };
            if let Some(result) = super::model::result(matter, actor, index) {
                poll(matter, report, (actor, index), *timeout_ms, result);
            }
        }
    }
}

fn poll(
    matter: &Matter<'_>,
    report: &mut Report,
    (actor, index): (usize, usize),
    timeout_ms: Option<u32>,
    result: &OpResult,
) {
    let seen = result.value & !POLLRDNORM;
    let predicted = matter
        .prediction
        .op(actor, index)
        .and_then(|predicted| predicted.value)
        // POLLRDNORM is reported to those who ask for it only.
        .map(|mask| mask & !POLLRDNORM);
    let at = matter.operation(actor, index);
    if result.error.unsigned_abs() == ECANCELED && timeout_ms.is_some() {
        report.fail(
            Property::Notification,
            at,
            "a poll() with a timeout was called off",
            "an end after its timeout",
            super::model::result_text(result, "nothing"),
        );
        return;
    }
    if result.error.unsigned_abs() == ECANCELED {
        let owed = predicted.or_else(|| owed(matter, (actor, index), result));
        match owed {
            Some(mask) => report.fail(
                Property::Notification,
                at,
                NOT_WOKEN,
                events_text(mask),
                "it waited until nobody was left who could end it",
            ),
            None => report.amount.unspecified += 1,
        }
        return;
    }
    if let Some(expected) = predicted {
        if seen != expected || result.error != 0 {
            report.fail(
                Property::Notification,
                at,
                "poll() did not report what it must",
                events_text(expected),
                super::model::result_text(result, events_text(seen)),
            );
        }
        return;
    }
    report.amount.unspecified += 1;
    let possible = POLLIN | POLLERR | POLLHUP;
    if result.error == 0 && (seen & !possible != 0 || (seen == 0 && timeout_ms.is_none())) {
        report.fail(
            Property::Notification,
            at,
            "poll() reported what it never can",
            "POLLIN, POLLERR, POLLHUP or, after a timeout, nothing",
            events_text(seen),
        );
    }
}

/// What a poll that was called off ought to have reported, by what the buffer is at the end. `None`:
/// nothing, or the buffer was changed after the poll.
fn owed(matter: &Matter<'_>, (actor, op): (usize, usize), result: &OpResult) -> Option<u64> {
    let case = matter.case;
    let (channel, cpu, _) = bound(case, At { actor, op })?;
    let key = (channel, cpu as usize);
    let later = relaybed_contract::order::operations(case).any(|at| {
        super::model::result(matter, at.actor, at.op)
            .is_some_and(|other| other.order_start > result.order_end)
            && changes(case, at, matter.prediction.online_cpus).contains(&key)
    });
    let seen = matter.end()?.channels.get(channel)?;
    match seen.state {
        _ if later => None,
        ChanState::Closed => Some(POLLERR),
        ChanState::Open => {
            let buffer = buffer_of(seen, cpu)?;
            (buffer.produced != buffer.consumed).then_some(POLLIN)
        }
        _ => None,
    }
}

fn events_text(mask: u64) -> String {
    let names = [
        (POLLIN, "POLLIN"),
        (POLLERR, "POLLERR"),
        (POLLHUP, "POLLHUP"),
    ];
    let set: Vec<&str> = names
        .iter()
        .filter(|(bit, _)| mask & bit != 0)
        .map(|(_, name)| *name)
        .collect();
    let other = mask & !(POLLIN | POLLERR | POLLHUP);
    match (set.is_empty(), other) {
        (true, 0) => "nothing".to_owned(),
        (_, 0) => set.join(" | "),
        (_, other) => format!("{} and {other:#x}", set.join(" | ")),
    }
}
