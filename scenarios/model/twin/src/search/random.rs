//! Interleavings of a scene at random.

use super::Scene;
use super::all::{Tried, Violation};
use super::order::Path;
use super::state::State;

/// Draws `count` interleavings: at each moment, whoever moved last moves again three times out of four, else any
/// move is as likely as another. The same seed draws the same.
#[must_use]
pub fn draw(scene: &Scene, seed: u64, count: u64) -> Option<Tried> {
    let start = match State::new(scene)? {
        Ok(state) => state,
        Err(_) => return None,
    };
    let mut tried = Tried::default();
    let mut random = Random(seed.wrapping_mul(2).wrapping_add(1));
    let mut moves = Vec::new();
    for _ in 0..count {
        let mut state = start.clone();
        let mut path = Vec::with_capacity(256);
        let mut broken = None;
        while broken.is_none() && !state.is_over() {
            state.moves(scene, &mut moves);
            let last = path.last().filter(|last| moves.contains(last)).copied();
            let one = match last.filter(|_| random.below(4) > 0) {
                Some(last) => last,
                None => moves[random.below(moves.len())],
            };
            path.push(one);
            tried.moves += 1;
            broken = state.make(scene, one).err();
        }
        if broken.is_none() {
            broken = state.end(scene).err();
        }
        tried.interleavings += 1.0;
        if let Some(broken) = broken {
            tried.broken += 1.0;
            let known = tried.violations.iter().any(|v| v.broken == broken);
            if !known {
                let path = Path(path);
                tried.violations.push(Violation { broken, path });
            }
        }
    }
    Some(tried)
}

/// xorshift64*: a few instructions, and good enough to choose moves by.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let word = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
        let bound = bound as u64;
        usize::try_from((word * bound) >> 32).unwrap_or(0)
    }
}
