//! What is done about a schedule that found something: scenario and schedule made small, both saved, and the
//! run done once more as its token says it.

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
use relaybed_case::place::Place;
use relaybed_case::select::Loaded;
use relaybed_case::select::quoted;
use relaybed_case::verdict::Verdict;
use relaybed_lang as lang;
use relaybed_report::{Blame, Detail};
use relaybed_search::schedule::{
    Alike, Answer, Checked, Marks, Pct, PctShape, Schedule, Strategy, Token, Tried, shrink, token,
    turns,
};
use relaybed_wire::store::{self, Extra};

/// Schedules drawn for a smaller scenario before it is taken to hold.
const TRIES: u64 = 8;
/// Depth of the races that they look for.
const DEPTH: u32 = 3;

impl Run<'_> {
    /// Makes a finding small within the time given for it, saves it, and says how to see it again.
    pub(super) fn kept(
        &mut self,
        loaded: &Loaded,
        guest: &Controlled<'_>,
        finding: Finding,
    ) -> Result<Detail, SessionError> {
        let mut small = Small {
            guest,
            until: Instant::now() + self.wish.shrink_for,
            wanted: Label::of(&finding.shown.verdict),
            case: loaded.case.clone(),
            shown: finding.shown,
            stopped: None,
        };
        if !self.wish.shrink_for.is_zero() && self.suite.stopped.is_none() {
            let before = preemptions(&small.shown);
            (self.tell)("found; shrinking schedule and scenario");
            // The schedule first: a plain one fits more of the smaller scenarios, and shows why.
            small.schedule()?;
            if small.scenario()? {
                small.schedule()?;
            }
            let after = preemptions(&small.shown);
            (self.tell)(&format!("shrunk from {before} to {after} preemptions"));
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
        detail.notes.extend(switches(&small.shown));
        let pasted = as_turns(&small.case, &small.shown);
        if let Some(scheduled) = &pasted {
            let turns = scheduled.find(SCHEDULE).map(|at| &scheduled[at..]);
            detail
                .notes
                .extend(turns.into_iter().flat_map(str::lines).map(str::to_owned));
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
        self.save(&folder, &small, &source, &token, &detail)?;
        if let Some(scheduled) = pasted {
            std::fs::write(folder.join(SCHEDULED), scheduled)?;
        }
        detail.evidence = Some(folder);
        Ok(detail)
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

/// A finding on its way to be small.
struct Small<'a> {
    guest: &'a Controlled<'a>,
    until: Instant,
    /// What it must keep showing.
    wanted: Option<Label>,
    case: Case,
    shown: Shown,
    /// Why nothing more can be tried.
    stopped: Option<SessionError>,
}

impl Small<'_> {
    /// Fewer operations, smaller numbers: each candidate is given the schedule of the last that failed, as far
    /// as it fits, and a few others. Whether there is a smaller one.
    fn scenario(&mut self) -> Result<bool, SessionError> {
        let case = self.case.clone();
        let mut best: Option<(Case, Shown)> = None;
        let small = relaybed_search::shrink::shrink(&case, &mut |candidate| {
            let trace = best
                .as_ref()
                .map_or(&self.shown.trace, |(_, shown)| &shown.trace);
            let shape = PctShape {
                vcpus: candidate.vcpus,
                places: trace.steps.len() as u64,
                depth: DEPTH,
            };
            let alike: Box<dyn Strategy> = Box::new(Alike::new(trace));
            let drawn =
                (0..TRIES).map(|seed| Box::new(Pct::new(seed, &shape)) as Box<dyn Strategy>);
            for mut strategy in std::iter::once(alike).chain(drawn) {
                match self.guest_shows(candidate, strategy.as_mut()) {
                    None => return Answer::Stop,
                    Some(shown) if Label::of(&shown.verdict) == self.wanted => {
                        best = Some((candidate.clone(), shown));
                        return Answer::Fails;
                    }
                    Some(_) => {}
                }
            }
            Answer::Holds
        });
        let smaller = best.filter(|(case, _)| *case == small);
        let is_smaller = smaller.is_some();
        if let Some((case, shown)) = smaller {
            (self.case, self.shown) = (case, shown);
        }
        self.stopped.take().map_or(Ok(is_smaller), Err)
    }

    /// Fewer and earlier switches.
    fn schedule(&mut self) -> Result<(), SessionError> {
        let (case, failing) = (self.case.clone(), self.shown.trace.clone());
        let mut best = None;
        let plain = shrink(&failing, &mut |strategy| {
            let Some(shown) = self.guest_shows(&case, strategy) else {
                return Tried::stopped();
            };
            let trace = shown.trace.clone();
            let fails = Label::of(&shown.verdict) == self.wanted;
            if fails {
                best = Some(shown);
            }
            let answer = if fails { Answer::Fails } else { Answer::Holds };
            Tried { answer, trace }
        });
        // The last that failed need not be the plainest.
        match best {
            Some(shown) if shown.trace == plain => self.shown = shown,
            _ => self.shown.trace = plain,
        }
        self.stopped.take().map_or(Ok(()), Err)
    }

    /// Runs one more, unless the time is up.
    fn guest_shows(&mut self, case: &Case, strategy: &mut dyn Strategy) -> Option<Shown> {
        if Instant::now() > self.until {
            return None;
        }
        match Shown::of(self.guest, case, strategy) {
            Ok(shown) => shown,
            Err(error) => {
                self.stopped = Some(error);
                None
            }
        }
    }

    /// Runs it as its token says, and reports the result. What is saved is that run.
    fn again(&mut self, token: &Token) -> Result<String, SessionError> {
        let mut checked = Checked::new(token.schedule.clone(), &token.marks);
        let Some(shown) = Shown::of(self.guest, &self.case, &mut checked)? else {
            return Ok("interrupted before it was repeated".to_owned());
        };
        let same = Label::of(&shown.verdict) == self.wanted;
        Ok(match (checked.end(), same) {
            (None, true) => {
                self.shown = shown;
                "replayed by its token: the same".to_owned()
            }
            (None, false) => "replayed by its token: the same stops, another verdict".to_owned(),
            (Some(divergence), _) => format!("replayed by its token, it diverged: {divergence}"),
        })
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

/// How often control passed to another vCPU although the one that stopped could have gone on.
fn preemptions(shown: &Shown) -> usize {
    let steps = shown.trace.steps.iter();
    steps.filter(|step| step.preempts()).count()
}

/// The scenario with this schedule in it, where turns can say it.
fn as_turns(case: &Case, shown: &Shown) -> Option<String> {
    let schedule = turns(case, &shown.trace)?;
    let case = Case {
        schedule,
        ..case.clone()
    };
    lang::write(&case).ok()
}

/// Where control passes, for a person: a line for each of at most a few of the places.
fn switches(shown: &Shown) -> Vec<String> {
    const TOLD: usize = 12;
    let preempting = shown
        .trace
        .steps
        .iter()
        .zip(0..)
        .filter(|(step, _)| step.preempts());
    let mut told: Vec<String> = preempting
        .map(|(step, index): (_, usize)| {
            let made = shown.trace.accesses_before(index);
            let made = made.iter().rfind(|one| one.vcpu == step.stop.vcpu);
            let place = match (&step.stop.place, made) {
                (Place::Data { .. }, Some(made)) => format!("after {}", made.access),
                (place, _) => place.to_string(),
            };
            format!(
                "stop {index:>4}  vCPU {} -> {}  {place}",
                step.stop.vcpu, step.next
            )
        })
        .collect();
    let more = told.len().saturating_sub(TOLD);
    told.truncate(TOLD);
    if more > 0 {
        told.push(format!("and {more} more"));
    }
    if told.is_empty() {
        told.push("control passes only when a vCPU cannot run".to_owned());
    }
    told
}
