//! Mutation testing: whether the scenarios notice small wrong changes of a relay.c.
//!
//! Each mutant is built and booted alone, in a cache of its own that is emptied behind it. The scenarios run in the
//! order that has killed soonest so far, up to the first that fails; drawn scenarios and schedules come behind them.
//! What a mutant does to its guest is a result, never an error.

mod belief;
mod history;
mod stages;
mod stock;
mod trial;

use std::time::Duration;

use relaybed_case::select::Loaded;
use relaybed_guest::{Aside, ChangedFile, Progress, RelayRequest};
use relaybed_mutants::Mutant;
use relaybed_report::mutation::{MutantOutcome, MutantRow};

use super::{Plan, SessionError, Wish};
pub use history::History;
pub use stock::{Broken, Stock};

/// The row of a mutant that was not built: no module, no time.
#[must_use]
pub fn row(mutant: &Mutant, source: &str, outcome: MutantOutcome) -> MutantRow {
    MutantRow {
        id: mutant.id.clone(),
        relay: String::new(),
        function: mutant.function.clone(),
        line: mutant.line,
        column: mutant.column,
        operator: mutant.operator.name().to_owned(),
        before: mutant.before.clone(),
        after: mutant.after.clone(),
        diff: mutant.diff(source),
        module: None,
        outcome,
        seconds: 0.0,
    }
}

/// How mutants are tried.
#[derive(Clone, Debug)]
pub struct Trials {
    /// The machine, and the relay that is mutated.
    pub wish: Wish,
    /// It is its relay.h that is mutated, and not its relay.c.
    pub inlined: bool,
    /// The scenarios.
    pub cases: Vec<Loaded>,
    /// Longest time that the scenarios of one mutant may take.
    pub bound: Duration,
    /// How many drawn scenarios a mutant runs that survived the others.
    pub fuzz: u64,
    /// Draws them.
    pub seed: u64,
    /// Scenarios that race.
    pub races: Vec<Loaded>,
    /// How many schedules of each of them a mutant runs that survived all else.
    pub explore: u64,
}

/// A relay.c that was found good, and a place to try its mutants in.
#[derive(Debug)]
pub struct Campaign<'a> {
    trials: &'a Trials,
    /// Of the unchanged relay.
    plan: &'a Plan,
    stock: &'a Stock,
    aside: Aside,
}

impl<'a> Campaign<'a> {
    /// A campaign against what `plan` built.
    ///
    /// # Errors
    /// If there is no room for it in the cache.
    pub fn begin(
        trials: &'a Trials,
        plan: &'a Plan,
        stock: &'a Stock,
    ) -> Result<Self, relaybed_guest::CacheError> {
        Ok(Self {
            trials,
            plan,
            stock,
            aside: plan.cache().aside()?,
        })
    }

    /// Tries one mutant of `source`.
    ///
    /// # Errors
    /// [`SessionError::Interrupted`]; all else is a result.
    pub fn try_one(
        &self,
        source: &str,
        mutant: &Mutant,
        history: &History,
        progress: &dyn Progress,
    ) -> Result<MutantRow, SessionError> {
        let tried = trial::run(self, source, mutant, history, progress);
        self.aside.clear();
        tried
    }

    /// The request for a changed relay.
    fn changed(&self, text: String) -> Option<RelayRequest> {
        let mut relay = self.trials.wish.relay.clone()?;
        let text = text.into_bytes();
        relay.changed = Some(if self.trials.inlined {
            ChangedFile::Header(text)
        } else {
            ChangedFile::Source(text)
        });
        Some(relay)
    }
}
