//! The options of a line to paste: whatever a shell makes of a line, each argument comes out of it as it went in.

use std::fmt::{Display, Write as _};

use relaybed_case::select::quoted;

/// Options, each behind a space.
#[derive(Clone, Debug, Default)]
pub(super) struct Again(String);

impl Again {
    /// Adds an option with its value.
    pub(super) fn option(&mut self, name: &str, value: impl Display) {
        // Writing to a string cannot fail.
        let _ = write!(self.0, " {name} {}", quoted(&value.to_string()));
    }

    /// Adds an option with its value, if it was given.
    pub(super) fn given(&mut self, name: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.option(name, value);
        }
    }

    /// Adds an option without a value, if it was given.
    pub(super) fn flag(&mut self, name: &str, given: bool) {
        if given {
            let _ = write!(self.0, " {name}");
        }
    }

    /// Adds one of a few words.
    pub(super) fn word(&mut self, name: &str, value: &impl clap::ValueEnum) {
        let value = value.to_possible_value();
        self.given(
            name,
            value.as_ref().map(clap::builder::PossibleValue::get_name),
        );
    }

    /// The options as text.
    pub(super) fn line(self) -> String {
        self.0
    }
}
