//! `--format human`: one line a scenario, findings in full, a summary. Colours only on a terminal
//! (the caller's stream strips them elsewhere).

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use super::{CaseReport, Detail, Explored, Fuzzed, Summary};
use relaybed_case::finding::Finding;
use relaybed_case::verdict::Verdict;

pub(super) const GREEN: Style = AnsiColor::Green.on_default();
pub(super) const RED: Style = AnsiColor::Red.on_default().bold();
pub(super) const YELLOW: Style = AnsiColor::Yellow.on_default();
pub(super) const DIM: Style = Style::new().dimmed();

/// One scenario; the flow of one that did not fail only where `all_flow`.
pub(super) fn case(out: &mut impl Write, report: &CaseReport, all_flow: bool) -> io::Result<()> {
    let (style, word, note) = match &report.verdict {
        Verdict::Passed => (GREEN, "PASS", String::new()),
        Verdict::Failed { findings } => (RED, "FAIL", kind(findings)),
        Verdict::Known { id, .. } => (YELLOW, "KNOWN", format!("known issue {id}")),
        Verdict::Fixed { id } => (GREEN, "FIXED", format!("known issue {id} is fixed here")),
        Verdict::Skipped { reason } => (YELLOW, "SKIP", reason.clone()),
        Verdict::NotRun { reason } => (YELLOW, "NOTRUN", reason.clone()),
    };
    let amount = match report.amount.records {
        0 if is_empty_pass(report) => "  only safety judged".to_owned(),
        0 => String::new(),
        records => format!("  {records} records"),
    };
    let width = if note.is_empty() { 0 } else { 16 };
    let line = format!(
        "{style}{word:>6}{style:#}  {name:<58} {DIM}{ms:>8.1} ms{amount:<width$}{DIM:#}{note}",
        name = report.name,
        ms = report.duration_ms,
    );
    let digest = report.digest.as_deref().and_then(|digest| digest.get(..16));
    let digest = digest.map_or(String::new(), |start| {
        format!("  {DIM}machine {start}{DIM:#}")
    });
    let unspecified = match report.amount.unspecified.total() {
        0 => String::new(),
        checks => format!("  {DIM}{checks} unspecified{DIM:#}"),
    };
    let searched = report.amount.searched.map_or(String::new(), |why| {
        format!("  {DIM}searched, not led: {why}{DIM:#}")
    });
    writeln!(out, "{line}{unspecified}{digest}{searched}")?;
    if all_flow || matches!(report.verdict, Verdict::Failed { .. }) {
        for flow in &report.flow {
            writeln!(out, "        {DIM}flow      {flow}{DIM:#}")?;
        }
    }
    match &report.verdict {
        Verdict::Failed { findings } => self::findings(out, findings, &report.detail),
        // Whoever looked for it wants to see it again.
        _ => details(out, &report.detail),
    }
}

/// Whether the scenario passed and nothing in it could be judged but safety.
pub(super) fn is_empty_pass(report: &CaseReport) -> bool {
    report.verdict == Verdict::Passed && report.amount.is_nothing()
}

/// Code and property of the first finding, for one line: `R0301 integrity`.
fn kind(findings: &[Finding]) -> String {
    let first = findings.first();
    first.map_or_else(String::new, |first| {
        format!("{} {}", first.code(), first.property())
    })
}

pub(super) fn findings(
    out: &mut impl Write,
    findings: &[Finding],
    detail: &Detail,
) -> io::Result<()> {
    let blames = detail
        .blames
        .iter()
        .map(Some)
        .chain(std::iter::repeat(None));
    for (finding, blame) in findings.iter().zip(blames) {
        let (code, property) = (finding.code(), finding.property());
        writeln!(out, "        {RED}{code} {property}{RED:#}: {finding}")?;
        match blame {
            Some(blame) => writeln!(out, "          where     {}", blame.place)?,
            None => writeln!(out, "          where     {}", finding.at)?,
        }
        if let Some(step) = blame.and_then(|blame| blame.step.as_ref()) {
            writeln!(out, "          step      {step}")?;
        }
        if let Some(between) = blame.and_then(|blame| blame.between.as_ref()) {
            writeln!(out, "          belongs   {between}")?;
        }
        writeln!(out, "          expected  {}", finding.expected())?;
        writeln!(out, "          seen      {}", finding.seen())?;
        if finding.more > 0 {
            writeln!(out, "          and {} more of {property}", finding.more)?;
        }
    }
    if let Some(first) = findings.first() {
        let code = first.code();
        writeln!(out, "        explain:  relaybed explain {code}")?;
    }
    if let Some(step) = detail.blames.first().and_then(|blame| blame.step.as_ref()) {
        let lines = step.around.iter().map(|(number, text)| {
            let sign = if *number == step.line { '>' } else { ' ' };
            format!("{sign} {number:>4}  {text}").trim_end().to_owned()
        });
        block(out, &step.path, lines)?;
    }
    if let Some(bytes) = detail.blames.iter().find_map(|blame| blame.bytes.as_ref()) {
        block(out, "bytes around it", bytes.lines())?;
    }
    if !detail.console_tail.is_empty() {
        block(out, "console", detail.console_tail.iter())?;
    }
    details(out, detail)
}

fn details(out: &mut impl Write, detail: &Detail) -> io::Result<()> {
    for note in &detail.notes {
        writeln!(out, "        note:     {note}")?;
    }
    if let Some(folder) = &detail.evidence {
        writeln!(out, "        evidence: {}", folder.display())?;
        let word = relaybed_case::select::quoted(&folder.to_string_lossy());
        writeln!(out, "        look:     relaybed report {word}")?;
    }
    if !detail.rerun.is_empty() {
        writeln!(out, "        again:    {}", detail.rerun)?;
    }
    Ok(())
}

/// A text without its colours.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        rest = behind.split_once('m').map_or("", |(_, rest)| rest);
    }
    plain + rest
}

fn block<T: std::fmt::Display>(
    out: &mut impl Write,
    title: &str,
    lines: impl Iterator<Item = T>,
) -> io::Result<()> {
    writeln!(out, "        {title}:")?;
    for line in lines {
        writeln!(out, "          {DIM}|{DIM:#} {line}")?;
    }
    Ok(())
}

/// What is worth a look although it may have scrolled away.
fn told_again(out: &mut impl Write, seen: &[CaseReport]) -> io::Result<()> {
    for report in seen {
        if let Verdict::Known { id, findings } = &report.verdict {
            let first = findings.first();
            let what = first.map_or_else(String::new, |first| format!("{} {first}", first.code()));
            writeln!(
                out,
                "{YELLOW}known issue {id}{YELLOW:#} in {}: {what}",
                report.name
            )?;
        }
        if let Verdict::Fixed { id } = &report.verdict {
            writeln!(
                out,
                "{GREEN}fixed here {id}{GREEN:#} in {}: this kernel should show it and does not; \
                 known-issues.toml should say so",
                report.name
            )?;
        }
    }
    for report in seen {
        if let Verdict::Failed { findings } = &report.verdict {
            let what = match findings.first() {
                // Whoever has the line to paste has it from the report above.
                Some(first) if report.detail.rerun.is_empty() => first.to_string(),
                _ => report.detail.rerun.clone(),
            };
            let first = kind(findings);
            writeln!(out, "{RED}failed{RED:#} {} ({first}): {what}", report.name)?;
        }
    }
    Ok(())
}

pub(super) fn end(out: &mut impl Write, seen: &[CaseReport], summary: &Summary) -> io::Result<()> {
    writeln!(out)?;
    told_again(out, seen)?;
    writeln!(
        out,
        "kernel    {} ({})\nmachine   {} {}, {}, {} in {:.1} s{}\n          {}",
        summary.kernel,
        summary.kernel_origin,
        summary.backend,
        summary.accel,
        summary.vcpus_text(),
        if summary.forked { "forked" } else { "booted" },
        summary.boot_ms / 1000.0,
        match (summary.boots, summary.forked) {
            (0 | 1, _) => String::new(),
            (boots, false) => format!(" ({boots} boots)"),
            (forks, true) => format!(" ({forks} forks)"),
        },
        summary.accel_reason,
    )?;
    if let Some(relay) = &summary.relay {
        writeln!(out, "relay     {relay}")?;
    }
    writeln!(
        out,
        "judged    {} records, {} bytes, seed {}",
        summary.records, summary.bytes, summary.seed
    )?;
    for (why, checks) in summary.unspecified.iter() {
        writeln!(out, "unjudged  {checks} checks: {}", why.reason())?;
    }
    if let Some(exits) = &summary.exits {
        let some = exits.iter().filter(|(_, count)| **count > 0);
        let some: Vec<String> = some
            .map(|(reason, count)| format!("{count} {reason}"))
            .collect();
        writeln!(out, "exits     {}", some.join(", "))?;
    }
    if let Some(fuzz) = &summary.fuzz {
        fuzzed(out, fuzz)?;
    }
    if let Some(explored) = &summary.explored {
        self::explored(out, explored)?;
    }
    let style = if summary.failed > 0 { RED } else { GREEN };
    writeln!(
        out,
        "{style}{} passed{}, {} failed{style:#}, {} known, {}{} skipped, {} not run in {:.1} s",
        summary.passed,
        match summary.empty {
            0 => String::new(),
            empty => format!(" ({empty} of them judged for safety only)"),
        },
        summary.failed,
        summary.known,
        match summary.fixed {
            0 => String::new(),
            fixed => format!("{fixed} fixed here, "),
        },
        summary.skipped,
        summary.not_run,
        summary.total_ms / 1000.0
    )
}

fn fuzzed(out: &mut impl Write, fuzz: &Fuzzed) -> io::Result<()> {
    let share = |ms: f64| 100.0 * ms / fuzz.busy_ms.max(f64::MIN_POSITIVE);
    writeln!(
        out,
        "generated {} scenarios by generator {}, {} exact in every byte: {:.0} a second\n          \
         ({:.0} % waiting for the guest, {:.0} % judging, {:.0} % drawing, sending and observing)",
        fuzz.ran,
        fuzz.generator,
        fuzz.exact,
        fuzz.per_second,
        share(fuzz.waiting_ms),
        share(fuzz.judging_ms),
        share(fuzz.other_ms),
    )?;
    for (id, times) in &fuzz.known {
        writeln!(
            out,
            "{YELLOW}known issue {id}{YELLOW:#} showed {times} times"
        )?;
    }
    Ok(())
}

fn explored(out: &mut impl Write, explored: &Explored) -> io::Result<()> {
    writeln!(
        out,
        "explored  {} schedules, {} of them distinct, {:.1} a second; {} stop points, control passed at {}",
        explored.schedules,
        explored.distinct,
        explored.per_second,
        explored.places,
        explored.switched,
    )?;
    for (what, found) in &explored.findings {
        writeln!(
            out,
            "found     {YELLOW}{what}{YELLOW:#} {} times, first by schedule {}",
            found.times, found.first
        )?;
    }
    for (why, times) in &explored.searched {
        writeln!(out, "searched  {times} of them, not led: {why}")?;
    }
    for (what, times) in &explored.fleeting {
        writeln!(
            out,
            "fleeting  {what} {times} times, but not on a machine of its own"
        )?;
    }
    Ok(())
}
