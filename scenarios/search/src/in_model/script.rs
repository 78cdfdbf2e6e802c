//! Turns of a scene as the schedule of its case.

use relaybed_case::{Case, Op, Turn, Until};
use relaybed_twin::search::{Stop, ThreadTurn, by_operation};

use super::Modelled;

/// Whether the operation does nothing to a buffer: in the model it takes no time.
pub(super) fn is_free(op: &Op) -> bool {
    matches!(
        op,
        Op::Signal { .. }
            | Op::Wait { .. }
            | Op::FileOpen { .. }
            | Op::FileClose { .. }
            | Op::Delay { .. }
            | Op::Stat { .. }
            | Op::List { .. }
    )
}

/// The schedule; `None` where an operation's number is not that of the case.
pub(super) fn of(modelled: &Modelled, turns: &[ThreadTurn]) -> Option<Vec<Turn>> {
    let mut script = Script {
        case: &modelled.case,
        at: vec![0; modelled.case.actors.len()],
        is_within: vec![false; modelled.case.actors.len()],
        turns: Vec::new(),
    };
    script.free();
    for (turn, op) in by_operation(&modelled.scene, turns)? {
        let thread = modelled.threads.get(usize::from(turn.thread))?;
        let actor = thread.actor;
        let made_by = thread.made_by.get(usize::from(op)).copied()?;
        let (until, hit) = match turn.until {
            Stop::Before(_) => {
                (script.at[actor], script.is_within[actor]) = (made_by + 1, false);
                let op = u32::try_from(made_by + 1).ok()?;
                (Until::Before { op }, 1)
            }
            Stop::Access { field, write, hit } => {
                (script.at[actor], script.is_within[actor]) = (made_by, true);
                let until = Until::Access {
                    channel: modelled.channel,
                    cpu: modelled.cpu,
                    field,
                    write,
                };
                (until, hit)
            }
        };
        script.turns.push(Turn { actor, until, hit });
        script.free();
    }
    script.rest();
    Some(script.turns)
}

/// A schedule under way.
struct Script<'a> {
    case: &'a Case,
    /// By actor: the operation that it is at.
    at: Vec<usize>,
    /// By actor: it stands in the middle of that.
    is_within: Vec<bool>,
    turns: Vec<Turn>,
}

impl Script<'_> {
    /// Lets every actor that stands before operations that take no time in the model do them.
    fn free(&mut self) {
        let mut moved = true;
        while moved {
            moved = false;
            for actor in 0..self.at.len() {
                let from = self.at[actor];
                while !self.is_within[actor] && self.is_free(actor) {
                    self.at[actor] += 1;
                }
                if self.at[actor] > from {
                    moved = true;
                    let op = u32::try_from(self.at[actor]).unwrap_or(u32::MAX);
                    self.turns.push(Turn {
                        actor,
                        until: Until::Before { op },
                        hit: 1,
                    });
                }
            }
        }
    }

    /// What is left follows in the order of the actors, each as far as gates let it: as in the model.
    fn rest(&mut self) {
        let mut moved = true;
        while moved {
            moved = false;
            for actor in 0..self.at.len() {
                let from = self.at[actor] + usize::from(self.is_within[actor]);
                let ops = &self.case.actors[actor].ops;
                let mut to = from;
                while ops.get(to).is_some_and(|op| self.is_open(op)) {
                    to += 1;
                }
                if to > self.at[actor] {
                    moved = true;
                    (self.at[actor], self.is_within[actor]) = (to, false);
                    let op = u32::try_from(to).unwrap_or(u32::MAX);
                    self.turns.push(Turn {
                        actor,
                        until: Until::Before { op },
                        hit: 1,
                    });
                }
            }
        }
    }

    fn is_free(&self, actor: usize) -> bool {
        let op = self.case.actors[actor].ops.get(self.at[actor]);
        op.is_some_and(|op| is_free(op) && self.is_open(op))
    }

    /// Whether a gate does not hold it.
    fn is_open(&self, op: &Op) -> bool {
        match op {
            Op::Wait { gate, count } => {
                let before = self.case.actors.iter().zip(&self.at);
                let raised = before
                    .flat_map(|(script, at)| &script.ops[..*at])
                    .filter(|op| op.raised_gate() == Some(*gate));
                raised.count() >= usize::try_from(*count).unwrap_or(usize::MAX)
            }
            _ => true,
        }
    }
}
