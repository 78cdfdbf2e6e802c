//! TAP version 14: one test a kernel, its scenarios a subtest of it.

use std::io::{self, Write};

use super::super::ktap::line;
use super::super::tap as of_run;
use super::{Column, Matrix};
use crate::exit::Exit;

pub(super) fn write(out: &mut impl Write, matrix: &Matrix) -> io::Result<()> {
    of_run::head(out, matrix.columns.len())?;
    for (at, column) in matrix.columns.iter().enumerate() {
        subtest(out, column)?;
        for why in &column.trouble {
            writeln!(out, "# {}", line(why))?;
        }
        let word = match column.exit {
            Exit::Passed => "ok",
            _ => "not ok",
        };
        writeln!(out, "{word} {} - {}", at + 1, column.name)?;
    }
    Ok(())
}

/// A subtest has a plan and results of its own, indented by four spaces.
fn subtest(out: &mut impl Write, column: &Column) -> io::Result<()> {
    let mut inner = Vec::new();
    for (at, report) in column.reports.iter().enumerate() {
        of_run::case(&mut inner, at + 1, report)?;
    }
    writeln!(out, "# Subtest: {}", column.name)?;
    for text in String::from_utf8_lossy(&inner).lines() {
        writeln!(out, "    {text}")?;
    }
    writeln!(out, "    1..{}", column.reports.len())
}
