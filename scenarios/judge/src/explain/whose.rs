//! Whether a trace says whose each access is.
//!
//! A trace names the vCPU of an access, and the operation before which that vCPU stopped last. Where a vCPU has
//! operations of several actors under way at once, its kernel may have gone from one to the other in their middle,
//! and nothing says when. Such a run is judged as a free one, and its report says so ([`Searched`]).

use relaybed_case::place::Place;
use relaybed_case::verdict::Searched;
use relaybed_case::{Case, Op, Place as Where};
use relaybed_contract::order::At;

use super::marks::result;
use crate::matter::Matter;

/// Why some access has no owner that is sure.
pub(super) fn unsure(matter: &Matter<'_>) -> Option<Searched> {
    let trace = matter.evidence.trace.as_ref()?;
    let case = matter.case;
    let roams = |at: At| matches!(case.actors[at.actor].place, Where::User { cpu: None });
    let mut spans: Vec<(u32, At, u32, u32)> = Vec::new();
    for step in &trace.steps {
        let Place::Operation { actor, op } = step.stop.place else {
            continue;
        };
        let at = At {
            actor: actor as usize,
            op: op as usize,
        };
        let Some(result) = result(matter, at).filter(|_| may_access(case, at)) else {
            continue;
        };
        if roams(at) {
            return Some(Searched::Moves);
        }
        spans.push((step.stop.vcpu, at, result.order_start, result.order_end));
    }
    let shares = |one: &(u32, At, u32, u32), other: &(u32, At, u32, u32)| {
        one.0 == other.0 && one.1.actor != other.1.actor && one.2 < other.3 && other.2 < one.3
    };
    let mut pairs = spans.iter().enumerate();
    let shares =
        pairs.any(|(index, one)| spans[index + 1..].iter().any(|other| shares(one, other)));
    shares.then_some(Searched::Shared)
}

/// Whether the operation may access a channel buffer. Whoever is nested in another runs to its end at once.
pub(super) fn may_access(case: &Case, at: At) -> bool {
    let actor = case.actors.get(at.actor);
    let op = actor.and_then(|actor| actor.ops.get(at.op));
    actor.is_some_and(|actor| !actor.is_nested())
        && op.is_some_and(|op| {
            !matches!(
                op,
                Op::Signal { .. } | Op::Wait { .. } | Op::Delay { .. } | Op::Sysrq { .. }
            )
        })
}
