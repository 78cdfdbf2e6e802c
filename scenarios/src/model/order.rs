//! What happens before what: program order and gates.
//!
//! A signal orders a wait only when the wait cannot be satisfied without it. Operations that are not
//! ordered may run in any order, and nothing that depends on it is predicted.

use crate::case::{ActorIndex, Case, Op};

/// An operation: actor and index in its list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct At {
    /// The actor.
    pub actor: ActorIndex,
    /// Index of its operation.
    pub op: usize,
}

/// The happens-before relation of a case, and one order that agrees with it.
#[derive(Clone, Debug)]
pub struct Order {
    /// For each operation: how many operations of each actor are over before it starts.
    before: Vec<Vec<Vec<u32>>>,
    /// Operations in an order that agrees with the relation.
    pub line: Vec<At>,
    /// Waits that can never be satisfied, with all that comes after them.
    pub stuck: Vec<At>,
}

struct Signal {
    at: At,
    gate: usize,
}

impl Order {
    /// The order of a case's operations.
    #[must_use]
    pub fn of(case: &Case) -> Self {
        let signals: Vec<Signal> = operations(case)
            .filter_map(|at| match case.actors[at.actor].ops[at.op] {
                Op::Signal { gate } => Some(Signal { at, gate }),
                _ => None,
            })
            .collect();
        let width = case.actors.len();
        let mut order = Self {
            before: case
                .actors
                .iter()
                .map(|actor| vec![vec![0; width]; actor.ops.len() + 1])
                .collect(),
            line: Vec::new(),
            stuck: Vec::new(),
        };
        while order.spread(case, &signals) {}
        order.run(case);
        order
    }

    /// Whether `a` is over before `b` starts.
    #[must_use]
    pub fn is_before(&self, a: At, b: At) -> bool {
        self.before
            .get(b.actor)
            .and_then(|ops| ops.get(b.op))
            .and_then(|clock| clock.get(a.actor))
            .is_some_and(|over| *over as usize > a.op)
    }

    /// Whether one of the two is over before the other starts.
    #[must_use]
    pub fn is_ordered(&self, a: At, b: At) -> bool {
        self.is_before(a, b) || self.is_before(b, a)
    }

    /// One pass over all operations; whether anything new came to light.
    fn spread(&mut self, case: &Case, signals: &[Signal]) -> bool {
        let mut changed = false;
        for (actor, script) in case.actors.iter().enumerate() {
            for (op, what) in script.ops.iter().enumerate() {
                let at = At { actor, op };
                let mut clock = self.before[actor][op].clone();
                clock[actor] = u32::try_from(op + 1).unwrap_or(u32::MAX);
                if let Op::Wait { gate, count } = what {
                    let by_calls = stalls(case, *gate);
                    for signal in self.needed(at, *gate, *count as usize, by_calls, signals) {
                        let theirs = &self.before[signal.actor][signal.op];
                        for (mine, over) in clock.iter_mut().zip(theirs) {
                            *mine = (*mine).max(*over);
                        }
                        let own = u32::try_from(signal.op + 1).unwrap_or(u32::MAX);
                        clock[signal.actor] = clock[signal.actor].max(own);
                    }
                }
                let next = &mut self.before[actor][op + 1];
                for (old, new) in next.iter_mut().zip(&clock) {
                    if *new > *old {
                        *old = *new;
                        changed = true;
                    }
                }
            }
        }
        changed
    }

    /// Signals without which the wait cannot end. Those `by_calls` of callbacks may come at any time.
    fn needed(
        &self,
        wait: At,
        gate: usize,
        count: usize,
        by_calls: usize,
        signals: &[Signal],
    ) -> Vec<At> {
        let possible: Vec<At> = signals
            .iter()
            .filter(|signal| signal.gate == gate && !self.is_before(wait, signal.at))
            .map(|signal| signal.at)
            .collect();
        possible
            .iter()
            .copied()
            .filter(|signal| {
                let without = possible
                    .iter()
                    .filter(|other| *other != signal && !self.is_before(*signal, **other))
                    .count();
                without + by_calls < count
            })
            .collect()
    }

    /// Runs all actors in turn as far as gates let them.
    fn run(&mut self, case: &Case) {
        let mut gates: Vec<usize> = (0..case.gates.len())
            .map(|gate| stalls(case, gate))
            .collect();
        let mut next = vec![0usize; case.actors.len()];
        loop {
            let mut moved = false;
            for (actor, script) in case.actors.iter().enumerate() {
                while let Some(what) = script.ops.get(next[actor]) {
                    match what {
                        Op::Wait { gate, count }
                            if gates.get(*gate).copied().unwrap_or(0) < *count as usize =>
                        {
                            break;
                        }
                        Op::Signal { gate } => {
                            if let Some(count) = gates.get_mut(*gate) {
                                *count += 1;
                            }
                        }
                        _ => {}
                    }
                    let op = next[actor];
                    self.line.push(At { actor, op });
                    next[actor] += 1;
                    moved = true;
                }
            }
            if !moved {
                break;
            }
        }
        self.stuck = operations(case)
            .filter(|at| at.op >= next[at.actor])
            .collect();
    }
}

/// Callbacks that signal the gate in the middle of an operation: it orders nothing.
fn stalls(case: &Case, gate: usize) -> usize {
    case.stalls().filter(|stall| stall.signal == gate).count()
}

/// All operations of a case, actor by actor.
pub fn operations(case: &Case) -> impl Iterator<Item = At> + '_ {
    case.actors
        .iter()
        .enumerate()
        .flat_map(|(actor, script)| (0..script.ops.len()).map(move |op| At { actor, op }))
}
