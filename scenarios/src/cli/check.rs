//! `relaybed check`: parse and check only, all files, all errors.

use std::io::Write as _;
use std::path::PathBuf;

use super::{Stop, say, scenarios};
use relaybed_contract::Behaviour;
use relaybed_judge as judge;
use relaybed_report::exit::Exit;

/// The release that expectations are checked against without a machine: Debian bookworm's.
const REFERENCE_VERSION: u32 = 6 << 16 | 1 << 8;

pub(super) fn check(files: &[PathBuf]) -> Result<Exit, Stop> {
    let mut out = anstream::stdout().lock();
    let mut exit = Exit::Passed;
    for path in files {
        let Some(cases) = scenarios::file(path)? else {
            exit = Exit::Usage;
            continue;
        };
        let mut wrong = 0;
        for loaded in &cases {
            for claim in judge::claims(&loaded.case, &Behaviour::of(REFERENCE_VERSION)) {
                say(&format!(
                    "{}: {}: {claim}\n",
                    path.display(),
                    loaded.case.name
                ));
                wrong += 1;
            }
        }
        if wrong > 0 {
            exit = Exit::Usage;
        } else {
            writeln!(
                out,
                "{}: {} scenarios, no errors",
                path.display(),
                cases.len()
            )?;
        }
    }
    Ok(exit)
}
