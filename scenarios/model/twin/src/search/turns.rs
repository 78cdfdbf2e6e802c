//! An order of steps as turns: what `[[schedule]]` says, and a run under control can follow.

use relaybed_case::field::Field;

use super::Scene;
use super::order::{Path, Played, Player, Shown, replay};
use super::state::Move;
use super::watch::Broken;
use crate::{Op, Site, Step};

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

/// The access that a step is, where a run under control stops at it: what the client's event reads is not relay's.
fn access(step: &Shown) -> Option<(Field, bool)> {
    match step.step? {
        Step::Load {
            site: Some(Site::CallbackEvent),
            ..
        } => None,
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
        take(&mut player, turn);
    }
    Some(player.finish())
}

/// The same turns, none of which goes beyond the end of an operation, each with its operation: the same order of steps.
/// A poll that waits has no end of its own, so its turn ends at the last member that it looks at. `None` where the scene
/// cannot be played.
#[must_use]
pub fn by_operation(scene: &Scene, turns: &[ThreadTurn]) -> Option<Vec<(ThreadTurn, u8)>> {
    let mut player = Player::new(scene)?;
    let mut all = Vec::new();
    for turn in turns {
        let steps = player.played.steps.len();
        take(&mut player, turn);
        let own = player.played.steps[steps..].iter();
        let own: Vec<&Shown> = own.filter(|step| step.thread == turn.thread).collect();
        for run in own.chunk_by(|a, b| a.op_index == b.op_index) {
            let op = run[0].op_index;
            let is_last = own.last().is_some_and(|last| last.op_index == op);
            let ends_at = match turn.until {
                Stop::Access { field, write, .. } if is_last => Some((field, write)),
                _ if matches!(run[0].op, Op::Poll { waits: true }) => {
                    run.iter().rev().find_map(|step| access(step))
                }
                _ => None,
            };
            let until = ends_at.map_or(Stop::Before(op + 1), |(field, write)| {
                let is_it = |step: &&&Shown| access(step) == Some((field, write));
                let hit = u32::try_from(run.iter().filter(is_it).count()).unwrap_or(u32::MAX);
                Stop::Access { field, write, hit }
            });
            let thread = turn.thread;
            all.push((ThreadTurn { thread, until }, op));
        }
    }
    Some(all)
}

fn take(player: &mut Player<'_>, turn: &ThreadTurn) {
    let mut hits = 0;
    loop {
        let at = player.op(turn.thread);
        if let Stop::Before(op) = turn.until
            && at.is_none_or(|at| at >= op)
        {
            return;
        }
        let Some(step) = player.step(turn.thread) else {
            return;
        };
        if let Stop::Access { field, write, hit } = turn.until {
            hits += u32::from(access(&step) == Some((field, write)));
            if hits == hit {
                return;
            }
        }
    }
}

/// The path as turns that break the contract in the same way; `None` where one would have to end where no
/// member is accessed and no operation ends.
#[must_use]
pub fn turns_of(scene: &Scene, path: &Path, broken: Broken) -> Option<Vec<ThreadTurn>> {
    turn_lists(scene, path, broken, 1).pop()
}

/// Up to `most` ways to say the path as turns, each of which breaks the contract in the same way.
#[must_use]
pub fn turn_lists(scene: &Scene, path: &Path, broken: Broken, most: usize) -> Vec<Vec<ThreadTurn>> {
    let mut lists: Vec<Vec<ThreadTurn>> = Vec::new();
    let drains = path.0.iter().any(|one| matches!(one, Move::Drain(_)));
    let Some(played) = replay(scene, path).filter(|_| !drains) else {
        return lists;
    };
    let mut start = 0;
    let mut choices = Vec::new();
    for end in ends_of(&played.steps) {
        choices.push(turns_at(&played.steps, start, end));
        start = end;
    }
    let is_it = |turns: &[ThreadTurn]| {
        play(scene, turns).is_some_and(|played| played.broken == Some(broken))
    };
    let picks = (0..TRIES).map_while(|number| picked(&choices, number));
    for mut turns in picks {
        if lists.len() == most {
            break;
        }
        if !is_it(&turns) {
            continue;
        }
        while turns.len() > 1 && is_it(&turns[..turns.len() - 1]) {
            turns.pop();
        }
        if !lists.contains(&turns) {
            lists.push(turns);
        }
    }
    lists
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
