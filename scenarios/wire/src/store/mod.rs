//! Evidence folders: one run of a case as files that a person can read and `load` can judge again.
//!
//! | file | holds |
//! |---|---|
//! | `scenario.toml` | the scenario file's text, for people |
//! | `case.json` | the case that was run |
//! | `evidence.json` | format version, setting, what every structure of relay's said, and length and CRC-32 of every other file |
//! | `results.jsonl`, `events.jsonl` | one operation's result, one event a line |
//! | `obsK-chC-cpuN.bin` | bytes of a channel buffer at observation K |
//! | `data.bin` | what user actors got |
//! | `console.txt` | console text |
//! | `schedule.json` | of a run under control: every stop of a vCPU and who went on, one a line |
//!
//! A folder is written aside and renamed, so there is never half of one. Loading trusts nothing in
//! it: names are computed, not taken from the files; sizes are compared with the case before
//! anything is allocated; every file must have the length and checksum that were written down.

mod check;
mod error;
mod files;
mod load;
mod place;
mod rows;
mod save;
mod schedule;
#[cfg(test)]
mod tests;

pub use error::StoreError;
pub use load::load;
pub use rows::{Extra, FILE_NOTE, MACHINE_NOTE, TOKEN_NOTE};
pub use save::save;
