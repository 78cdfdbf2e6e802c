//! Schedules of one scenario, each judged.
//!
//! The default schedule comes first: it shows how many stop points there are. The others run in [blocks].
//! Passed runs leave nothing behind; a finding is run again on a machine of its own, made small, saved with its
//! schedule, and named by a line that shows it again.

mod blocks;
mod in_model;
mod tour;

use std::ops::Range;
use std::time::{Duration, Instant};

use relaybed_guest::Terminal;

use super::drive::Controlled;
use super::error::{Cause, SessionError};
use super::fuzz::Telling;
use super::options::Options;
use super::plan::Plan;
use super::suite::{Suite, SuiteEnd, millis};
use relaybed_case::select::Loaded;
use relaybed_case::verdict::{Amount, Verdict};
use relaybed_contract::Behaviour;
use relaybed_report::{CaseReport, Explored, Listener};
use relaybed_search::schedule::{Explorer, Kind, Schedule};
pub(super) use tour::Finding;
use tour::Tour;
pub use tour::{Until, Wanted};

/// What is requested.
#[derive(Clone, Debug)]
pub struct Explore {
    /// How schedules are drawn.
    pub kind: Kind,
    /// One schedule for each.
    pub seeds: Range<u64>,
    /// When enough was found.
    pub until: Until,
    /// Machines side by side.
    pub jobs: u32,
    /// Longest time that a finding is made small.
    pub shrink_for: Duration,
    /// All orders are tried in the model, not drawn: so many of its states at most.
    pub in_model: Option<u64>,
}

/// Explores each scenario in turn.
///
/// # Errors
/// When no machine can be had or controlled, when evidence cannot be written, or when the report cannot be.
pub fn explore(
    plan: &Plan,
    options: &Options,
    wish: &Explore,
    cases: &[Loaded],
    listener: &mut impl Listener,
    tell: Telling<'_>,
) -> Result<SuiteEnd, SessionError> {
    let mut run = Run {
        suite: Suite::new(plan, options),
        plan,
        options,
        wish,
        figures: Explored::default(),
        tell,
    };
    for loaded in cases {
        let came = match (&run.suite.stopped, wish.in_model) {
            (Some(reason), _) => Ok(run.suite.not_run(loaded, reason.clone())),
            (None, Some(states)) => run.searched(loaded, states),
            (None, None) => run.scenario(loaded),
        };
        let report = run.suite.unless_interrupted(loaded, came)?;
        run.suite.count(&report);
        listener.case(report)?;
    }
    Ok(run.end())
}

pub(super) struct Run<'a> {
    pub(super) suite: Suite<'a>,
    pub(super) plan: &'a Plan,
    pub(super) options: &'a Options,
    pub(super) wish: &'a Explore,
    figures: Explored,
    pub(super) tell: Telling<'a>,
}

impl Run<'_> {
    fn scenario(&mut self, loaded: &Loaded) -> Result<CaseReport, SessionError> {
        let begun = Instant::now();
        let case = &loaded.case;
        let vcpus = self.plan.vcpus_for(case);
        let skipped = |run: &Self, reason| {
            let verdict = Verdict::Skipped { reason };
            Ok(run.suite.report(loaded, verdict, Amount::default(), 0.0))
        };
        if case.vcpus > vcpus {
            let reason = format!("needs {} vCPUs, the machine has {vcpus}", case.vcpus);
            return skipped(self, reason);
        }
        let guest = Controlled::obtain(self.plan, vcpus, &Terminal::new())?;
        let busy = Instant::now();
        let mut tour = Tour::new(&guest, loaded, self.wish.until.clone());
        let Some(first) = tour.run(&mut Schedule::default().strategy())? else {
            return Ok(self.suite.interrupted(loaded));
        };
        if let Some(version) = first.linux_version()
            && let Some(reason) = Behaviour::of(version).lacks(&case.needs)
        {
            return skipped(self, reason);
        }
        self.suite
            .summary
            .kernel
            .clone_from(&self.plan.guest().release);
        let explorer = Explorer::new(self.wish.kind, self.wish.seeds.clone(), &first.trace);
        tour.least_chance = explorer
            .pct()
            .map(relaybed_search::schedule::PctShape::least_chance);
        let (amount, passed) = (first.amount, first.verdict.clone());
        tour.note(None, first);
        if !tour.is_over() {
            let mut told = Instant::now();
            let tell = &mut self.tell;
            let jobs = self.wish.jobs;
            let (all, explorer) = blocks::each(&guest, case, explorer, jobs, &mut |ran| {
                tour.note_in_block(ran)?;
                if told.elapsed() >= Duration::from_secs(5) {
                    told = Instant::now();
                    tell(&tour.progress(busy));
                }
                Ok(!tour.is_over())
            })?;
            tour.tried = explorer.tried();
            if !all {
                self.suite.interrupt();
            }
        }
        tour.add_to(&mut self.figures, busy);
        self.suite.summary.boots += guest.forks();
        self.suite.summary.vcpus = vcpus;
        let notes = tour.notes(busy);
        let found = tour.worst();
        let mut report = match found {
            None if self.suite.stopped.is_some() => self.suite.interrupted(loaded),
            None => self.suite.report(loaded, passed, amount, 0.0),
            Some(finding) => self.finding(loaded, &guest, finding)?,
        };
        report.duration_ms = millis(begun);
        report.detail.notes.splice(0..0, notes);
        Ok(report)
    }

    /// Makes a finding small, saves it and reports it.
    fn finding(
        &mut self,
        loaded: &Loaded,
        guest: &Controlled<'_>,
        finding: Finding,
    ) -> Result<CaseReport, SessionError> {
        if matches!(finding.shown.verdict, Verdict::Failed { .. }) {
            self.suite.exit = self.suite.exit.worse(finding.shown.exit);
        }
        self.kept(loaded, guest, finding)
    }

    fn end(mut self) -> SuiteEnd {
        let ran = u32::try_from(self.figures.schedules).unwrap_or(u32::MAX);
        self.figures.per_second = f64::from(ran) * 1000.0 / self.figures.busy_ms.max(1.0);
        if self.wish.in_model.is_none() {
            self.suite.summary.explored = Some(self.figures);
        }
        self.suite.end()
    }
}

/// Whether a run ended because somebody wants everything to end.
pub(super) fn is_interrupt(cause: &Cause) -> bool {
    matches!(cause, Cause::Interrupted)
}
