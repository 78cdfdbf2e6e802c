//! An order of steps: replaying it, and making it short.

use super::state::{Move, Moved, State};
use super::watch::Broken;
use super::{Scene, THREADS};
use crate::{Op, Step};

/// Moves of threads, one after the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path(pub(crate) Vec<Move>);

impl Path {
    /// How often another thread moves than the one before.
    #[must_use]
    pub fn switches(&self) -> usize {
        self.0.windows(2).filter(|two| two[0] != two[1]).count()
    }

    /// How many moves it has.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has no moves.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// One step of an order, as people read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The thread.
    pub thread: u8,
    /// Index of its operation.
    pub op_index: u8,
    /// Its operation.
    pub op: Op,
    /// The function of the source in which the step is.
    pub place: &'static str,
    /// The step; `None`: its oldest store is seen by others now.
    pub step: Option<Step>,
    /// It was the last of its operation.
    pub is_last: bool,
}

/// How an order ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Played {
    /// How it breaks the contract, if it does.
    pub broken: Option<Broken>,
    /// The steps.
    pub steps: Vec<Shown>,
    /// The same as moves.
    pub path: Path,
}

/// A scene being played, step by step.
pub(crate) struct Player<'a> {
    scene: &'a Scene,
    state: State,
    moves: Vec<Move>,
    pub(crate) played: Played,
}

impl<'a> Player<'a> {
    pub(crate) fn new(scene: &'a Scene) -> Option<Self> {
        let state = match State::new(scene)? {
            Ok(state) => state,
            Err(_) => return None,
        };
        Some(Self {
            scene,
            state,
            moves: Vec::new(),
            played: Played {
                broken: None,
                steps: Vec::new(),
                path: Path::default(),
            },
        })
    }

    /// Index of the thread's operation; `None` once it is over.
    pub(crate) fn op(&self, t: u8) -> Option<u8> {
        self.state
            .threads
            .get(usize::from(t))?
            .map(|thread| thread.op)
    }

    pub(crate) const fn is_broken(&self) -> bool {
        self.played.broken.is_some()
    }

    fn is_possible(&mut self, one: Move) -> bool {
        let (state, scene) = (&self.state, self.scene);
        state.moves(scene, &mut self.moves);
        self.moves.contains(&one)
    }

    /// Makes a move, which must be possible.
    fn make(&mut self, one: Move) {
        let (Move::Step(thread) | Move::Drain(thread)) = one;
        let before = self.state.threads[usize::from(thread)];
        let moved = self.state.make(self.scene, one);
        self.played.path.0.push(one);
        if let Some(before) = before {
            let step = match moved {
                Ok(Moved::Step(step)) => Some(step),
                Ok(Moved::Drained) => None,
                // What broke the contract is the step itself.
                Err(_) => Some(before.frame.next(&self.scene.set)),
            };
            self.played.steps.push(Shown {
                thread,
                op_index: before.op,
                op: before.frame.op(),
                place: before.frame.place(&self.scene.set),
                step,
                is_last: self.op(thread) != Some(before.op),
            });
        }
        if let Err(broken) = moved {
            self.played.broken = Some(broken);
        }
    }

    /// One step of a thread. Who is in its way goes first: one inside the section of a defect that is fixed,
    /// one that holds the lock. `None` where the thread is over or all stand.
    pub(crate) fn step(&mut self, t: u8) -> Option<Shown> {
        for _ in 0..2000 {
            if self.is_broken() || self.op(t).is_none() {
                return None;
            }
            if self.is_possible(Move::Step(t)) {
                self.make(Move::Step(t));
                return self.played.steps.last().copied();
            }
            let other = self.moves.iter().find(|one| **one != Move::Drain(t));
            let other = other.or(self.moves.first()).copied()?;
            self.make(other);
        }
        None
    }

    /// Lets all run to their ends, one after the other, and checks what is left.
    pub(crate) fn finish(mut self) -> Played {
        for t in 0..THREADS {
            let t = u8::try_from(t).unwrap_or(0);
            while self.step(t).is_some() {}
        }
        while !self.is_broken() {
            let (state, scene) = (&self.state, self.scene);
            state.moves(scene, &mut self.moves);
            match self.moves.first() {
                Some(one) => self.make(*one),
                None => break,
            }
        }
        if !self.is_broken() {
            self.played.broken = self.state.end(self.scene).err();
        }
        self.played
    }
}

/// Plays a path to its end. Moves that are impossible by then are left out, and the rest follows in the
/// order of the threads.
#[must_use]
pub fn replay(scene: &Scene, path: &Path) -> Option<Played> {
    let mut player = Player::new(scene)?;
    for one in &path.0 {
        if player.is_broken() {
            break;
        }
        if player.is_possible(*one) {
            player.make(*one);
        }
    }
    Some(player.finish())
}

/// The same violation with as few switches between threads as can be had by moving runs of steps together.
#[must_use]
pub fn minimised(scene: &Scene, path: &Path, broken: Broken) -> Path {
    let Some(played) = replay(scene, path) else {
        return path.clone();
    };
    let mut best = played.path;
    while let Some(shorter) = shortened(scene, &best, broken) {
        best = shorter;
    }
    best
}

/// The same violation with fewer switches, if one is found.
fn shortened(scene: &Scene, path: &Path, broken: Broken) -> Option<Path> {
    let best = runs(path);
    (0..best.len())
        .flat_map(|i| [dropped(&best, i), later(&best, i), earlier(&best, i)])
        .flatten()
        .filter_map(|candidate| replay(scene, &path_of(&candidate)))
        .find(|played| played.broken == Some(broken) && runs(&played.path).len() < best.len())
        .map(|played| played.path)
}

type Runs = Vec<(Move, usize)>;

fn runs(path: &Path) -> Runs {
    let mut runs: Runs = Vec::new();
    for one in &path.0 {
        match runs.last_mut() {
            Some((last, count)) if last == one => *count += 1,
            _ => runs.push((*one, 1)),
        }
    }
    runs
}

fn path_of(runs: &Runs) -> Path {
    let moves = runs
        .iter()
        .flat_map(|(one, count)| std::iter::repeat_n(*one, *count));
    Path(moves.collect())
}

/// Without a run; what it did comes at the end.
fn dropped(runs: &Runs, i: usize) -> Option<Runs> {
    let mut left = runs.clone();
    left.remove(i);
    Some(runs_joined(left))
}

/// With a run moved to the thread's next one.
fn later(runs: &Runs, i: usize) -> Option<Runs> {
    let (one, count) = runs[i];
    let next = (i + 1..runs.len()).find(|j| runs[*j].0 == one)?;
    let mut left = runs.clone();
    left[next].1 += count;
    left.remove(i);
    Some(runs_joined(left))
}

/// With a run moved to the thread's last one.
fn earlier(runs: &Runs, i: usize) -> Option<Runs> {
    let (one, count) = runs[i];
    let last = (0..i).rev().find(|j| runs[*j].0 == one)?;
    let mut left = runs.clone();
    left[last].1 += count;
    left.remove(i);
    Some(runs_joined(left))
}

fn runs_joined(runs: Runs) -> Runs {
    let mut joined: Runs = Vec::with_capacity(runs.len());
    for (one, count) in runs {
        match joined.last_mut() {
            Some((last, sum)) if *last == one => *sum += count,
            _ => joined.push((one, count)),
        }
    }
    joined
}
