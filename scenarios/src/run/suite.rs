//! Cases one after another: boots if there is no machine, judges, keeps evidence, reports.

use std::path::Path;
use std::time::Instant;

use relaybed_guest::Terminal;
use relaybed_vmm::signals;

use super::batches::Isolate;
use super::driven::LastRun;
use super::hold::hold;
use super::names::folder_name;
use super::options::Options;
use super::repeat::Tally;
use super::{Plan, Session, SessionError, Unsaved};
use relaybed_case::Case;
use relaybed_case::evidence::{Evidence, Planted, Setting};
use relaybed_case::finding::{Completeness, Finding};
use relaybed_case::select::{Loaded, quoted};
use relaybed_case::verdict::{Amount, Location, Verdict};
use relaybed_contract::Behaviour;
use relaybed_judge as judge;
use relaybed_report::exit::Exit;
use relaybed_report::{Blame, CaseReport, Detail, Summary};
use relaybed_wire::store::{self, Extra};

/// Last lines of the console that are shown of a failure.
pub(super) const CONSOLE_LINES: usize = 20;

/// What a run came to.
#[derive(Clone, Debug)]
pub struct SuiteEnd {
    /// The worst that happened.
    pub exit: Exit,
    /// The figures.
    pub summary: Summary,
    /// The evidence that could not be saved.
    pub unsaved: Option<Unsaved>,
}

/// What one machine after the other came to.
pub(super) struct Suite<'a> {
    pub(super) plan: &'a Plan,
    pub(super) options: &'a Options,
    /// The plan of machines under control, once one was needed.
    pub(super) control: Option<std::rc::Rc<Plan>>,
    /// What the case under control whose evidence is saved next has beside the rest.
    pub(super) last: LastRun,
    pub(super) session: Option<Session>,
    /// Reports of cases that passed say what became of the records, too.
    pub(super) flows: bool,
    /// The last guest died, hung, was interrupted, or is to be held.
    pub(super) lost: bool,
    /// One that is to be held once its failure has been told.
    failed: Option<Session>,
    begun: Instant,
    pub(super) exit: Exit,
    /// Why the remaining cases are not run.
    pub(super) stopped: Option<String>,
    pub(super) summary: Summary,
    pub(super) unsaved: Option<Unsaved>,
}

impl<'a> Suite<'a> {
    pub(super) fn new(plan: &'a Plan, options: &'a Options) -> Self {
        Self {
            plan,
            options,
            control: None,
            last: LastRun::default(),
            session: None,
            flows: true,
            lost: false,
            failed: None,
            begun: Instant::now(),
            exit: Exit::Passed,
            stopped: None,
            summary: plan.blank_summary(options.seed),
            unsaved: None,
        }
    }

    /// Runs a case as often as requested: it must come to the same verdict every time. Reported is
    /// the first, or the first that differs from it.
    pub(super) fn repeated(&mut self, loaded: &Loaded) -> Result<CaseReport, SessionError> {
        let mut tally = Tally::default();
        self.lost = false;
        let mut report = self.one(loaded)?;
        tally.add(&report.verdict);
        let mut duration_ms = report.duration_ms;
        for _ in 1..self.options.repeat {
            if self.lost || matches!(report.verdict, Verdict::Skipped { .. }) {
                break;
            }
            if self.options.isolate == Some(Isolate::PerScenario) {
                let used = self.session.take();
                self.retire(used);
            }
            let next = self.one(loaded)?;
            duration_ms += next.duration_ms;
            if self.stopped.is_none() && tally.add(&next.verdict) {
                report = next;
            }
        }
        report.duration_ms = duration_ms;
        if let Some(differ) = tally.finding() {
            self.exit = self.exit.worse(Exit::Failed);
            report.verdict.fail(vec![differ]);
            report.detail.rerun =
                format!("{} --repeat {}", self.rerun(loaded), self.options.repeat);
        }
        Ok(report)
    }

    fn one(&mut self, loaded: &Loaded) -> Result<CaseReport, SessionError> {
        let case = &loaded.case;
        let vcpus = self.plan.vcpus_for(case);
        if case.vcpus > vcpus {
            let reason = format!("needs {} vCPUs, the machine has {vcpus}", case.vcpus);
            return Ok(self.report(loaded, Verdict::Skipped { reason }, Amount::default(), 0.0));
        }
        let mut session = self.take_session(vcpus)?;
        let release = Behaviour::of(session.setting().linux_version);
        if let Some(reason) = release.lacks(&case.needs) {
            self.session = Some(session);
            return Ok(self.report(loaded, Verdict::Skipped { reason }, Amount::default(), 0.0));
        }
        let plant = match self.plant(case, session.setting()) {
            Ok(plant) => plant,
            Err(reason) => {
                self.session = Some(session);
                let verdict = Verdict::Skipped { reason };
                return Ok(self.report(loaded, verdict, Amount::default(), 0.0));
            }
        };
        let begun = Instant::now();
        let before = session.exits().map(|exits| exits.total());
        match session.run(case, plant) {
            Ok(evidence) => {
                let after = session.exits().map(|exits| exits.total());
                let mut report = self.judged(loaded, &evidence, begun)?;
                if self.options.hold && matches!(report.verdict, Verdict::Failed { .. }) {
                    self.keep_standing(session);
                } else if evidence.taint_after == evidence.taint_before {
                    self.session = Some(session);
                } else {
                    // A taint stays, and would be held against every case that comes after.
                    self.retire(Some(session));
                }
                report.exits = after
                    .zip(before)
                    .map(|(after, before)| after.saturating_sub(before));
                Ok(report)
            }
            Err(ended) => self.ended(loaded, session, ended, begun),
        }
    }

    /// The defect to plant in a case, if one was asked for; or why it would not show.
    pub(super) fn plant(&self, case: &Case, setting: &Setting) -> Result<Option<Planted>, String> {
        let Some(kind) = self.options.plant else {
            return Ok(None);
        };
        let place = judge::pick_plant(case, kind, setting.linux_version, setting.vcpus);
        let (actor, seq) = place
            .ok_or_else(|| format!("no record here would show the planted defect {kind:?}"))?;
        Ok(Some(Planted {
            kind: kind.code(),
            actor,
            seq,
            done: 0,
        }))
    }

    /// The session if it has this many vCPUs, or a new one.
    pub(super) fn take_session(&mut self, vcpus: u32) -> Result<Session, SessionError> {
        match self.session.take() {
            Some(session) if session.vcpus() == vcpus => Ok(session),
            other => {
                self.retire(other);
                self.boot(vcpus)
            }
        }
    }

    /// For runs that take one machine for everything.
    pub(super) fn take_session_at_large(&mut self) -> Result<Session, SessionError> {
        self.take_session(self.plan.vcpus_at_large())
    }

    pub(super) fn keep_standing(&mut self, session: Session) {
        self.lost = true;
        self.failed = Some(session);
    }

    /// Holds the machine of a failure that has been reported, if there is one.
    pub(super) fn hold(&mut self, loaded: &Loaded) -> Result<(), SessionError> {
        match self.failed.take() {
            Some(session) => hold(session, self.plan, &loaded.case.name, &Terminal::new()),
            None => Ok(()),
        }
    }

    /// Takes the figures of a part of the run in.
    pub(super) fn add(&mut self, part: &SuiteEnd) {
        self.exit = self.exit.worse(part.exit);
        self.unsaved_too(part.unsaved.clone());
        let (sum, part) = (&mut self.summary, &part.summary);
        if sum.boots == 0 {
            sum.boot_ms = part.boot_ms;
            sum.kernel.clone_from(&part.kernel);
        }
        sum.boots += part.boots;
        sum.vcpus = sum.vcpus.max(part.vcpus);
        for (vcpus, boots) in &part.machines {
            *sum.machines.entry(*vcpus).or_default() += boots;
        }
        sum.judge_ms += part.judge_ms;
        sum.own_rss_kib = sum.own_rss_kib.max(part.own_rss_kib);
        if let Some(exits) = &part.exits {
            let sums = sum.exits.get_or_insert_default();
            for (reason, count) in exits {
                *sums.entry(reason.clone()).or_default() += count;
            }
        }
    }

    fn boot(&mut self, vcpus: u32) -> Result<Session, SessionError> {
        let session = Session::open(self.plan, vcpus, &Terminal::new())?;
        if self.summary.boots == 0 {
            self.summary.boot_ms = session.boot_ms();
            self.summary.kernel.clone_from(&session.setting().release);
        }
        self.summary.boots += 1;
        self.summary.vcpus = self.summary.vcpus.max(vcpus);
        *self.summary.machines.entry(vcpus).or_default() += 1;
        Ok(session)
    }

    /// Judges what a finished case left.
    pub(super) fn judged(
        &mut self,
        loaded: &Loaded,
        evidence: &Evidence,
        begun: Instant,
    ) -> Result<CaseReport, SessionError> {
        let judging = Instant::now();
        let (verdict, amount) = judge::judge(&loaded.case, evidence);
        self.summary.judge_ms += millis(judging);
        let verdict = match evidence.setting.plant {
            Some(planted) => noticed(verdict, planted),
            None => verdict,
        };
        let verdict = self.options.known.apply(verdict);
        let failed = matches!(verdict, Verdict::Failed { .. });
        let mut report = self.report(loaded, verdict, amount, millis(begun));
        if failed {
            self.exit = self.exit.worse(Exit::Failed);
        }
        self.keep(loaded, Some(evidence), failed, &mut report);
        Ok(report)
    }

    /// Saves evidence where it is wanted and fills in what a failure's reader needs.
    pub(super) fn keep(
        &mut self,
        loaded: &Loaded,
        evidence: Option<&Evidence>,
        failed: bool,
        report: &mut CaseReport,
    ) {
        let findings = report.verdict.findings();
        report.detail.blames = Blame::all(loaded, evidence, findings, failed);
        if let Some(evidence) = evidence.filter(|_| failed || self.flows) {
            report.flow = relaybed_judge::flow(&loaded.case, evidence);
        }
        let tail = &mut report.detail.console_tail;
        if let Some(evidence) = evidence.filter(|_| failed && tail.is_empty()) {
            *tail = super::console::excerpt(&evidence.console, CONSOLE_LINES);
        }
        if !failed && !self.options.keep_all {
            return;
        }
        let folder = self.options.out.join(folder_name(&loaded.case.name));
        let saved = self.save(loaded, evidence, &folder, report);
        if self.saved(saved, &mut report.detail) && failed {
            report.detail.evidence = Some(folder);
        }
    }

    fn save(
        &self,
        loaded: &Loaded,
        evidence: Option<&Evidence>,
        folder: &Path,
        report: &CaseReport,
    ) -> Result<(), SessionError> {
        if let Some(evidence) = evidence {
            let mut notes = self.last.notes();
            notes.insert(store::FILE_NOTE.to_owned(), loaded.path.to_string());
            let extra = Extra {
                relaybed: env!("CARGO_PKG_VERSION").to_owned(),
                repeat: match report.detail.rerun.is_empty() {
                    true => self.rerun(loaded),
                    false => report.detail.rerun.clone(),
                },
                kernel: self.plan.kernel_origin(),
                seed: self.options.seed,
                duration_ms: whole_ms(report.duration_ms),
                notes,
            };
            store::save(folder, &loaded.case, &loaded.source, evidence, &extra)?;
        } else {
            std::fs::create_dir_all(folder)?;
        }
        Ok(())
    }

    /// A line to paste that runs just this again.
    pub(super) fn rerun(&self, loaded: &Loaded) -> String {
        let origin = quoted(&loaded.origin);
        format!("relaybed run {origin}{}", self.options.again)
    }

    /// From here on nothing more is run.
    pub(super) fn interrupt(&mut self) {
        self.stopped = Some("interrupted".to_owned());
        self.exit = self.exit.worse(Exit::Interrupted);
    }

    /// A case that an interruption broke off.
    pub(super) fn interrupted(&mut self, loaded: &Loaded) -> CaseReport {
        self.interrupt();
        self.not_run(loaded, "interrupted".to_owned())
    }

    /// What a case came to. Where the call was interrupted, that is why it came to nothing, whatever it was that
    /// could not be had any more; what was judged before is still reported.
    pub(super) fn unless_interrupted(
        &mut self,
        loaded: &Loaded,
        came: Result<CaseReport, SessionError>,
    ) -> Result<CaseReport, SessionError> {
        match came {
            Err(_) if signals::interrupted().is_some() => Ok(self.interrupted(loaded)),
            came => came,
        }
    }

    pub(super) fn not_run(&self, loaded: &Loaded, reason: String) -> CaseReport {
        self.report(loaded, Verdict::NotRun { reason }, Amount::default(), 0.0)
    }

    pub(super) fn report(
        &self,
        loaded: &Loaded,
        verdict: Verdict,
        amount: Amount,
        duration_ms: f64,
    ) -> CaseReport {
        let rerun = match &verdict {
            Verdict::Failed { .. } => self.rerun(loaded),
            _ => String::new(),
        };
        CaseReport {
            name: loaded.case.name.clone(),
            summary: loaded.case.summary.clone(),
            verdict,
            amount,
            flow: Vec::new(),
            kernel: self.summary.kernel.clone(),
            duration_ms,
            exits: None,
            digest: None,
            detail: Detail {
                rerun,
                ..Detail::default()
            },
        }
    }

    pub(super) fn count(&mut self, report: &CaseReport) {
        let summary = &mut self.summary;
        summary.records += report.amount.records;
        let passed = report.verdict == Verdict::Passed;
        summary.empty += u32::from(passed && report.amount.is_nothing());
        summary.bytes += report.amount.bytes;
        summary.unspecified.add_all(report.amount.unspecified);
        match &report.verdict {
            Verdict::Passed => summary.passed += 1,
            Verdict::Known { .. } => summary.known += 1,
            Verdict::Fixed { .. } => summary.fixed += 1,
            Verdict::Skipped { .. } => summary.skipped += 1,
            Verdict::NotRun { .. } => summary.not_run += 1,
            Verdict::Failed { .. } => {
                summary.failed += 1;
                if self.options.fail_fast {
                    self.stopped
                        .get_or_insert_with(|| "an earlier scenario failed".to_owned());
                }
            }
        }
    }

    /// Switches a machine off that is still well, and counts its exits.
    fn retire(&mut self, session: Option<Session>) {
        let Some(session) = session else { return };
        if let Some(exits) = session.exits() {
            let sums = self.summary.exits.get_or_insert_default();
            for exit in exits.iter() {
                *sums.entry(exit.reason.to_owned()).or_default() += exit.count;
            }
        }
        session.close();
    }

    pub(super) fn end(mut self) -> SuiteEnd {
        let last = self.session.take();
        self.retire(last);
        self.summary.total_ms = millis(self.begun);
        self.summary.own_rss_kib = self.summary.own_rss_kib.max(super::own_rss_kib());
        SuiteEnd {
            exit: self.exit,
            summary: self.summary,
            unsaved: self.unsaved,
        }
    }
}

/// The verdict on a case with a planted defect: silence about it is a failure of the judge.
pub(super) fn noticed(verdict: Verdict, planted: Planted) -> Verdict {
    match verdict {
        Verdict::Passed | Verdict::Known { .. } | Verdict::Fixed { .. } if planted.done == 0 => {
            Verdict::Skipped {
                reason: "the defect had no chance to show".to_owned(),
            }
        }
        Verdict::Passed | Verdict::Known { .. } | Verdict::Fixed { .. } => {
            let struck = u64::from(planted.done);
            let unnoticed = Completeness::PlantUnnoticed { struck };
            Verdict::Failed {
                findings: vec![Finding::new(Location::default(), unnoticed)],
            }
        }
        failed => failed,
    }
}

pub(super) fn millis(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}

/// Milliseconds without their fraction, for evidence.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float saturates when cast, and a duration is not negative"
)]
fn whole_ms(ms: f64) -> u64 {
    ms as u64
}
