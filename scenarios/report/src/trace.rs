//! `relaybed trace`: a run as a table, a column for each CPU, with relay's counters behind every row.

use std::io::{self, Write};

use anstyle::Style;

use super::human::{DIM, GREEN, RED, YELLOW};
use super::timeline::{Kind, Row, Timeline};
use relaybed_case::Case;
use relaybed_case::evidence::Evidence;
use relaybed_case::verdict::Verdict;

/// Width of a CPU's column where there are few of them.
const COLUMN: usize = 44;
/// Least width of a column.
const COLUMN_MIN: usize = 24;
/// Width that all columns together aim at.
const ALL_COLUMNS: usize = 96;

/// Writes the table.
///
/// # Errors
/// When `out` cannot be written.
pub fn write(
    out: &mut impl Write,
    case: &Case,
    evidence: &Evidence,
    timeline: &Timeline,
    verdict: &Verdict,
) -> io::Result<()> {
    let setting = &evidence.setting;
    writeln!(out, "{}: {}", case.name, case.summary)?;
    writeln!(
        out,
        "{DIM}{} on {} {}, {} CPUs, seed {}{DIM:#}",
        setting.release, setting.backend, setting.accel, setting.vcpus, case.seed
    )?;
    if let Some(relay) = &setting.relay {
        writeln!(out, "{DIM}relay: {relay}{DIM:#}")?;
    }
    legend(out, case, timeline)?;
    writeln!(out)?;
    let width = (ALL_COLUMNS / columns(timeline)).clamp(COLUMN_MIN, COLUMN);
    head(out, timeline, width)?;
    for row in &timeline.rows {
        line(out, case, timeline, row, width)?;
    }
    foot(out, case, timeline, verdict)
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

fn legend(out: &mut impl Write, case: &Case, timeline: &Timeline) -> io::Result<()> {
    for (actor, script) in case.actors.iter().enumerate() {
        let place = match (script.producer(), script.cpu()) {
            (Some((cpu, context)), _) => {
                let context = format!("{context:?}").to_lowercase();
                format!("{context} on CPU {cpu}")
            }
            (None, Some(cpu)) => format!("user space on CPU {cpu}"),
            (None, None) => "user space on any CPU".to_owned(),
        };
        writeln!(out, "{DIM}  {actor} {}: {place}{DIM:#}", script.name)?;
    }
    let note = match timeline.has_predictions() {
        true => "; ~ the model has it so, nobody looked",
        false => "",
    };
    writeln!(
        out,
        "{DIM}  P produced, C consumed, O offset in the current sub-buffer{note}{DIM:#}"
    )
}

fn head(out: &mut impl Write, timeline: &Timeline, width: usize) -> io::Result<()> {
    let mut text = format!("{:>10}", "µs");
    for cpu in 0..timeline.cpus {
        text.push_str(&format!("  {:<width$}", format!("CPU {cpu}")));
    }
    if has_any(timeline) {
        text.push_str(&format!("  {:<width$}", "any CPU"));
    }
    let bold = Style::new().bold();
    writeln!(out, "{bold}{text}  counters{bold:#}")
}

fn line(
    out: &mut impl Write,
    case: &Case,
    timeline: &Timeline,
    row: &Row,
    width: usize,
) -> io::Result<()> {
    let time = row.time_ns.map_or_else(String::new, micros);
    let counters: Vec<String> = row.counters.iter().map(|c| c.text(case)).collect();
    let counters = counters.join("; ");
    let marks: Vec<String> = row
        .findings
        .iter()
        .map(|number| format!("✗{}", number + 1))
        .collect();
    let marks = match marks.is_empty() {
        true => String::new(),
        false => format!("{RED}{}{RED:#} ", marks.join(" ")),
    };
    if row.kind == Kind::Checkpoint {
        let span = columns(timeline) * (width + 2) - 2;
        let label = fill(&format!("── {} ", row.what), span, '─');
        return writeln!(
            out,
            "{time:>10}  {GREEN}{label}{GREEN:#}  {marks}{counters}"
        );
    }
    let style = match row.kind {
        Kind::Event => DIM,
        Kind::Stop => YELLOW,
        _ => Style::new(),
    };
    let at = column(timeline, row).unwrap_or(timeline.cpus as usize);
    let before = " ".repeat(at * (width + 2));
    // The rest of the columns only where counters follow.
    let left = columns(timeline).saturating_sub(at);
    let cell = cell(case, row, width);
    for (number, part) in cell.iter().enumerate() {
        let (time, tail) = match number {
            0 => (time.as_str(), format!("{marks}{counters}")),
            _ => ("", String::new()),
        };
        let pad = match tail.is_empty() {
            true => 0,
            false => (left * (width + 2)).saturating_sub(2),
        };
        writeln!(
            out,
            "{time:>10}  {before}{style}{}{style:#}{}{tail}",
            fill(part, pad, ' '),
            if tail.is_empty() { "" } else { "  " },
        )?;
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
    for word in text.split(' ') {
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
        writeln!(
            out,
            "  {RED}✗{number}{RED:#} {} {}: {finding} ({})\n      expected {}\n      seen     {}",
            finding.code(),
            finding.property(),
            finding.at,
            finding.expected(),
            finding.seen()
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
        assert_eq!(wrap("longerthanwide x", 6), ["longerthanwide", "  x"]);
        assert_eq!(fill("ab", 4, '-'), "ab--");
        assert_eq!(micros(1_234_567), "1234.5");
    }
}
