//! The suites, carried inside the binary.

/// Name and text of every file of the suites.
static SUITES: &[(&str, &str)] = &include!(concat!(env!("OUT_DIR"), "/suites.rs"));

/// The scenario files that come with relaybed, as `suite/file` and text, sorted by name.
pub fn embedded() -> impl Iterator<Item = (&'static str, &'static str)> {
    SUITES.iter().copied()
}
