//! All interleavings of a scene.
//!
//! The moments of a scene are a graph without circles: every move is progress. Each moment is visited once,
//! and the number of ways from it to the end kept, so that all interleavings are counted without walking each.
//! Where a thread's next step commutes with everything that the others may still do, and no check looks at it,
//! it comes first and nothing else there: every other order differs from one that is walked in such steps only.

use std::collections::HashMap;

use super::Scene;
use super::ahead::Ahead;
use super::order::Path;
use super::state::{Move, State};
use super::watch::Broken;

/// An order that breaks the contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// How.
    pub broken: Broken,
    /// The moves that lead there.
    pub path: Path,
}

/// What a search came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tried {
    /// Different moments.
    pub states: u64,
    /// Moves made.
    pub moves: u64,
    /// Interleavings, those that differ in steps that do not matter counted once. Beyond 2⁵³ it is rounded.
    pub interleavings: f64,
    /// How many of them break the contract; an interleaving ends where it does.
    pub broken: f64,
    /// A violation of each kind, one with few switches between threads.
    pub violations: Vec<Violation>,
    /// The bound of states was reached: not all was tried.
    pub is_cut: bool,
}

/// Goes through all interleavings of a scene; `None` where its ring is too large to be searched. At most
/// `max_states` moments are visited.
#[must_use]
pub fn interleave(scene: &Scene, max_states: u64) -> Option<Tried> {
    interleave_while(scene, max_states, &mut |_| true)
}

/// The same, for as long as it is wanted: `goes_on` hears every 2^14 moments how many there were. A search that is
/// broken off is cut.
#[must_use]
pub fn interleave_while(
    scene: &Scene,
    max_states: u64,
    goes_on: &mut dyn FnMut(u64) -> bool,
) -> Option<Tried> {
    let mut search = Search {
        scene,
        ahead: Ahead::of_scene(scene),
        max_states,
        goes_on,
        seen: HashMap::default(),
        tried: Tried::default(),
        path: Vec::new(),
    };
    match State::new(scene)? {
        Err(broken) => search.note(broken),
        Ok(state) => {
            let ways = search.visit(&state);
            (search.tried.interleavings, search.tried.broken) = (ways.all, ways.broken);
        }
    }
    Some(search.tried)
}

/// How many ways lead on from a moment.
#[derive(Clone, Copy, Default)]
struct Ways {
    all: f64,
    broken: f64,
}

impl Ways {
    const fn one(is_broken: bool) -> Self {
        Self {
            all: 1.0,
            broken: if is_broken { 1.0 } else { 0.0 },
        }
    }
}

struct Search<'a> {
    scene: &'a Scene,
    ahead: Ahead,
    max_states: u64,
    goes_on: &'a mut dyn FnMut(u64) -> bool,
    seen: HashMap<u128, Ways, Plain>,
    tried: Tried,
    path: Vec<Move>,
}

/// Digests are hashes already.
type Plain = std::hash::BuildHasherDefault<Low>;

#[derive(Default)]
struct Low(u64);

impl std::hash::Hasher for Low {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {}

    fn write_u128(&mut self, digest: u128) {
        self.0 = (digest >> 64) as u64;
    }
}

impl Search<'_> {
    fn visit(&mut self, state: &State) -> Ways {
        let digest = state.digest();
        if let Some(ways) = self.seen.get(&digest) {
            return *ways;
        }
        let states = self.tried.states;
        self.tried.is_cut |= states >= self.max_states;
        self.tried.is_cut |= states & 0x3fff == 0 && !(self.goes_on)(states);
        if self.tried.is_cut {
            return Ways::default();
        }
        self.tried.states += 1;
        let ways = self.onward(state);
        self.seen.insert(digest, ways);
        ways
    }

    fn onward(&mut self, state: &State) -> Ways {
        if state.is_over() {
            let end = state.end(self.scene);
            if let Err(broken) = end {
                self.note(broken);
            }
            return Ways::one(end.is_err());
        }
        let mut moves = Vec::with_capacity(4);
        state.moves(self.scene, &mut moves);
        if let Some(free) = state.free_move(self.scene, &self.ahead, &moves) {
            moves.clear();
            moves.push(free);
        }
        let mut ways = Ways::default();
        for one in moves {
            let mut next = state.clone();
            self.tried.moves += 1;
            self.path.push(one);
            let onward = match next.make(self.scene, one) {
                Err(broken) => {
                    self.note(broken);
                    Ways::one(true)
                }
                Ok(_) => self.visit(&next),
            };
            self.path.pop();
            ways.all += onward.all;
            ways.broken += onward.broken;
        }
        ways
    }

    fn note(&mut self, broken: Broken) {
        let path = Path(self.path.clone());
        let same = self
            .tried
            .violations
            .iter_mut()
            .find(|v| v.broken == broken);
        match same {
            Some(known) if known.path.switches() <= path.switches() => {}
            Some(known) => known.path = path,
            None => self.tried.violations.push(Violation { broken, path }),
        }
    }
}
