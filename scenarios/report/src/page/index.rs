//! The page of a whole run: what came of each scenario, to be filtered, each with its own page.

use std::collections::BTreeMap;

use super::html::escape;
use super::{foot, head, push};
use crate::outcome;
use relaybed_case::verdict::{Amount, Verdict};

/// One scenario of a run.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its name: suite, `/` and the rest.
    pub name: String,
    /// Its own page, as seen from the index.
    pub page: String,
    /// What the judge says.
    pub verdict: Verdict,
    /// How much was judged.
    pub amount: Amount,
    /// The kernel's release.
    pub kernel: String,
    /// How long it took.
    pub duration_ms: u64,
}

impl Entry {
    fn suite(&self) -> &str {
        self.name.rsplit_once('/').map_or("", |(suite, _)| suite)
    }

    /// What a person should know of it.
    fn note(&self) -> String {
        let first = self.verdict.findings().first();
        let first = first.map(|finding| format!("{} {finding}", finding.code()));
        match &self.verdict {
            Verdict::Known { id, .. } => format!("{id} {}", first.unwrap_or_default()),
            Verdict::Fixed { id } => format!("known issue {id} is fixed here"),
            Verdict::Skipped { reason } | Verdict::NotRun { reason } => reason.clone(),
            Verdict::Passed if self.amount.is_nothing() => "only safety judged".to_owned(),
            Verdict::Passed | Verdict::Failed { .. } => first.unwrap_or_default(),
        }
    }
}

/// What entries are filtered by: a title, and the value of each entry.
type By = (&'static str, fn(&Entry) -> &str);

const FILTERS: [By; 3] = [
    ("outcome", |entry| outcome(&entry.verdict)),
    ("suite", Entry::suite),
    ("kernel", |entry| &entry.kernel),
];

/// The index of a run, worst outcomes first; `left_out` names folders that could not be read, each with the reason.
#[must_use]
pub fn index(entries: &[Entry], left_out: &[(String, String)]) -> String {
    let mut sorted: Vec<&Entry> = entries.iter().collect();
    sorted.sort_by_key(|entry| (rank(&entry.verdict), &entry.name, &entry.kernel));
    let mut text = String::new();
    head(&mut text, "relaybed: a run");
    let is_failed = |entry: &&Entry| outcome(&entry.verdict) == "failed";
    let (class, word) = match entries.iter().filter(is_failed).count() {
        0 => ("good", "none failed".to_owned()),
        failed => ("bad", format!("{failed} failed")),
    };
    let sum = |of: fn(&Entry) -> u64| entries.iter().map(of).fold(0, u64::saturating_add);
    let (ms, records) = (
        sum(|entry| entry.duration_ms),
        sum(|entry| entry.amount.records),
    );
    push(
        &mut text,
        format_args!(
            "<header class=\"{class}\"><p class=\"word\">{word}</p><h1>{} scenarios</h1>\
             <p class=\"dim\">{}.{} s · {records} records judged</p></header>\n<main>\n",
            entries.len(),
            ms / 1000,
            ms % 1000 / 100,
        ),
    );
    let values = FILTERS.map(|by| filter(&mut text, entries, by));
    text.push_str(
        "<div class=\"scroll\"><table class=\"index\"><thead><tr><th>outcome</th><th>scenario</th><th>kernel</th>\
         <th>records</th><th>ms</th><th>first finding</th></tr></thead><tbody>\n",
    );
    for entry in sorted {
        row(&mut text, entry, &values);
    }
    text.push_str("</tbody></table></div>\n");
    if !left_out.is_empty() {
        text.push_str("<section><h2>Not read</h2><ul>");
        for (folder, why) in left_out {
            let item = format_args!("<li>{}: {}</li>", escape(folder), escape(why));
            push(&mut text, item);
        }
        text.push_str("</ul></section>\n");
    }
    foot(&mut text);
    text
}

/// Boxes to hide rows by, and the style that does it: no script is needed. Gives each value's class.
fn filter<'a>(
    text: &mut String,
    entries: &'a [Entry],
    (title, of): By,
) -> BTreeMap<&'a str, String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for entry in entries {
        *counts.entry(of(entry)).or_default() += 1;
    }
    let mut style = String::new();
    let mut classes = BTreeMap::new();
    push(text, format_args!("<fieldset><legend>{title}</legend>"));
    for (number, (value, count)) in counts.into_iter().enumerate() {
        let class = format!("{title}-{number}");
        let name = if value.is_empty() { "none" } else { value };
        push(
            text,
            format_args!(
                "<label><input type=\"checkbox\" id=\"{class}\" checked> {} <span class=\"dim\">{count}</span></label>",
                escape(name)
            ),
        );
        style.push_str(&format!(
            "body:has(#{class}:not(:checked)) tr.{class} {{ display: none; }}\n"
        ));
        classes.insert(value, class);
    }
    push(text, format_args!("</fieldset><style>\n{style}</style>\n"));
    classes
}

fn row(text: &mut String, entry: &Entry, values: &[BTreeMap<&str, String>]) {
    let of = FILTERS.iter().zip(values);
    let classes = of.filter_map(|((_, of), classes)| classes.get(of(entry)));
    let classes: Vec<&str> = classes.map(String::as_str).collect();
    let word = outcome(&entry.verdict);
    let colour = match entry.verdict {
        Verdict::Passed | Verdict::Fixed { .. } => "good",
        Verdict::Failed { .. } => "bad",
        _ => "known",
    };
    push(
        text,
        format_args!(
            "<tr class=\"{}\"><td class=\"{colour}\"><span class=\"word\">{word}</span></td><td><a href=\"{}\">{}</a></td>\
             <td>{}</td><td class=\"num\">{}</td><td class=\"num\">{}</td><td>{}</td></tr>\n",
            classes.join(" "),
            escape(&entry.page),
            escape(&entry.name),
            escape(&entry.kernel),
            entry.amount.records,
            entry.duration_ms,
            escape(&entry.note()),
        ),
    );
}

/// The worst first.
const fn rank(verdict: &Verdict) -> u8 {
    match verdict {
        Verdict::Failed { .. } => 0,
        Verdict::Fixed { .. } => 1,
        Verdict::Known { .. } => 2,
        Verdict::NotRun { .. } => 3,
        Verdict::Skipped { .. } => 4,
        Verdict::Passed => 5,
    }
}
