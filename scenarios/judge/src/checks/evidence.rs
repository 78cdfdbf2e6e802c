//! The evidence is complete: nothing lost in the logs, all operations done.

use relaybed_abi::State;

use crate::matter::{Matter, Report};
use crate::words;
use relaybed_case::verdict::{Location, Property};
use relaybed_case::{Actor, Place};

/// Checks it.
pub(crate) fn check(matter: &Matter<'_>, report: &mut Report) {
    let evidence = matter.evidence;
    let none = Location::default;
    if evidence.events_lost > 0 {
        report.fail(
            Property::Evidence,
            none(),
            "the event log overflowed",
            "0 events lost",
            evidence.events_lost,
        );
    }
    if evidence.data_lost > 0 {
        report.fail(
            Property::Evidence,
            none(),
            "the data area overflowed",
            "0 bytes lost",
            evidence.data_lost,
        );
    }
    if matter.end().is_none() {
        report.fail(
            Property::Evidence,
            none(),
            "the end was not observed",
            "an observation of the end",
            format!(
                "{} observations of checkpoints",
                evidence.observations.len()
            ),
        );
    }
    for (actor, script) in matter.case.actors.iter().enumerate() {
        for op in 0..script.ops.len() {
            let result = evidence.results.get(actor).and_then(|ops| ops.get(op));
            if is_missed(matter, script) {
                continue;
            }
            if result.is_none_or(|result| result.state != State::Done.code()) {
                report.fail(
                    Property::Evidence,
                    matter.operation(actor, op),
                    "the operation was not done",
                    words::operation(State::Done.code()),
                    result.map_or_else(|| "no result".to_owned(), |r| words::operation(r.state)),
                );
            }
        }
    }
    checkpoints(matter, report);
}

/// Whether the actor was to be nested on a write that was not to be: its channel was not open, or its CPU
/// offline.
fn is_missed(matter: &Matter<'_>, script: &Actor) -> bool {
    let Place::Nested { host, op, .. } = script.place else {
        return false;
    };
    let result = matter
        .evidence
        .results
        .get(host)
        .and_then(|ops| ops.get(op));
    let error = result.map_or(0, |result| result.error);
    let expected = matter.prediction.op(host, op).and_then(|op| op.error);
    error != 0 && expected.is_none_or(|expected| expected == error.unsigned_abs())
}

/// Every checkpoint that the case has was observed once.
fn checkpoints(matter: &Matter<'_>, report: &mut Report) {
    for moment in &matter.prediction.moments {
        let at = moment.at.map(|at| (at.actor, at.op));
        let seen = matter.evidence.observations.iter().filter(|o| o.at == at);
        let count = seen.count();
        if count != 1 {
            let place = at.map_or_else(Location::default, |(a, o)| matter.operation(a, o));
            report.fail(
                Property::Evidence,
                place,
                "a checkpoint or the end was not observed exactly once",
                1,
                count,
            );
        }
    }
}
