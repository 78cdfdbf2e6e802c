//! What the schedules of one scenario have shown so far.

use std::collections::BTreeMap;
use std::time::Instant;

use super::blocks::Ran;
use crate::run::drive::Controlled;
use crate::run::error::SessionError;
use crate::run::shown::Shown;
use crate::run::suite::millis;
use relaybed_case::finding::{Code, Label};
use relaybed_case::select::Loaded;
use relaybed_case::verdict::{Property, Searched, Verdict};
use relaybed_report::exit::Exit;
use relaybed_report::{Explored, Found};
use relaybed_search::schedule::{Alike, Coverage, Strategy};

/// The schedules of one scenario.
pub(super) struct Tour<'a> {
    guest: &'a Controlled<'a>,
    loaded: &'a Loaded,
    /// When enough was found.
    until: Until,
    coverage: Coverage,
    findings: Findings,
    /// Nothing more can be learnt.
    stopped: bool,
    /// The least probability of a find that the strategy promises for a schedule.
    pub(super) least_chance: Option<f64>,
    /// If schedules run in order: how many were left out as equivalent to others, and whether all are done.
    pub(super) tried: Option<(u64, bool)>,
    /// Runs that were not led along their accesses, by why.
    searched: BTreeMap<Searched, u64>,
}

/// When an exploration has found enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Until {
    /// At the first finding of any kind.
    Any,
    /// At the first of this kind. Others are counted.
    First(Wanted),
    /// At the first that fails. Known issues are counted.
    Failure,
    /// Never: all are counted.
    Never,
}

/// A kind of finding that is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// A known issue, alone or among others.
    Known(String),
    /// A finding with this code.
    Code(Code),
    /// A finding of this property.
    Property(Property),
}

impl Wanted {
    /// Whether a finding is of this kind.
    fn is(&self, label: &Label) -> bool {
        match (self, label) {
            (Self::Known(wanted), Label::Known(ids)) => ids.split('+').any(|id| id == wanted),
            (Self::Code(code), Label::Finding(found)) => found.code == *code,
            (Self::Property(property), Label::Finding(found)) => {
                found.code.property() == Some(*property)
            }
            _ => false,
        }
    }
}

/// What was found in one scenario.
#[derive(Default)]
struct Findings {
    /// The first of each kind, by what it is, and how often it came.
    kinds: BTreeMap<Label, (Finding, u64)>,
    /// Kinds that showed in a block, and not when their schedule was run on a machine of its own.
    fleeting: BTreeMap<Label, u64>,
}

/// One run that shows something, on a machine of its own.
pub(crate) struct Finding {
    /// `None`: the default schedule.
    pub(super) seed: Option<u64>,
    /// Number of the schedule, from 1.
    pub(super) number: u64,
    pub(crate) shown: Shown,
}

impl<'a> Tour<'a> {
    pub(super) fn new(guest: &'a Controlled<'a>, loaded: &'a Loaded, until: Until) -> Self {
        Self {
            guest,
            loaded,
            until,
            coverage: Coverage::default(),
            findings: Findings::default(),
            stopped: false,
            least_chance: None,
            tried: None,
            searched: BTreeMap::new(),
        }
    }

    /// Runs one schedule on a machine of its own; `None` when interrupted.
    pub(super) fn run(&self, strategy: &mut dyn Strategy) -> Result<Option<Shown>, SessionError> {
        Shown::of(self.guest, &self.loaded.case, strategy)
    }

    /// Takes a run on a machine of its own.
    pub(super) fn note(&mut self, seed: Option<u64>, shown: Shown) {
        self.ran(&shown);
        // What cannot be run once cannot be run again.
        self.stopped |= shown.exit == Exit::SetUp;
        if let Some(label) = Label::of(&shown.verdict) {
            self.found(label, seed, shown);
        }
    }

    /// Takes a run of a block. The first of each kind of finding is run again, on a machine of its own, since
    /// that is what its token will say: by what drew it, and as it went.
    pub(super) fn note_in_block(&mut self, ran: Ran) -> Result<(), SessionError> {
        let Ran { mut drawn, shown } = ran;
        self.ran(&shown);
        self.stopped |= shown.exit == Exit::SetUp;
        let Some(wanted) = Label::of(&shown.verdict) else {
            return Ok(());
        };
        let seed = Some(drawn.seed);
        if self.findings.kinds.contains_key(&wanted) {
            self.found(wanted, seed, shown);
            return Ok(());
        }
        let mut alike = Alike::new(&shown.trace);
        for strategy in [&mut drawn as &mut dyn Strategy, &mut alike] {
            let Some(again) = self.run(strategy)? else {
                // Interrupted: what was seen is reported as it was seen.
                self.found(wanted, seed, shown);
                return Ok(());
            };
            match Label::of(&again.verdict) {
                Some(label) if label == wanted => {
                    self.found(label, seed, again);
                    return Ok(());
                }
                // Something else is a finding too.
                Some(other) => self.found(other, seed, again),
                None => {}
            }
        }
        *self.findings.fleeting.entry(wanted).or_default() += 1;
        Ok(())
    }

    /// Counts a run.
    fn ran(&mut self, shown: &Shown) {
        self.coverage.add(&shown.trace);
        if let Some(why) = shown.amount.searched {
            *self.searched.entry(why).or_default() += 1;
        }
    }

    fn found(&mut self, label: Label, seed: Option<u64>, shown: Shown) {
        let number = self.coverage.covered().runs;
        let finding = Finding {
            seed,
            number,
            shown,
        };
        let entry = self.findings.kinds.entry(label).or_insert((finding, 0));
        entry.1 += 1;
    }

    pub(super) fn is_over(&self) -> bool {
        let mut kinds = self.findings.kinds.keys();
        let mut found = self.findings.kinds.values();
        self.stopped
            || match &self.until {
                Until::Any => kinds.next().is_some(),
                Until::First(wanted) => kinds.any(|label| wanted.is(label)),
                Until::Failure => {
                    found.any(|(one, _)| matches!(one.shown.verdict, Verdict::Failed { .. }))
                }
                Until::Never => false,
            }
    }

    /// The one to report.
    pub(super) fn worst(&mut self) -> Option<Finding> {
        self.findings.worst(&self.until)
    }

    pub(super) fn progress(&self, busy: Instant) -> String {
        let covered = self.coverage.covered();
        let runs = u32::try_from(covered.runs).unwrap_or(u32::MAX);
        let rate = f64::from(runs) / busy.elapsed().as_secs_f64().max(0.001);
        let mut found: Vec<String> = self.findings.kinds.iter().map(told).collect();
        found.extend(self.findings.fleeting.iter().map(|(label, times)| {
            format!("{label} {times} times, but not on a machine of its own")
        }));
        let found = if found.is_empty() {
            "nothing found".to_owned()
        } else {
            found.join("; ")
        };
        format!(
            "{runs} schedules, {} of them distinct, {rate:.1} a second; {} stop points reached, control \
             passed at {} of them; {found}",
            covered.distinct, covered.places, covered.switched,
        )
    }

    pub(super) fn notes(&self, busy: Instant) -> Vec<String> {
        let mut notes = vec![self.progress(busy)];
        if let Some(chance) = self.least_chance {
            notes.push(format!(
                "each schedule shows a race of the requested depth with a probability of at least 1 in {:.0}",
                1.0 / chance
            ));
        }
        match self.tried {
            None => {}
            Some((left_out, true)) => notes.push(format!(
                "these are all within the bound; {left_out} more only change the order of accesses that commute. \
                 Not tried: control passing between two accesses, while bytes are copied or a lock is taken"
            )),
            Some((left_out, false)) => notes.push(format!(
                "these are not all within the bound; {left_out} were left out, as they only change the order of \
                 accesses that commute"
            )),
        }
        notes
    }

    /// Adds its figures.
    pub(super) fn add_to(&self, figures: &mut Explored, busy: Instant) {
        let covered = self.coverage.covered();
        figures.schedules += covered.runs;
        figures.distinct += covered.distinct;
        figures.places += covered.places;
        figures.switched += covered.switched;
        figures.busy_ms += millis(busy);
        for (label, (finding, times)) in &self.findings.kinds {
            let found = figures.findings.entry(label.to_string()).or_insert(Found {
                times: 0,
                first: finding.number,
            });
            found.times += times;
        }
        for (why, times) in &self.searched {
            *figures.searched.entry(why.to_string()).or_default() += times;
        }
        for (label, times) in &self.findings.fleeting {
            *figures.fleeting.entry(label.to_string()).or_default() += times;
        }
    }
}

fn told((label, (finding, times)): (&Label, &(Finding, u64))) -> String {
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
    /// The one that was looked for; else a failure before a known issue, then the first.
    fn worst(&mut self, until: &Until) -> Option<Finding> {
        let rank = |label: &Label, finding: &Finding| {
            let wanted = matches!(until, Until::First(wanted) if wanted.is(label));
            let known = !matches!(finding.shown.verdict, Verdict::Failed { .. });
            (!wanted, known, finding.number)
        };
        let worst = self
            .kinds
            .iter()
            .min_by_key(|(label, (finding, _))| rank(label, finding));
        let label = worst.map(|(label, _)| label.clone())?;
        self.kinds.remove(&label).map(|(finding, _)| finding)
    }
}
