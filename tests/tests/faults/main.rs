//! Soak: faults at random moments, in random places, with one promise after each: no process, no lock and no file too
//! many, no false cause, and the next run is right.
//!
//! The long ones are asked for by `cargo test --release -p relaybed-tests --test faults -- --ignored`; how long they
//! are is said by the variables below. A round of those that are short enough runs every time. All is drawn from
//! `RELAYBED_FAULT_SEED`, which is printed.
//!
//! | variable | default | is |
//! |---|---|---|
//! | `RELAYBED_KILLS` | 500 | signals at random moments over all commands |
//! | `RELAYBED_DAMAGES` | 200 | damages to files of a cache, of all kinds |
//! | `RELAYBED_MUTATED` | 100000 | judgements of mutated evidence |
//! | `RELAYBED_TOGETHER_S` | 1800 | seconds of four processes at once on one cold cache |
//! | `RELAYBED_OTHER` | none | another version of the command, to take part in the last |

#![expect(
    clippy::unwrap_used,
    reason = "a test's helper fails the test by panicking"
)]
#![expect(
    clippy::print_stdout,
    reason = "whoever asks for an hour of faults wants to see them, and the seed"
)]

mod cache;
mod damages;
mod evidence;
mod kills;
mod lots;
mod together;

use relaybed_tests::started::Place;

const RELAYBED: &str = env!("CARGO_BIN_EXE_relaybed-under-test");

/// How many there are to be.
fn count(variable: &str, default: u32) -> u32 {
    let asked = std::env::var(variable).ok();
    asked.map_or(default, |text| text.parse().unwrap())
}

#[test]
fn a_few_signals_at_random_moments() {
    kills::round(3, &kills::quick(), || Place::new().unwrap());
}

#[test]
fn some_mutated_evidence() {
    evidence::round(40);
}

#[test]
#[ignore = "an hour or more: RELAYBED_KILLS"]
fn many_signals_at_random_moments_over_all_commands() {
    let cache = tempfile::tempdir().unwrap();
    cache::copy_what_a_run_needs(cache.path());
    let place = || Place::with_cache(cache.path()).unwrap();
    kills::round(count("RELAYBED_KILLS", 500), &kills::all(), place);
}

#[test]
#[ignore = "an hour or more: RELAYBED_DAMAGES"]
fn many_damaged_files_of_all_kinds() {
    damages::round(count("RELAYBED_DAMAGES", 200));
}

#[test]
#[ignore = "an hour or more: RELAYBED_MUTATED"]
fn much_mutated_evidence() {
    evidence::round(count("RELAYBED_MUTATED", 100_000));
}

#[test]
#[ignore = "half an hour, and fetches everything once more: RELAYBED_TOGETHER_S"]
fn everything_at_once_on_a_cold_cache() {
    together::round(count("RELAYBED_TOGETHER_S", 1800));
}
