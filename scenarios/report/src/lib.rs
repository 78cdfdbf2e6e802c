//! Reports: what a run says while it goes and at its end, in four formats.
//!
//! Values come in (`CaseReport`, `Summary`), text goes out; nothing here looks at a machine or a file.
//!
//! ```
//! use relaybed_report::exit::Exit;
//!
//! let ended = Exit::Failed.worse(Exit::GuestDied);
//! assert_eq!(ended.code(), 4);
//! ```

#![forbid(unsafe_code)]

pub mod exit;

mod blame;
pub mod coverage;
mod github;
mod human;
mod in_model;
mod json;
mod junit;
mod ktap;
pub mod matrix;
pub mod mutation;
pub mod page;
mod tap;
mod time;
pub mod timeline;
pub mod trace;
pub mod transports;
mod xml;

pub use blame::{Blame, Step};
pub use in_model::{Answer, ModelSearch, OrderFound};
pub use json::{VERSION, schema};

use std::io::{self, Write};
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Serialize;

use relaybed_case::evidence::OwnRelay;
use relaybed_case::unspecified::Unspecified;
use relaybed_case::verdict::{Amount, Verdict};
use relaybed_judge::Flow;

/// One scenario's result.
#[derive(Clone, Debug)]
pub struct CaseReport {
    /// Name of the case.
    pub name: String,
    /// The sentence that says what it shows.
    pub summary: String,
    /// What the judge says.
    pub verdict: Verdict,
    /// How much was judged.
    pub amount: Amount,
    /// What became of the records, by channel buffer.
    pub flow: Vec<Flow>,
    /// Release of the kernel it ran on.
    pub kernel: String,
    /// From the request to the verdict.
    pub duration_ms: f64,
    /// vCPU exits into our own process while it ran; `None` if they are not counted.
    pub exits: Option<u64>,
    /// One word for the machine at its end, RAM and registers, of a run under control.
    pub digest: Option<String>,
    /// What helps to understand a failure; empty for the rest.
    pub detail: Detail,
}

/// What helps to understand a failure.
#[derive(Clone, Debug, Default)]
pub struct Detail {
    /// What each finding points at.
    pub blames: Vec<Blame>,
    /// The last lines of the console since the case began.
    pub console_tail: Vec<String>,
    /// Folder with the evidence.
    pub evidence: Option<PathBuf>,
    /// What else is known of it.
    pub notes: Vec<String>,
    /// A line to paste that runs just this again.
    pub rerun: String,
}

/// The run as a whole.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Summary {
    /// Scenarios that passed.
    pub passed: usize,
    /// Scenarios that failed.
    pub failed: usize,
    /// Scenarios skipped, each with its reason.
    pub skipped: usize,
    /// Scenarios that showed a known issue.
    pub known: usize,
    /// Scenarios that should have shown a known issue and did not.
    pub fixed: usize,
    /// Scenarios whose turn never came.
    pub not_run: usize,
    /// Release of the kernel.
    pub kernel: String,
    /// Package and version the kernel came from, or its path.
    pub kernel_origin: String,
    /// The relay.c that was tested in place of the kernel's, if one was.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<std::collections::BTreeMap<String, Option<String>>>")]
    pub relay: Option<OwnRelay>,
    /// When it began, in seconds since 1970; `None`: not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_s: Option<u64>,
    /// `qemu` or `kvm`.
    pub backend: String,
    /// `tcg` or `kvm`.
    pub accel: String,
    /// Why this accelerator.
    pub accel_reason: String,
    /// vCPUs of the machine; of the largest, where scenarios wanted different ones.
    pub vcpus: u32,
    /// Boots by number of vCPUs: more than one of a kind means that a guest died or hung.
    pub machines: std::collections::BTreeMap<u32, u32>,
    /// Seed that draws record lengths.
    pub seed: u64,
    /// From spawning the machine to "ready", of the first.
    pub boot_ms: f64,
    /// Machines of this run, each booted or forked.
    pub boots: u32,
    /// Whether machines are forked off the image of an earlier boot.
    pub forked: bool,
    /// Scenarios that passed and in which nothing could be judged but safety.
    #[serde(default)]
    pub empty: u32,
    /// Single checks that had nothing to compare with, by reason.
    #[schemars(with = "std::collections::BTreeMap<String, u64>")]
    pub unspecified: Unspecified,
    /// Records judged.
    pub records: u64,
    /// Bytes judged.
    pub bytes: u64,
    /// Time spent judging.
    pub judge_ms: f64,
    /// From the first boot to the last verdict.
    pub total_ms: f64,
    /// vCPU exits into our own process by reason, over all machines that lived to their end;
    /// only on our own backend.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exits: Option<std::collections::BTreeMap<String, u64>>,
    /// Largest resident size of `relaybed` itself, guest memory not counted.
    pub own_rss_kib: u64,
    /// Of generated scenarios only: how many, how fast, and what the time went to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fuzz: Option<Fuzzed>,
    /// Of explored schedules only: how many, how fast, and what was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explored: Option<Explored>,
    /// Of searches in the model of relay only: what was tried, and what was found.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Option<Vec<ModelSearch>>")]
    pub in_model: Vec<ModelSearch>,
}

/// Figures of explored schedules, over all scenarios of the run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Explored {
    /// Schedules run, those that make a finding small not counted.
    pub schedules: u64,
    /// Of them, those that came to different stops or decisions than all others.
    pub distinct: u64,
    /// Pairs of a switch point and a vCPU that reached it.
    pub places: u64,
    /// Of them, those at which control passed to another vCPU.
    pub switched: u64,
    /// Schedules a second.
    pub per_second: f64,
    /// Time spent on them.
    pub busy_ms: f64,
    /// What was found, by what it is.
    pub findings: std::collections::BTreeMap<String, Found>,
    /// What showed on a machine that had run other schedules before, and not on one of its own: how often.
    pub fleeting: std::collections::BTreeMap<String, u64>,
    /// Schedules that were judged by a search, not along their accesses, by why.
    pub searched: std::collections::BTreeMap<String, u64>,
}

/// How often something was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Found {
    /// How often.
    pub times: u64,
    /// By which schedule first, counted from 1.
    pub first: u64,
}

/// Figures of a run of generated scenarios.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Fuzzed {
    /// Version of the generator: a seed means the same cases with the same version only.
    pub generator: u32,
    /// Scenarios run to their end.
    pub ran: u64,
    /// Of them, those whose every buffer the model predicted to the last byte.
    pub exact: u64,
    /// How often each known issue was met.
    pub known: std::collections::BTreeMap<String, u64>,
    /// Scenarios a second, boots and the work on failures not counted.
    pub per_second: f64,
    /// Time spent on them, boots and the work on failures not counted.
    pub busy_ms: f64,
    /// Of that, waiting for the guest, which works while the last scenario is judged.
    pub waiting_ms: f64,
    /// Judging.
    pub judging_ms: f64,
    /// Drawing, compiling, taking evidence out of guest memory and everything else.
    pub other_ms: f64,
}

impl Summary {
    /// `2 vCPUs`, or `1, 2 and 8 vCPUs` where scenarios wanted different machines.
    #[must_use]
    pub fn vcpus_text(&self) -> String {
        vcpus_text(self.machines.keys().copied())
    }
}

/// Numbers of vCPUs as a person reads them.
pub fn vcpus_text(numbers: impl Iterator<Item = u32>) -> String {
    let mut words: Vec<String> = numbers.map(|vcpus| vcpus.to_string()).collect();
    match words.pop() {
        None => "no machine".to_owned(),
        Some(one) if words.is_empty() => {
            let plural = if one == "1" { "" } else { "s" };
            format!("{one} vCPU{plural}")
        }
        Some(last) => format!("{} and {last} vCPUs", words.join(", ")),
    }
}

/// Output formats of `run`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    Human,
    /// One JSON object a line: one a scenario, last `{"summary": …}`.
    Json,
    /// Kernel TAP version 1.
    Ktap,
    /// TAP version 14.
    Tap,
    /// For people, with an annotation of GitHub's for each failure, at its line of the scenario's file.
    Github,
    /// JUnit XML, written at the end.
    Junit,
}

/// Takes the report of each scenario as it ends.
pub trait Listener {
    /// One scenario ended.
    ///
    /// # Errors
    /// When it cannot be written.
    fn case(&mut self, report: CaseReport) -> io::Result<()>;
}

/// Scenarios of which people see the flow of each, not of failures alone.
const FEW: usize = 10;

/// Writes reports in one format.
pub struct Reporter<W: Write> {
    format: Format,
    out: W,
    seen: Vec<CaseReport>,
    brief: bool,
    /// So few scenarios that people see the flow of each.
    few: bool,
}

impl<W: Write> Reporter<W> {
    /// A reporter for `total` scenarios; writes the format's head.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn new(format: Format, mut out: W, total: usize) -> io::Result<Self> {
        match format {
            Format::Ktap => ktap::head(&mut out, total)?,
            Format::Tap => tap::head(&mut out, total)?,
            _ => {}
        }
        Ok(Self {
            format,
            out,
            seen: Vec::new(),
            brief: false,
            few: total <= FEW,
        })
    }

    /// Shows people only what needs their attention: for thousands of generated scenarios.
    #[must_use]
    pub fn brief(mut self) -> Self {
        self.brief = true;
        self
    }

    /// Reports one scenario at once, except in JUnit.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn case(&mut self, report: CaseReport) -> io::Result<()> {
        match self.format {
            Format::Human if self.brief && !needs_attention(&report.verdict) => return Ok(()),
            Format::Human => human::case(&mut self.out, &report, self.few)?,
            Format::Github => {
                human::case(&mut self.out, &report, self.few)?;
                github::case(&mut self.out, &report)?;
            }
            Format::Tap => tap::case(&mut self.out, self.seen.len() + 1, &report)?,
            Format::Json => json::case(&mut self.out, &report)?,
            Format::Ktap => ktap::case(&mut self.out, self.seen.len() + 1, &report)?,
            Format::Junit => {}
        }
        self.seen.push(report);
        self.out.flush()
    }

    /// Scenarios reported so far.
    #[must_use]
    pub fn seen(&self) -> &[CaseReport] {
        &self.seen
    }

    /// Reports the end.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn end(mut self, summary: &Summary) -> io::Result<()> {
        match self.format {
            Format::Human | Format::Github => human::end(&mut self.out, &self.seen, summary)?,
            Format::Tap => tap::end(&mut self.out, summary)?,
            Format::Json => json::end(&mut self.out, summary)?,
            Format::Ktap => ktap::end(&mut self.out, summary)?,
            Format::Junit => junit::all(&mut self.out, &self.seen, summary)?,
        }
        self.out.flush()
    }
}

/// Whether a person should look: not at what passed, showed a known issue or was skipped.
const fn needs_attention(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Failed { .. } | Verdict::NotRun { .. })
}

impl<W: Write> Listener for Reporter<W> {
    fn case(&mut self, report: CaseReport) -> io::Result<()> {
        Self::case(self, report)
    }
}

/// The outcome's name in JSON: a stable interface.
#[must_use]
pub const fn outcome(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "passed",
        Verdict::Failed { .. } => "failed",
        Verdict::Known { .. } => "known",
        Verdict::Fixed { .. } => "fixed",
        Verdict::Skipped { .. } => "skipped",
        Verdict::NotRun { .. } => "not_run",
    }
}

#[cfg(test)]
mod tests;
