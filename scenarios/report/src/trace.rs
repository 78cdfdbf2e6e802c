//! `relaybed trace`: a run as a table, a column for each CPU, with relay's counters behind every row.

use std::io::{self, Write};

use anstyle::Style;

use super::human::{DIM, GREEN, RED, YELLOW};
use super::timeline::{Kind, Row, Timeline};
use relaybed_case::Case;
use relaybed_case::evidence::Evidence;
use relaybed_case::select::Loaded;
use relaybed_case::verdict::Verdict;

/// Width of a CPU's column where there are few of them.
const COLUMN: usize = 44;
/// Least width of a column.
const COLUMN_MIN: usize = 22;
/// Width that all columns together aim at.
const ALL_COLUMNS: usize = 96;
/// Room for the counters behind the columns; with less they stand below.
const COUNTERS: usize = 28;
/// Width where nobody asks for one.
pub const WIDTH: usize = 10 + ALL_COLUMNS + 6 + COUNTERS;

/// A run and what is said of it.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    /// What was to be done, and the file that says so.
    pub loaded: &'a Loaded,
    /// What it left.
    pub evidence: &'a Evidence,
    /// The same in order.
    pub timeline: &'a Timeline,
    /// What the judge says.
    pub verdict: &'a Verdict,
}

/// How a table fits a width.
struct Layout {
    /// All of it.
    width: usize,
    /// Of the times.
    time: usize,
    /// CPUs, and one more where something happened on none of them.
    columns: usize,
    /// Of one column.
    column: usize,
    /// All share one column, marked by the CPU: there is no room for more.
    is_stacked: bool,
    /// Counters stand behind the columns, else below.
    behind: bool,
}

impl Layout {
    fn of(timeline: &Timeline, width: usize) -> Self {
        let columns = columns(timeline);
        let time = if width < WIDTH { 8 } else { 10 };
        let room = width.saturating_sub(time);
        let behind = room >= columns * (COLUMN_MIN + 2) + COUNTERS;
        let is_stacked = room < columns * (COLUMN_MIN + 2);
        let room = if behind { room - COUNTERS } else { room };
        let column = match is_stacked {
            true => room.saturating_sub(STACKED).max(COLUMN_MIN),
            false => (room.min(ALL_COLUMNS + 2 * columns) / columns - 2).min(COLUMN),
        };
        Self {
            width,
            time,
            columns,
            column,
            is_stacked,
            behind,
        }
    }

    /// What stands before a cell of a column.
    fn before(&self, cpu: Option<usize>, own: usize) -> String {
        match (self.is_stacked, cpu) {
            (false, _) => " ".repeat(2 + own * (self.column + 2)),
            (true, Some(cpu)) => format!("  {cpu:>2} │ "),
            (true, None) => "   - │ ".to_owned(),
        }
    }

    /// Width of all columns.
    fn span(&self) -> usize {
        match self.is_stacked {
            true => self.column + STACKED - 2,
            false => self.columns * (self.column + 2) - 2,
        }
    }
}

/// Width of the CPU's number before a stacked row.
const STACKED: usize = 7;

/// Writes the table, at most `width` characters wide.
///
/// # Errors
/// When `out` cannot be written.
pub fn write(out: &mut impl Write, told: &Told<'_>, width: usize) -> io::Result<()> {
    let Told {
        loaded,
        evidence,
        timeline,
        verdict,
    } = *told;
    let case = &loaded.case;
    let layout = Layout::of(timeline, width);
    let setting = &evidence.setting;
    let dim = |out: &mut _, text: &str| lines(out, &layout, DIM, text);
    lines(
        out,
        &layout,
        Style::new(),
        &format!("{}: {}", case.name, case.summary),
    )?;
    let on = format!(
        "{} on {} {}, {} CPUs, seed {}",
        setting.release, setting.backend, setting.accel, setting.vcpus, case.seed
    );
    dim(out, &on)?;
    if let Some(relay) = &setting.relay {
        dim(out, &format!("relay: {relay}"))?;
    }
    legend(out, case, timeline, &layout)?;
    writeln!(out)?;
    head(out, timeline, &layout)?;
    for row in &timeline.rows {
        line(out, case, timeline, row, &layout)?;
    }
    foot(out, case, timeline, verdict, &layout)
}

/// A text on as many lines as it takes.
fn lines(out: &mut impl Write, layout: &Layout, style: Style, text: &str) -> io::Result<()> {
    let indent = &text[..text.len() - text.trim_start().len()];
    let room = layout.width.saturating_sub(indent.len());
    for part in wrap(text.trim_start(), room.max(COLUMN_MIN)) {
        writeln!(out, "{style}{indent}{part}{style:#}")?;
    }
    Ok(())
}

/// CPUs, and one column more if something happened on none of them.
fn columns(timeline: &Timeline) -> usize {
    timeline.cpus as usize + usize::from(has_any(timeline))
}

/// Whether there are rows that are of no CPU.
fn has_any(timeline: &Timeline) -> bool {
    let mut rows = timeline.rows.iter();
    rows.any(|row| row.kind != Kind::Checkpoint && column(timeline, row).is_none())
}

fn column(timeline: &Timeline, row: &Row) -> Option<usize> {
    let cpu = row.cpu.filter(|cpu| *cpu < timeline.cpus)?;
    usize::try_from(cpu).ok()
}

fn legend(
    out: &mut impl Write,
    case: &Case,
    timeline: &Timeline,
    layout: &Layout,
) -> io::Result<()> {
    let mut note = |text: &str| lines(out, layout, DIM, &format!("  {text}"));
    for (actor, script) in case.actors.iter().enumerate() {
        let place = match (script.producer(), script.cpu()) {
            (Some((cpu, context)), _) => {
                let context = format!("{context:?}").to_lowercase();
                format!("{context} on CPU {cpu}")
            }
            (None, Some(cpu)) => format!("user space on CPU {cpu}"),
            (None, None) => "user space on any CPU".to_owned(),
        };
        note(&format!("{actor} {}: {place}", script.name))?;
    }
    let predicted = match timeline.has_predictions() {
        true => "; ~ predicted by the model, not observed",
        false => "",
    };
    note(&format!(
        "P produced, C consumed, O offset in the current sub-buffer{predicted}"
    ))?;
    let is_stop = |row: &Row| matches!(row.kind, Kind::Stop | Kind::Switch { .. });
    if timeline.rows.iter().any(is_stop) {
        note(
            "■ stops by number, and what relay accessed; ⇒ another CPU runs; ◀ the last preemption before what failed",
        )?;
        if timeline.is_inferred {
            note(
                "This evidence does not record how stops and operations were ordered: it is inferred.",
            )?;
        }
    }
    Ok(())
}

fn head(out: &mut impl Write, timeline: &Timeline, layout: &Layout) -> io::Result<()> {
    let Layout { time, column, .. } = *layout;
    let mut text = format!("{:>time$}", "µs");
    if layout.is_stacked {
        text.push_str(&format!(
            "  {:<width$}",
            "CPU",
            width = column + STACKED - 2
        ));
    } else {
        for cpu in 0..timeline.cpus {
            text.push_str(&format!("  {:<column$}", format!("CPU {cpu}")));
        }
        if has_any(timeline) {
            text.push_str(&format!("  {:<column$}", "any CPU"));
        }
    }
    if layout.behind {
        text.push_str("  counters");
    }
    let bold = Style::new().bold();
    writeln!(out, "{bold}{}{bold:#}", text.trim_end())
}

fn line(
    out: &mut impl Write,
    case: &Case,
    timeline: &Timeline,
    row: &Row,
    layout: &Layout,
) -> io::Result<()> {
    let width = layout.time;
    let time = row.time_ns.map_or_else(String::new, micros);
    let counters: Vec<String> = row.counters.iter().map(|c| c.text(case)).collect();
    let marks: Vec<String> = row
        .findings
        .iter()
        .map(|number| format!("✗{}", number + 1))
        .collect();
    let marks = match marks.is_empty() {
        true => String::new(),
        false => format!("{RED}{}{RED:#} ", marks.join(" ")),
    };
    let at = column(timeline, row);
    let (before, style, cell, pad) = if row.kind == Kind::Checkpoint {
        let label = fill(&format!("── {} ", row.what), layout.span(), '─');
        ("  ".to_owned(), GREEN, vec![label], layout.span())
    } else {
        let own = at.unwrap_or(timeline.cpus as usize);
        let style = match row.kind {
            Kind::Event => DIM,
            Kind::Switch { decisive: true, .. } => RED,
            Kind::Stop | Kind::Switch { .. } => YELLOW,
            _ => Style::new(),
        };
        let before = layout.before(at, own);
        let pad = (layout.span() + 2).saturating_sub(before.chars().count());
        (before, style, cell(case, row, layout.column), pad)
    };
    let mut tail = match layout.behind {
        true => format!("{marks}{}", counters.join("; ")),
        false => String::new(),
    };
    if !layout.behind && !marks.is_empty() {
        writeln!(out, "{:width$}{before}{marks}", "")?;
    }
    for (number, part) in cell.iter().enumerate() {
        let time = if number == 0 { time.as_str() } else { "" };
        let (pad, gap) = match tail.is_empty() {
            true => (0, ""),
            false => (pad, "  "),
        };
        let part = fill(part, pad, ' ');
        let tail = std::mem::take(&mut tail);
        writeln!(
            out,
            "{time:>width$}{before}{style}{part}{style:#}{gap}{tail}"
        )?;
    }
    if !layout.behind {
        let indent = if row.kind == Kind::Checkpoint {
            "    "
        } else {
            "  "
        };
        for counters in &counters {
            writeln!(out, "{:width$}{before}{DIM}{indent}{counters}{DIM:#}", "")?;
        }
    }
    Ok(())
}

/// What stands in a row's column, on as many lines as it needs.
fn cell(case: &Case, row: &Row, width: usize) -> Vec<String> {
    let who = row
        .actor
        .and_then(|actor| case.actors.get(actor))
        .map_or("", |actor| actor.name.as_str());
    let text = match row.kind {
        Kind::Event => format!("· {}", row.what),
        Kind::Stop => format!("■ {}", row.what),
        Kind::Switch { to, decisive } => {
            let mark = if decisive { " ◀ decisive" } else { "" };
            format!("■ {} ⇒ CPU {to}{mark}", row.what)
        }
        Kind::Begin => format!("{who} ┌ {}", row.what),
        Kind::End => format!("{who} └ {}", row.what),
        Kind::Operation | Kind::Checkpoint => format!("{who} {}", row.what),
    };
    let text = match row.gave.is_empty() {
        true => text,
        false => format!("{text} → {}", row.gave),
    };
    wrap(&text, width)
}

/// Lines of at most `width` characters, broken at blanks where there are some.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split(' ').flat_map(|word| pieces(word, width)) {
        let len = word.chars().count();
        if used > 0 && used + 1 + len > width {
            lines.push("  ".to_owned());
            used = 2;
        } else if used > 0 {
            push(&mut lines, " ");
            used += 1;
        }
        push(&mut lines, word);
        used += len;
    }
    lines
}

/// A word in parts that fit a line behind its indentation.
fn pieces(word: &str, width: usize) -> Vec<&str> {
    let most = width.saturating_sub(2).max(1);
    let mut parts = Vec::new();
    let mut rest = word;
    while let Some((at, _)) = rest.char_indices().nth(most) {
        // A function's name is broken where a person would.
        let at = rest[..at]
            .rfind(['_', '+'])
            .filter(|at| *at > 0)
            .unwrap_or(at);
        let (part, more) = rest.split_at(at);
        parts.push(part);
        rest = more;
    }
    parts.push(rest);
    parts
}

fn push(lines: &mut [String], word: &str) {
    if let Some(last) = lines.last_mut() {
        last.push_str(word);
    }
}

/// The text with as many of `with` behind it as make it `width` characters long.
fn fill(text: &str, width: usize, with: char) -> String {
    let more = width.saturating_sub(text.chars().count());
    let more: String = std::iter::repeat_n(with, more).collect();
    format!("{text}{more}")
}

/// Nanoseconds as microseconds with one place behind the point.
fn micros(ns: u64) -> String {
    format!("{}.{}", ns / 1000, ns % 1000 / 100)
}

fn foot(
    out: &mut impl Write,
    case: &Case,
    timeline: &Timeline,
    verdict: &Verdict,
    layout: &Layout,
) -> io::Result<()> {
    if !timeline.never_begun.is_empty() {
        let names = timeline.never_begun.iter().filter_map(|(actor, op)| {
            let actor = case.actors.get(*actor)?;
            Some(format!("{} operation {op}", actor.name))
        });
        let names: Vec<String> = names.take(8).collect();
        let more = match timeline.never_begun.len() {
            all @ 9.. => format!(" and {} more", all - 8),
            _ => String::new(),
        };
        writeln!(out, "\nnever begun: {}{more}", names.join(", "))?;
    }
    if timeline.steps_left_out > 0 {
        writeln!(out, "\n{} more stops are left out", timeline.steps_left_out)?;
    }
    writeln!(out)?;
    match verdict {
        Verdict::Passed => writeln!(out, "{GREEN}passed{GREEN:#}")?,
        Verdict::Known { id, .. } => writeln!(out, "{YELLOW}known issue {id}{YELLOW:#}")?,
        Verdict::Fixed { id } => writeln!(out, "{GREEN}known issue {id} is fixed here{GREEN:#}")?,
        Verdict::Failed { .. } => writeln!(out, "{RED}failed{RED:#}")?,
        Verdict::Skipped { reason } | Verdict::NotRun { reason } => writeln!(out, "{reason}")?,
    }
    for (number, finding) in (1..).zip(verdict.findings()) {
        let what = format!(
            "{} {}: {finding} ({})",
            finding.code(),
            finding.property(),
            finding.at
        );
        let room = layout.width.saturating_sub(5).max(COLUMN_MIN);
        for (index, part) in wrap(&what, room).iter().enumerate() {
            match index {
                0 => writeln!(out, "  {RED}✗{number}{RED:#} {part}")?,
                _ => writeln!(out, "     {part}")?,
            }
        }
        lines(
            out,
            layout,
            Style::new(),
            &format!("      expected {}", finding.expected()),
        )?;
        lines(
            out,
            layout,
            Style::new(),
            &format!("      seen     {}", finding.seen()),
        )?;
        if finding.more > 0 {
            writeln!(out, "      and {} more", finding.more)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_broken_at_blanks() {
        assert_eq!(wrap("a bb ccc dddd", 6), ["a bb", "  ccc", "  dddd"]);
        assert_eq!(wrap("longerthan x", 6), ["long", "  erth", "  an x"]);
        assert_eq!(
            wrap("relay_file_read_consume+0x43", 22),
            ["relay_file_read", "  _consume+0x43"]
        );
        assert_eq!(fill("ab", 4, '-'), "ab--");
        assert_eq!(micros(1_234_567), "1234.5");
    }
}
