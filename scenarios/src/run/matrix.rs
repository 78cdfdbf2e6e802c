//! One set of cases on several kernels, one machine after the other.

use std::error::Error;

use relaybed_guest::{Cache, Progress};
use relaybed_vmm::signals;

use super::{Options, Plan, Wish, run_all};
use relaybed_case::select::Loaded;
use relaybed_report::exit::Exit;
use relaybed_report::matrix::Column;
use relaybed_report::{CaseReport, Listener, Summary};

/// One kernel of a matrix.
#[derive(Clone, Debug)]
pub struct KernelWish {
    /// What tables call it.
    pub name: String,
    /// The machine to run it on.
    pub wish: Wish,
}

/// Runs all cases on one kernel. What stops that is part of the column, never an error.
#[must_use]
pub fn column(
    kernel: &KernelWish,
    options: &Options,
    cases: &[Loaded],
    cache: &Cache,
    progress: &dyn Progress,
) -> Column {
    let mut column = Column {
        name: kernel.name.clone(),
        asked: kernel.wish.kernel.to_string(),
        reports: Vec::new(),
        summary: None,
        trouble: Vec::new(),
        exit: Exit::Passed,
    };
    match one(kernel, options, cases, cache, progress, &mut column.reports) {
        Ok((summary, exit)) => {
            column.summary = Some(summary);
            column.exit = exit;
        }
        // Whatever could not be had any more: that is why.
        Err(_) if signals::interrupted().is_some() => return interrupted(kernel),
        Err(stopped) => {
            column.exit = stopped.exit;
            column.trouble = chain(stopped.why.as_ref());
        }
    }
    column
}

/// A kernel that was not tested because the call was interrupted.
#[must_use]
pub fn interrupted(kernel: &KernelWish) -> Column {
    Column {
        name: kernel.name.clone(),
        asked: kernel.wish.kernel.to_string(),
        reports: Vec::new(),
        summary: None,
        trouble: vec!["interrupted".to_owned()],
        exit: Exit::Interrupted,
    }
}

/// Why a kernel's run ended before its time.
struct Stopped {
    exit: Exit,
    why: Box<dyn Error>,
}

fn one(
    kernel: &KernelWish,
    options: &Options,
    cases: &[Loaded],
    cache: &Cache,
    progress: &dyn Progress,
    reports: &mut Vec<CaseReport>,
) -> Result<(Summary, Exit), Stopped> {
    let plan = Plan::make(kernel.wish.clone(), cache, progress).map_err(|error| Stopped {
        exit: Exit::SetUp,
        why: Box::new(error),
    })?;
    let mut collected = Collected { reports };
    match run_all(&plan, options, cases, &mut collected) {
        Ok(end) => Ok((end.summary, end.exit)),
        Err(error) => Err(Stopped {
            exit: error.exit(),
            why: Box::new(error),
        }),
    }
}

/// Keeps the reports; the table is written when all kernels are through.
struct Collected<'a> {
    reports: &'a mut Vec<CaseReport>,
}

impl Listener for Collected<'_> {
    fn case(&mut self, report: CaseReport) -> std::io::Result<()> {
        self.reports.push(report);
        Ok(())
    }
}

/// An error and its causes, each once.
fn chain(error: &dyn Error) -> Vec<String> {
    let mut all = vec![error.to_string()];
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        // Errors of other crates sometimes carry their source's text.
        if !all.last().is_some_and(|last| last.contains(&text)) {
            all.push(text);
        }
        source = cause.source();
    }
    all
}
