//! Kernel TAP: one test a kernel, its scenarios nested in it.

use std::io::{self, Write};

use super::super::ktap as of_run;
use super::{Column, Matrix};
use crate::exit::Exit;

pub(super) fn write(out: &mut impl Write, matrix: &Matrix) -> io::Result<()> {
    writeln!(out, "KTAP version 1\n1..{}", matrix.columns.len())?;
    for (at, column) in matrix.columns.iter().enumerate() {
        nested(out, column)?;
        for why in &column.trouble {
            writeln!(out, "# {}", of_run::line(why))?;
        }
        let word = match column.exit {
            Exit::Passed => "ok",
            _ => "not ok",
        };
        writeln!(out, "{word} {} {}", at + 1, column.name)?;
    }
    Ok(())
}

/// A test in a test is indented by two spaces.
fn nested(out: &mut impl Write, column: &Column) -> io::Result<()> {
    let mut inner = Vec::new();
    of_run::head(&mut inner, column.reports.len())?;
    for (at, report) in column.reports.iter().enumerate() {
        of_run::case(&mut inner, at + 1, report)?;
    }
    for line in String::from_utf8_lossy(&inner).lines() {
        writeln!(out, "  {line}")?;
    }
    Ok(())
}
