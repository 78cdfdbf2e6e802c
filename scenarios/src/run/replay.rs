//! One recorded schedule once more.

use std::time::Instant;

use relaybed_guest::Terminal;

use super::drive::Controlled;
use super::error::SessionError;
use super::names::folder_name;
use super::options::Options;
use super::plan::Plan;
use super::shown::Shown;
use super::stops::Stops;
use super::suite::{Suite, SuiteEnd, millis};
use relaybed_case::select::Loaded;
use relaybed_case::trace::Trace;
use relaybed_case::verdict::Verdict;
use relaybed_report::exit::Exit;
use relaybed_report::{Blame, CaseReport, Listener};
use relaybed_search::schedule::{Checked, Divergence, Replay, Token};
use relaybed_wire::store::{self, Extra};

/// What contains the schedule.
#[derive(Clone, Copy, Debug)]
pub enum Recording<'a> {
    /// A token: a divergence is located to a stretch.
    Token(&'a Token),
    /// The trace of saved evidence: a divergence is named to the step.
    Trace(&'a Trace),
}

/// Runs a case as recorded and reports it; with the first divergence, if it went otherwise.
///
/// # Errors
/// As [`explore`](super::explore()).
pub fn replay(
    plan: &Plan,
    options: &Options,
    loaded: &Loaded,
    recording: Recording<'_>,
    listener: &mut impl Listener,
) -> Result<(SuiteEnd, Option<Divergence>), SessionError> {
    let mut suite = Suite::new(plan, options);
    suite.summary.kernel.clone_from(&plan.guest().release);
    let guest = Controlled::obtain(plan, plan.vcpus_for(&loaded.case), &Terminal::new())?;
    let begun = Instant::now();
    let (shown, diverged) = match recording {
        Recording::Token(token) => {
            let mut checked = Checked::new(token.schedule.clone(), &token.marks);
            let shown = Shown::of(&guest, &loaded.case, &mut checked)?;
            (shown, checked.end())
        }
        Recording::Trace(trace) => {
            let mut replay = Replay::new(trace);
            let stops = Stops::recorded(&loaded.case, trace);
            let shown = Shown::stopping(&guest, &loaded.case, &stops, &mut replay)?;
            (shown, replay.end())
        }
    };
    suite.summary.boots = 1;
    let Some(shown) = shown else {
        suite.exit = Exit::Interrupted;
        let report = suite.not_run(loaded, "interrupted".to_owned());
        suite.count(&report);
        listener.case(report)?;
        return Ok((suite.end(), None));
    };
    suite.exit = suite.exit.worse(shown.exit);
    let mut report = suite.report(loaded, shown.verdict.clone(), shown.amount, millis(begun));
    report.detail.notes.push(match &diverged {
        None => format!("{} stops, as recorded", shown.trace.steps.len()),
        Some(divergence) => format!("it diverged: {divergence}"),
    });
    detailed(&mut report, loaded, &shown);
    if let Some(evidence) = shown.evidence.as_deref().filter(|_| options.keep_all) {
        let folder = options.out.join(folder_name(&loaded.case.name));
        let extra = Extra {
            relaybed: env!("CARGO_PKG_VERSION").to_owned(),
            repeat: options.again.clone(),
            kernel: plan.kernel_origin(),
            seed: loaded.case.seed,
            ..Extra::default()
        };
        let saved = store::save(&folder, &loaded.case, &loaded.source, evidence, &extra);
        if suite.saved(saved.map_err(SessionError::from), &mut report.detail) {
            report.detail.evidence = Some(folder);
        }
    }
    suite.count(&report);
    listener.case(report)?;
    Ok((suite.end(), diverged))
}

/// Adds what a failure's reader needs.
fn detailed(report: &mut CaseReport, loaded: &Loaded, shown: &Shown) {
    let detail = &mut report.detail;
    detail.rerun = String::new();
    detail.console_tail.clone_from(&shown.console);
    let failed = matches!(shown.verdict, Verdict::Failed { .. });
    if let Some(evidence) = shown.evidence.as_deref() {
        detail.blames = Blame::all(loaded, Some(evidence), shown.verdict.findings(), failed);
    }
}
