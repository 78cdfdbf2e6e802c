//! K9: of a channel whose callback waits in the middle of a switch, a reader was claimed to get so much and
//! got less. (Nothing is determined of such a read but by the scenario's author.)

use crate::checks::model::result;
use crate::matter::Matter;
use relaybed_case::finding::Finding;
use relaybed_case::verdict::Property;
use relaybed_case::{Expect, Op};

pub(super) fn explains(matter: &Matter<'_>, _all: &[Finding], finding: &Finding) -> bool {
    let actors = &matter.case.actors;
    let who = finding.at.actor.as_ref();
    let actor = actors.iter().position(|a| Some(&a.name) == who);
    let (Some(actor), Some(op), Some(Op::FileRead { .. })) =
        (actor, finding.at.op, super::operation(matter, finding))
    else {
        return false;
    };
    let waits = super::channel(matter, finding).is_some_and(|spec| spec.client.stall.is_some());
    let got = result(matter, actor, op).filter(|result| result.error == 0);
    let less = matter.case.expect.iter().any(|expect| {
        matches!(expect, Expect::Result { actor: who, op: which, value: Some(claimed), .. }
            if (*who, *which) == (actor, op)
                && got.is_some_and(|result| result.value < *claimed))
    });
    finding.property() == Property::Expectation && waits && less
}
