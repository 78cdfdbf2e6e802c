//! The run as a picture: a lane for each actor, in the order of everything from left to right.
//!
//! The horizontal axis is the order and not the time: operations take microseconds and lie milliseconds apart.

use super::html::{escape, home, hue};
use super::push;
use crate::timeline::{Kind, Row, Timeline};
use relaybed_case::Case;

/// Most rows that are drawn: those around the first finding, else the first.
const ROWS_MAX: usize = 600;
const LANE: usize = 26;
const TOP: usize = 22;
const NAMES: usize = 230;
/// Width that a short run fills.
const WIDTH: usize = 1000;
/// Width of a character in a bar, in tenths of a pixel.
const CHARACTER: usize = 62;

/// What a lane is of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lane {
    Actor(usize),
    /// Events of no actor, on this CPU.
    Kernel(Option<u32>),
    /// Stops of the vCPU.
    Stops(u32),
}

/// The picture's measures.
struct Frame<'a> {
    case: &'a Case,
    rows: &'a [Row],
    lanes: Vec<Lane>,
    /// Width of one row's place.
    step: usize,
}

pub(super) fn lanes(text: &mut String, case: &Case, timeline: &Timeline) {
    if timeline.rows.is_empty() {
        return;
    }
    let (first, last) = window(&timeline.rows);
    let rows = &timeline.rows[first..last];
    let frame = Frame {
        case,
        rows,
        lanes: lanes_of(case, rows),
        step: (WIDTH / rows.len()).clamp(16, 84),
    };
    text.push_str("<section><h2>Who did what</h2>");
    if rows.len() < timeline.rows.len() {
        push(
            text,
            format_args!(
                "<p class=\"dim\">{} of {} rows are drawn, from number {}; the table below has more</p>",
                rows.len(),
                timeline.rows.len(),
                first + 1
            ),
        );
    }
    text.push_str("<div class=\"scroll lanes\">");
    names(text, &frame);
    let (width, height) = (rows.len() * frame.step + 8, frame.height());
    push(
        text,
        format_args!(
            "<svg width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" style=\"flex-grow:{width}\" role=\"img\" aria-label=\"operations in their order\">\n"
        ),
    );
    for number in 0..frame.lanes.len() {
        let y = TOP + number * LANE;
        if number % 2 == 0 {
            push(
                text,
                format_args!(
                    "<rect class=\"lane\" y=\"{y}\" width=\"{width}\" height=\"{LANE}\"/>"
                ),
            );
        }
    }
    points(text, &frame);
    bars(text, &frame);
    marks(text, &frame);
    text.push_str("</svg></div></section>\n");
}

/// The rows to draw.
fn window(rows: &[Row]) -> (usize, usize) {
    let failed = rows.iter().position(|row| !row.findings.is_empty());
    let first = failed.map_or(0, |at| at.saturating_sub(ROWS_MAX * 2 / 3));
    let first = first.min(rows.len().saturating_sub(ROWS_MAX));
    (first, rows.len().min(first + ROWS_MAX))
}

/// Lanes in the order of CPUs: actors, then what is of nobody, then stops.
fn lanes_of(case: &Case, rows: &[Row]) -> Vec<Lane> {
    let mut actors: Vec<usize> = (0..case.actors.len()).collect();
    actors.sort_by_key(|actor| (case.actors[*actor].cpu().unwrap_or(u32::MAX), *actor));
    let mut lanes: Vec<Lane> = actors.into_iter().map(Lane::Actor).collect();
    let mut more: Vec<Lane> = Vec::new();
    for row in rows {
        let lane = lane_of(row);
        if let Some(lane) = lane.filter(|lane| !lanes.contains(lane) && !more.contains(lane)) {
            more.push(lane);
        }
    }
    more.sort_by_key(|lane| match lane {
        Lane::Actor(actor) => (0, *actor as u64),
        Lane::Kernel(cpu) => (1, cpu.map_or(u64::MAX, u64::from)),
        Lane::Stops(cpu) => (2, u64::from(*cpu)),
    });
    lanes.extend(more);
    lanes
}

fn lane_of(row: &Row) -> Option<Lane> {
    match (row.kind, row.actor) {
        (Kind::Checkpoint, _) => None,
        (Kind::Stop | Kind::Switch { .. }, _) => row.cpu.map(Lane::Stops),
        (_, Some(actor)) => Some(Lane::Actor(actor)),
        (_, None) => Some(Lane::Kernel(row.cpu)),
    }
}

impl Frame<'_> {
    fn height(&self) -> usize {
        TOP + self.lanes.len() * LANE + 4
    }

    /// Top of the lane that a row is in.
    fn y(&self, row: &Row) -> Option<usize> {
        let lane = lane_of(row)?;
        let number = self.lanes.iter().position(|of| *of == lane)?;
        Some(TOP + number * LANE)
    }
}

fn names(text: &mut String, frame: &Frame<'_>) {
    let height = frame.height();
    push(
        text,
        format_args!(
            "<svg class=\"sticky\" width=\"{NAMES}\" height=\"{height}\" viewBox=\"0 0 {NAMES} {height}\" style=\"flex-grow:{NAMES}\">\n"
        ),
    );
    for (number, lane) in frame.lanes.iter().enumerate() {
        let y = TOP + number * LANE + 17;
        let (name, at) = match lane {
            Lane::Actor(actor) => {
                let actor = &frame.case.actors[*actor];
                (actor.name.clone(), home(actor))
            }
            Lane::Kernel(Some(cpu)) => ("no actor".to_owned(), format!("on CPU {cpu}")),
            Lane::Kernel(None) => ("no actor".to_owned(), String::new()),
            Lane::Stops(cpu) => (format!("vCPU {cpu} stops"), String::new()),
        };
        push(
            text,
            format_args!(
                "<text x=\"8\" y=\"{y}\">{} <tspan class=\"small\">{}</tspan></text>",
                escape(&name),
                escape(&at)
            ),
        );
    }
    text.push_str("</svg>\n");
}

/// Checkpoints, and findings that were seen there: lines from top to bottom.
fn points(text: &mut String, frame: &Frame<'_>) {
    let bottom = frame.height();
    for (index, row) in frame.rows.iter().enumerate() {
        if row.kind != Kind::Checkpoint {
            continue;
        }
        let x = index * frame.step + frame.step / 2;
        let class = if row.findings.is_empty() {
            "point"
        } else {
            "seen"
        };
        // A name at the right edge would be cut off.
        let anchor = match index * 2 > frame.rows.len() {
            true => "end",
            false => "start",
        };
        push(
            text,
            format_args!(
                "<line class=\"{class}\" x1=\"{x}\" x2=\"{x}\" y1=\"{TOP}\" y2=\"{bottom}\"/>\
                 <text x=\"{x}\" y=\"15\" text-anchor=\"{anchor}\" class=\"{}\">{}{}</text>\n",
                if row.findings.is_empty() {
                    "small"
                } else {
                    "warn"
                },
                failed(row),
                escape(&row.what),
            ),
        );
    }
}

/// Operations, from their beginning to their end.
fn bars(text: &mut String, frame: &Frame<'_>) {
    for (index, row) in frame.rows.iter().enumerate() {
        let end = match row.kind {
            Kind::Operation => Some(index),
            Kind::Begin => frame.rows[index..]
                .iter()
                .position(|end| end.kind == Kind::End && (end.actor, end.op) == (row.actor, row.op))
                .map(|more| index + more),
            _ => continue,
        };
        let Some(y) = frame.y(row) else { continue };
        let x = index * frame.step + 1;
        let last = end.unwrap_or(frame.rows.len() - 1);
        let width = (last - index + 1) * frame.step - 2;
        let told = end.and_then(|end| frame.rows.get(end)).unwrap_or(row);
        let gave = match told.gave.is_empty() {
            true => String::new(),
            false => format!(" → {}", told.gave),
        };
        let fits = (width.saturating_sub(8)) * 10 / CHARACTER;
        let label = match fits {
            0..3 => String::new(),
            _ => cut(&short(&row.what), fits),
        };
        push(
            text,
            format_args!(
                "<g><title>{}{}</title><rect class=\"{}{}\" x=\"{x}\" y=\"{}\" width=\"{width}\" height=\"{}\" rx=\"3\"/>\
                 <text class=\"inbar\" x=\"{}\" y=\"{}\">{}</text></g>\n",
                escape(&row.what),
                escape(&gave),
                hue(row.actor.unwrap_or(0)),
                if end.is_none() { " open" } else { "" },
                y + 4,
                LANE - 8,
                x + 4,
                y + 17,
                escape(&label),
            ),
        );
    }
}

/// Events, stops and findings.
fn marks(text: &mut String, frame: &Frame<'_>) {
    for (index, row) in frame.rows.iter().enumerate() {
        let Some(y) = frame.y(row) else { continue };
        let x = index * frame.step + frame.step / 2;
        let middle = y + LANE / 2;
        let title = format!("{} {}", escape(&row.what), escape(&row.gave));
        match row.kind {
            Kind::Event => {
                let refused = row.gave == "refused" || row.gave == "NULL" || row.gave == "failed";
                let class = if refused { "no" } else { "event" };
                push(
                    text,
                    format_args!(
                        "<circle class=\"{class}\" cx=\"{x}\" cy=\"{}\" r=\"3.5\" stroke=\"#fff\"><title>{title}</title></circle>\n",
                        y + LANE - 4
                    ),
                );
            }
            Kind::Stop | Kind::Switch { .. } => stop(text, frame, row, (x, middle), &title),
            _ => {}
        }
        if !row.findings.is_empty() {
            push(
                text,
                format_args!(
                    "<text class=\"warn\" x=\"{}\" y=\"{}\">{}</text>\n",
                    x.saturating_sub(6),
                    y + 2,
                    failed(row)
                ),
            );
        }
    }
}

/// A stop, and a line to the vCPU that goes on where that is another one.
fn stop(text: &mut String, frame: &Frame<'_>, row: &Row, (x, middle): (usize, usize), title: &str) {
    let class = match row.kind {
        Kind::Switch { decisive: true, .. } => "stop decisive",
        _ => "stop",
    };
    push(
        text,
        format_args!(
            "<rect class=\"{class}\" x=\"{}\" y=\"{}\" width=\"7\" height=\"7\"><title>{title}</title></rect>\n",
            x.saturating_sub(3),
            middle - 3
        ),
    );
    let Kind::Switch { to, .. } = row.kind else {
        return;
    };
    if let Some(number) = frame.lanes.iter().position(|of| *of == Lane::Stops(to)) {
        let to = TOP + number * LANE + LANE / 2;
        push(
            text,
            format_args!(
                "<line class=\"pass\" x1=\"{x}\" y1=\"{middle}\" x2=\"{}\" y2=\"{to}\"/>\n",
                x + frame.step / 2
            ),
        );
    }
}

fn failed(row: &Row) -> String {
    let numbers = row.findings.iter().map(|at| format!("✗{} ", at + 1));
    numbers.collect()
}

/// An operation in few characters: `write 64` of `write = "cpu", len = 64`.
fn short(what: &str) -> String {
    let verb = what.split(" = ").next().unwrap_or(what);
    let of = |key: &str| {
        let at = what.find(key)? + key.len();
        what.get(at..)?.split([',', ' ']).next()
    };
    // Lengths that are drawn.
    let drawn = of("min = ").zip(of("max = "));
    let drawn = drawn.map(|(min, max)| format!("{min}-{max}"));
    let len = drawn.or_else(|| of("len = ").map(str::to_owned));
    match (len, of("count = ")) {
        (Some(len), Some(count)) => format!("{verb} {count}×{len}"),
        (Some(len), None) => format!("{verb} {len}"),
        _ => match what.split_once(" = ") {
            Some((verb, of)) => {
                let of = of.split(',').next().unwrap_or(of);
                format!("{verb} {}", of.trim_matches('"'))
            }
            None => what.to_owned(),
        },
    }
}

fn cut(text: &str, most: usize) -> String {
    match text.chars().count() > most {
        true => text
            .chars()
            .take(most.saturating_sub(1))
            .chain(['…'])
            .collect(),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_have_short_names() {
        assert_eq!(short("write = \"cpu\", len = 64, count = 4"), "write 4×64");
        assert_eq!(short("write = \"cpu\", len = 64"), "write 64");
        let drawn = "write = \"cpu\", len = { min = 3, max = 9 }, count = 4";
        assert_eq!(short(drawn), "write 4×3-9");
        assert_eq!(short("flush = \"cpu\""), "flush cpu");
        assert_eq!(cut("abcdef", 4), "abc…");
    }
}
