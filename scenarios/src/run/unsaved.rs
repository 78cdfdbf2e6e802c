//! Evidence that could not be saved. The verdict is what a run is for: it is reported all the same, and the run ends
//! with a set-up error beside it.

use std::error::Error;

use super::error::SessionError;
use super::suite::Suite;
use relaybed_report::Detail;
use relaybed_report::exit::Exit;

/// How many scenarios are without their evidence, and why the first is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the evidence of {scenarios} scenario(s) could not be saved: {why}")]
pub struct Unsaved {
    scenarios: u32,
    why: String,
}

impl Unsaved {
    fn new(error: SessionError) -> Self {
        let error = match &error {
            // What it says itself is said here.
            SessionError::Store(error) => error as &dyn Error,
            SessionError::Write(error) => error,
            error => error,
        };
        let mut why = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            why += &format!(": {cause}");
            source = cause.source();
        }
        Self { scenarios: 1, why }
    }

    /// Both together.
    fn and(self, other: Self) -> Self {
        let scenarios = self.scenarios + other.scenarios;
        Self { scenarios, ..self }
    }
}

impl Suite<'_> {
    /// Takes what came of saving a scenario's evidence; whether it was saved.
    pub(super) fn saved(&mut self, saved: Result<(), SessionError>, detail: &mut Detail) -> bool {
        let Err(error) = saved else { return true };
        let unsaved = Unsaved::new(error);
        let note = format!("the evidence could not be saved: {}", unsaved.why);
        detail.notes.push(note);
        self.exit = self.exit.worse(Exit::SetUp);
        self.unsaved_too(Some(unsaved));
        false
    }

    /// Adds those of another part of the run.
    pub(super) fn unsaved_too(&mut self, more: Option<Unsaved>) {
        self.unsaved = match (self.unsaved.take(), more) {
            (Some(one), Some(more)) => Some(one.and(more)),
            (one, more) => one.or(more),
        };
    }
}
