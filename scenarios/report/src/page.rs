//! `relaybed report`: one run as one page of HTML.
//!
//! The page holds everything it needs: styles and pictures are in it, and a policy in its head forbids whatever it
//! might be made to load. One script is in it, which copies a line; without it the page says the same. Every text of the
//! evidence is hostile and written through `html::escape`. What is too much for a page is left out, and the page says
//! so.

mod buffers;
mod copy;
mod html;
mod index;
mod lanes;
mod readers;
mod source;
mod table;

use std::fmt::Write as _;

use super::Blame;
use super::timeline::Timeline;
use relaybed_case::Case;
use relaybed_case::evidence::Evidence;
use relaybed_case::finding::Finding;
use relaybed_case::select::Loaded;
use relaybed_case::verdict::{Amount, Verdict};
use relaybed_contract::{Behaviour, predict};
use relaybed_judge::matter::Matter;
use relaybed_judge::{Flow, Writers, flow_of};
use relaybed_wire::store::Extra;

use html::escape;
pub use index::{Entry, index};
use source::Source;

/// Console lines shown.
const CONSOLE_LINES: usize = 200;

/// A run to be shown.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// What was to be done, and the file that says so.
    pub loaded: &'a Loaded,
    /// What it left.
    pub evidence: &'a Evidence,
    /// What else was saved with it.
    pub extra: &'a Extra,
    /// What the judge says.
    pub verdict: &'a Verdict,
    /// How much was judged.
    pub amount: Amount,
}

/// The page.
#[must_use]
pub fn page(shown: &Shown<'_>) -> String {
    let Shown {
        loaded,
        evidence,
        verdict,
        ..
    } = *shown;
    let case = &loaded.case;
    let timeline = Timeline::of(loaded, evidence, verdict, true);
    let behaviour = Behaviour::of(evidence.setting.linux_version);
    let prediction = predict(case, &behaviour, timeline.cpus);
    let writers = Writers::of(case);
    let matter = Matter::new(case, &prediction, evidence, &writers);
    let findings = verdict.findings();
    let mut text = String::new();
    let blames = Blame::all(loaded, Some(evidence), findings, true);
    let source = Source::of(loaded, &blames);
    head(
        &mut text,
        &format!("{}: {}", case.name, super::outcome(verdict)),
    );
    verdict_part(&mut text, shown, &flow_of(&matter), &blames);
    actors(&mut text, case);
    lanes::lanes(&mut text, case, &timeline);
    text.push_str("<div class=\"beside\">\n");
    source.write(&mut text);
    table::table(&mut text, case, &timeline, &source);
    text.push_str("</div>\n");
    buffers::buffers(&mut text, &matter, findings);
    readers::readers(&mut text, case, evidence, &writers);
    console(&mut text, evidence);
    foot(&mut text);
    text
}

fn push(text: &mut String, what: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    text.write_fmt(what).unwrap_or_default();
}

fn head(text: &mut String, title: &str) {
    push(
        text,
        format_args!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
             script-src '{}'\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{}</title>\n<style>\n{}</style>\n</head>\n<body>\n",
            copy::HASH,
            escape(title),
            include_str!("page/style.css"),
        ),
    );
}

fn foot(text: &mut String) {
    let script = copy::SCRIPT;
    let end = format_args!("</main>\n<script>{script}</script>\n</body>\n</html>\n");
    push(text, end);
}

fn verdict_part(text: &mut String, shown: &Shown<'_>, flows: &[Flow], blames: &[Blame]) {
    let (class, word) = match shown.verdict {
        Verdict::Passed => ("good", "passed".to_owned()),
        Verdict::Failed { .. } => ("bad", "failed".to_owned()),
        Verdict::Known { id, .. } => ("known", format!("known issue {id}")),
        Verdict::Fixed { id } => ("good", format!("known issue {id} is fixed here")),
        Verdict::Skipped { reason } | Verdict::NotRun { reason } => ("known", reason.clone()),
    };
    let setting = &shown.evidence.setting;
    let amount = shown.amount;
    push(
        text,
        format_args!(
            "<header class=\"{class}\"><p class=\"word\">{}</p><h1>{}</h1><p>{}</p>\
             <p class=\"dim\">{} · {} {} · {} CPUs · seed {} · {} records, {} bytes judged</p>",
            escape(&word),
            escape(&shown.loaded.case.name),
            escape(&shown.loaded.case.summary),
            escape(&setting.release),
            escape(&setting.backend),
            escape(&setting.accel),
            setting.vcpus,
            shown.loaded.case.seed,
            amount.records,
            amount.bytes,
        ),
    );
    if let Some(relay) = &setting.relay {
        let relay = relay.to_string();
        let relay = escape(&relay);
        push(text, format_args!("<p class=\"dim\">relay: {relay}</p>"));
    }
    if let Some(planted) = &setting.plant {
        push(
            text,
            format_args!(
                "<p>A defect was planted at record {}#{}; it struck {} times.</p>",
                planted.actor, planted.seq, planted.done
            ),
        );
    }
    for flow in flows {
        let flow = flow.to_string();
        push(
            text,
            format_args!("<p class=\"dim\">flow: {}</p>", escape(&flow)),
        );
    }
    let open = amount.unspecified;
    if open.total() > 0 {
        push(
            text,
            format_args!("<p class=\"dim\">unspecified: {open}</p>"),
        );
    }
    if !shown.extra.repeat.is_empty() {
        copy::line(text, "again", &shown.extra.repeat);
    }
    text.push_str("</header>\n<main>\n");
    let mut excerpts = Vec::new();
    let findings = shown.verdict.findings();
    for (number, (finding, blame)) in (1..).zip(findings.iter().zip(blames)) {
        failed(text, number, finding, blame, &mut excerpts);
    }
}

/// One finding; `excerpts` are the bytes that were shown already.
fn failed(
    text: &mut String,
    number: usize,
    finding: &Finding,
    blame: &Blame,
    excerpts: &mut Vec<String>,
) {
    let (code, property) = (finding.code(), finding.property());
    push(
        text,
        format_args!(
            "<section class=\"failure\" id=\"f{number}\"><h2><span class=\"mark\">✗{number}</span> {code} {property}: {}</h2>\
             <dl><dt>where</dt><dd>{}</dd>{}<dt>expected</dt><dd>{}</dd><dt>seen</dt><dd>{}</dd></dl>",
            escape(&finding.to_string()),
            escape(&blame.place),
            pointed(blame),
            escape(&finding.expected()),
            escape(&finding.seen()),
        ),
    );
    if finding.more > 0 {
        let more = finding.more;
        push(text, format_args!("<p>and {more} more of {property}</p>"));
    }
    if let Some(step) = &blame.step {
        text.push_str("<pre>");
        for (line, source) in &step.around {
            let source = escape(source);
            match *line == step.line {
                true => push(text, format_args!("<strong>{line:>4}  {source}</strong>\n")),
                false => push(text, format_args!("{line:>4}  {source}\n")),
            }
        }
        text.push_str("</pre>");
    }
    let excerpt = blame.bytes.as_ref();
    if let Some(excerpt) = excerpt.filter(|excerpt| !excerpts.contains(excerpt)) {
        push(text, format_args!("<pre>{}</pre>", escape(excerpt)));
        excerpts.push(excerpt.clone());
    }
    text.push_str("</section>\n");
}

/// The rows that say which step it is, and where a missing record belongs.
fn pointed(blame: &Blame) -> String {
    let row = |what: &str, text: &str| format!("<dt>{what}</dt><dd>{}</dd>", escape(text));
    let step = blame
        .step
        .as_ref()
        .map(|step| row("step", &step.to_string()));
    let between = blame.between.as_ref().map(|text| row("belongs", text));
    step.into_iter().chain(between).collect()
}

fn actors(text: &mut String, case: &Case) {
    text.push_str("<section><h2>Actors</h2><ul class=\"key\">");
    for (actor, script) in case.actors.iter().enumerate() {
        push(
            text,
            format_args!(
                "<li><span class=\"swatch {}\"></span>{} <span class=\"dim\">{}</span></li>",
                html::hue(actor),
                escape(&script.name),
                escape(&html::home(script)),
            ),
        );
    }
    text.push_str("</ul></section>\n");
}

fn console(text: &mut String, evidence: &Evidence) {
    let lines: Vec<&str> = evidence.console.lines().collect();
    if lines.is_empty() {
        return;
    }
    let first = lines.len().saturating_sub(CONSOLE_LINES);
    text.push_str("<section><h2>Console</h2>");
    if first > 0 {
        push(
            text,
            format_args!("<p class=\"dim\">{first} earlier lines are left out</p>"),
        );
    }
    let shown = lines.get(first..).unwrap_or_default().join("\n");
    push(
        text,
        format_args!("<pre>{}</pre></section>\n", escape(&shown)),
    );
}

#[cfg(test)]
mod tests;
