//! `relaybed list`.

use std::io::Write as _;

use super::{Stop, scenarios};
use relaybed_report::exit::Exit;

pub(super) fn list(patterns: &[String]) -> Result<Exit, Stop> {
    let mut out = anstream::stdout().lock();
    for loaded in scenarios::load(patterns)? {
        writeln!(out, "{:<58}  {}", loaded.case.name, loaded.case.summary)?;
    }
    Ok(Exit::Passed)
}
