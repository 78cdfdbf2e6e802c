//! One mutant: built, booted, run against the scenarios until one fails, and what came of it.

use std::cmp::Reverse;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use relaybed_case::select::Loaded;
use relaybed_case::verdict::Verdict;
use relaybed_guest::Progress;
use relaybed_mutants::Mutant;
use relaybed_report::exit::Exit;
use relaybed_report::mutation::{Killed, MutantOutcome, MutantRow};
use relaybed_report::{CaseReport, Format, Listener, Reporter, outcome};
use relaybed_vmm::signals;
use relaybed_wire::swept::Swept;

use super::{Campaign, History, Trials};
use crate::run::{Fuzz, Isolate, Options, Plan, SessionError, fuzz, run_all};

/// How often a machine is tried to be had: on a host that starves it, a sound guest may die while it boots.
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

/// Tries one mutant.
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
        boot: None,
    };
    let mut outcome = trial.once(source, progress)?;
    for _ in 1..TRIES {
        if matches!(outcome, MutantOutcome::Trouble { .. }) {
            outcome = trial.once(source, progress)?;
        }
    }
    // One that never boots is the mutant's doing.
    if let (MutantOutcome::Trouble { .. }, Some(how)) = (&outcome, trial.boot) {
        let (by, code) = ("boot".to_owned(), None);
        outcome = MutantOutcome::Killed { by, how, code };
    }
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
    /// How the last boot ended, if it did not succeed.
    boot: Option<Killed>,
}

impl Trial<'_> {
    fn once(
        &mut self,
        source: &str,
        progress: &dyn Progress,
    ) -> Result<MutantOutcome, SessionError> {
        let campaign = self.campaign;
        let mut wish = campaign.trials.wish.clone();
        wish.relay = campaign.changed(self.mutant.apply(source));
        let plan = match Plan::make(wish, campaign.aside.cache(), progress) {
            Ok(plan) => plan,
            Err(_) if signals::interrupted().is_some() => return Err(SessionError::Interrupted),
            Err(error) => {
                let why = cut(&chain(&error));
                return Ok(if error.is_unbuildable() {
                    MutantOutcome::NotBuilt { why }
                } else {
                    MutantOutcome::Trouble { why }
                });
            }
        };
        let module = plan.guest().module_sha256.clone();
        if module == campaign.stock.module {
            let why = "the compiler makes the same code from it".to_owned();
            return Ok(MutantOutcome::Equivalent { why });
        }
        let known = self.history.same(&module).map(|(_, known)| known.clone());
        self.module = Some(module);
        match known {
            Some(known) => Ok(known),
            None => self.scenarios(&plan),
        }
    }

    fn scenarios(&mut self, plan: &Plan) -> Result<MutantOutcome, SessionError> {
        let trials = self.campaign.trials;
        let out = Swept::temporary()?;
        let options = options(trials, out.path(), true);
        let cases = self.ordered();
        let mut watch = Watch {
            campaign: self.campaign,
            until: Instant::now() + trials.bound,
            late: false,
            failed: None,
            changed: Vec::new(),
        };
        let ended = run_all(plan, &options, &cases, &mut watch);
        if signals::interrupted().is_some() {
            return Err(SessionError::Interrupted);
        }
        let end = match ended {
            _ if watch.late => {
                let after_s = trials.bound.as_secs();
                return Ok(MutantOutcome::TimedOut { after_s });
            }
            Ok(end) => end.exit,
            Err(error) if watch.failed.is_some() => error.exit(),
            Err(error) => {
                let exit = error.exit();
                let boot = matches!(exit, Exit::GuestDied | Exit::Deadline);
                self.boot = boot.then(|| how(exit));
                let why = cut(&chain(&error));
                return Ok(MutantOutcome::Trouble { why });
            }
        };
        if let Some((by, code)) = watch.failed {
            let how = how(end);
            return Ok(MutantOutcome::Killed { by, how, code });
        }
        match self.fuzzed(plan, &options)? {
            Some(killed) => Ok(killed),
            None => Ok(MutantOutcome::Survived {
                changed: watch.changed,
            }),
        }
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

    /// Drawn scenarios, up to the first that fails.
    fn fuzzed(
        &self,
        plan: &Plan,
        options: &Options,
    ) -> Result<Option<MutantOutcome>, SessionError> {
        let trials = self.campaign.trials;
        if trials.fuzz == 0 {
            return Ok(None);
        }
        let wish = Fuzz {
            seed: trials.seed,
            first: 0,
            count: trials.fuzz,
            family: None,
            shrink_for: Duration::ZERO,
        };
        let mut rows = Vec::new();
        let mut reporter = Reporter::new(Format::Json, &mut rows, 0)?;
        let ended = fuzz(plan, options, &wish, &mut reporter, &mut |_| {});
        drop(reporter);
        if signals::interrupted().is_some() {
            return Err(SessionError::Interrupted);
        }
        let end = match ended {
            Ok(end) => end.exit,
            Err(error) => error.exit(),
        };
        if matches!(end, Exit::Passed) {
            return Ok(None);
        }
        let rows = String::from_utf8_lossy(&rows).into_owned();
        let of_failed = |line: &str| {
            let row: serde_json::Value = serde_json::from_str(line).ok()?;
            let failed = row.get("outcome")?.as_str()? == "failed";
            failed.then(|| row.get("name")?.as_str().map(str::to_owned))?
        };
        let by = rows.lines().find_map(of_failed);
        let by = format!("fuzz {}", by.unwrap_or_else(|| "boot".to_owned()));
        let how = how(end);
        Ok(Some(MutantOutcome::Killed {
            by,
            how,
            code: None,
        }))
    }
}

/// What happened to the guest of a run in which a scenario failed.
fn how(end: Exit) -> Killed {
    match end {
        Exit::GuestDied => Killed::Crash,
        Exit::Deadline => Killed::Hang,
        _ => Killed::Finding,
    }
}

/// Notes the first failure, and what else is not as it was.
struct Watch<'a> {
    campaign: &'a Campaign<'a>,
    until: Instant,
    late: bool,
    failed: Option<(String, Option<String>)>,
    changed: Vec<String>,
}

impl Listener for Watch<'_> {
    fn case(&mut self, report: CaseReport) -> io::Result<()> {
        let now = outcome(&report.verdict);
        if let Verdict::Failed { findings } = &report.verdict {
            let code = findings.first().map(|first| first.what.code().to_string());
            self.failed.get_or_insert((report.name, code));
            return Ok(());
        }
        let was = self.campaign.stock.verdicts.get(&report.name);
        if let Some(was) = was.filter(|was| was.outcome != now && now != "not_run") {
            let text = format!("{}: {}, now {now}", report.name, was.outcome);
            self.changed.push(text);
        }
        if self.failed.is_none() && Instant::now() > self.until {
            self.late = true;
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(())
    }
}

/// An error and its causes, in a line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

fn cut(text: &str) -> String {
    text.chars().take(WHY_CHARS).collect()
}
