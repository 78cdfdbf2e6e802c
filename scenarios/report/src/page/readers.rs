//! What readers got: every call that gave bytes, with the records in them.

use relaybed_abi::{Event, EventKind};

use super::html::{escape, hue};
use super::push;
use relaybed_case::Case;
use relaybed_case::evidence::Evidence;
use relaybed_contract::order::At;
use relaybed_contract::predict::bound;
use relaybed_judge::Writers;
use relaybed_judge::parse::{Found, Parser, Text};

/// Most calls shown.
const CALLS_MAX: usize = 400;
/// Runs of records named for one call.
const RUNS_MAX: usize = 12;

pub(super) fn readers(text: &mut String, case: &Case, evidence: &Evidence, writers: &Writers<'_>) {
    let mut calls: Vec<&Event> = evidence
        .events
        .iter()
        .filter(|event| event.kind == EventKind::Read.code())
        .collect();
    if calls.is_empty() {
        return;
    }
    calls.sort_by_key(|event| event.order);
    text.push_str(
        "<section><h2>What readers got</h2><div class=\"scroll\"><table><thead><tr><th>order</th><th>reader</th>\
         <th>buffer</th><th>bytes</th><th>in them</th></tr></thead><tbody>\n",
    );
    for event in calls.iter().take(CALLS_MAX) {
        call(text, case, evidence, writers, event);
    }
    text.push_str("</tbody></table></div>");
    let more = calls.len().saturating_sub(CALLS_MAX);
    if more > 0 {
        push(
            text,
            format_args!("<p class=\"dim\">{more} more calls are left out</p>"),
        );
    }
    text.push_str("</section>\n");
}

fn call(text: &mut String, case: &Case, evidence: &Evidence, writers: &Writers<'_>, event: &Event) {
    let at = At {
        actor: usize::from(event.actor),
        op: event.op as usize,
    };
    let Some(script) = case.actors.get(at.actor).filter(|a| at.op < a.ops.len()) else {
        return;
    };
    let of = bound(case, at);
    let buffer = of.and_then(|(channel, cpu, _)| {
        let channel = case.channels.get(channel)?;
        Some(format!("{}{cpu}", channel.name))
    });
    let got = event.produced.cast_signed();
    let range = usize::try_from(event.consumed).ok().and_then(|start| {
        let len = usize::try_from(got).ok()?;
        evidence.data.get(start..start.checked_add(len)?)
    });
    let inside = match (range, of) {
        (Some([]), _) => String::new(),
        (Some(bytes), Some((channel, cpu, _))) => inside(case, writers, bytes, (channel, cpu)),
        (Some(_), None) => String::new(),
        (None, _) if got < 0 => format!("error {}", got.unsigned_abs()),
        (None, _) => "found no place in the evidence".to_owned(),
    };
    push(
        text,
        format_args!(
            "<tr><td class=\"num\">{}</td><td><span class=\"swatch {}\"></span>{}</td><td>{}</td>\
             <td class=\"num\">{}</td><td>{inside}</td></tr>\n",
            event.order,
            hue(at.actor),
            escape(&script.name),
            escape(buffer.as_deref().unwrap_or("?")),
            got.max(0),
        ),
    );
}

/// The records in what one call gave, in HTML.
fn inside(
    case: &Case,
    writers: &Writers<'_>,
    bytes: &[u8],
    (channel, cpu): (usize, u32),
) -> String {
    let header_bytes = case.channels.get(channel).map_or(0, |c| c.header_bytes);
    let mut parser = Parser::new(case, writers);
    parser.parse(
        Text {
            bytes,
            fill: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
            expected: None,
            before: &[],
            header_bytes,
            produced: None,
            channel,
            cpu,
            may_be_cut: true,
        },
        0,
        0,
        false,
    );
    let runs = runs(&parser.records);
    let mut words: Vec<String> = runs
        .iter()
        .take(RUNS_MAX)
        .map(|(actor, first, last)| {
            let name = case.actors.get(usize::from(*actor));
            let name = name.map_or("?", |actor| actor.name.as_str());
            let numbers = match first == last {
                true => format!("#{first}"),
                false => format!("#{first} to #{last}"),
            };
            format!("{} {numbers}", escape(name))
        })
        .collect();
    if runs.len() > RUNS_MAX {
        words.push(format!("{} more runs", runs.len() - RUNS_MAX));
    }
    let known: u64 = parser.records.iter().map(|r| u64::from(r.len)).sum();
    let rest = (bytes.len() as u64).saturating_sub(known);
    if rest > 0 {
        words.push(format!("{rest} bytes of parts, headers or nothing known"));
    }
    words.join(", ")
}

/// Records of one actor with rising numbers: actor, first and last.
fn runs(records: &[Found]) -> Vec<(u16, u32, u32)> {
    let mut runs: Vec<(u16, u32, u32)> = Vec::new();
    for record in records {
        match runs.last_mut() {
            Some((actor, _, last))
                if *actor == record.actor && last.checked_add(1) == Some(record.seq) =>
            {
                *last = record.seq;
            }
            _ => runs.push((record.actor, record.seq, record.seq)),
        }
    }
    runs
}
