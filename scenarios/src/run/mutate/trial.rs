//! One mutant: built, booted, run against one stage after the other until something fails, and what came of it.

use std::cmp::Reverse;
use std::path::Path;
use std::time::{Duration, Instant};

use relaybed_case::select::Loaded;
use relaybed_guest::Progress;
use relaybed_mutants::Mutant;
use relaybed_report::mutation::{MutantOutcome, MutantRow, Stage};
use relaybed_vmm::signals;

use super::belief::{self, Next};
use super::stages::{Came, Stages};
use super::{Campaign, History, Trials};
use crate::run::{Isolate, Options, Plan, SessionError};

/// How often the unchanged relay is tried: on a host that starves it, a sound guest may die while it boots.
pub(super) const TRIES: u32 = 3;

/// Longest reason that is kept of a compiler's.
const WHY_CHARS: usize = 300;

/// How scenarios run: on one machine for as long as it lives, booted and not forked, since it is used once.
pub(super) fn options(trials: &Trials, out: &Path, fail_fast: bool) -> Options {
    Options {
        fail_fast,
        out: out.to_owned(),
        keep_all: false,
        plant: None,
        again: String::new(),
        seed: trials.seed,
        repeat: 1,
        deterministic: false,
        isolate: Some(Isolate::None),
        jobs: Some(1),
        known: Default::default(),
        hold: false,
    }
}

/// Tries one mutant, as often as it takes to believe what it comes to.
pub(super) fn run(
    campaign: &Campaign<'_>,
    source: &str,
    mutant: &Mutant,
    history: &History,
    progress: &dyn Progress,
) -> Result<MutantRow, SessionError> {
    let begun = Instant::now();
    let mut trial = Trial {
        campaign,
        mutant,
        history,
        module: None,
    };
    let (mut tries, mut unchanged) = (Vec::new(), None);
    let outcome = loop {
        match belief::next(&tries, unchanged) {
            Next::Try => match trial.once(source, progress)? {
                Tried::Before(outcome) => break outcome,
                Tried::Now(outcome) => tries.push(outcome),
            },
            Next::Unchanged => unchanged = Some(trial.unchanged_ends_well(tries.last())?),
            Next::Believe(outcome) => break outcome,
        }
    };
    Ok(MutantRow {
        module: trial.module,
        seconds: begun.elapsed().as_secs_f64(),
        ..super::row(mutant, source, outcome)
    })
}

struct Trial<'a> {
    campaign: &'a Campaign<'a>,
    mutant: &'a Mutant,
    history: &'a History,
    module: Option<String>,
}

/// What a mutant came to.
enum Tried {
    /// With the same module, under another name.
    Before(MutantOutcome),
    /// Just now.
    Now(MutantOutcome),
}

impl Trial<'_> {
    fn once(&mut self, source: &str, progress: &dyn Progress) -> Result<Tried, SessionError> {
        let campaign = self.campaign;
        let mut wish = campaign.trials.wish.clone();
        wish.relay = campaign.changed(self.mutant.apply(source));
        let plan = match Plan::make(wish, campaign.aside.cache(), progress) {
            Ok(plan) => plan,
            Err(_) if signals::interrupted().is_some() => return Err(SessionError::Interrupted),
            Err(error) => {
                let why = cut(&chain(&error));
                return Ok(Tried::Now(if error.is_unbuildable() {
                    MutantOutcome::NotBuilt { why }
                } else {
                    MutantOutcome::Trouble { why }
                }));
            }
        };
        let module = plan.guest().module_sha256.clone();
        if module == campaign.stock.module {
            let why = "the compiler makes the same code from it".to_owned();
            return Ok(Tried::Now(MutantOutcome::Equivalent { why }));
        }
        let known = self.history.same(&module).map(|(_, known)| known.clone());
        self.module = Some(module);
        Ok(match known {
            Some(known) => Tried::Before(known),
            None => Tried::Now(self.all_stages(&plan)?),
        })
    }

    fn stages(&self) -> Stages<'_> {
        Stages {
            trials: self.campaign.trials,
            stock: self.campaign.stock,
        }
    }

    fn all_stages(&self, plan: &Plan) -> Result<MutantOutcome, SessionError> {
        let (stages, cases) = (self.stages(), self.ordered());
        let mut differs = Vec::new();
        for stage in Stage::ALL {
            if !stages.has(stage, plan) {
                continue;
            }
            match stages.run(stage, plan, &cases)? {
                Came::Through(changed) => differs.extend(changed),
                Came::Ended(outcome) => return Ok(outcome),
            }
        }
        Ok(MutantOutcome::Survived { changed: differs })
    }

    /// Whether the unchanged relay gets through what killed the mutant, at this moment and on this host.
    fn unchanged_ends_well(&self, killed: Option<&MutantOutcome>) -> Result<bool, SessionError> {
        let Some(MutantOutcome::Killed { by, stage, .. }) = killed else {
            return Ok(true);
        };
        let mut cases = self.ordered();
        // The first of them, where none is named: boots are all the same.
        let killer = cases.iter().position(|loaded| loaded.case.name == *by);
        cases = cases
            .into_iter()
            .skip(killer.unwrap_or(0))
            .take(1)
            .collect();
        let came = self.stages().run(*stage, self.campaign.plan, &cases)?;
        Ok(matches!(came, Came::Through(_)))
    }

    /// The scenarios, those first that killed mutants of this function, then of others, then the short ones; those
    /// under control last, since they need an image.
    fn ordered(&self) -> Vec<Loaded> {
        let campaign = self.campaign;
        let mut cases: Vec<&Loaded> = campaign
            .trials
            .cases
            .iter()
            .filter(|loaded| self.ran(loaded))
            .collect();
        let micros = |loaded: &Loaded| {
            let was = campaign.stock.verdicts.get(&loaded.case.name);
            Duration::try_from_secs_f64(was.map_or(0.0, |was| was.ms / 1000.0)).unwrap_or_default()
        };
        cases.sort_by_cached_key(|loaded| {
            let name = &loaded.case.name;
            let kills = self.history.kills(&self.mutant.function, name);
            let driven = !loaded.case.schedule.is_empty();
            (driven, Reverse(kills), micros(loaded))
        });
        cases.into_iter().cloned().collect()
    }

    /// Whether a scenario says something with the unchanged relay.
    fn ran(&self, loaded: &Loaded) -> bool {
        let was = self.campaign.stock.verdicts.get(&loaded.case.name);
        was.is_some_and(|was| ["passed", "known"].contains(&was.outcome.as_str()))
    }
}

/// An error and its causes, in a line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

pub(super) fn cut(text: &str) -> String {
    text.chars().take(WHY_CHARS).collect()
}
