//! Surveys the standing scenes and prints what breaks the contract: `survey [threes] [WORD...]`.

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "an example prints, and takes arguments"
)]

use std::collections::BTreeMap;

use relaybed_twin::search::{Found, scenes, survey};

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let threes = words.iter().any(|word| word == "threes");
    let is_wanted = |name: &str| {
        words
            .iter()
            .filter(|word| *word != "threes")
            .all(|word| name.contains(word.as_str()))
    };
    let mut kinds: BTreeMap<String, (String, Found, u64)> = BTreeMap::new();
    let (mut states, mut moves, mut count) = (0, 0, 0);
    for named in scenes(threes)
        .into_iter()
        .filter(|named| is_wanted(&named.name))
    {
        let Some(survey) = survey(&named.scene, 20_000_000) else {
            continue;
        };
        count += 1;
        states += survey.as_is.states;
        moves += survey.as_is.moves;
        let cut = if survey.as_is.is_cut { " (cut)" } else { "" };
        println!(
            "{}: {} states, {:.3e} interleavings{cut}, {:.3e} break; fixed: {:.3e} break; shown: {}",
            named.name,
            survey.as_is.states,
            survey.as_is.interleavings,
            survey.as_is.broken,
            survey.fixed.broken,
            survey.shown
        );
        for found in survey.found {
            let causes: Vec<String> = found.causes.iter().map(ToString::to_string).collect();
            let causes = if causes.is_empty() {
                "unknown".to_owned()
            } else {
                causes.join(" | ")
            };
            println!("    {causes}: {}", found.broken);
            let who = named.name.split(": ").last().unwrap_or("").to_owned();
            let key = format!("{causes}: {} [{who}]", found.broken);
            let entry = kinds
                .entry(key)
                .or_insert_with(|| (named.name.clone(), found.clone(), 0));
            entry.2 += 1;
            if found.path.switches() < entry.1.path.switches() {
                (entry.0, entry.1) = (named.name.clone(), found);
            }
        }
    }
    println!("\n{count} scenes, {states} states, {moves} moves");
    for (key, (name, found, times)) in kinds {
        println!("\n== {key} ({times} scenes), shortest in {name}");
        for step in &found.steps {
            println!(
                "  {} op {} {}: {:?}",
                step.thread, step.op_index, step.place, step.step
            );
        }
        println!("  turns: {:?}", found.turns);
    }
}
