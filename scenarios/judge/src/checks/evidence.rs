//! The evidence is complete: nothing lost in the logs, all operations done.

use crate::matter::{Matter, Report};
use relaybed_case::finding::{Bytes, Completeness, OpState};
use relaybed_case::verdict::Location;
use relaybed_case::{Actor, Place};

/// Checks it.
pub(crate) fn check(matter: &Matter<'_>, report: &mut Report) {
    let evidence = matter.evidence;
    let none = Location::default;
    if evidence.events_lost > 0 {
        let lost = u64::from(evidence.events_lost);
        report.fail(none(), Completeness::EventsLost { lost });
    }
    if evidence.data_lost > 0 {
        let lost = Bytes(evidence.data_lost.into());
        report.fail(none(), Completeness::DataLost { lost });
    }
    if matter.end().is_none() {
        let observations = evidence.observations.len() as u64;
        report.fail(none(), Completeness::NoEnd { observations });
    }
    for (actor, script) in matter.case.actors.iter().enumerate() {
        for op in 0..script.ops.len() {
            let result = evidence.results.get(actor).and_then(|ops| ops.get(op));
            if is_missed(matter, script) {
                continue;
            }
            let state = result.map_or(OpState::Nothing, |result| OpState::of(result.state));
            if state != OpState::Done {
                report.fail(matter.operation(actor, op), Completeness::NotDone { state });
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
        let seen = seen.count() as u64;
        if seen != 1 {
            let place = at.map_or_else(Location::default, |(a, o)| matter.operation(a, o));
            report.fail(place, Completeness::Checkpoint { seen });
        }
    }
}
