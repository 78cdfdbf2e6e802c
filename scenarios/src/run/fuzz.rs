//! Generated scenarios on one boot: drawn, run, judged, and shrunk where they fail.
//!
//! While one case is judged the guest already works on the next. Passed cases leave nothing behind; a
//! failure saves its evidence, is run again, is made small, and prints the line that replays it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use relaybed_vmm::signals;

use super::session::Sent;
use super::suite::{Suite, millis};
use super::{Cause, Options, Plan, Session, SessionError, SuiteEnd};
use relaybed_case::evidence::{Evidence, Planted};
use relaybed_case::finding::Label;
use relaybed_case::select::Loaded;
use relaybed_case::verdict::Verdict;
use relaybed_report::{CaseReport, Fuzzed, Listener};
use relaybed_search::generate::{self, Family, Limits};

/// Failures after which a run ends: what is that wrong needs no more examples.
const FAILURES_MAX: usize = 100;

/// What is requested.
#[derive(Clone, Debug)]
pub struct Fuzz {
    /// Draws everything.
    pub seed: u64,
    /// First number drawn.
    pub first: u64,
    /// How many numbers.
    pub count: u64,
    /// Only this family.
    pub family: Option<Family>,
    /// Longest time that one failure is shrunk.
    pub shrink_for: Duration,
}

/// Receives progress, for people who wait.
pub type Telling<'a> = &'a mut dyn FnMut(&str);

/// Runs generated scenarios, reporting each as it ends.
///
/// # Errors
/// When no machine can be had, when evidence cannot be written, or when the report cannot be.
pub fn fuzz(
    plan: &Plan,
    options: &Options,
    wish: &Fuzz,
    listener: &mut impl Listener,
    tell: Telling<'_>,
) -> Result<SuiteEnd, SessionError> {
    let mut suite = Suite::new(plan, options);
    // Thousands of them pass.
    suite.flows = false;
    let mut run = Run {
        suite,
        options,
        wish,
        limits: None,
        flying: None,
        figures: Fuzzed {
            generator: generate::VERSION,
            ..Fuzzed::default()
        },
        kinds: HashSet::new(),
        tell,
        told: Instant::now(),
    };
    let end = wish.first.saturating_add(wish.count);
    for index in wish.first..end {
        let report = match run.one(index, end) {
            Err(_) if signals::interrupted().is_some() => {
                run.suite.interrupt();
                break;
            }
            report => report?,
        };
        run.count(&report);
        listener.case(report)?;
        if run.suite.stopped.is_some() {
            break;
        }
    }
    Ok(run.end())
}

/// A case that the guest works on.
struct Flying {
    index: u64,
    loaded: Loaded,
    sent: Sent,
}

pub(super) struct Run<'a> {
    pub(super) suite: Suite<'a>,
    pub(super) options: &'a Options,
    pub(super) wish: &'a Fuzz,
    limits: Option<Limits>,
    flying: Option<Flying>,
    figures: Fuzzed,
    /// Findings that were shrunk already: two of one kind need only one minimal scenario.
    pub(super) kinds: HashSet<Label>,
    pub(super) tell: Telling<'a>,
    told: Instant,
}

impl Run<'_> {
    /// Runs case `index` and reports it; the next one below `end` may be under way then.
    fn one(&mut self, index: u64, end: u64) -> Result<CaseReport, SessionError> {
        let mut session = self.suite.take_session_at_large()?;
        let begun = Instant::now();
        let limits = self.limits(&session);
        let flying = self.flying.take().filter(|flying| flying.index == index);
        let (loaded, sent) = match flying {
            Some(flying) => (flying.loaded, Ok(flying.sent)),
            None => {
                let loaded = self.draw(index, &limits);
                let plant = match self.suite.plant(&loaded.case, session.setting()) {
                    Ok(plant) => plant,
                    Err(reason) => return Ok(self.skip(&loaded, session, reason)),
                };
                let sent = session.start(&loaded.case, plant);
                (loaded, sent)
            }
        };
        let next = (index + 1 < end).then(|| self.draw(index + 1, &limits));
        let next = next.and_then(|next| self.with_plant(next, &session));
        let waiting = Instant::now();
        let (ended, sent) = match sent {
            Ok(sent) => {
                let next = next.as_ref().map(|(next, plant)| (&next.case, *plant));
                session.finish(&loaded.case, sent, next)
            }
            Err(ended) => (Err(ended), None),
        };
        self.figures.waiting_ms += millis(waiting);
        self.flying = next.zip(sent).map(|((loaded, _), sent)| Flying {
            index: index + 1,
            loaded,
            sent,
        });
        let report = match ended {
            Ok(evidence) => {
                self.suite.session = Some(session);
                self.judged(&loaded, &evidence, begun)?
            }
            Err(ended) => {
                let interrupted = matches!(ended.cause, Cause::Interrupted);
                let report = self.suite.ended(&loaded, session, ended, begun)?;
                if interrupted {
                    return Ok(report);
                }
                report
            }
        };
        if matches!(report.verdict, Verdict::Failed { .. }) {
            self.figures.busy_ms += millis(begun);
            return self.failure(&loaded, report, index);
        }
        self.figures.busy_ms += millis(begun);
        self.progress(index);
        Ok(report)
    }

    /// What the machine offers, known once it is booted.
    fn limits(&mut self, session: &Session) -> Limits {
        let setting = session.setting();
        *self.limits.get_or_insert(Limits {
            vcpus: setting.vcpus,
            linux_version: setting.linux_version,
            family: self.wish.family,
        })
    }

    fn draw(&self, index: u64, limits: &Limits) -> Loaded {
        let case = generate::case(self.wish.seed, index, limits);
        // Every drawn case can be written: a test of the generator says so.
        let source = relaybed_lang::write(&case).unwrap_or_default();
        Loaded {
            source: Arc::from(source),
            path: "scenario.toml".into(),
            origin: case.name.clone(),
            case,
        }
    }

    /// A case to send ahead, unless the defect to be planted would not show in it.
    fn with_plant(&self, loaded: Loaded, session: &Session) -> Option<(Loaded, Option<Planted>)> {
        let plant = self.suite.plant(&loaded.case, session.setting()).ok()?;
        Some((loaded, plant))
    }

    fn skip(&mut self, loaded: &Loaded, session: Session, reason: String) -> CaseReport {
        self.suite.session = Some(session);
        let verdict = Verdict::Skipped { reason };
        self.suite.report(loaded, verdict, Default::default(), 0.0)
    }

    fn judged(
        &mut self,
        loaded: &Loaded,
        evidence: &Evidence,
        begun: Instant,
    ) -> Result<CaseReport, SessionError> {
        let judging = Instant::now();
        let report = self.suite.judged(loaded, evidence, begun)?;
        self.figures.judging_ms += millis(judging);
        self.figures.ran += 1;
        let online = u64::from(evidence.setting.vcpus);
        let buffers = loaded.case.channels.len() as u64 * online;
        self.figures.exact += u64::from(report.amount.exact_buffers == buffers);
        Ok(report)
    }

    /// Waits for the case that was sent ahead and forgets it: the machine is needed.
    pub(super) fn settle(&mut self) {
        if let (Some(flying), Some(mut session)) = (self.flying.take(), self.suite.session.take())
            && session
                .finish(&flying.loaded.case, flying.sent, None)
                .0
                .is_ok()
        {
            // It is run again in its turn.
            self.suite.session = Some(session);
        }
    }

    fn count(&mut self, report: &CaseReport) {
        self.suite.count(report);
        if let Verdict::Known { id, .. } = &report.verdict {
            *self.figures.known.entry(id.clone()).or_default() += 1;
        }
        if self.suite.summary.failed >= FAILURES_MAX && self.suite.stopped.is_none() {
            self.suite.stopped = Some(format!("{FAILURES_MAX} scenarios failed"));
        }
    }

    fn progress(&mut self, index: u64) {
        if self.told.elapsed() < Duration::from_secs(5) {
            return;
        }
        self.told = Instant::now();
        let done = index + 1 - self.wish.first;
        let rate = rate(&self.figures);
        let failed = self.suite.summary.failed;
        let text = format!(
            "{done} of {}, {rate:.0} a second, {failed} failed",
            self.wish.count
        );
        (self.tell)(&text);
    }

    fn end(mut self) -> SuiteEnd {
        self.settle();
        let figures = &mut self.figures;
        figures.per_second = rate(figures);
        figures.other_ms = figures.busy_ms - figures.waiting_ms - figures.judging_ms;
        self.suite.summary.fuzz = Some(self.figures);
        self.suite.end()
    }
}

/// Scenarios a second.
fn rate(figures: &Fuzzed) -> f64 {
    let ran = u32::try_from(figures.ran).unwrap_or(u32::MAX);
    f64::from(ran) * 1000.0 / figures.busy_ms.max(1.0)
}
