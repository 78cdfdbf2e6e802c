//! Causes before what they bring about: a failed `open()` before the `poll()` of a descriptor that is none.

use relaybed_case::Op;
use relaybed_case::finding::{Expectation, Finding, What};

use super::checks::model::result;
use super::matter::Matter;

/// Puts each finding that brings about another before it; else the order stays.
pub(super) fn first(matter: &Matter<'_>, findings: &mut [Finding]) {
    for later in 1..findings.len() {
        let brings = |earlier: &Finding| is_cause(matter, &findings[later], earlier);
        if let Some(earlier) = findings[..later].iter().position(brings) {
            findings[earlier..=later].rotate_right(1);
        }
    }
}

/// Whether `cause` brings `finding` about.
fn is_cause(matter: &Matter<'_>, cause: &Finding, finding: &Finding) -> bool {
    let concerns = channel_of(matter, finding);
    match (&cause.what, operation(matter, cause)) {
        // Without its channel nothing works.
        (What::Expectation(Expectation::NeverOpened {}), _) => {
            let is_other = !matches!(finding.what, What::Expectation(Expectation::NeverOpened {}));
            is_other && concerns.is_some() && concerns == channel_of(matter, cause)
        }
        (_, Some((actor, op))) if has_failed(matter, (actor, op)) => {
            let script = &matter.case.actors[actor];
            match (&script.ops[op], operation(matter, finding)) {
                (Op::Open { .. }, at) => {
                    let after = at.is_some_and(|at| is_after(matter, at, (actor, op)));
                    after && concerns.is_some() && concerns == script.ops[op].channel()
                }
                (_, Some((of, at))) => {
                    of == actor && at != op && script.bound(at).is_some_and(|bound| bound.2 == op)
                }
                _ => false,
            }
        }
        _ => false,
    }
}

/// The operation that a finding is about.
fn operation(matter: &Matter<'_>, finding: &Finding) -> Option<(usize, usize)> {
    let (name, op) = (finding.at.actor.as_ref()?, finding.at.op?);
    let mut actors = matter.case.actors.iter();
    let actor = actors.position(|actor| actor.name == *name)?;
    matter.case.actors[actor].ops.get(op)?;
    Some((actor, op))
}

/// The channel that it concerns, by its place or by its operation.
fn channel_of(matter: &Matter<'_>, finding: &Finding) -> Option<usize> {
    let named = finding.at.channel.as_ref().and_then(|name| {
        let mut channels = matter.case.channels.iter();
        channels.position(|channel| channel.name == *name)
    });
    named.or_else(|| {
        let (actor, op) = operation(matter, finding)?;
        let script = &matter.case.actors[actor];
        let by_file = script.bound(op).map(|(channel, ..)| channel);
        script.ops[op].channel().or(by_file)
    })
}

fn has_failed(matter: &Matter<'_>, (actor, op): (usize, usize)) -> bool {
    let is_open = matches!(matter.case.actors[actor].ops[op], Op::Open { .. });
    result(matter, actor, op)
        .is_some_and(|result| result.error != 0 || (is_open && result.value == 0))
}

fn is_after(matter: &Matter<'_>, at: (usize, usize), before: (usize, usize)) -> bool {
    let order = |(actor, op): (usize, usize)| {
        result(matter, actor, op).map(|result| (result.order_start, result.order_end))
    };
    match (order(at), order(before)) {
        (Some((start, _)), Some((_, end))) => start >= end,
        _ => false,
    }
}
