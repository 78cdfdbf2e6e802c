//! Which defects a run met: the fewest whose fix makes it right.

use relaybed_case::finding::Finding;
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
    let right = Right::of(matter, line);
    let as_it_was = line.replay(matter, defects);
    let matters = |defect: &Defect| {
        let fixed = line.replay(matter, defects.without(*defect));
        !is_same(matter.case, &as_it_was, &fixed)
    };
    let relevant: Vec<Defect> = defects.iter().filter(matters).collect();
    for size in 1..=relevant.len().min(TOGETHER_MAX) {
        let mut found = Vec::new();
        choose(&relevant, size, Defects::NONE, &mut |some| {
            if right.is(&line.replay(matter, defects.minus(some))) {
                found.push(some);
            }
        });
        if let Some(first) = found.first() {
            return Some(*first);
        }
    }
    if let Some(two) = two_at_once(&right, defects) {
        return Some(two);
    }
    // Each masks another: all that matter together.
    let all: Defects = relevant.into_iter().collect();
    (!all.is_empty() && right.is(&line.replay(matter, Defects::NONE))).then_some(all)
}

/// Two of which neither matters alone: a section that begins in one's and ends in the other's.
fn two_at_once(right: &Right<'_, '_>, defects: Defects) -> Option<Defects> {
    let sections: Vec<Defect> = defects
        .iter()
        .filter(|defect| is_section(*defect))
        .collect();
    let mut found = None;
    choose(&sections, 2, Defects::NONE, &mut |some| {
        let fixed = || right.line.replay(right.matter, defects.minus(some));
        if found.is_none() && right.is(&fixed()) {
            found = Some(some);
        }
    });
    found
}

/// Whether the defect is nothing but a section of a read that others come in between.
const fn is_section(defect: Defect) -> bool {
    matches!(
        defect,
        Defect::K31 | Defect::K37 | Defect::K38 | Defect::K39
    )
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
        && a.warnings == b.warnings
        && (a.unmaps_parts == b.unmaps_parts || !has_parts)
}

/// What a run must be to be right.
struct Right<'m, 'a> {
    matter: &'m Matter<'a>,
    line: &'m Line,
    /// Nothing is wrong but what the author claims: then that is the measure. Else it may be about the order
    /// that was.
    by_claims: bool,
}

impl<'m, 'a> Right<'m, 'a> {
    fn of(matter: &'m Matter<'a>, line: &'m Line) -> Self {
        let findings = findings_of(matter.case, matter.evidence);
        Self {
            matter,
            line,
            by_claims: findings.iter().all(is_claim),
        }
    }

    /// Whether the contract is kept by what this run would leave.
    fn is(&self, prediction: &Prediction) -> bool {
        let (case, setting) = (self.matter.case, &self.matter.evidence.setting);
        let evidence = forge::leaves(case, self.line.fired(), prediction, setting);
        let findings = findings_of(case, &evidence);
        findings.is_empty() || !self.by_claims && findings.iter().all(is_claim)
    }
}

fn is_claim(finding: &Finding) -> bool {
    finding.property() == Property::Expectation
}
