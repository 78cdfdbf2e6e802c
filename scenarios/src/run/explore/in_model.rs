//! Orders of accesses that break what relay promises, found by trying all of them in the twin, and what the kernel
//! does in each.

use std::sync::Arc;
use std::time::{Duration, Instant};

use relaybed_guest::Terminal;
use relaybed_vmm::signals;

use super::{Finding, Run};
use crate::run::drive::Controlled;
use crate::run::driven::linux_version;
use crate::run::error::SessionError;
use crate::run::names::folder_name;
use crate::run::shown::Shown;
use crate::run::suite::millis;
use relaybed_case::Case;
use relaybed_case::finding::Label;
use relaybed_case::select::Loaded;
use relaybed_case::verdict::{Amount, Verdict};
use relaybed_contract::Behaviour;
use relaybed_lang as lang;
use relaybed_report::exit::Exit;
use relaybed_report::{Answer, CaseReport, ModelSearch, OrderFound};
use relaybed_search::in_model::{Modelled, scenes};
use relaybed_search::schedule::{Schedule, Script};
use relaybed_twin::search::{Found, Survey, survey_while};
use relaybed_twin::{AsBuilt, Defects, defects_of};

/// What the kernel did in an order that the model says breaks a promise.
enum Kernel {
    /// It broke it, too, and for that cause.
    Confirmed(Label, Box<Finding>),
    /// Something else came of it.
    Otherwise(Label, Box<Finding>),
    /// It did not, or the order could not be had.
    NotShown(String),
}

impl Run<'_> {
    /// Tries all orders of a scenario in the model, at most `moments` of each search, and the kernel in those that
    /// break what relay promises.
    pub(super) fn searched(
        &mut self,
        loaded: &Loaded,
        moments: u64,
    ) -> Result<CaseReport, SessionError> {
        let begun = Instant::now();
        let version = linux_version(self.plan);
        let built = AsBuilt {
            behaviour: Behaviour::of(version),
            defects: defects_of(version),
        };
        let scenes = match of_case(&loaded.case, &built) {
            Ok(scenes) => scenes,
            Err(reason) => {
                let verdict = Verdict::Skipped { reason };
                return Ok(self.suite.report(loaded, verdict, Amount::default(), 0.0));
            }
        };
        let release = &self.plan.guest().release;
        self.suite.summary.kernel.clone_from(release);
        let guest = Controlled::obtain(
            self.plan,
            self.plan.vcpus_for(&loaded.case),
            &Terminal::new(),
        )?;
        let Some(plain) = Shown::of(&guest, &loaded.case, &mut Schedule::default().strategy())?
        else {
            return Ok(self.suite.interrupted(loaded));
        };
        let mut notes = Vec::new();
        let mut worst: Option<(Loaded, Finding)> = None;
        let mut asked_for = Vec::new();
        for modelled in scenes {
            let Some(survey) = self.surveyed(&modelled, moments) else {
                return Ok(self.suite.interrupted(loaded));
            };
            let mut search = tried(loaded, &modelled, &survey);
            for (found, at) in survey.found.iter().zip(1..) {
                let ways = modelled.schedules(found);
                asked_for.push(ways.first().cloned());
                let number = asked_for.len() as u64;
                let Some(kernel) = asked(&guest, (found, number), &ways)? else {
                    return Ok(self.suite.interrupted(loaded));
                };
                let of = survey.found.len();
                (self.tell)(&format!("the kernel was asked for {at} of {of} orders"));
                search.orders.push(order(found, &kernel));
                let finding = match kernel {
                    Kernel::Confirmed(_, finding) | Kernel::Otherwise(_, finding) => *finding,
                    Kernel::NotShown(_) => continue,
                };
                let is_worse = |(_, old): &(_, Finding)| rank(&finding) < rank(old);
                if worst.as_ref().is_none_or(is_worse) {
                    worst = Some((self.made(loaded, &modelled.case), finding));
                }
            }
            notes.extend(search.lines());
            self.suite.summary.in_model.push(search);
        }
        self.suite.summary.boots += guest.forks();
        self.suite.summary.vcpus = guest.vcpus();
        let mut report = match worst {
            Some((made, finding)) => self.finding(&made, &guest, finding)?,
            None => {
                self.suite.exit = self.suite.exit.worse(plain.exit);
                self.suite.report(loaded, plain.verdict, plain.amount, 0.0)
            }
        };
        report.duration_ms = millis(begun);
        report.detail.notes.splice(0..0, notes);
        let saved = self.keep(loaded, &asked_for);
        self.suite.saved(saved, &mut report.detail);
        Ok(report)
    }

    /// All orders of a scene; `None` when interrupted.
    fn surveyed(&mut self, modelled: &Modelled, moments: u64) -> Option<Survey> {
        let mut told = Instant::now();
        let (mut before, mut last) = (0, 0);
        let tell = &mut self.tell;
        let survey = survey_while(&modelled.scene, moments, &mut |moments| {
            if moments < last {
                before += last;
            }
            last = moments;
            if told.elapsed() >= Duration::from_secs(2) {
                told = Instant::now();
                tell(&format!("searching the model: {} states", before + last));
            }
            signals::interrupted().is_none()
        });
        // Whether it fits was seen when the scene was made.
        survey.filter(|_| signals::interrupted().is_none())
    }

    /// The scenario as the search has it, as one of the user's own.
    fn made(&self, loaded: &Loaded, case: &Case) -> Loaded {
        let folder = self.options.out.join(folder_name(&loaded.case.name));
        let path = folder.join("scenario.toml").display().to_string();
        Loaded {
            source: lang::write(case).map_or_else(|_| Arc::clone(&loaded.source), Into::into),
            path: path.as_str().into(),
            origin: path,
            case: case.clone(),
        }
    }

    /// Writes down what the kernel was asked to confirm, by the numbers of the orders.
    fn keep(&self, loaded: &Loaded, asked_for: &[Option<Case>]) -> Result<(), SessionError> {
        let name = format!("{}.in-model", folder_name(&loaded.case.name).display());
        let folder = self.options.out.join(name);
        for (case, number) in asked_for.iter().zip(1..) {
            if let Some(text) = case.as_ref().and_then(|case| lang::write(case).ok()) {
                std::fs::create_dir_all(&folder)?;
                std::fs::write(folder.join(format!("{number}.toml")), text)?;
            }
        }
        Ok(())
    }
}

/// The scenes of a case, or why there are none.
fn of_case(case: &Case, built: &AsBuilt) -> Result<Vec<Modelled>, String> {
    if let Some(reason) = built.behaviour.lacks(&case.needs) {
        return Err(reason);
    }
    scenes(case, built).map_err(|lacking| format!("not searched in the model: {lacking}"))
}

/// A failure before a known issue, else the first.
fn rank(finding: &Finding) -> u8 {
    u8::from(finding.shown.exit == Exit::Passed)
}

/// What the kernel does in an order, which can be said in several ways; `None` when interrupted.
fn asked(
    guest: &Controlled<'_>,
    (found, number): (&Found, u64),
    ways: &[Case],
) -> Result<Option<Kernel>, SessionError> {
    let mut answer = Kernel::NotShown("turns cannot say it".to_owned());
    for case in ways {
        let mut script = Script::new(case);
        let Some(shown) = Shown::of(guest, case, &mut script)? else {
            return Ok(None);
        };
        let label = Label::of(&shown.verdict);
        let finding = Finding {
            seed: None,
            number,
            shown,
        };
        let seen = match (label, script.not_reached()) {
            (Some(label), _) if is_explained(&label, found) => {
                return Ok(Some(Kernel::Confirmed(label, Box::new(finding))));
            }
            (Some(label), None) => Kernel::Otherwise(label, Box::new(finding)),
            (_, Some(missed)) => Kernel::NotShown(missed.to_string()),
            (None, None) => Kernel::NotShown("the kernel keeps its promises in it".to_owned()),
        };
        // What was broken says more than what was not shown.
        if !matches!(answer, Kernel::Otherwise(..)) {
            answer = seen;
        }
    }
    Ok(Some(answer))
}

/// Whether what the kernel showed is one of the causes that the model names; anything, where it names none.
fn is_explained(label: &Label, found: &Found) -> bool {
    let Label::Known(ids) = label else {
        return found.causes.is_empty();
    };
    found.causes.iter().any(|cause| {
        let mut ids = ids.split('+').filter_map(|id| id.parse::<Defects>().ok());
        ids.any(|id| id.is_within(*cause))
    })
}

/// What was tried.
fn tried(loaded: &Loaded, modelled: &Modelled, survey: &Survey) -> ModelSearch {
    ModelSearch {
        scenario: loaded.case.name.clone(),
        actors: modelled.actors().map(str::to_owned).collect(),
        channel: modelled.case.channels[modelled.channel].name.clone(),
        cpu: modelled.cpu,
        unit: modelled.unit,
        states: survey.as_is.states,
        interleavings: survey.as_is.interleavings,
        broken: survey.as_is.broken,
        is_all: !survey.as_is.is_cut,
        left: survey.fixed.violations.len(),
        is_all_of_fixed: !survey.fixed.is_cut,
        orders: Vec::new(),
    }
}

/// One order, its causes and the kernel's answer.
fn order(found: &Found, kernel: &Kernel) -> OrderFound {
    OrderFound {
        broken: found.broken.to_string(),
        causes: found.causes.iter().map(Defects::to_string).collect(),
        kernel: match kernel {
            Kernel::Confirmed(label, _) => Answer::Confirmed(label.to_string()),
            Kernel::Otherwise(label, _) => Answer::Otherwise(label.to_string()),
            Kernel::NotShown(why) => Answer::NotShown(why.clone()),
        },
    }
}
