//! `relaybed schema`: what there is a JSON Schema of.

use clap::ValueEnum;

/// What there is a JSON Schema of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum SchemaOf {
    /// Scenario files.
    Scenario,
    /// Lines of `run --format json`.
    Report,
}

impl SchemaOf {
    /// It.
    pub(super) fn schema(self) -> serde_json::Value {
        match self {
            Self::Scenario => relaybed_lang::schema(),
            Self::Report => relaybed_report::schema(),
        }
    }
}
