//! Cases under control in a run: deterministic ones, and those that have a schedule.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Instant;

use relaybed_guest::Terminal;

use super::repeat::Tally;
use super::stops::Stops;
use super::suite::{Suite, millis};
use super::{Controlled, Ended, Plan, SessionError};
use relaybed_case::evidence::Evidence;
use relaybed_case::finding::{Finding, Repetition, Schedule};
use relaybed_case::select::Loaded;
use relaybed_case::verdict::{Amount, Location, Verdict};
use relaybed_contract::Behaviour;
use relaybed_report::CaseReport;
use relaybed_search::schedule::{InTurn, Script, Strategy};
use relaybed_wire::store;

impl Suite<'_> {
    /// Whether a case needs control of single vCPUs.
    pub(super) fn is_driven(&self, loaded: &Loaded) -> bool {
        self.options.deterministic || !loaded.case.schedule.is_empty()
    }

    /// Runs a case under control as often as requested. All runs must come to the same verdict, and to the
    /// same machine: each vCPU's registers and all of RAM.
    pub(super) fn driven(&mut self, loaded: &Loaded) -> Result<CaseReport, SessionError> {
        let mut tally = Tally::default();
        let mut report = self.drive(loaded)?;
        tally.add(&report.verdict);
        let (first, mut duration_ms) = (report.digest.clone(), report.duration_ms);
        let mut differs = None;
        for number in 2..=self.options.repeat {
            if self.stopped.is_some() || report.digest.is_none() {
                break;
            }
            let next = self.drive(loaded)?;
            duration_ms += next.duration_ms;
            if self.stopped.is_none() && tally.add(&next.verdict) {
                report = next;
            } else if next.digest != first && differs.is_none() {
                differs = Some((number, next.digest));
            }
        }
        report.duration_ms = duration_ms;
        let differs = differs.map(|(number, digest)| {
            let machines = Repetition::Machines {
                first: first.unwrap_or_default().into(),
                odd: digest.unwrap_or_else(|| "no digest".to_owned()).into(),
                number: number.into(),
            };
            Finding::new(Location::default(), machines)
        });
        self.last = LastRun::default();
        let findings: Vec<Finding> = tally.finding().into_iter().chain(differs).collect();
        if !findings.is_empty() {
            self.fail(&mut report.verdict, findings);
            report.detail.rerun =
                format!("{} --repeat {}", self.rerun(loaded), self.options.repeat);
        }
        Ok(report)
    }

    /// Findings that come on top of a verdict.
    fn fail(&mut self, verdict: &mut Verdict, findings: Vec<Finding>) {
        self.exit = self.exit.worse(relaybed_report::exit::Exit::Failed);
        verdict.fail(findings);
    }

    /// The plan for machines under control: this run's own if it is one.
    fn control_plan(&mut self) -> Result<Rc<Plan>, String> {
        if let Some(plan) = &self.control {
            return Ok(Rc::clone(plan));
        }
        let plan = Rc::new(self.plan.controllable().map_err(|no| no.to_string())?);
        self.control = Some(Rc::clone(&plan));
        Ok(plan)
    }

    fn drive(&mut self, loaded: &Loaded) -> Result<CaseReport, SessionError> {
        let skipped = |suite: &Self, reason| {
            let verdict = Verdict::Skipped { reason };
            Ok(suite.report(loaded, verdict, Amount::default(), 0.0))
        };
        let case = &loaded.case;
        let plan = match self.control_plan() {
            Ok(plan) => plan,
            Err(reason) => return skipped(self, reason),
        };
        let vcpus = plan.vcpus_for(case);
        if let Some(reason) = Behaviour::of(linux_version(&plan)).lacks(&case.needs) {
            return skipped(self, reason);
        }
        if self.options.plant.is_some() {
            let reason = "no defect is planted in a run under control".to_owned();
            return skipped(self, reason);
        }
        let changes = (0..vcpus).any(|cpu| case.changes_cpu(cpu));
        if changes {
            let reason = "CPUs that go off or on are not run under control".to_owned();
            return skipped(self, reason);
        }
        let controlled = Controlled::obtain(&plan, vcpus, &Terminal::new())?;
        let stops = Stops::of(case);
        if let Some(reason) = controlled.lacks(&stops) {
            return skipped(self, reason);
        }
        if let Some(reason) = controlled.cuts(&stops)? {
            return skipped(self, reason);
        }
        if self.summary.kernel.is_empty() {
            self.summary.kernel.clone_from(&plan.guest().release);
        }
        self.summary.vcpus = self.summary.vcpus.max(vcpus);
        let begun = Instant::now();
        let mut turns = InTurn::new(case.seed);
        let mut script = Script::new(case);
        let strategy: &mut dyn Strategy = if case.schedule.is_empty() {
            &mut turns
        } else {
            &mut script
        };
        let outcome = controlled.run(case, None, (&stops, true), strategy)?;
        self.summary.boots += 1;
        *self.summary.machines.entry(vcpus).or_default() += 1;
        let missed = script.not_reached().map(|missed| {
            let not_reached = Schedule::NotReached {
                turn: missed.turn as u64 + 1,
                why: missed.why.into(),
                stands: missed.text.into(),
            };
            Finding::new(Location::default(), not_reached)
        });
        match outcome {
            Ok(driven) => {
                self.last = LastRun {
                    digest: driven.digest.clone(),
                };
                let mut report = self.judged_driven(loaded, &driven.evidence, missed, begun)?;
                report.digest = driven.digest;
                Ok(report)
            }
            Err(undriven) => {
                let Ended { cause, evidence } = undriven.ended;
                let seen = Ended { cause, evidence };
                Ok(self.ended_without(loaded, seen, undriven.console, begun))
            }
        }
    }

    /// Judges what a case left; a turn that did not finish is a failure of its own.
    fn judged_driven(
        &mut self,
        loaded: &Loaded,
        evidence: &Evidence,
        missed: Option<Finding>,
        begun: Instant,
    ) -> Result<CaseReport, SessionError> {
        let Some(missed) = missed else {
            return self.judged(loaded, evidence, begun);
        };
        let judging = Instant::now();
        let (mut verdict, amount) = relaybed_judge::judge(&loaded.case, evidence);
        self.summary.judge_ms += millis(judging);
        verdict = self.options.known.apply(verdict);
        self.fail(&mut verdict, vec![missed]);
        let mut report = self.report(loaded, verdict, amount, millis(begun));
        self.keep(loaded, Some(evidence), true, &mut report);
        Ok(report)
    }
}

/// What belongs to the evidence of a run under control that is about to be saved.
#[derive(Default)]
pub(super) struct LastRun {
    /// One word for the machine at its end.
    digest: Option<String>,
}

impl LastRun {
    /// As evidence has it beside the rest.
    pub(super) fn notes(&self) -> BTreeMap<String, String> {
        let digest = self.digest.clone();
        digest
            .map(|digest| (store::MACHINE_NOTE.to_owned(), digest))
            .into_iter()
            .collect()
    }
}

/// The version of the relay that is tested as a number, as far as the kernel's release says it.
pub(super) fn linux_version(plan: &Plan) -> u32 {
    if let Some(version) = plan.relay_version() {
        return version;
    }
    let mut numbers = plan
        .guest()
        .release
        .split(|c: char| !c.is_ascii_digit())
        .map(|part| part.parse::<u32>().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0).min(255);
    (next() << 16) | (next() << 8) | next()
}
