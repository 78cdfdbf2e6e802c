//! What breaks the contract in a scene, with causes, and what is left when all known causes are fixed.

use super::Scene;
use super::all::{Tried, interleave_while};
use super::cause::{Order, causes};
use super::order::{Path, Shown, minimised, replay};
use super::turns::{ThreadTurn, turns_of};
use super::watch::Broken;
use crate::Defects;

/// One way in which a scene breaks the contract.
#[derive(Clone, Debug)]
pub struct Found {
    /// How.
    pub broken: Broken,
    /// Smallest sets of defects whose fix makes this order right; none: a candidate for a new known issue.
    pub causes: Vec<Defects>,
    /// The order, with few switches.
    pub path: Path,
    /// Its steps.
    pub steps: Vec<Shown>,
    /// The order as turns, where it can be given so.
    pub turns: Option<Vec<ThreadTurn>>,
}

/// What a scene shows.
#[derive(Clone, Debug)]
pub struct Survey {
    /// Of the scene's relay: all interleavings.
    pub as_is: Tried,
    /// With all known defects fixed.
    pub fixed: Tried,
    /// Ways in which the scene's relay breaks the contract, one for each set of causes and kind that was met.
    pub found: Vec<Found>,
    /// Defects of which each, alone in a relay that has no other, breaks the contract here.
    pub shown: Defects,
}

/// Surveys a scene with the defects that it has; `None` where it is too large. At most `max_states` moments a search.
#[must_use]
pub fn survey(scene: &Scene, max_states: u64) -> Option<Survey> {
    survey_while(scene, max_states, &mut |_| true)
}

/// The same, for as long as it is wanted: see [`interleave_while`].
#[must_use]
pub fn survey_while(
    scene: &Scene,
    max_states: u64,
    goes_on: &mut dyn FnMut(u64) -> bool,
) -> Option<Survey> {
    let raw = scene.with(scene.set.defects);
    let mut interleave = |scene: &Scene| interleave_while(scene, max_states, goes_on);
    let as_is = interleave(&raw)?;
    let fixed = interleave(&scene.with(Defects::NONE))?;
    let mut found: Vec<Found> = Vec::new();
    let mut shown = Defects::NONE;
    let mut add = |candidate: Option<Found>| {
        let Some(new) = candidate else { return };
        let is_known = |old: &Found| old.broken == new.broken && old.causes == new.causes;
        if !found.iter().any(is_known) {
            found.push(new);
        }
    };
    for violation in &as_is.violations {
        add(explained(&raw, &violation.path, violation.broken));
    }
    for defect in raw.set.defects.iter() {
        // One defect and no other: what it alone does, and what the others hide.
        let one = scene.with(Defects::of(&[defect]));
        let tried = interleave(&one)?;
        if tried.violations.len() > fixed.violations.len() {
            shown = shown.with(defect);
        }
        for violation in &tried.violations {
            let is_left = fixed
                .violations
                .iter()
                .any(|v| v.broken == violation.broken);
            if !is_left {
                add(explained(&raw, &violation.path, violation.broken));
            }
        }
    }
    for violation in &fixed.violations {
        add(explained(&raw, &violation.path, violation.broken));
    }
    Some(Survey {
        as_is,
        fixed,
        found,
        shown,
    })
}

/// The violation made short on the scene's relay, and its causes; `None` where that does not show it.
fn explained(raw: &Scene, path: &Path, broken: Broken) -> Option<Found> {
    let broken = match replay(raw, path)?.broken {
        Some(other) if other != broken => other,
        Some(same) => same,
        None => return None,
    };
    let path = minimised(raw, path, broken);
    let steps = replay(raw, &path)?.steps;
    let turns = turns_of(raw, &path, broken);
    let order = turns.as_deref().map_or(Order::Path(&path), Order::Turns);
    Some(Found {
        broken,
        causes: causes(raw, order),
        path,
        steps,
        turns,
    })
}
