//! What is done about a generated scenario that failed: run again, made small, written down.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use relaybed_vmm::signals;

use super::fuzz::Run;
use super::names::folder_name;
use super::suite::noticed;
use super::{Ended, SessionError};
use relaybed_case::Case;
use relaybed_case::evidence::Evidence;
use relaybed_case::finding::Label;
use relaybed_case::select::Loaded;
use relaybed_case::select::quoted;
use relaybed_case::verdict::Verdict;
use relaybed_judge as judge;
use relaybed_report::CaseReport;
use relaybed_search::shrink::{Answer, shrink};
use relaybed_wire::store::{self, Extra};

/// How often a failure is run again to see how sure it is.
const REPEATS: u32 = 3;
/// How often a candidate is run before it is taken to hold, when the failure does not show every time.
const TRIES: u32 = 5;

/// The minimal scenario in a failure's folder, and its evidence.
const MINIMAL: &str = "minimal.toml";
const MINIMAL_EVIDENCE: &str = "minimal";

impl Run<'_> {
    /// Runs a failed case again, shrinks it, and adds to its report how to replay it.
    pub(super) fn failure(
        &mut self,
        loaded: &Loaded,
        mut report: CaseReport,
        index: u64,
    ) -> Result<CaseReport, SessionError> {
        self.settle();
        let only = format!(
            "relaybed fuzz --seed {} --only {index}{}{}",
            self.wish.seed,
            self.family_option(),
            self.options.again
        );
        report.detail.rerun.clone_from(&only);
        let Some(kind) = Label::of(&report.verdict) else {
            return Ok(report);
        };
        if self.suite.stopped.is_some() || !self.kinds.insert(kind.clone()) {
            return Ok(report);
        }
        (self.tell)(&format!("{} failed: {kind}", loaded.case.name));
        let (mut runs, mut again) = (0, 0);
        while runs < REPEATS {
            let failed = self.fails_as(&loaded.case, &kind)?.is_some();
            if self.suite.stopped.is_some() {
                break;
            }
            runs += 1;
            again += u32::from(failed);
        }
        let seen = match (runs, again) {
            (0, _) => "interrupted before it was repeated".to_owned(),
            _ => format!("it failed again in {again} of {runs} runs"),
        };
        (self.tell)(&seen);
        report.detail.notes.push(seen);
        if again == 0 {
            return Ok(report);
        }
        let tries = if again == REPEATS { 1 } else { TRIES };
        let small = self.shrunk(&loaded.case, &kind, tries)?;
        let folder = self.options.out.join(folder_name(&loaded.case.name));
        let evidence = self.again(&small, &kind, tries)?;
        let written = write_minimal(&folder, &small, evidence.as_deref());
        if self.suite.saved(written, &mut report.detail) {
            let path = folder.join(MINIMAL);
            report.detail.rerun = format!(
                "relaybed run {} --seed {}{}",
                quoted(&path.display().to_string()),
                small.seed,
                self.options.again
            );
            report.detail.notes.push(format!("drawn by: {only}"));
        }
        Ok(report)
    }

    fn family_option(&self) -> String {
        self.wish
            .family
            .map_or_else(String::new, |family| format!(" --family {}", family.word()))
    }

    /// Shrinks until nothing smaller fails or the time is up.
    fn shrunk(&mut self, case: &Case, kind: &Label, tries: u32) -> Result<Case, SessionError> {
        let begun = Instant::now();
        let mut told = begun;
        let (mut asked, mut error) = (0_u32, None);
        let small = shrink(case, &mut |candidate| {
            if begun.elapsed() > self.wish.shrink_for || self.suite.stopped.is_some() {
                return Answer::Stop;
            }
            asked += 1;
            if told.elapsed().as_secs() >= 5 {
                told = Instant::now();
                let ops: usize = candidate.actors.iter().map(|actor| actor.ops.len()).sum();
                (self.tell)(&format!("shrinking: {asked} tried, {ops} operations left"));
            }
            for _ in 0..tries {
                match self.fails_as(candidate, kind) {
                    Ok(Some(_)) => return Answer::Fails,
                    Ok(None) => {}
                    Err(stop) => {
                        error = Some(stop);
                        return Answer::Stop;
                    }
                }
            }
            Answer::Holds
        });
        match error {
            Some(error) => Err(error),
            None => Ok(small),
        }
    }

    /// The evidence of one run of the minimal scenario, if one of so many fails.
    fn again(
        &mut self,
        small: &Case,
        kind: &Label,
        tries: u32,
    ) -> Result<Option<Box<Evidence>>, SessionError> {
        for _ in 0..tries {
            if let Some(Some(evidence)) = self.fails_as(small, kind)? {
                return Ok(Some(evidence));
            }
        }
        Ok(None)
    }

    /// Runs a case by itself: its evidence, where there is any, if it fails in this way. Once interrupted it runs
    /// nothing; the suite is then stopped, unlike after a run that did not fail.
    fn fails_as(
        &mut self,
        case: &Case,
        kind: &Label,
    ) -> Result<Option<Option<Box<Evidence>>>, SessionError> {
        let mut session = match self.suite.take_session_at_large() {
            Err(_) if signals::interrupted().is_some() => {
                self.suite.interrupt();
                return Ok(None);
            }
            session => session?,
        };
        let Ok(plant) = self.suite.plant(case, session.setting()) else {
            self.suite.session = Some(session);
            return Ok(None);
        };
        match session.run(case, plant) {
            Ok(evidence) => {
                self.suite.session = Some(session);
                let (mut verdict, _) = judge::judge(case, &evidence);
                if let Some(planted) = evidence.setting.plant {
                    verdict = noticed(verdict, planted);
                }
                let same = Label::of(&verdict).as_ref() == Some(kind);
                Ok(same.then(|| Some(Box::new(evidence))))
            }
            Err(ended) => Ok(self.died_as(ended, kind)),
        }
    }

    /// The guest did not survive: whether that is the way the first one failed.
    fn died_as(&mut self, ended: Ended, kind: &Label) -> Option<Option<Box<Evidence>>> {
        if matches!(ended.cause, super::Cause::Interrupted) {
            self.suite.interrupt();
            return None;
        }
        let findings = ended.findings();
        let same = Label::of(&Verdict::Failed { findings }).as_ref() == Some(kind);
        same.then_some(ended.evidence)
    }
}

/// Writes the minimal scenario and the evidence of a run of it.
fn write_minimal(
    folder: &Path,
    small: &Case,
    evidence: Option<&Evidence>,
) -> Result<(), SessionError> {
    // Every drawn case can be written, and so can what it is made smaller to: a test of the generator says so.
    let source: Arc<str> = relaybed_lang::write(small).unwrap_or_default().into();
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join(MINIMAL), &*source)?;
    let Some(evidence) = evidence else {
        return Ok(());
    };
    let extra = Extra {
        relaybed: env!("CARGO_PKG_VERSION").to_owned(),
        seed: small.seed,
        ..Extra::default()
    };
    let folder = folder.join(MINIMAL_EVIDENCE);
    Ok(store::save(&folder, small, &source, evidence, &extra)?)
}
