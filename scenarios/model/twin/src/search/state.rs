//! One moment of a scene: the buffer, where each thread stands, what was seen.

use std::hash::{Hash, Hasher};

use super::ahead::{Ahead, is_seen};
use super::small::Small;
use super::watch::{Broken, Watch};
use super::{Scene, THREADS};
use crate::{Around, Effect, Footprint, Frame, Lock, Pending, Step, drains};

/// A thread, and what it accesses next and later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Thread {
    pub(crate) frame: Frame,
    /// Index of its operation; behind the last one it is over.
    pub(crate) op: u8,
    /// What its operation must give.
    needed: u8,
    /// The lock that its next step takes.
    wants: Option<Lock>,
}

/// The lock that this step takes.
const fn wanted(next: &Step) -> Option<Lock> {
    match next {
        Step::Effect(Effect::Locked(lock)) => Some(*lock),
        _ => None,
    }
}

/// A moment of a scene.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(crate) mem: Small,
    around: Around,
    watch: Watch,
    pub(crate) threads: [Option<Thread>; THREADS],
    pending: [Pending; THREADS],
}

/// What a move of a thread was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moved {
    Step(Step),
    /// Its oldest store is seen by others now.
    Drained,
}

/// What a thread can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Move {
    Step(u8),
    Drain(u8),
}

impl State {
    /// The scene's beginning; what comes before the threads has been done.
    pub(crate) fn new(scene: &Scene) -> Option<Result<Self, Broken>> {
        let mut mem = Small::new(&scene.set.geometry)?;
        let mut watch = Watch::new(scene.promise());
        if let Err(broken) = watch.prepare(scene, &mut mem) {
            return Some(Err(broken));
        }
        let mut state = Self {
            mem,
            around: Around::default(),
            watch,
            threads: [None; THREADS],
            pending: std::array::from_fn(|_| Pending::default()),
        };
        for t in 0..scene.threads.len().min(THREADS) {
            state.begin(scene, t, 0);
        }
        Some(Ok(state))
    }

    /// The thread's next operation; a thread behind its last one is gone.
    fn begin(&mut self, scene: &Scene, t: usize, op: u8) {
        let next = scene.threads[t].get(usize::from(op)).copied();
        self.threads[t] = next.map(|operation| {
            let frame = Frame::new(operation);
            Thread {
                frame,
                op,
                needed: self.watch.needed(operation),
                wants: wanted(&frame.next(&scene.set)),
            }
        });
    }

    /// What can happen next. A frame inside a section that a fix makes atomic is not interrupted.
    pub(crate) fn moves(&self, scene: &Scene, moves: &mut Vec<Move>) {
        moves.clear();
        for t in 0..THREADS {
            let number = u8::try_from(t).unwrap_or(0);
            if let Some(thread) = &self.threads[t]
                && !self.waits(scene, t, thread)
                && !self.is_barred(scene, t, thread)
                && !thread.wants.is_some_and(|lock| self.around.is_held(lock))
            {
                moves.push(Move::Step(number));
            }
            if !self.pending[t].is_empty() {
                moves.push(Move::Drain(number));
            }
        }
    }

    /// Whether the thread's operation must not start yet.
    fn waits(&self, scene: &Scene, t: usize, thread: &Thread) -> bool {
        thread.frame.is_at_start()
            && scene.waits.iter().any(|wait| {
                let waits = (usize::from(wait.thread), wait.op) == (t, thread.op);
                let on = self.threads.get(usize::from(wait.on));
                // A thread that is gone has done all that it had to.
                waits && on.copied().flatten().is_some_and(|on| on.op < wait.done)
            })
    }

    /// Whether the fix of a defect keeps the thread out.
    fn is_barred(&self, scene: &Scene, t: usize, thread: &Thread) -> bool {
        let op = thread.frame.op();
        let others = self.threads.iter().enumerate().filter(|(u, _)| *u != t);
        others.flat_map(|(_, other)| other).any(|other| {
            let bars = other.frame.bars(&op).minus(scene.set.defects);
            !bars.is_empty()
        })
    }

    /// A move that no later move of another thread can matter to, nor it to them, and that the checks do not
    /// look at: all others can wait for it.
    pub(crate) fn free_move(&self, scene: &Scene, ahead: &Ahead, moves: &[Move]) -> Option<Move> {
        if scene.is_parallel {
            return None;
        }
        moves.iter().copied().find(|one| {
            let Move::Step(t) = *one else { return false };
            let t = usize::from(t);
            let Some(thread) = &self.threads[t] else {
                return false;
            };
            let step = thread.frame.next(&scene.set);
            let next = Footprint::of_step(&step);
            if is_seen(&step) || self.ends(scene, thread) {
                return false;
            }
            (0..THREADS)
                .filter(|u| *u != t)
                .all(|u| next.commutes(&ahead.of(u, self.threads[u].map(|thread| thread.op))))
        })
    }

    /// Whether the thread's next step is the last of its operation.
    fn ends(&self, scene: &Scene, thread: &Thread) -> bool {
        let mut frame = thread.frame;
        let mut mem = self.mem;
        let mut around = self.around;
        frame.step(&mut mem, &mut around, &scene.set);
        frame.outcome().is_some() || matches!(frame.next(&scene.set), Step::Done(_))
    }

    /// Makes a move.
    pub(crate) fn make(&mut self, scene: &Scene, one: Move) -> Result<Moved, Broken> {
        let (Move::Step(t) | Move::Drain(t)) = one;
        let t = usize::from(t);
        if one == Move::Drain(u8::try_from(t).unwrap_or(0)) {
            self.pending[t].drain_one(&mut self.mem);
            return Ok(Moved::Drained);
        }
        let Some(mut thread) = self.threads[t] else {
            return Ok(Moved::Drained);
        };
        let set = &scene.set;
        let is_held = |frame: &Frame| !frame.inside().minus(set.defects).is_empty();
        let was_held = is_held(&thread.frame);
        let step = if scene.is_parallel {
            let mut behind = self.pending[t].on(&mut self.mem);
            thread.frame.step(&mut behind, &mut self.around, set)
        } else {
            thread.frame.step(&mut self.mem, &mut self.around, set)
        };
        if drains(&step) {
            self.pending[t].drain(&mut self.mem);
        }
        self.watch.note(&step, &self.mem)?;
        if matches!(step, Step::Effect(Effect::Locked(_))) && !scene.is_parallel {
            thread.needed = self.watch.needed_locked(thread.frame.op());
        }
        let next = thread.frame.next(set);
        thread.wants = wanted(&next);
        if matches!(next, Step::Done(_)) {
            thread.frame.step(&mut self.mem, &mut self.around, set);
        }
        // What a fix does at once is seen at once, and who was kept out finds all that was done.
        let is_over = thread.frame.outcome().is_some();
        if was_held && !is_held(&thread.frame) || is_over && set.defects.is_empty() {
            self.pending[t].drain(&mut self.mem);
        }
        self.threads[t] = Some(thread);
        if let Some(outcome) = thread.frame.outcome() {
            self.watch.over(thread.frame.op(), outcome, thread.needed)?;
            self.begin(scene, t, thread.op + 1);
        }
        Ok(Moved::Step(step))
    }

    /// Whether every thread is over, and every store seen.
    pub(crate) fn is_over(&self) -> bool {
        self.threads.iter().all(Option::is_none) && self.pending.iter().all(Pending::is_empty)
    }

    /// Whether what is there once all threads are over keeps the contract.
    pub(crate) fn end(&self, scene: &Scene) -> Result<(), Broken> {
        self.watch.end(self.mem, &scene.set)
    }

    /// A number for the state: two of 64 bits, so that among 10⁸ states none are taken for the same.
    pub(crate) fn digest(&self) -> u128 {
        let mut hasher = Lanes(0x9e37_79b9_7f4a_7c15, 0xc2b2_ae3d_27d4_eb4f);
        self.hash(&mut hasher);
        u128::from(hasher.0) << 64 | u128::from(mix(hasher.1))
    }
}

/// Two independent running sums.
struct Lanes(u64, u64);

const fn mix(value: u64) -> u64 {
    let value = (value ^ value >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    value ^ value >> 29
}

impl Hasher for Lanes {
    fn finish(&self) -> u64 {
        mix(self.0)
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
        self.1 = (self.1.rotate_left(23) ^ word).wrapping_mul(0x9fb2_1c65_1e98_df25);
    }

    fn write_u8(&mut self, value: u8) {
        self.write_u64(value.into());
    }

    fn write_u16(&mut self, value: u16) {
        self.write_u64(value.into());
    }

    fn write_u32(&mut self, value: u32) {
        self.write_u64(value.into());
    }

    fn write_usize(&mut self, value: usize) {
        self.write_u64(value as u64);
    }

    fn write_isize(&mut self, value: isize) {
        self.write_u64(value.cast_unsigned() as u64);
    }
}
