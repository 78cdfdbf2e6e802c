//! Reports of several kernels side by side: scenarios by kernels, differences first.
//!
//! Values come in ([`Matrix`]), text goes out; nothing here looks at a machine or a file.

mod human;
mod json;
mod junit;
mod ktap;
mod tap;

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::{CaseReport, Format, Summary, github, outcome};
use crate::exit::Exit;
use relaybed_case::verdict::Verdict;

/// What one kernel came to.
#[derive(Clone, Debug)]
pub struct Column {
    /// What tables call the kernel.
    pub name: String,
    /// What was asked for.
    pub asked: String,
    /// Scenarios that were reported, in the order of the run.
    pub reports: Vec<CaseReport>,
    /// The run as a whole; `None` if it did not finish.
    pub summary: Option<Summary>,
    /// Why the kernel could not be had, built for or booted, outermost cause first.
    pub trouble: Vec<String>,
    /// The worst that happened on it.
    pub exit: Exit,
}

/// All kernels of one call.
#[derive(Clone, Debug, Default)]
pub struct Matrix {
    /// In the order asked for.
    pub columns: Vec<Column>,
    /// The columns come in pairs: a kernel with its built-in relay, and with a relay.c in a module. Both must say
    /// the same of every scenario.
    pub pairs: bool,
}

/// A scenario that a kernel's built-in relay and the relay.c in a module do not have the same verdict in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unequal<'a> {
    /// The kernel.
    pub kernel: &'a str,
    /// The scenario.
    pub scenario: &'a str,
    /// The verdict with the built-in relay, in a word.
    pub built_in: String,
    /// And with the other one.
    pub own: String,
}

/// One scenario on all kernels.
#[derive(Clone, Debug)]
pub struct Row<'a> {
    /// The scenario.
    pub name: &'a str,
    /// Its report on each kernel; `None` where there is none.
    pub cells: Vec<Option<&'a CaseReport>>,
}

/// Whether it was run at all, which one that came after an interruption was not.
fn ran(report: &CaseReport) -> bool {
    !matches!(report.verdict, Verdict::NotRun { .. })
}

impl Row<'_> {
    /// Whether two kernels that it was run on say different things of it.
    #[must_use]
    pub fn differs(&self) -> bool {
        let ran = self.cells.iter().flatten().filter(|report| ran(report));
        let mut words = ran.map(|report| word(report));
        let first = words.next();
        words.any(|word| Some(word) != first)
    }
}

impl Matrix {
    /// The worst that happened anywhere.
    #[must_use]
    pub fn exit(&self) -> Exit {
        let exits = self.columns.iter().map(|column| column.exit);
        let worst = exits.fold(Exit::Passed, Exit::worse);
        if self.unequal().is_empty() {
            worst
        } else {
            worst.worse(Exit::Failed)
        }
    }

    /// What differs within the pairs, where there are pairs. A kernel that was not tested has no verdicts, and
    /// its trouble is reported instead.
    #[must_use]
    pub fn unequal(&self) -> Vec<Unequal<'_>> {
        let pairs = self.columns.chunks_exact(2).enumerate();
        let pairs =
            pairs.filter(|(_, pair)| self.pairs && pair.iter().all(|c| c.trouble.is_empty()));
        let tested: Vec<_> = pairs.map(|(at, pair)| (2 * at, pair)).collect();
        let mut found = Vec::new();
        for row in self.rows() {
            for (at, pair) in &tested {
                if !row.cells[*at..at + 2]
                    .iter()
                    .flatten()
                    .all(|cell| ran(cell))
                {
                    continue;
                }
                let cell = |at: usize| row.cells[at].map_or_else(|| "nothing".to_owned(), word);
                let (built_in, own) = (cell(*at), cell(at + 1));
                if built_in != own {
                    found.push(Unequal {
                        kernel: &pair[0].name,
                        scenario: row.name,
                        built_in,
                        own,
                    });
                }
            }
        }
        found
    }

    /// One row a scenario: those that differ between kernels first, else in the order of the run.
    #[must_use]
    pub fn rows(&self) -> Vec<Row<'_>> {
        let mut places: BTreeMap<&str, usize> = BTreeMap::new();
        let mut rows: Vec<Row<'_>> = Vec::new();
        for (at, column) in self.columns.iter().enumerate() {
            for report in &column.reports {
                let place = *places.entry(&report.name).or_insert_with(|| {
                    rows.push(Row {
                        name: &report.name,
                        cells: vec![None; self.columns.len()],
                    });
                    rows.len() - 1
                });
                rows[place].cells[at] = Some(report);
            }
        }
        rows.sort_by_key(|row| !row.differs());
        rows
    }

    /// Writes it in one format.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn write(&self, format: Format, out: &mut impl Write) -> io::Result<()> {
        match format {
            Format::Human => human::write(out, self)?,
            Format::Json => json::write(out, self)?,
            Format::Ktap => ktap::write(out, self)?,
            Format::Tap => tap::write(out, self)?,
            Format::Github => {
                human::write(out, self)?;
                let reports = self.columns.iter().flat_map(|column| &column.reports);
                for report in reports {
                    github::case(out, report)?;
                }
            }
            Format::Junit => junit::write(out, self)?,
        }
        out.flush()
    }
}

/// The outcome in few letters: a known issue by its id.
#[must_use]
pub fn word(report: &CaseReport) -> String {
    match &report.verdict {
        Verdict::Known { id, .. } => id.clone(),
        Verdict::Fixed { id } => format!("{id} fixed"),
        verdict => outcome(verdict).replace('_', " "),
    }
}

#[cfg(test)]
mod tests;
