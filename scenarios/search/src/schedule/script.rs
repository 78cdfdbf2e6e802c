//! A schedule that a scenario spells out: turns, and afterwards the plain one.

use std::fmt;

use super::decisions::default_next;
use super::in_turn::InTurn;
use super::strategy::Strategy;
use relaybed_case::place::{Place, Stop};
use relaybed_case::trace::Choice;
use relaybed_case::{Case, Turn, Until};

/// Timer interrupts in one turn after which its place is not waited for any more: some 0.8 s of the guest's
/// time.
const TICKS_MAX: u32 = 200;

/// Lets every actor come to its first operation, then takes turns as the case says.
#[derive(Debug)]
pub struct Script<'a> {
    turns: &'a [Turn],
    /// vCPU of every actor, where it has one.
    vcpus: Vec<Option<u32>>,
    /// Actors of the turns that have not come to their first operation yet.
    missing: Vec<u32>,
    /// The turn that goes on now.
    at: usize,
    hits: u32,
    ticks: u32,
    failed: Option<NotReached>,
    /// Where each vCPU stopped last.
    stands: Vec<Stop>,
    rest: InTurn,
}

/// A turn whose place its actor did not come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotReached {
    /// The turn, from 0.
    pub turn: usize,
    /// Why it was given up.
    pub why: &'static str,
    /// Whose turn it was, where to, and where everybody stood.
    pub text: String,
}

impl fmt::Display for NotReached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "turn {} of the schedule came to no end: {}; {}",
            self.turn + 1,
            self.why,
            self.text
        )
    }
}

impl<'a> Script<'a> {
    /// The schedule of a case.
    #[must_use]
    pub fn new(case: &'a Case) -> Self {
        let mut missing: Vec<u32> = case
            .schedule
            .iter()
            .filter_map(|turn| u32::try_from(turn.actor).ok())
            .collect();
        missing.sort_unstable();
        missing.dedup();
        Self {
            turns: &case.schedule,
            vcpus: case.actors.iter().map(relaybed_case::Actor::cpu).collect(),
            missing,
            at: 0,
            hits: 0,
            ticks: 0,
            failed: None,
            stands: Vec::new(),
            rest: InTurn::plain(),
        }
    }

    /// What was not reached, once the run is over. A run that ended before the last turn did not reach it.
    #[must_use]
    pub fn not_reached(&self) -> Option<NotReached> {
        self.failed.clone().or_else(|| {
            let turn = self.turns.get(self.at)?;
            Some(self.missed(turn, "the program came to its end before"))
        })
    }

    fn missed(&self, turn: &Turn, why: &'static str) -> NotReached {
        let places: Vec<String> = self.stands.iter().map(ToString::to_string).collect();
        NotReached {
            turn: self.at,
            why,
            text: format!(
                "it is actor {}'s, up to {}; {}",
                turn.actor,
                words(turn),
                places.join(", ")
            ),
        }
    }

    fn note(&mut self, stop: &Stop) {
        self.stands.retain(|old| old.vcpu != stop.vcpu);
        self.stands.push(stop.clone());
        self.stands.sort_by_key(|stop| stop.vcpu);
    }

    fn vcpu(&self, turn: &Turn) -> Option<u32> {
        self.vcpus.get(turn.actor).copied().flatten()
    }

    /// All actors of turns come to their first operation; who is there stands.
    fn gather(&mut self, choice: &Choice<'_>) -> Option<u32> {
        if let Place::Operation { actor, op: 0 } = choice.stop.place {
            self.missing.retain(|missing| *missing != actor);
        }
        if self.missing.is_empty() {
            return None;
        }
        let vcpu_of = |actor: u32| self.vcpus.get(actor as usize).copied().flatten();
        let misses = |vcpu: &&u32| {
            self.missing
                .iter()
                .any(|actor| vcpu_of(*actor) == Some(**vcpu))
        };
        let stands = |vcpu: &&u32| {
            self.turns
                .iter()
                .any(|turn| self.vcpu(turn) == Some(**vcpu))
        };
        let mut enabled = choice.enabled.iter();
        let next = enabled.clone().find(misses);
        let next = next.or_else(|| enabled.find(|vcpu| !stands(vcpu)));
        Some(next.copied().unwrap_or_else(|| default_next(choice)))
    }

    /// The turn's vCPU goes on, unless it has come where the turn ends or cannot come there.
    fn turn(&mut self, choice: &Choice<'_>) -> Option<u32> {
        let turn = self.turns.get(self.at)?;
        let vcpu = self.vcpu(turn)?;
        if choice.stop.vcpu == vcpu {
            if is_there(turn, &choice.stop.place) {
                self.hits += 1;
            }
            self.ticks += u32::from(choice.stop.place == Place::Tick);
        }
        if self.hits >= turn.hit {
            self.at += 1;
            (self.hits, self.ticks) = (0, 0);
            return self.start(choice);
        }
        let why = if !choice.enabled.contains(&vcpu) {
            match choice.stop.place {
                Place::Waits => "it waits for a vCPU that stands",
                _ => "it has nothing to run while the others stand",
            }
        } else if self.ticks > TICKS_MAX {
            "it took too many timer interrupts"
        } else {
            return Some(vcpu);
        };
        self.failed = Some(self.missed(turn, why));
        None
    }

    /// A turn begins. Its actor may stand at its end already.
    fn start(&mut self, choice: &Choice<'_>) -> Option<u32> {
        let turn = self.turns.get(self.at)?;
        let vcpu = self.vcpu(turn)?;
        let here = self.stands.iter().find(|stop| stop.vcpu == vcpu);
        let stands = here.is_some_and(|stop| is_there(turn, &stop.place));
        if stands && matches!(turn.until, Until::Before { .. }) {
            self.at += 1;
            return self.start(choice);
        }
        if choice.enabled.contains(&vcpu) {
            return Some(vcpu);
        }
        self.failed = Some(self.missed(turn, "it has nothing to run while the others stand"));
        None
    }
}

impl Strategy for Script<'_> {
    fn choose(&mut self, choice: &Choice<'_>) -> u32 {
        self.note(choice.stop);
        if self.failed.is_none() {
            let gathering = !self.missing.is_empty();
            if let Some(next) = self.gather(choice) {
                return next;
            }
            let next = if gathering {
                self.start(choice)
            } else {
                self.turn(choice)
            };
            if let Some(next) = next {
                return next;
            }
        }
        self.rest.choose(choice)
    }
}

fn is_there(turn: &Turn, place: &Place) -> bool {
    match (&turn.until, place) {
        (Until::Before { op: wanted }, Place::Operation { actor, op }) => {
            turn.actor == *actor as usize && wanted == op
        }
        (
            Until::Code {
                symbol: wanted,
                offset: at,
                instructions: 0,
            },
            Place::Code { symbol, offset },
        ) => wanted == symbol && at == offset,
        (
            Until::Code {
                symbol: wanted,
                instructions: at,
                ..
            },
            Place::Instruction { symbol, nth },
        ) => wanted == symbol && at == nth,
        (
            Until::Access {
                channel: of,
                cpu: on,
                field: wanted,
                write: way,
            },
            Place::Data {
                channel,
                cpu,
                field,
                write,
            },
        ) => *of == *channel as usize && on == cpu && wanted == field && way == write,
        _ => false,
    }
}

fn words(turn: &Turn) -> String {
    let place = match &turn.until {
        Until::Before { op } => format!("its operation {op}"),
        Until::Code {
            symbol,
            offset,
            instructions,
        } => format!("{symbol}+{offset:#x} and {instructions} instructions"),
        Until::Access {
            channel,
            cpu,
            field,
            write,
        } => format!(
            "a {} of {} of channel {channel} CPU {cpu}",
            if *write { "write" } else { "read" },
            field.word()
        ),
    };
    format!("{place}, hit {}", turn.hit)
}

/// Writer on CPU 0, reader on CPU 1.
#[cfg(test)]
pub(crate) const READER_AND_WRITER: &str = r#"
summary = "Turns."
vcpus = 2
[channel.cpu]
subbuf_size = 64
n_subbufs = 4
[[actor]]
name = "writer"
cpu = 0
script = [{ write = "cpu", len = 64, count = 5 }]
[[actor]]
name = "reader"
cpu = 1
context = "user"
script = [{ open_file = "cpu", cpu = 0, as = "f" }, { read = "f", size = 64 }]
"#;

#[cfg(test)]
mod tests {
    use super::*;
    use relaybed_lang as lang;

    /// The reader opens, the writer goes up to its second count, the reader reads.
    const TURNS: &str = r#"
[[schedule]]
run = "reader"
until = { before = 1 }
[[schedule]]
run = "writer"
until = { writes = "produced" }
hit = 2
[[schedule]]
run = "reader"
until = "end"
"#;

    fn operation(actor: u32, op: u32) -> Place {
        Place::Operation { actor, op }
    }

    fn count(write: bool) -> Place {
        Place::Data {
            channel: 0,
            cpu: 0,
            field: relaybed_case::field::Field::Produced,
            write,
        }
    }

    /// Who goes on after each stop, and what was not reached at the end.
    fn follow(stops: &[(u32, Place, &[u32])]) -> (Vec<u32>, Option<NotReached>) {
        let case = lang::load("t", &format!("{READER_AND_WRITER}{TURNS}"))
            .unwrap()
            .remove(0);
        let mut script = Script::new(&case);
        let mut next = Vec::new();
        for (index, (vcpu, place, enabled)) in stops.iter().enumerate() {
            let stop = Stop {
                vcpu: *vcpu,
                place: place.clone(),
            };
            next.push(script.choose(&Choice {
                index,
                stop: &stop,
                enabled,
            }));
        }
        (next, script.not_reached())
    }

    #[test]
    fn turns_are_taken_as_they_are_written() {
        let both: &[u32] = &[0, 1];
        let (next, missed) = follow(&[
            (0, operation(0, 0), both),
            (1, operation(1, 0), both),
            (1, Place::Tick, both),
            (1, operation(1, 1), both),
            (0, count(true), both),
            (0, count(false), both),
            (0, count(true), both),
            (1, operation(1, 2), both),
        ]);
        // The writer is at its first operation, and stands until the reader is at its own.
        assert_eq!(next, [1, 1, 1, 0, 0, 0, 1, 1]);
        assert_eq!(missed, None);
    }

    #[test]
    fn a_turn_whose_actor_waits_is_told() {
        let both: &[u32] = &[0, 1];
        let (next, missed) = follow(&[
            (0, operation(0, 0), both),
            (1, operation(1, 0), both),
            (1, Place::Idle, &[0]),
            (0, count(true), both),
        ]);
        assert_eq!(next, [1, 1, 0, 0]);
        let missed = missed.unwrap();
        assert_eq!(missed.turn, 0);
        let text = missed.to_string();
        assert!(text.contains("turn 1 of the schedule"), "{text}");
        assert!(text.contains("vCPU 1 at idle"), "{text}");
    }

    #[test]
    fn a_run_that_ends_early_misses_its_turn() {
        let (_, missed) = follow(&[(0, operation(0, 0), &[0, 1]), (1, operation(1, 0), &[0, 1])]);
        assert_eq!(missed.unwrap().turn, 0);
    }
}
