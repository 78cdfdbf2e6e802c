//! Surveys the standing scenes and prints what breaks the contract.
//!
//! `survey [threes] [draw=N] [fixed] [raw] [WORD...]`: scenes of three threads; N interleavings of each at random
//! in place of all; all interleavings with everything fixed, and nothing else; every load made that the
//! source has; only scenes with these words in their names.

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "an example prints, and takes arguments"
)]

use std::collections::BTreeMap;

use relaybed_twin::search::{Found, Named, Scene, Tried, draw, interleave, scenes, survey};
use relaybed_twin::{Defects, Sites};

/// Moments that a search may visit.
const STATES: u64 = 20_000_000;

struct Wanted {
    threes: bool,
    fixed: bool,
    raw: bool,
    draw: Option<u64>,
    words: Vec<String>,
}

fn wanted() -> Wanted {
    let mut wanted = Wanted {
        threes: false,
        fixed: false,
        raw: false,
        draw: None,
        words: Vec::new(),
    };
    for word in std::env::args().skip(1) {
        match word.as_str() {
            "threes" => wanted.threes = true,
            "fixed" => wanted.fixed = true,
            "raw" => wanted.raw = true,
            _ => match word.strip_prefix("draw=") {
                Some(count) => wanted.draw = count.parse().ok(),
                None => wanted.words.push(word),
            },
        }
    }
    wanted
}

fn line(name: &str, tried: &Tried) {
    let cut = if tried.is_cut { " (cut)" } else { "" };
    println!(
        "{name}: {} states, {} moves, {:.3e} interleavings{cut}, {:.3e} break",
        tried.states, tried.moves, tried.interleavings, tried.broken
    );
}

fn main() {
    let wanted = wanted();
    let mut kinds = BTreeMap::new();
    let (mut count, mut states, mut moves) = (0, 0, 0);
    for Named { name, mut scene } in scenes(wanted.threes) {
        if !wanted.words.iter().all(|word| name.contains(word.as_str())) {
            continue;
        }
        if wanted.raw {
            scene.set.merged = Sites::SOURCE;
        }
        let tried = if let Some(count) = wanted.draw {
            draw(&scene.with(Scene::all_defects()), 1, count)
        } else if wanted.fixed {
            interleave(&scene.with(Defects::NONE), STATES)
        } else {
            survey(&scene.with(Scene::all_defects()), STATES).map(|survey| {
                collect(&mut kinds, &name, survey.found);
                survey.as_is
            })
        };
        let Some(tried) = tried else { continue };
        line(&name, &tried);
        count += 1;
        states += tried.states;
        moves += tried.moves;
    }
    println!("{count} scenes, {states} states, {moves} moves");
    for (key, (name, found)) in kinds {
        println!("\n== {key}, shortest in {name}");
        for step in &found.steps {
            let (thread, op) = (step.thread, step.op_index);
            println!("  {thread}.{op} {}: {:?}", step.place, step.step);
        }
        println!("  turns: {:?}", found.turns);
    }
}

/// Keeps the shortest order of each kind and cause.
fn collect(kinds: &mut BTreeMap<String, (String, Found)>, name: &str, found: Vec<Found>) {
    for found in found {
        let causes: Vec<String> = found.causes.iter().map(ToString::to_string).collect();
        let key = format!("{}: {}", causes.join(" | "), found.broken);
        let known = kinds.get(&key).map(|(_, known)| known.path.switches());
        if known.is_none_or(|known| found.path.switches() < known) {
            kinds.insert(key, (name.to_owned(), found));
        }
    }
}
