//! What a guest is run against: the suites, then drawn scenarios, then schedules of those that race. Each up to the
//! first failure and within a bound.

use std::io;
use std::time::{Duration, Instant};

use relaybed_case::select::Loaded;
use relaybed_case::verdict::Verdict;
use relaybed_report::exit::Exit;
use relaybed_report::mutation::{Killed, MutantOutcome, Stage};
use relaybed_report::{CaseReport, Listener, outcome};
use relaybed_search::schedule::Kind;
use relaybed_vmm::signals;
use relaybed_wire::swept::Swept;

use super::belief::BOOT;
use super::trial::{chain, cut, options};
use super::{Stock, Trials};
use crate::run::{Explore, Fuzz, Plan, SessionError, SuiteEnd, Until, explore, fuzz, run_all};

/// Depth of the races that schedules are drawn for.
const DEPTH: u32 = 3;

/// What is run, and what the unchanged relay said to it.
#[derive(Clone, Copy)]
pub(super) struct Stages<'a> {
    pub(super) trials: &'a Trials,
    pub(super) stock: &'a Stock,
}

/// How one stage ended.
pub(super) enum Came {
    /// Nothing failed. Scenarios whose verdict is another one, without being a failure.
    Through(Vec<String>),
    /// That was it.
    Ended(MutantOutcome),
}

impl Stages<'_> {
    /// Runs one stage; `cases` are the scenarios of the suites.
    ///
    /// # Errors
    /// [`SessionError::Interrupted`], and where there is no folder to be had.
    pub(super) fn run(
        self,
        stage: Stage,
        plan: &Plan,
        cases: &[Loaded],
    ) -> Result<Came, SessionError> {
        let out = Swept::temporary()?;
        let options = options(self.trials, out.path(), true);
        let mut watch = Watch {
            stock: self.stock,
            begun: Instant::now(),
            bound: self.trials.bound,
            late: false,
            failed: None,
            changed: Vec::new(),
        };
        let tell = &mut |_: &str| {};
        let ended = match stage {
            Stage::Suites => run_all(plan, &options, cases, &mut watch),
            Stage::Fuzz => fuzz(plan, &options, &self.drawn(), &mut watch, tell),
            Stage::Explore => {
                let plan = plan.controllable()?;
                let races = self.races();
                explore(
                    &plan,
                    &options,
                    &schedules(self.trials),
                    &races,
                    &mut watch,
                    tell,
                )
            }
        };
        came(stage, ended, watch)
    }

    /// Whether a stage is asked for, and possible with these machines.
    pub(super) fn has(self, stage: Stage, plan: &Plan) -> bool {
        match stage {
            Stage::Suites => true,
            Stage::Fuzz => self.trials.fuzz > 0,
            Stage::Explore => self.trials.explore > 0 && plan.controllable().is_ok(),
        }
    }

    fn drawn(self) -> Fuzz {
        Fuzz {
            seed: self.trials.seed,
            first: 0,
            count: self.trials.fuzz,
            family: None,
            shrink_for: Duration::ZERO,
        }
    }

    /// Those in which no schedule fails the unchanged relay.
    fn races(self) -> Vec<Loaded> {
        let is_sound = |race: &&Loaded| self.stock.is_sound(&race.case.name);
        self.trials.races.iter().filter(is_sound).cloned().collect()
    }
}

/// What is explored: schedules for races, and nothing of what is found is made small.
pub(super) fn schedules(trials: &Trials) -> Explore {
    Explore {
        kind: Kind::Pct { depth: DEPTH },
        seeds: 0..trials.explore,
        until: Until::Failure,
        jobs: 1,
        shrink_for: Duration::ZERO,
        in_model: None,
    }
}

fn came(
    stage: Stage,
    ended: Result<SuiteEnd, SessionError>,
    watch: Watch<'_>,
) -> Result<Came, SessionError> {
    if signals::interrupted().is_some() {
        return Err(SessionError::Interrupted);
    }
    if watch.late {
        let after_s = watch.bound.as_secs();
        return Ok(Came::Ended(MutantOutcome::TimedOut { after_s }));
    }
    let (exit, why) = match ended {
        Ok(end) => (end.exit, None),
        Err(error) => (error.exit(), Some(cut(&chain(&error)))),
    };
    let died = matches!(exit, Exit::GuestDied | Exit::Deadline);
    let (by, code) = match (watch.failed, why) {
        (Some(failed), _) => failed,
        (None, _) if died => (BOOT.to_owned(), None),
        (None, Some(why)) => return Ok(Came::Ended(MutantOutcome::Trouble { why })),
        (None, None) => return Ok(Came::Through(watch.changed)),
    };
    let how = match exit {
        Exit::GuestDied => Killed::Crash,
        Exit::Deadline => Killed::Hang,
        _ => Killed::Finding,
    };
    Ok(Came::Ended(MutantOutcome::Killed {
        by,
        how,
        code,
        stage,
    }))
}

/// Notes the first failure, and what else is not as it was.
struct Watch<'a> {
    stock: &'a Stock,
    begun: Instant,
    bound: Duration,
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
        let was = self.stock.verdicts.get(&report.name);
        if let Some(was) = was.filter(|was| was.outcome != now && now != "not_run") {
            let text = format!("{}: {}, now {now}", report.name, was.outcome);
            self.changed.push(text);
        }
        if self.failed.is_none() && self.begun.elapsed() > self.bound {
            self.late = true;
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(())
    }
}
