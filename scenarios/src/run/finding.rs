//! What is done about a schedule that found something: scenario and schedule made small, both saved, and the
//! run done once more as its token says it.

mod small;
mod table;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use super::drive::Controlled;
use super::error::SessionError;
use super::explore::{Finding, Run};
use super::names::folder_name;
use super::plan::Plan;
use super::shown::Shown;
use relaybed_case::Case;
use relaybed_case::finding::Label;
use relaybed_case::select::Loaded;
use relaybed_case::select::quoted;
use relaybed_case::verdict::Verdict;
use relaybed_lang as lang;
use relaybed_report::{Blame, CaseReport, Detail};
use relaybed_search::schedule::{Marks, Schedule, Token, token, turns};
use relaybed_wire::store::{self, Extra};
use small::Small;
use table::switches;

impl Run<'_> {
    /// Makes a finding small within the time given for it, saves it, and says how to see it again.
    pub(super) fn kept(
        &mut self,
        loaded: &Loaded,
        guest: &Controlled<'_>,
        finding: Finding,
    ) -> Result<CaseReport, SessionError> {
        let mut small = Small {
            guest,
            until: Instant::now() + self.wish.shrink_for,
            wanted: Label::of(&finding.shown.verdict),
            case: loaded.case.clone(),
            shown: finding.shown,
            stopped: None,
        };
        if !self.wish.shrink_for.is_zero() && self.suite.stopped.is_none() {
            self.shrink(&mut small)?;
        }
        let shrunk = small.case != loaded.case;
        let source: Arc<str> = match lang::write(&small.case) {
            Ok(text) if shrunk => text.into(),
            _ => Arc::clone(&loaded.source),
        };
        let token = token_of(self.plan, guest.vcpus(), &small.case, &small.shown);
        let folder = self.options.out.join(folder_name(&loaded.case.name));
        let mut detail = Detail {
            console_tail: small.shown.console.clone(),
            ..Detail::default()
        };
        detail.notes.push(small.again(&token)?);
        let file = folder.join("scenario.toml").display().to_string();
        let scenario = match (shrunk, loaded.origin == loaded.case.name) {
            (true, _) => format!(" {}", quoted(&file)),
            (false, true) => String::new(),
            (false, false) => format!(" {}", quoted(&loaded.origin)),
        };
        detail.rerun = format!("relaybed replay {token}{scenario}{}", self.options.again);
        detail.notes.push(switches(&small.case, &small.shown));
        let pasted = as_turns(&small.case, &small.shown);
        if let Some(scheduled) = &pasted
            && let Some(at) = scheduled.find(SCHEDULE)
        {
            let turns = scheduled[at..].trim_end();
            detail.notes.push(format!(
                "this schedule can be pasted into the scenario:\n\n{turns}\n"
            ));
        }
        let path = if shrunk { file.as_str() } else { &loaded.path };
        let made = Loaded {
            source: Arc::clone(&source),
            path: path.into(),
            origin: loaded.origin.clone(),
            case: small.case.clone(),
        };
        let verdict = &small.shown.verdict;
        let failed = matches!(verdict, Verdict::Failed { .. });
        let evidence = small.shown.evidence.as_deref();
        detail.blames = Blame::all(&made, evidence, verdict.findings(), failed);
        let saved = self.save(&folder, &small, &source, &token, &detail);
        let saved = saved.and_then(|()| match pasted {
            Some(scheduled) => Ok(std::fs::write(folder.join(SCHEDULED), scheduled)?),
            None => Ok(()),
        });
        if self.suite.saved(saved, &mut detail) {
            detail.evidence = Some(folder);
        }
        // Text and bytes of one run: the small one, which the token says.
        let Shown {
            verdict, amount, ..
        } = small.shown;
        let mut report = self.suite.report(loaded, verdict, amount, 0.0);
        report.detail = detail;
        Ok(report)
    }

    /// Makes it small within the time given for it.
    fn shrink(&mut self, small: &mut Small<'_>) -> Result<(), SessionError> {
        let before = small.words();
        (self.tell)("found; shrinking schedule and scenario");
        // The schedule first: a plain one fits more of the smaller scenarios, and shows why.
        small.schedule()?;
        while small.scenario()? {
            small.schedule()?;
        }
        let cut = match small.is_over() {
            true => format!(
                "; cut off after {} s, --shrink-for gives it more",
                self.wish.shrink_for.as_secs()
            ),
            false => String::new(),
        };
        (self.tell)(&format!("{before} became {}{cut}", small.words()));
        Ok(())
    }

    fn save(
        &self,
        folder: &Path,
        small: &Small<'_>,
        source: &str,
        token: &Token,
        detail: &Detail,
    ) -> Result<(), SessionError> {
        let Some(evidence) = &small.shown.evidence else {
            std::fs::create_dir_all(folder)?;
            std::fs::write(folder.join("scenario.toml"), source)?;
            return Ok(());
        };
        let extra = Extra {
            relaybed: env!("CARGO_PKG_VERSION").to_owned(),
            repeat: detail.rerun.clone(),
            kernel: self.plan.kernel_origin(),
            seed: small.case.seed,
            notes: [(store::TOKEN_NOTE.to_owned(), token.to_string())].into(),
            ..Extra::default()
        };
        Ok(store::save(folder, &small.case, source, evidence, &extra)?)
    }
}

/// The token of a run.
fn token_of(plan: &Plan, vcpus: u32, case: &Case, shown: &Shown) -> Token {
    Token {
        scenario: case.name.clone(),
        scenario_digest: token::case_digest(case),
        kernel: plan.guest().request.to_string(),
        release: plan.guest().release.clone(),
        relay: plan.relay_as_asked(),
        vcpus,
        seed: Some(case.seed),
        schedule: Schedule::of(&shown.trace),
        marks: Marks::of(&shown.trace),
    }
}

/// Where turns start in a scenario's text.
const SCHEDULE: &str = "[[schedule]]";
/// The scenario with the schedule spelled out, in the evidence's folder.
const SCHEDULED: &str = "scheduled.toml";

/// The scenario with this schedule in it, where turns can say it.
fn as_turns(case: &Case, shown: &Shown) -> Option<String> {
    let schedule = turns(case, &shown.trace)?;
    let case = Case {
        schedule,
        ..case.clone()
    };
    lang::write(&case).ok()
}
