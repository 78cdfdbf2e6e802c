//! poll reports what there is, and wakes those who wait.

use relaybed_abi::{ChanState, OpResult};

use crate::matter::{Matter, Report, buffer_of};
use relaybed_case::Op;
use relaybed_case::errno::{ECANCELED, Errno};
use relaybed_case::finding::{Notification, Outcome};
use relaybed_case::pollbits::{POLLERR, POLLHUP, POLLIN, POLLRDNORM, PollBits};
use relaybed_case::unspecified::Why;
use relaybed_contract::order::At;
use relaybed_contract::predict::{bound, changes};

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
    // The agent's word for a poll that it ended, since nothing else would.
    let cancelled = Errno::from(result.error) == Errno(ECANCELED);
    if cancelled && timeout_ms.is_some() {
        let seen = Outcome::Fails(Errno(ECANCELED));
        report.fail(at, Notification::PollOverdue { seen });
        return;
    }
    let foreseen = matter.prediction.op(actor, index).and_then(|op| op.error);
    if foreseen.is_some_and(|error| error != 0 && error == result.error.unsigned_abs()) {
        return;
    }
    if cancelled {
        let owed = predicted.or_else(|| owed(matter, (actor, index), result));
        match owed.map(PollBits) {
            Some(owed) => report.fail(at, Notification::PollNotWoken { owed }),
            None => report.leave(Why::Order, 1),
        }
        return;
    }
    if let Some(expected) = predicted {
        if seen != expected || result.error != 0 {
            let events = Notification::PollEvents {
                expected: PollBits(expected),
                seen: super::model::outcome(result, Outcome::Reports(PollBits(seen))),
            };
            report.fail(at, events);
        }
        return;
    }
    report.leave(Why::Order, 1);
    let possible = POLLIN | POLLERR | POLLHUP;
    if result.error == 0 && (seen & !possible != 0 || (seen == 0 && timeout_ms.is_none())) {
        let seen = PollBits(seen);
        report.fail(at, Notification::PollImpossible { seen });
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
