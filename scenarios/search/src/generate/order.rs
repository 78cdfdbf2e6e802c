//! Putting the operations of several actors in one order, by gates from hand to hand.

use relaybed_case::{Actor, Case, Op};
use relaybed_contract::order::{At, Order, operations};

/// An operation and the actor that does it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// Index of the actor.
    pub(crate) actor: usize,
    /// What it does; never a signal or a wait.
    pub(crate) op: Op,
}

/// Gives the actors their operations so that they can only happen in the order of `steps`: whoever hands
/// over signals a gate that the next one waits for. `turn`: one gate counts all the hand-overs; else each
/// has a gate of its own.
pub(crate) fn in_line(actors: &mut [Actor], steps: &[Step], turn: bool) -> Vec<String> {
    for actor in actors.iter_mut() {
        actor.ops.clear();
    }
    let mut gates = Vec::new();
    let mut count = 0;
    let mut last: Option<usize> = None;
    for step in steps {
        if let Some(before) = last.filter(|before| *before != step.actor) {
            count += 1;
            if gates.is_empty() || !turn {
                gates.push(format!("g{}", gates.len()));
            }
            let gate = gates.len() - 1;
            actors[before].ops.push(Op::Signal { gate });
            let count = if turn { count } else { 1 };
            actors[step.actor].ops.push(Op::Wait { gate, count });
        }
        actors[step.actor].ops.push(step.op.clone());
        last = Some(step.actor);
    }
    gates
}

/// All operations but signals and waits in the one order that the gates leave; `None` if they leave more.
pub(crate) fn line_of(case: &Case) -> Option<Vec<At>> {
    // What is nested runs in the middle of another operation: no gate can say so.
    if case.actors.iter().any(Actor::is_nested) {
        return None;
    }
    let order = Order::of(case);
    let is_step = |at: &At| !is_gate(&case.actors[at.actor].ops[at.op]);
    let line: Vec<At> = order.line.iter().copied().filter(is_step).collect();
    let all = operations(case).filter(is_step).count();
    let total = line
        .windows(2)
        .all(|pair| order.is_before(pair[0], pair[1]));
    (total && line.len() == all).then_some(line)
}

/// Whether an operation only puts actors in order.
pub(crate) fn is_gate(op: &Op) -> bool {
    matches!(op, Op::Signal { .. } | Op::Wait { .. })
}
