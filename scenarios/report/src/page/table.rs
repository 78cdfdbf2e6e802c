//! The run as a table.

use super::html::{escape, marks};
use super::push;
use super::source::Source;
use crate::timeline::{Kind, Row, Timeline};
use relaybed_case::Case;

/// Most rows shown; of a longer run its beginning, its end, and what failed.
const ROWS_MAX: usize = 1500;

pub(super) fn table(text: &mut String, case: &Case, timeline: &Timeline, source: &Source<'_>) {
    text.push_str("<section><h2>In order</h2><p class=\"dim\">P sub-buffers produced, C consumed, O offset in the current one");
    if timeline.has_predictions() {
        text.push_str("; ~ marks what the model has: nobody looked there");
    }
    text.push_str(".</p><div class=\"scroll\"><table><thead><tr><th>µs</th>");
    for cpu in 0..timeline.cpus {
        push(text, format_args!("<th>CPU {cpu}</th>"));
    }
    let any = timeline.rows.iter().any(|row| is_of_none(timeline, row));
    if any {
        text.push_str("<th>any CPU</th>");
    }
    text.push_str("<th>counters</th></tr></thead><tbody>\n");
    let columns = timeline.cpus as usize + usize::from(any);
    let mut left_out = 0;
    for (index, row) in timeline.rows.iter().enumerate() {
        let near_end = index >= timeline.rows.len().saturating_sub(ROWS_MAX / 2);
        if index < ROWS_MAX / 2 || near_end || !row.findings.is_empty() {
            skipped(text, columns, std::mem::take(&mut left_out));
            line(text, (case, source), timeline, row, columns);
        } else {
            left_out += 1;
        }
    }
    text.push_str("</tbody></table></div>");
    if timeline.steps_left_out > 0 {
        let left_out = timeline.steps_left_out;
        push(
            text,
            format_args!("<p class=\"dim\">{left_out} more stops are left out</p>"),
        );
    }
    if !timeline.never_begun.is_empty() {
        let count = timeline.never_begun.len();
        push(
            text,
            format_args!("<p class=\"mark\">{count} operations were never begun</p>"),
        );
    }
    text.push_str("</section>\n");
}

/// Whether a row is of no CPU that has a column.
fn is_of_none(timeline: &Timeline, row: &Row) -> bool {
    row.kind != Kind::Checkpoint && row.cpu.is_none_or(|cpu| cpu >= timeline.cpus)
}

fn skipped(text: &mut String, columns: usize, count: usize) {
    if count > 0 {
        let span = columns + 2;
        push(
            text,
            format_args!(
                "<tr><td colspan=\"{span}\" class=\"dim\">{count} rows are left out</td></tr>\n"
            ),
        );
    }
}

fn line(
    text: &mut String,
    (case, source): (&Case, &Source<'_>),
    timeline: &Timeline,
    row: &Row,
    columns: usize,
) {
    let class = match row.kind {
        Kind::Checkpoint => "point",
        Kind::Event => "event",
        Kind::Stop => "stop",
        Kind::Switch { decisive, .. } => {
            if decisive {
                "switch decisive"
            } else {
                "switch"
            }
        }
        Kind::Operation | Kind::Begin | Kind::End => "",
    };
    let is_step =
        matches!(row.kind, Kind::Operation | Kind::Begin) && source.is_failing(row.actor, row.op);
    let hit = match (row.findings.is_empty(), is_step) {
        (false, _) => " hit",
        (true, true) => " step",
        (true, false) => "",
    };
    let time = row.time_ns.map_or_else(String::new, |ns| {
        format!("{}.{}", ns / 1000, ns % 1000 / 100)
    });
    push(
        text,
        format_args!("<tr class=\"{class}{hit}\"><td class=\"num\">{time}</td>"),
    );
    let what = what(case, source, row);
    if row.kind == Kind::Checkpoint {
        push(text, format_args!("<td colspan=\"{columns}\">{what}</td>"));
    } else {
        let own = match is_of_none(timeline, row) {
            true => columns - 1,
            false => row.cpu.unwrap_or(0) as usize,
        };
        for column in 0..columns {
            match column == own {
                true if column < timeline.cpus as usize => {
                    push(
                        text,
                        format_args!("<td data-cpu=\"CPU {column}\">{what}</td>"),
                    );
                }
                true => push(text, format_args!("<td>{what}</td>")),
                false => text.push_str("<td></td>"),
            }
        }
    }
    let counters: Vec<String> = row.counters.iter().map(|c| c.text(case)).collect();
    push(
        text,
        format_args!(
            "<td class=\"counters\">{}</td></tr>\n",
            escape(&counters.join("\n"))
        ),
    );
}

fn what(case: &Case, source: &Source<'_>, row: &Row) -> String {
    let who = row.actor.and_then(|actor| case.actors.get(actor));
    let who = who.map_or("", |actor| actor.name.as_str());
    let sign = match row.kind {
        Kind::Event => "· ".to_owned(),
        Kind::Stop | Kind::Switch { .. } => "■ ".to_owned(),
        Kind::Begin => format!("<b>{}</b> begins: ", escape(who)),
        Kind::End => format!("<b>{}</b> ends: ", escape(who)),
        Kind::Operation => format!("<b>{}</b> ", escape(who)),
        Kind::Checkpoint => String::new(),
    };
    let gave = match row.gave.is_empty() {
        true => String::new(),
        false => format!(" → {}", escape(&row.gave)),
    };
    let passes = match row.kind {
        Kind::Switch { to, decisive } => {
            let mark = if decisive { " ◀ decisive" } else { "" };
            format!(" <b>⇒ CPU {to}{mark}</b>")
        }
        _ => String::new(),
    };
    let what = escape(&row.what);
    let line = match row.kind {
        Kind::Operation | Kind::Begin => source.line_of(row.actor, row.op),
        _ => None,
    };
    let what = match line {
        Some(line) => format!("<a href=\"#L{line}\">{what}</a>"),
        None => what.into_owned(),
    };
    format!("{}{sign}{what}{gave}{passes}", marks(&row.findings))
}
