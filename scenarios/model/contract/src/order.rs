//! What happens before what: program order and gates.
//!
//! A signal orders a wait only when the wait cannot be satisfied without it. Operations that are not
//! ordered may run in any order, and nothing that depends on it is predicted.

use relaybed_case::{ActorIndex, Case, Op, Place, take_turns};

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
            .filter_map(|at| {
                let gate = case.actors[at.actor].ops[at.op].raised_gate()?;
                Some(Signal { at, gate })
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
        let mut changed = self.spread_nests(case);
        for (actor, script) in case.actors.iter().enumerate() {
            for (op, what) in script.ops.iter().enumerate() {
                let at = At { actor, op };
                let mut clock = self.before[actor][op].clone();
                clock[actor] = u32::try_from(op + 1).unwrap_or(u32::MAX);
                if let Some((gate, count)) = what.awaited_gate() {
                    let by_calls = case.raised_by_calls(gate, |_| true);
                    for signal in self.needed(at, gate, count as usize, by_calls, signals) {
                        let theirs = &self.before[signal.actor][signal.op];
                        for (mine, over) in clock.iter_mut().zip(theirs) {
                            *mine = (*mine).max(*over);
                        }
                        // One that signals half way is not over by then.
                        let whole =
                            matches!(case.actors[signal.actor].ops[signal.op], Op::Signal { .. });
                        let own = signal.op + usize::from(whole);
                        let own = u32::try_from(own).unwrap_or(u32::MAX);
                        clock[signal.actor] = clock[signal.actor].max(own);
                    }
                }
                changed |= raise(&mut self.before[actor][op + 1], &clock);
            }
        }
        changed
    }

    /// A nested actor begins with its host's operation over, and what the host does next comes behind
    /// it; what really happens inside that operation is the simulation's matter.
    fn spread_nests(&mut self, case: &Case) -> bool {
        let mut changed = false;
        for (guest, script) in case.actors.iter().enumerate() {
            let Place::Nested { host, op, .. } = script.place else {
                continue;
            };
            let mut start = self.before[host][op].clone();
            start[host] = start[host].max(u32::try_from(op + 1).unwrap_or(u32::MAX));
            changed |= raise(&mut self.before[guest][0], &start);
            let end = self.before[guest][script.ops.len()].clone();
            changed |= raise(&mut self.before[host][op + 1], &end);
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
        let next = take_turns(case, |actor, op| self.line.push(At { actor, op }));
        self.stuck = operations(case)
            .filter(|at| at.op >= next[at.actor])
            .collect();
    }
}

/// Raises the counts of a clock to another's; whether that changed any.
fn raise(clock: &mut [u32], to: &[u32]) -> bool {
    let mut changed = false;
    for (old, new) in clock.iter_mut().zip(to) {
        changed |= *new > *old;
        *old = (*old).max(*new);
    }
    changed
}

/// All operations of a case, actor by actor.
pub fn operations(case: &Case) -> impl Iterator<Item = At> + '_ {
    case.actors
        .iter()
        .enumerate()
        .flat_map(|(actor, script)| (0..script.ops.len()).map(move |op| At { actor, op }))
}
