//! `relaybed check`: parse and check only, all files, all errors.

use std::io::Write as _;
use std::path::PathBuf;

use super::{Stop, say, scenarios};
use relaybed_case::select::Loaded;
use relaybed_contract::Behaviour;
use relaybed_judge::{self as judge, Claimed};
use relaybed_lang::{Places, line_and_column, places};
use relaybed_report::exit::Exit;

/// The release that expectations are checked against without a machine: Debian bookworm's.
const REFERENCE_VERSION: u32 = 6 << 16 | 1 << 8;

pub(super) fn check(files: &[PathBuf]) -> Result<Exit, Stop> {
    let mut out = anstream::stdout().lock();
    let mut exit = Exit::Passed;
    for (named, cases) in scenarios::on_disk(files)? {
        let Some(cases) = cases else {
            exit = Exit::Usage;
            continue;
        };
        let wrong: Vec<String> = cases.iter().flat_map(contradictions).collect();
        if wrong.is_empty() {
            let path = named.path.display();
            writeln!(out, "{path}: {} scenarios, no errors", cases.len())?;
        } else {
            exit = Exit::Usage;
            say(&wrong.concat());
        }
    }
    Ok(exit)
}

/// What the author of a case claims and relay does not do, each at its place, a line each.
fn contradictions(loaded: &Loaded) -> Vec<String> {
    let claims = judge::claims(&loaded.case, &Behaviour::of(REFERENCE_VERSION));
    if claims.is_empty() {
        return Vec::new();
    }
    let places = places(&loaded.case.name, &loaded.source).unwrap_or_default();
    let line = |claim: judge::Contradiction| {
        let at = place(&places, claim.of).map_or(0, |span| span.start);
        let (line, column) = line_and_column(&loaded.source, at);
        let (path, name) = (&loaded.path, &loaded.case.name);
        format!("{path}:{line}:{column}: {name}: {claim}\n")
    };
    claims.into_iter().map(line).collect()
}

/// Where it stands in the file.
fn place(places: &Places, of: Claimed) -> Option<std::ops::Range<usize>> {
    match of {
        Claimed::Operation(actor, op) => Some(places.ops.get(actor)?.get(op)?.span.clone()),
        Claimed::Channel(channel) => places.channels.get(channel).cloned(),
        Claimed::Expect(index, key) => {
            let mut claim = places.claims.get(index)?.iter();
            claim
                .find(|(of, _)| *of == key)
                .map(|(_, span)| span.clone())
        }
    }
}
