//! Schedules of one scenario, one after another, each on a fresh fork, each judged.
//!
//! The default schedule comes first: it tells how many places there are to switch at. Passed runs leave
//! nothing behind; a finding is made small, saved with its schedule, and named by a line that shows it again.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::{Duration, Instant};

use relaybed_guest::Terminal;

use super::drive::Controlled;
use super::error::{Cause, SessionError};
use super::fuzz::Telling;
use super::options::Options;
use super::plan::Plan;
use super::shown::{Shown, label};
use super::suite::{Suite, SuiteEnd, millis};
use crate::exit::Exit;
use crate::model::Behaviour;
use crate::report::{CaseReport, Explored, Found, Listener};
use crate::schedule::{Coverage, Explorer, Kind, Schedule, Strategy};
use crate::select::Loaded;
use crate::verdict::{Amount, Verdict};

/// What is wished for.
#[derive(Clone, Debug)]
pub struct Explore {
    /// How schedules are drawn.
    pub kind: Kind,
    /// One schedule for each.
    pub seeds: Range<u64>,
    /// Count findings instead of stopping at the first.
    pub keep_going: bool,
    /// Longest time that a finding is made small.
    pub shrink_for: Duration,
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
        let report = match &run.suite.stopped {
            Some(reason) => run.suite.not_run(loaded, reason.clone()),
            None => run.scenario(loaded)?,
        };
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

/// What was found in one scenario.
#[derive(Default)]
struct Findings {
    /// The first of each kind, by what it is, and how often it came.
    kinds: BTreeMap<String, (Finding, u64)>,
}

/// One run that shows something.
pub(super) struct Finding {
    /// `None`: the default schedule.
    pub(super) seed: Option<u64>,
    /// Number of the schedule, from 1.
    number: u64,
    pub(super) shown: Shown,
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
        let mut tour = Tour::new(&guest, loaded, self.wish);
        let Some(first) = tour.run(&mut Schedule::default().strategy())? else {
            return Ok(self.interrupted(loaded));
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
        let mut explorer = Explorer::new(self.wish.kind, self.wish.seeds.clone(), &first.trace);
        tour.least_chance = explorer.pct().map(crate::schedule::PctShape::least_chance);
        let (amount, passed) = (first.amount, first.verdict.clone());
        tour.note(None, first);
        let mut told = Instant::now();
        while !tour.is_over()
            && let Some(mut drawn) = explorer.draw()
        {
            let Some(shown) = tour.run(&mut drawn)? else {
                self.interrupt();
                break;
            };
            explorer.learn(&drawn, &shown.trace);
            tour.note(Some(drawn.seed), shown);
            if told.elapsed() >= Duration::from_secs(5) {
                told = Instant::now();
                (self.tell)(&tour.progress(busy));
            }
        }
        self.figures.add(&tour, busy);
        let notes = tour.notes(busy);
        let found = tour.findings.worst();
        let mut report = match found {
            None if self.suite.stopped.is_some() => self.interrupted(loaded),
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
        let (verdict, amount) = (finding.shown.verdict.clone(), finding.shown.amount);
        let detail = self.kept(loaded, guest, finding)?;
        let mut report = self.suite.report(loaded, verdict, amount, 0.0);
        report.detail = detail;
        Ok(report)
    }

    fn interrupt(&mut self) {
        self.suite.stopped = Some("interrupted".to_owned());
        self.suite.exit = self.suite.exit.worse(Exit::Interrupted);
    }

    fn interrupted(&mut self, loaded: &Loaded) -> CaseReport {
        self.interrupt();
        self.suite.not_run(loaded, "interrupted".to_owned())
    }

    fn end(mut self) -> SuiteEnd {
        let ran = u32::try_from(self.figures.schedules).unwrap_or(u32::MAX);
        self.figures.per_second = f64::from(ran) * 1000.0 / self.figures.busy_ms.max(1.0);
        self.suite.summary.boots = ran;
        self.suite.summary.explored = Some(self.figures);
        self.suite.end()
    }
}

/// The schedules of one scenario.
struct Tour<'a> {
    guest: &'a Controlled<'a>,
    loaded: &'a Loaded,
    keep_going: bool,
    coverage: Coverage,
    findings: Findings,
    /// Nothing more can be learnt.
    stopped: bool,
    /// The least probability of a find that the strategy promises for a schedule.
    least_chance: Option<f64>,
}

impl<'a> Tour<'a> {
    fn new(guest: &'a Controlled<'a>, loaded: &'a Loaded, wish: &Explore) -> Self {
        Self {
            guest,
            loaded,
            keep_going: wish.keep_going,
            coverage: Coverage::default(),
            findings: Findings::default(),
            stopped: false,
            least_chance: None,
        }
    }

    /// Runs one schedule; `None` when interrupted.
    fn run(&mut self, strategy: &mut dyn Strategy) -> Result<Option<Shown>, SessionError> {
        Shown::of(self.guest, &self.loaded.case, strategy)
    }

    fn note(&mut self, seed: Option<u64>, shown: Shown) {
        self.coverage.add(&shown.trace);
        // What cannot be run once cannot be run again.
        self.stopped |= shown.exit == Exit::SetUp;
        if let Some(label) = label(&shown.verdict) {
            let number = self.coverage.covered().runs;
            let finding = Finding {
                seed,
                number,
                shown,
            };
            let entry = self.findings.kinds.entry(label).or_insert((finding, 0));
            entry.1 += 1;
        }
    }

    fn is_over(&self) -> bool {
        self.stopped || (!self.keep_going && !self.findings.kinds.is_empty())
    }

    fn progress(&self, busy: Instant) -> String {
        let covered = self.coverage.covered();
        let runs = u32::try_from(covered.runs).unwrap_or(u32::MAX);
        let rate = f64::from(runs) / busy.elapsed().as_secs_f64().max(0.001);
        let found: Vec<String> = self.findings.kinds.iter().map(told).collect();
        let found = if found.is_empty() {
            "nothing found".to_owned()
        } else {
            found.join("; ")
        };
        format!(
            "{runs} schedules, {} of them distinct, {rate:.1} a second; {} places reached, control \
             passed at {} of them; {found}",
            covered.distinct, covered.places, covered.switched,
        )
    }

    fn notes(&self, busy: Instant) -> Vec<String> {
        let mut notes = vec![self.progress(busy)];
        if let Some(chance) = self.least_chance {
            notes.push(format!(
                "each schedule shows a race of the depth asked for with a chance of at least 1 in {:.0}",
                1.0 / chance
            ));
        }
        notes
    }
}

fn told((label, (finding, times)): (&String, &(Finding, u64))) -> String {
    let who = match finding.seed {
        None => "by the default schedule".to_owned(),
        Some(seed) => format!("by seed {seed}, number {}", finding.number),
    };
    match times {
        1 => format!("{label}, {who}"),
        _ => format!("{label} {times} times, first {who}"),
    }
}

impl Findings {
    /// The one to report: a failure before a known issue, then the first.
    fn worst(&mut self) -> Option<Finding> {
        let rank = |finding: &Finding| {
            let known = !matches!(finding.shown.verdict, Verdict::Failed { .. });
            (known, finding.number)
        };
        let worst = self
            .kinds
            .iter()
            .min_by_key(|(_, (finding, _))| rank(finding));
        let label = worst.map(|(label, _)| label.clone())?;
        self.kinds.remove(&label).map(|(finding, _)| finding)
    }
}

impl Explored {
    /// Adds one scenario's.
    fn add(&mut self, tour: &Tour<'_>, busy: Instant) {
        let covered = tour.coverage.covered();
        self.schedules += covered.runs;
        self.distinct += covered.distinct;
        self.places += covered.places;
        self.switched += covered.switched;
        self.busy_ms += millis(busy);
        for (label, (finding, times)) in &tour.findings.kinds {
            let found = self.findings.entry(label.clone()).or_insert(Found {
                times: 0,
                first: finding.number,
            });
            found.times += times;
        }
    }
}

/// Whether a run ended because somebody wants everything to end.
pub(super) fn is_interrupt(cause: &Cause) -> bool {
    matches!(cause, Cause::Interrupted)
}
