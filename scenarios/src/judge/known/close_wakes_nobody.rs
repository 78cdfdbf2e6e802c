//! K4: all that is wrong is a poll without timeout that never ended although its channel was closed,
//! and what its actor could not do behind it.

use crate::case::Op;
use crate::judge::checks::model::result;
use crate::judge::matter::Matter;
use crate::model::order::At;
use crate::model::predict::bound;
use crate::verdict::{Failure, Property};

pub(super) fn explains(matter: &Matter<'_>, _all: &[Failure], failure: &Failure) -> bool {
    failure.property == Property::Evidence
        && failure.what == "the operation was not done"
        && waits_for_close(matter, failure)
}

/// The operation waits for the end of a channel, or stands behind one of its actor that does.
fn waits_for_close(matter: &Matter<'_>, failure: &Failure) -> bool {
    let name = failure.at.actor.as_ref();
    let actors = &matter.case.actors;
    let Some(actor) = actors.iter().position(|a| Some(&a.name) == name) else {
        return false;
    };
    let ops = &actors[actor].ops;
    let stopped = (0..ops.len()).find(|op| result(matter, actor, *op).is_none());
    let Some(op) = stopped.filter(|op| failure.at.op >= Some(*op)) else {
        return false;
    };
    let forever = matches!(
        ops[op],
        Op::FilePoll {
            timeout_ms: None,
            ..
        }
    );
    forever
        && bound(matter.case, At { actor, op }).is_some_and(|(channel, _, _)| {
            matter.has_op(channel, |op| matches!(op, Op::Close { .. }))
        })
}
