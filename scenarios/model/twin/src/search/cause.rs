//! Which defects an order of steps shows.

use super::Scene;
use super::turns::{ThreadTurn, play};
use super::{Path, replay};
use crate::{Defect, Defects};

/// Defects that are fixed at once to find a cause.
const AT_ONCE: u32 = 3;

/// How an order of steps is given.
#[derive(Clone, Copy, Debug)]
pub enum Order<'a> {
    /// By turns, which stay what they are when a fix adds steps or takes some away.
    Turns(&'a [ThreadTurn]),
    /// Step by step.
    Path(&'a Path),
}

/// The smallest sets of defects of the scene's relay whose fix makes this order keep the contract: all
/// minimal ones of up to three. None: no fix of a known defect does.
#[must_use]
pub fn causes(scene: &Scene, order: Order<'_>) -> Vec<Defects> {
    let mut found: Vec<Defects> = Vec::new();
    for size in 1..=AT_ONCE {
        for fixed in subsets(scene.set.defects, size) {
            if found.iter().any(|smaller| smaller.is_within(fixed)) {
                continue;
            }
            let repaired = scene.with(scene.set.defects.minus(fixed));
            let played = match order {
                Order::Turns(turns) => play(&repaired, turns),
                Order::Path(path) => replay(&repaired, path),
            };
            if played.is_some_and(|played| played.broken.is_none()) {
                found.push(fixed);
            }
        }
    }
    found
}

/// All subsets of this size.
fn subsets(of: Defects, size: u32) -> Vec<Defects> {
    let all: Vec<Defect> = of.iter().collect();
    (0..1_u32 << all.len())
        .filter(|mask| mask.count_ones() == size)
        .map(|mask| {
            let picked = all.iter().enumerate().filter(|(i, _)| mask >> i & 1 == 1);
            picked.map(|(_, defect)| *defect).collect()
        })
        .collect()
}
