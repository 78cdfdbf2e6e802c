//! Running a case's gates, and nothing else of it.

use super::{ActorIndex, Case};

/// Lets the actors go in turn, each as far as gates let it; `done` hears of every operation in an order
/// that agrees with program order, gates and nesting. Gives the operation at which each actor stands
/// in the end: behind its last where it comes through. Counts of gates only grow, so an actor that
/// stands here stands in every order of events.
pub fn take_turns(case: &Case, mut done: impl FnMut(ActorIndex, usize)) -> Vec<usize> {
    let mut gates = vec![0_u64; case.gates.len()];
    for (gate, count) in gates.iter_mut().enumerate() {
        // Whenever the calls come; those of openings that are sure to wait come with them.
        *count = case.raised_by_calls(gate, |op| case.hold(op).is_none()) as u64;
    }
    let mut next = vec![0; case.actors.len()];
    // By actor: it stands half way in an operation and has raised that one's gate.
    let mut halfway = vec![false; case.actors.len()];
    let mut moved = true;
    while moved {
        moved = false;
        for (actor, script) in case.actors.iter().enumerate() {
            while let Some(op) = script.ops.get(next[actor]) {
                // What is nested comes with its host's operation.
                if script.is_nested() {
                    break;
                }
                let hold = case.hold(op);
                let raises = op.raised_gate().or(hold.map(|hold| hold.reached));
                let raises = raises.filter(|_| !halfway[actor]);
                if let Some(count) = raises.and_then(|gate| gates.get_mut(gate)) {
                    *count += case.raises(op) as u64;
                    moved = true;
                }
                let awaited = hold.map(|hold| (hold.until, 1)).or(op.awaited_gate());
                let waits = awaited.is_some_and(|(gate, count)| {
                    gates.get(gate).copied().unwrap_or(0) < u64::from(count)
                });
                halfway[actor] = waits && hold.is_some();
                if waits {
                    break;
                }
                done(actor, next[actor]);
                moved = true;
                if let Some((guest, _)) = case.guest(actor, next[actor]) {
                    next[guest] = case.actors[guest].ops.len();
                    (0..next[guest]).for_each(|op| done(guest, op));
                }
                next[actor] += 1;
            }
        }
    }
    next
}
