//! An order of steps as turns: what `[[schedule]]` says, and a run under control can follow.

use relaybed_case::field::Field;
use relaybed_case::{Turn, Until};

use super::Scene;
use super::order::{Path, Played, Player, Shown, replay};
use super::state::Move;
use super::watch::Broken;
use crate::Step;

/// Where a thread's turn ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stop {
    /// Behind an access to a member.
    Access {
        /// The member.
        field: Field,
        /// It is written, else read. An instruction that does both writes.
        write: bool,
        /// At which of them in this turn, from 1.
        hit: u32,
    },
    /// Before the thread's operation of this index; the one behind its last is its end.
    Before(u8),
}

/// One thread's turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ThreadTurn {
    /// The thread.
    pub thread: u8,
    /// Where it ends.
    pub until: Stop,
}

impl ThreadTurn {
    /// The turn in a case's schedule: `actors` has the actor of each thread, `first_op` the index of the
    /// actor's operation that is the thread's first.
    #[must_use]
    pub fn in_case(
        &self,
        actors: &[usize],
        first_op: &[u32],
        (channel, cpu): (usize, u32),
    ) -> Option<Turn> {
        let thread = usize::from(self.thread);
        let until = match self.until {
            Stop::Before(op) => Until::Before {
                op: first_op.get(thread)? + u32::from(op),
            },
            Stop::Access { field, write, .. } => Until::Access {
                channel,
                cpu,
                field,
                write,
            },
        };
        let hit = match self.until {
            Stop::Access { hit, .. } => hit,
            Stop::Before(_) => 1,
        };
        Some(Turn {
            actor: *actors.get(thread)?,
            until,
            hit,
        })
    }
}

/// The access that a step is, where `explore` stops at it.
fn access(step: &Shown) -> Option<(Field, bool)> {
    match step.step? {
        Step::Load { member, .. } => Some((member.field()?, false)),
        Step::Store { member, .. } | Step::Update { member, .. } => Some((member.field()?, true)),
        _ => None,
    }
}

/// Plays turns; what is left follows in the order of the threads.
#[must_use]
pub fn play(scene: &Scene, turns: &[ThreadTurn]) -> Option<Played> {
    let mut player = Player::new(scene)?;
    for turn in turns {
        let mut hits = 0;
        loop {
            let at = player.op(turn.thread);
            if let Stop::Before(op) = turn.until
                && at.is_none_or(|at| at >= op)
            {
                break;
            }
            let Some(step) = player.step(turn.thread) else {
                break;
            };
            if let Stop::Access { field, write, hit } = turn.until {
                hits += u32::from(access(&step) == Some((field, write)));
                if hits == hit {
                    break;
                }
            }
        }
    }
    Some(player.finish())
}

/// The path as turns that break the contract in the same way; `None` where one would have to end where no
/// member is accessed and no operation ends.
#[must_use]
pub fn turns_of(scene: &Scene, path: &Path, broken: Broken) -> Option<Vec<ThreadTurn>> {
    if path.0.iter().any(|one| matches!(one, Move::Drain(_))) {
        return None;
    }
    let played = replay(scene, path)?;
    let mut start = 0;
    let mut choices = Vec::new();
    for end in ends_of(&played.steps) {
        choices.push(turns_at(&played.steps, start, end));
        start = end;
    }
    let is_it = |turns: &[ThreadTurn]| {
        play(scene, turns).is_some_and(|played| played.broken == Some(broken))
    };
    let mut turns = (0..TRIES).find_map(|number| {
        let turns = picked(&choices, number)?;
        is_it(&turns).then_some(turns)
    })?;
    while turns.len() > 1 && is_it(&turns[..turns.len() - 1]) {
        turns.pop();
    }
    Some(turns)
}

/// Ways to end the turns that are tried.
const TRIES: usize = 128;

/// The way of this number to choose one of each: as the digits of a number are chosen.
fn picked(choices: &[Vec<ThreadTurn>], mut number: usize) -> Option<Vec<ThreadTurn>> {
    let mut turns = Vec::with_capacity(choices.len());
    for choice in choices {
        turns.push(*choice.get(number % choice.len().max(1))?);
        number /= choice.len().max(1);
    }
    (number == 0).then_some(turns)
}

/// Behind which steps another thread steps, and the end.
fn ends_of(steps: &[Shown]) -> Vec<usize> {
    let mut ends: Vec<usize> = (1..steps.len())
        .filter(|i| steps[*i].thread != steps[i - 1].thread)
        .collect();
    ends.push(steps.len());
    ends
}

/// Turns that make the steps `start..end`, or about these: one ends at an operation's end or at an access, the
/// last in the run or the first behind it.
fn turns_at(steps: &[Shown], start: usize, end: usize) -> Vec<ThreadTurn> {
    let run = &steps[start..end];
    let Some(last) = run.last() else {
        return Vec::new();
    };
    let thread = last.thread;
    let of = |until| ThreadTurn { thread, until };
    if last.is_last || end == steps.len() {
        return vec![of(Stop::Before(last.op_index + 1))];
    }
    let stop = |run: &[&Shown]| {
        let (field, write) = access(run.last()?)?;
        let same = run
            .iter()
            .filter(|step| access(step) == Some((field, write)));
        let hit = u32::try_from(same.count()).ok()?;
        Some(of(Stop::Access { field, write, hit }))
    };
    let own: Vec<&Shown> = run.iter().collect();
    let ahead = steps[end..].iter().filter(|step| step.thread == thread);
    let longer: Vec<&Shown> = own.iter().copied().chain(ahead).collect();
    let inside = (1..=own.len()).rev().find_map(|len| stop(&own[..len]));
    let behind = (own.len() + 1..=longer.len()).find_map(|len| stop(&longer[..len]));
    inside
        .into_iter()
        .chain(behind)
        .chain([of(Stop::Before(run[0].op_index))])
        .collect()
}
