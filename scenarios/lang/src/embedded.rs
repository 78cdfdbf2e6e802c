//! Scenarios carried inside the binary: the suites, and those that race.

/// Name and text of every file of the suites.
static SUITES: &[(&str, &str)] = &include!(concat!(env!("OUT_DIR"), "/suites.rs"));

/// The scenario files that come with relaybed, as `suite/file` and text, sorted by name.
pub fn embedded() -> impl Iterator<Item = (&'static str, &'static str)> {
    SUITES.iter().copied()
}

/// Name and text of every scenario that races.
static RACES: &[(&str, &str)] = &include!(concat!(env!("OUT_DIR"), "/races.rs"));

/// Scenarios whose schedules are worth exploring, as `explore/file` and text, sorted by name. They are in no suite.
pub fn races() -> impl Iterator<Item = (&'static str, &'static str)> {
    RACES.iter().copied()
}
