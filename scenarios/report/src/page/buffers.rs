//! Channel buffers as pictures: every sub-buffer with what it holds, its padding, its lap and who has read it.

use std::cmp::Ordering;

use super::html::{escape, hue, marks};
use super::push;
use relaybed_case::evidence::{BufferSeen, Observation};
use relaybed_case::finding::Finding;
use relaybed_contract::Geometry;
use relaybed_judge::matter::{Matter, Parsed, retained};
use relaybed_judge::parse::Section;

/// Observations shown, besides those where something failed and the last.
const OBSERVATIONS_MAX: usize = 8;
/// Buffers shown in all.
const BUFFERS_MAX: usize = 96;
/// Sub-buffers shown of one buffer.
const CELLS_MAX: usize = 64;
/// A box in its own units; how many pixels they are is the page's matter.
const WIDTH: u64 = 1000;
const BAR: u64 = 30;
/// About a pixel.
const THIN: u64 = 5;

/// One buffer to draw.
struct Drawn<'a, 'm> {
    seen: &'a BufferSeen,
    geometry: Geometry,
    /// Its records, where they could be parsed.
    parsed: Option<&'m Parsed<'a>>,
    /// Failures that name it, by number.
    findings: Vec<(usize, &'a Finding)>,
}

pub(super) fn buffers<'a>(text: &mut String, matter: &Matter<'a>, findings: &'a [Finding]) {
    let all = &matter.evidence.observations;
    if all.iter().all(|seen| seen.channels.is_empty()) {
        return;
    }
    text.push_str(
        "<section><h2>Channel buffers</h2><p class=\"dim\">Each box is a sub-buffer, as long as it is; colours are \
         the actors' records, hatching is padding (+ in numbers), faded is what was read, up to the byte. A strong frame is the current one.</p>\
         <svg width=\"0\" height=\"0\" style=\"position:absolute\"><defs><pattern id=\"hatch\" width=\"6\" height=\"6\" \
         patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\"><line y2=\"6\" style=\"stroke:var(--dim)\" \
         stroke-width=\"2\"/></pattern></defs></svg>\n",
    );
    let mut room = BUFFERS_MAX;
    let mut left_out = 0;
    for (index, seen) in all.iter().enumerate() {
        let concerned = findings
            .iter()
            .any(|finding| finding.at.observation == Some(index));
        if index >= OBSERVATIONS_MAX && !concerned && index + 1 != all.len() {
            left_out += 1;
            continue;
        }
        observation(text, matter, findings, (index, seen), &mut room);
    }
    if left_out > 0 {
        push(
            text,
            format_args!("<p class=\"dim\">{left_out} checkpoints are left out</p>"),
        );
    }
    if room == 0 {
        text.push_str("<p class=\"dim\">Further buffers are left out.</p>");
    }
    text.push_str("</section>\n");
}

fn observation<'a>(
    text: &mut String,
    matter: &Matter<'a>,
    findings: &'a [Finding],
    (index, observed): (usize, &'a Observation),
    room: &mut usize,
) {
    let title = match &observed.label {
        Some(label) => format!("At checkpoint {label:?}"),
        None => "At the end".to_owned(),
    };
    push(
        text,
        format_args!("<h3>{}</h3><div class=\"figures\">\n", escape(&title)),
    );
    let last = matter.evidence.observations.len().saturating_sub(1);
    for (channel, (seen, spec)) in observed
        .channels
        .iter()
        .zip(&matter.case.channels)
        .enumerate()
    {
        for buffer in &seen.buffers {
            if *room == 0 {
                break;
            }
            *room -= 1;
            let parsed = matter.buffers.iter().find(|parsed| {
                (parsed.observation, parsed.channel, parsed.seen.cpu)
                    == (index, channel, buffer.cpu)
            });
            let of_this = |finding: &Finding| {
                finding.at.observation.unwrap_or(last) == index
                    && finding.at.channel.as_deref() == Some(&spec.name)
                    && finding.at.cpu == Some(buffer.cpu)
                    && finding.at.actor.is_none()
            };
            let findings = findings.iter().enumerate();
            let drawn = Drawn {
                seen: buffer,
                geometry: Geometry::of(spec),
                parsed,
                findings: findings.filter(|(_, f)| of_this(f)).collect(),
            };
            figure(text, &spec.name, &drawn);
        }
    }
    text.push_str("</div>\n");
}

fn figure(text: &mut String, name: &str, drawn: &Drawn<'_, '_>) {
    let seen = drawn.seen;
    let numbers: Vec<usize> = drawn.findings.iter().map(|(number, _)| *number).collect();
    let full = seen.offset == drawn.geometry.subbuf_size.saturating_add(1);
    let offset = match full {
        true => "marked full".to_owned(),
        false => format!("offset {}", seen.offset),
    };
    let mut more = String::new();
    if seen.finalized != 0 {
        more.push_str(" · finalized");
    }
    if let Some(bytes) = seen.file_size {
        more.push_str(&format!(" · file {bytes} bytes"));
    }
    if let Some((full, big)) = seen.stats {
        more.push_str(&format!(" · full {full} · too big {big}"));
    }
    push(
        text,
        format_args!(
            "<figure><figcaption>{}<b>{}{}</b> <span class=\"dim\">produced {} · consumed {} · {offset} · {} bytes of the \
             next read{more}</span></figcaption>",
            marks(&numbers),
            escape(name),
            seen.cpu,
            seen.produced,
            seen.consumed,
            seen.bytes_consumed,
        ),
    );
    cells(text, drawn);
    text.push_str("</figure>\n");
}

fn cells(text: &mut String, drawn: &Drawn<'_, '_>) {
    let n = usize::try_from(drawn.geometry.n_subbufs).unwrap_or(usize::MAX);
    let shown = n.min(CELLS_MAX);
    let filled = retained(&drawn.geometry, drawn.seen);
    text.push_str("<div class=\"cells\">");
    for slot in 0..shown {
        let held = filled.iter().find(|(_, of, _, _)| *of == slot);
        cell(text, drawn, slot, held.copied());
    }
    text.push_str("</div>");
    if shown < n {
        push(
            text,
            format_args!(
                "<p class=\"dim\">{} more sub-buffers are left out</p>",
                n - shown
            ),
        );
    }
}

/// A sub-buffer: its number since the opening, its slot, bytes in it, and whether it is complete.
type Held = (u64, usize, u64, bool);

fn cell(text: &mut String, drawn: &Drawn<'_, '_>, slot: usize, held: Option<Held>) {
    let size = drawn.geometry.subbuf_size.max(1);
    // Products of sizes from the evidence need more than 64 bits.
    let scale = |bytes: u64| {
        let pixels = u128::from(bytes.min(size)) * u128::from(WIDTH) / u128::from(size);
        u64::try_from(pixels).unwrap_or(WIDTH)
    };
    let of_slot = |finding: &Finding| {
        let by_offset = finding.at.offset.map(|offset| offset / size);
        finding.at.subbuf.or(by_offset) == Some(slot as u64)
    };
    let wrong: Vec<usize> = drawn
        .findings
        .iter()
        .filter(|(_, finding)| of_slot(finding))
        .map(|(number, _)| *number)
        .collect();
    let current = held.is_some_and(|(.., complete)| !complete);
    let class = match (wrong.is_empty(), current) {
        (false, _) => "cell wrong",
        (true, true) => "cell current",
        (true, false) => "cell",
    };
    let (label, state) = label(drawn, slot, held, size);
    push(
        text,
        format_args!(
            "<div class=\"{class}\"><svg viewBox=\"0 0 {WIDTH} {BAR}\" preserveAspectRatio=\"none\" role=\"img\" \
             aria-label=\"{label}: {state}\">"
        ),
    );
    if let Some((number, _, fill, complete)) = held {
        let seen = drawn.seen;
        let section = drawn
            .parsed
            .and_then(|parsed| parsed.sections.iter().find(|s| s.number == number));
        match (drawn.parsed, section) {
            (Some(parsed), Some(section)) => records(text, drawn, (parsed, section), &scale),
            _ => bar(text, "unknown", 0, scale(fill)),
        }
        if complete && fill < size {
            let from = scale(fill);
            bar(text, "padding", from, WIDTH - from);
        }
        bar(
            text,
            "read",
            0,
            scale(read_of((seen.consumed, seen.bytes_consumed), number, size)),
        );
    }
    push(
        text,
        format_args!("</svg><p>{}{label}<br>{state}</p></div>\n", marks(&wrong)),
    );
}

/// How many bytes of a sub-buffer readers are through with.
fn read_of((consumed, bytes_consumed): (u64, u64), number: u64, size: u64) -> u64 {
    match number.cmp(&consumed) {
        Ordering::Less => size,
        Ordering::Equal => bytes_consumed.min(size),
        Ordering::Greater => 0,
    }
}

/// A sub-buffer in words: which it is, and what is in it.
fn label(drawn: &Drawn<'_, '_>, slot: usize, held: Option<Held>, size: u64) -> (String, String) {
    let Some((number, _, fill, complete)) = held else {
        return (format!("[{slot}]"), "nothing".to_owned());
    };
    let lap = number / drawn.geometry.n_subbufs.max(1);
    let state = match complete {
        false => "current",
        true if number < drawn.seen.consumed => "read",
        true => "ready",
    };
    let padding = match size.saturating_sub(fill) {
        padding @ 1.. if complete => format!(" + {padding}"),
        _ => String::new(),
    };
    (
        format!("[{slot}] no. {number}, lap {lap}"),
        format!("{state} {fill}{padding} of {size}"),
    )
}

/// The records of a sub-buffer; neighbours of one actor that are thinner than a pixel are one.
fn records(
    text: &mut String,
    drawn: &Drawn<'_, '_>,
    (parsed, section): (&Parsed<'_>, &Section),
    scale: &dyn Fn(u64) -> u64,
) {
    let header = drawn.geometry.header_bytes.min(u64::from(section.fill));
    bar(text, "header", 0, scale(header));
    let found = parsed.records.get(section.records.clone());
    let mut open: Option<(u16, u64, u64)> = None;
    for record in found.unwrap_or_default() {
        let from = scale(u64::from(record.start));
        let to = scale(u64::from(record.start).saturating_add(u64::from(record.len)));
        match &mut open {
            Some((actor, _, end)) if *actor == record.actor && to < *end + THIN => {
                *end = to.max(*end);
            }
            _ => close(text, open.replace((record.actor, from, to))),
        }
    }
    close(text, open);
    let faults = parsed.faults.get(section.faults.clone());
    for fault in faults.unwrap_or_default() {
        let from = scale(u64::from(fault.start));
        let to = scale(u64::from(fault.start).saturating_add(u64::from(fault.len)));
        bar(text, "fault", from, (to - from).max(THIN));
    }
}

fn close(text: &mut String, run: Option<(u16, u64, u64)>) {
    let Some((actor, from, to)) = run else { return };
    // A line's width between records, where there is room for it.
    let width = (to - from).saturating_sub(if to - from > 3 * THIN { THIN } else { 0 });
    bar(text, &hue(usize::from(actor)), from, width.max(THIN));
}

fn bar(text: &mut String, class: &str, x: u64, width: u64) {
    let (y, height) = match class {
        "fault" => (BAR - 7, 7),
        _ => (0, BAR),
    };
    if width > 0 {
        push(
            text,
            format_args!(
                "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"/>"
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_ends_at_the_byte() {
        let read = |number| read_of((3, 10), number, 64);
        assert_eq!((read(2), read(3), read(4)), (64, 10, 0));
    }
}
