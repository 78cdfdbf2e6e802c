//! What is over before an operation starts, by gates and by its actor's order, whatever the machine does.

use relaybed_case::{ActorIndex, Case, GateIndex, Op, take_turns};

use super::NotModelled;

/// By actor: how many of its operations are over.
type Clock = Vec<usize>;

/// What is known to be over before each operation of a case.
pub(super) struct Clocks(Vec<Vec<Clock>>);

impl Clocks {
    pub(super) fn of(case: &Case) -> Result<Self, NotModelled> {
        let mut own: Vec<Clock> = vec![vec![0; case.actors.len()]; case.actors.len()];
        let mut before: Vec<Vec<Clock>> = vec![Vec::new(); case.actors.len()];
        let mut raised: Vec<Vec<(ActorIndex, Clock)>> = vec![Vec::new(); case.gates.len()];
        let mut unclear = None;
        let stands = take_turns(case, |actor, op| {
            let gate = match case.actors[actor].ops[op] {
                Op::Wait { gate, count } if count > 0 => Some((gate, count)),
                _ => None,
            };
            if let Some((gate, count)) = gate {
                match heard(case, &raised[gate], (gate, count)) {
                    Some(clocks) => {
                        for clock in clocks {
                            for (own, other) in own[actor].iter_mut().zip(&clock) {
                                *own = (*own).max(*other);
                            }
                        }
                    }
                    None => unclear = Some(gate),
                }
            }
            before[actor].push(own[actor].clone());
            own[actor][actor] = op + 1;
            if let Some(gate) = case.actors[actor].ops[op].raised_gate() {
                raised[gate].push((actor, own[actor].clone()));
            }
        });
        let all = stands.iter().zip(&case.actors);
        if let Some((_, actor)) = all.clone().find(|(at, actor)| **at < actor.ops.len()) {
            return Err(NotModelled::Stands {
                actor: actor.name.clone(),
            });
        }
        match unclear {
            Some(gate) => Err(NotModelled::Gate {
                gate: case.gates[gate].clone(),
            }),
            None => Ok(Self(before)),
        }
    }

    /// Whether `other` is over when `at` starts.
    pub(super) fn knows(
        &self,
        (actor, op): (ActorIndex, usize),
        (other, its): (ActorIndex, usize),
    ) -> bool {
        let clock = self.0.get(actor).and_then(|ops| ops.get(op));
        clock.is_some_and(|clock| clock[other] > its)
    }
}

/// What who waits for this count of a gate has heard of; `None` where any of several may have raised it.
fn heard(
    case: &Case,
    raised: &[(ActorIndex, Clock)],
    (gate, count): (GateIndex, u32),
) -> Option<Vec<Clock>> {
    let ops = case.actors.iter().flat_map(|actor| &actor.ops);
    let total = ops.filter(|op| op.raised_gate() == Some(gate)).count();
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let first = raised.first()?.0;
    let by_one = case.actors.iter().enumerate().all(|(actor, script)| {
        actor == first || script.ops.iter().all(|op| op.raised_gate() != Some(gate))
    });
    let all = || raised.iter().map(|(_, clock)| clock.clone());
    if by_one {
        return Some(all().nth(count - 1).into_iter().collect());
    }
    (total == count).then(|| all().collect())
}
