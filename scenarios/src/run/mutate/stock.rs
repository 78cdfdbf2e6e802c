//! The unchanged relay: what every scenario says of it, and how long each takes.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::io;
use std::path::Path;

use relaybed_report::exit::Exit;
use relaybed_report::{CaseReport, Listener, outcome};
use serde::{Deserialize, Serialize};

use super::Trials;
use super::stages::schedules;
use super::trial::{TRIES, options};
use crate::run::{Plan, SessionError, SuiteEnd, explore, run_all};

/// What the scenarios say of the unchanged relay.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Stock {
    /// Of what this was found out: kernel, module, scenarios.
    key: String,
    /// SHA-256 of its module.
    pub(super) module: String,
    /// By scenario.
    pub(super) verdicts: BTreeMap<String, Was>,
    /// By scenario whose schedules are explored.
    #[serde(default)]
    races: BTreeMap<String, Was>,
}

/// What one scenario said, and how long it took.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Was {
    pub(super) outcome: String,
    pub(super) ms: f64,
}

/// Scenarios that fail with the unchanged relay: a failure would say nothing of its mutants.
#[derive(Debug, thiserror::Error)]
#[error(
    "the unchanged relay already fails {} scenarios, so a failure would say nothing about a mutant: {}",
    failed.len(),
    failed.join(", ")
)]
pub struct Broken {
    failed: Vec<String>,
}

impl Stock {
    /// Runs every scenario once with the unchanged relay.
    ///
    /// # Errors
    /// When that cannot be done.
    pub fn find(plan: &Plan, trials: &Trials, out: &Path) -> Result<Self, SessionError> {
        let options = options(trials, out, false);
        let seen = patiently(|seen| run_all(plan, &options, &trials.cases, seen))?;
        let races = match plan.controllable() {
            Ok(plan) if trials.explore > 0 => patiently(|seen| {
                let wish = schedules(trials);
                explore(&plan, &options, &wish, &trials.races, seen, &mut |_| {})
            })?,
            _ => Seen::default(),
        };
        Ok(Self {
            key: key(plan, trials),
            module: plan.guest().module_sha256.clone(),
            verdicts: seen.0,
            races: races.0,
        })
    }

    /// Whether this was found out of the same relay, kernel and scenarios.
    #[must_use]
    pub fn holds(&self, plan: &Plan, trials: &Trials) -> bool {
        self.key == key(plan, trials)
    }

    /// # Errors
    /// [`Broken`], where a scenario failed.
    pub fn is_good(&self) -> Result<(), Broken> {
        let failed = self.verdicts.iter();
        let failed: Vec<String> = failed
            .filter(|(_, was)| was.outcome == "failed")
            .map(|(name, _)| name.clone())
            .collect();
        if failed.is_empty() {
            Ok(())
        } else {
            Err(Broken { failed })
        }
    }

    /// Whether no schedule of a scenario fails: what a mutant does there says something of it.
    pub(super) fn is_sound(&self, race: &str) -> bool {
        let was = self.races.get(race);
        was.is_some_and(|was| ["passed", "known"].contains(&was.outcome.as_str()))
    }

    /// Longest time that all scenarios take together, in milliseconds.
    #[must_use]
    pub fn all_ms(&self) -> f64 {
        self.verdicts.values().map(|was| was.ms).sum()
    }
}

/// Names everything that the verdicts depend on.
fn key(plan: &Plan, trials: &Trials) -> String {
    let mut scenarios = DefaultHasher::new();
    let races = trials.races.iter().filter(|_| trials.explore > 0);
    for loaded in trials.cases.iter().chain(races) {
        loaded.case.name.hash(&mut scenarios);
        loaded.source.hash(&mut scenarios);
    }
    let scenarios = scenarios.finish();
    let explored = match trials.explore {
        0 => String::new(),
        each => format!(" explored {each}"),
    };
    format!(
        "{} seed {} scenarios {scenarios:016x}{explored}",
        plan.identity(),
        trials.seed
    )
}

/// Runs scenarios, and again if the guest died, which on a starved host says nothing.
fn patiently(
    mut run: impl FnMut(&mut Seen) -> Result<SuiteEnd, SessionError>,
) -> Result<Seen, SessionError> {
    let mut tries = TRIES;
    loop {
        tries -= 1;
        let mut seen = Seen::default();
        match run(&mut seen) {
            Ok(_) => return Ok(seen),
            Err(error) if tries == 0 || error.exit() != Exit::GuestDied => return Err(error),
            Err(_) => {}
        }
    }
}

#[derive(Default)]
struct Seen(BTreeMap<String, Was>);

impl Listener for Seen {
    fn case(&mut self, report: CaseReport) -> io::Result<()> {
        let was = Was {
            outcome: outcome(&report.verdict).to_owned(),
            ms: report.duration_ms,
        };
        self.0.insert(report.name, was);
        Ok(())
    }
}
