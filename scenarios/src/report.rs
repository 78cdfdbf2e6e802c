//! Reports: what a run says while it goes and at its end, in four formats.
//!
//! Values come in (`CaseReport`, `Summary`), text goes out; nothing here looks at a machine or a file.

mod excerpt;
mod human;
mod json;
mod junit;
mod ktap;

pub use excerpt::excerpt;

use std::io::{self, Write};
use std::path::PathBuf;

use serde::Serialize;

use crate::verdict::{Amount, Verdict};

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
    /// Release of the kernel it ran on.
    pub kernel: String,
    /// From the request to the verdict.
    pub duration_ms: f64,
    /// vCPU exits into our own process while it ran; `None` where nobody counts them.
    pub exits: Option<u64>,
    /// What helps to understand a failure; empty for the rest.
    pub detail: Detail,
}

/// What helps to understand a failure.
#[derive(Clone, Debug, Default)]
pub struct Detail {
    /// Hex excerpt around the first failure.
    pub excerpt: Option<String>,
    /// The last lines of the console since the case began.
    pub console_tail: Vec<String>,
    /// Folder with the evidence.
    pub evidence: Option<PathBuf>,
    /// A line to paste that runs just this again.
    pub rerun: String,
}

/// The run as a whole.
#[derive(Clone, Debug, PartialEq, Serialize)]
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
    /// `qemu` or `kvm`.
    pub backend: String,
    /// `tcg` or `kvm`.
    pub accel: String,
    /// Why this accelerator.
    pub accel_reason: String,
    /// vCPUs of the machine.
    pub vcpus: u32,
    /// Seed that draws record lengths.
    pub seed: u64,
    /// From spawning the machine to "ready", of the first boot.
    pub boot_ms: f64,
    /// Boots in this run: more than one means that a guest died or hung.
    pub boots: u32,
    /// Records judged.
    pub records: u64,
    /// Bytes judged.
    pub bytes: u64,
    /// Time spent judging.
    pub judge_ms: f64,
    /// From the first boot to the last verdict.
    pub total_ms: f64,
    /// vCPU exits into our own process by reason, from the boot to the end of the last machine; only
    /// on our own backend.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exits: Option<std::collections::BTreeMap<String, u64>>,
    /// Largest resident size of `relaybed` itself, guest memory not counted.
    pub own_rss_kib: u64,
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
    /// JUnit XML, written at the end.
    Junit,
}

/// Writes reports in one format.
pub struct Reporter<W: Write> {
    format: Format,
    out: W,
    seen: Vec<CaseReport>,
}

impl<W: Write> Reporter<W> {
    /// A reporter for `total` scenarios; writes the format's head.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn new(format: Format, mut out: W, total: usize) -> io::Result<Self> {
        if format == Format::Ktap {
            ktap::head(&mut out, total)?;
        }
        Ok(Self {
            format,
            out,
            seen: Vec::new(),
        })
    }

    /// Reports one scenario at once, except in JUnit.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn case(&mut self, report: CaseReport) -> io::Result<()> {
        match self.format {
            Format::Human => human::case(&mut self.out, &report)?,
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
            Format::Human => human::end(&mut self.out, &self.seen, summary)?,
            Format::Json => json::end(&mut self.out, summary)?,
            Format::Ktap => ktap::end(&mut self.out, summary)?,
            Format::Junit => junit::all(&mut self.out, &self.seen, summary)?,
        }
        self.out.flush()
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
