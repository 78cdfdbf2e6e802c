//! Which defects a run met: the fewest whose fix makes it right.

use relaybed_case::verdict::Property;
use relaybed_case::{Case, FileCall, Op};
use relaybed_contract::Prediction;
use relaybed_twin::{Defect, Defects};

use super::line::Line;
use crate::forge;
use crate::matter::Matter;
use crate::run::findings_of;

/// Defects that are fixed together, at most.
const TOGETHER_MAX: usize = 3;

/// The defects met in this order, or `None` where none of those makes it right.
pub(super) fn met(matter: &Matter<'_>, line: &Line, defects: Defects) -> Option<Defects> {
    let as_it_was = line.replay(matter, defects);
    let matters = |defect: &Defect| {
        let fixed = line.replay(matter, defects.without(*defect));
        !is_same(matter.case, &as_it_was, &fixed)
    };
    let relevant: Vec<Defect> = defects.iter().filter(matters).collect();
    for size in 1..=relevant.len().min(TOGETHER_MAX) {
        let mut found = Vec::new();
        choose(&relevant, size, Defects::NONE, &mut |some| {
            if is_right(matter, line, &line.replay(matter, defects.minus(some))) {
                found.push(some);
            }
        });
        if let Some(first) = found.first() {
            return Some(*first);
        }
    }
    // Each masks another: all that matter together.
    let all: Defects = relevant.into_iter().collect();
    (!all.is_empty() && is_right(matter, line, &line.replay(matter, Defects::NONE))).then_some(all)
}

fn choose(of: &[Defect], size: usize, some: Defects, each: &mut dyn FnMut(Defects)) {
    if size == 0 {
        each(some);
        return;
    }
    for (index, defect) in of.iter().enumerate() {
        choose(&of[index + 1..], size - 1, some.with(*defect), each);
    }
}

fn is_same(case: &Case, a: &Prediction, b: &Prediction) -> bool {
    let parts = |call: &FileCall| matches!(call, FileCall::Keep { .. });
    let mut ops = case.actors.iter().flat_map(|actor| &actor.ops);
    let has_parts = ops.any(|op| matches!(op, Op::File { call, .. } if parts(call)));
    (&a.ops, &a.moments, &a.calls, &a.files) == (&b.ops, &b.moments, &b.calls, &b.files)
        && (a.unmaps_parts == b.unmaps_parts || !has_parts)
}

/// Whether the contract is kept by what this run would leave.
fn is_right(matter: &Matter<'_>, line: &Line, prediction: &Prediction) -> bool {
    let setting = &matter.evidence.setting;
    let evidence = forge::leaves(matter.case, line.fired(), prediction, setting);
    // What the author claims may be about the order that was.
    findings_of(matter.case, &evidence)
        .iter()
        .all(|finding| finding.property() == Property::Expectation)
}
