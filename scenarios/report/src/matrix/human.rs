//! For people: a table, then each kernel in a line. Colours only on a terminal (the caller's stream
//! strips them elsewhere).

use std::io::{self, Write};

use anstyle::Style;

use super::super::human::{DIM, GREEN, RED, YELLOW};
use super::{Column, Matrix, Row, word};
use relaybed_case::verdict::Verdict;

/// Widest name of a scenario that still gets columns beside it.
const NAME_MAX: usize = 58;

pub(super) fn write(out: &mut impl Write, matrix: &Matrix) -> io::Result<()> {
    let rows = matrix.rows();
    let cut = rows.partition_point(Row::differs);
    let widths = widths(matrix, &rows);
    if cut > 0 {
        head(out, "differ between kernels", matrix, &widths)?;
        lines(out, &rows[..cut], &widths)?;
        writeln!(out)?;
    }
    if cut < rows.len() {
        head(out, "the same on every kernel", matrix, &widths)?;
        lines(out, &rows[cut..], &widths)?;
        writeln!(out)?;
    }
    for column in &matrix.columns {
        findings(out, column)?;
    }
    for column in &matrix.columns {
        kernel(out, column)?;
    }
    if matrix.pairs {
        pairs(out, matrix)?;
    }
    let (differing, all) = (cut, rows.len());
    writeln!(
        out,
        "{all} scenarios on {} kernels, {differing} of them differ between kernels",
        matrix.columns.len()
    )
}

/// What differs between the built-in relay of a kernel and the relay.c in a module.
fn pairs(out: &mut impl Write, matrix: &Matrix) -> io::Result<()> {
    let unequal = matrix.unequal();
    for one in &unequal {
        writeln!(
            out,
            "{RED}not the same{RED:#} on {} in {}: {} with the kernel's relay, {} with the relay.c",
            one.kernel, one.scenario, one.built_in, one.own
        )?;
    }
    if unequal.is_empty() {
        writeln!(
            out,
            "{GREEN}the same{GREEN:#} with the kernels' relay and the relay.c in every scenario"
        )?;
    }
    Ok(())
}

fn widths(matrix: &Matrix, rows: &[Row<'_>]) -> Vec<usize> {
    let of = |at: usize, column: &Column| {
        let cells = rows
            .iter()
            .filter_map(|row| row.cells[at].map(|r| word(r).len()));
        cells.chain([column.name.len()]).max().unwrap_or(0)
    };
    let columns = matrix.columns.iter().enumerate();
    columns.map(|(at, column)| of(at, column)).collect()
}

fn head(out: &mut impl Write, title: &str, matrix: &Matrix, widths: &[usize]) -> io::Result<()> {
    let mut line = format!("{title:<NAME_MAX$}");
    for (column, width) in matrix.columns.iter().zip(widths) {
        line.push_str(&format!("  {:<width$}", column.name));
    }
    writeln!(out, "{}", line.trim_end())
}

fn lines(out: &mut impl Write, rows: &[Row<'_>], widths: &[usize]) -> io::Result<()> {
    for row in rows {
        let mut line = format!("{:<NAME_MAX$}", row.name);
        for (cell, width) in row.cells.iter().zip(widths) {
            let (style, word) = match cell {
                None => (DIM, "-".to_owned()),
                Some(report) => (style(&report.verdict), word(report)),
            };
            // Blanks outside of the colour, so that none trail in a pipe.
            let blanks = width.saturating_sub(word.len());
            line.push_str(&format!("  {style}{word}{style:#}{:blanks$}", ""));
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

fn style(verdict: &Verdict) -> Style {
    match verdict {
        Verdict::Passed | Verdict::Fixed { .. } => GREEN,
        Verdict::Failed { .. } => RED,
        Verdict::Known { .. } => YELLOW,
        Verdict::Skipped { .. } | Verdict::NotRun { .. } => DIM,
    }
}

fn findings(out: &mut impl Write, column: &Column) -> io::Result<()> {
    for report in &column.reports {
        let first = match &report.verdict {
            Verdict::Failed { findings } => findings.first(),
            _ => continue,
        };
        writeln!(out, "{RED}failed{RED:#} {} on {}", report.name, column.name)?;
        if let Some(first) = first {
            let (code, property) = (first.code(), first.property());
            writeln!(out, "       {code} {property}: {first}")?;
            writeln!(out, "       where     {}", first.at)?;
            writeln!(out, "       expected  {}", first.expected())?;
            writeln!(out, "       seen      {}", first.seen())?;
        }
        writeln!(out, "       again:    {}", report.detail.rerun)?;
    }
    Ok(())
}

fn kernel(out: &mut impl Write, column: &Column) -> io::Result<()> {
    let name = &column.name;
    if let Some(summary) = &column.summary {
        let style = if summary.failed > 0 { RED } else { GREEN };
        writeln!(
            out,
            "{name:<8} {style}{} passed, {} failed{style:#}, {} known, {} fixed here, {} skipped, {} not run \
             in {:.1} s: {} ({}), {} {}, {}{}",
            summary.passed,
            summary.failed,
            summary.known,
            summary.fixed,
            summary.skipped,
            summary.not_run,
            summary.total_ms / 1000.0,
            summary.kernel,
            summary.kernel_origin,
            summary.backend,
            summary.accel,
            summary.vcpus_text(),
            match &summary.relay {
                Some(relay) => format!(", relay {relay}"),
                None => String::new(),
            },
        )?;
    }
    let mut why = column.trouble.iter();
    if let Some(first) = why.next() {
        writeln!(out, "{name:<8} {RED}not tested{RED:#}: {first}")?;
    }
    for cause in why {
        writeln!(out, "         because: {cause}")?;
    }
    Ok(())
}
