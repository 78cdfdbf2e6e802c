//! The language's reference, as text.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::diagnostic::suggestion;
use crate::ops::{OpForm, Who};
use crate::table::{
    ACTOR, ACTOR_CLAIM, BUFFER_CLAIM, CHANNEL, CREATE, CREATED, FLOW_CLAIM, Key, NESTING,
    NO_MEMORY, OPEN_REFUSED, PLACE, RANGE, REFUSE, SCENARIO, STALL, TURN, Table, Takes, operations,
};

/// Tables in the order of the reference.
static TABLES: [&Table; 16] = [
    &SCENARIO,
    &CHANNEL,
    &REFUSE,
    &STALL,
    &CREATE,
    &CREATED,
    &NO_MEMORY,
    &ACTOR,
    &RANGE,
    &NESTING,
    &BUFFER_CLAIM,
    &FLOW_CLAIM,
    &ACTOR_CLAIM,
    &OPEN_REFUSED,
    &TURN,
    &PLACE,
];

const INTRODUCTION: &str = "\
# The scenario language

A scenario is a TOML file. `relaybed check FILE` finds what is wrong in it without running it, `relaybed schema`
prints a JSON Schema for editors, and `relaybed help language WORD` prints the entry for one word.

- **Numbers.** Wherever a number is expected, a string may hold an expression: decimal numbers, `+ - * / %`,
  parentheses, and names. Names are the parameters; `S` and `N`, sub-buffer size and count of the channel concerned;
  `cpus`, the number of CPUs asked for; `own`, the CPU of the actor or of the buffer expected; and the events of
  poll(): `POLLIN`, `POLLRDNORM`, `POLLERR`, `POLLHUP` …
- **Words.** Where one of a set of words is expected, `\"$name\"` stands for the value of a parameter. Where the
  key may be left out, the word marked with `*` is the default.
- **Gates** are counters by which actors wait for each other: `signal` adds one, `wait` waits for a count.
- **Claims.** The model already predicts everything that the order of operations decides; `gives`, `fails` and
  `[[expect]]` are what the author would point out to a reader of the file.
";

/// The whole reference, in Markdown.
#[must_use]
pub fn reference() -> String {
    let mut text = INTRODUCTION.to_owned();
    text.push_str("\n## Tables\n");
    for table in TABLES {
        text.push_str(&of_table(table));
    }
    for (who, title) in [
        (Who::Kernel, "Operations of actors in the kernel"),
        (Who::User, "Operations of actors in user space"),
        (Who::Anyone, "Operations of all actors"),
    ] {
        let _ = write!(text, "\n## {title}\n");
        for form in operations().filter(|form| form.who == who) {
            text.push_str(&of_operation(form));
        }
    }
    text
}

/// What the reference says of one word: the tables and operations of that name, or else those that have a key of
/// that name or take the word.
///
/// # Errors
/// There is nothing; with the words that are near.
pub fn section(word: &str) -> Result<String, String> {
    let named = |table: &&Table| table.name.split(' ').any(|part| part == word);
    let tables: Vec<&Table> = TABLES.into_iter().filter(named).collect();
    let forms = operations().filter(|form| form.name == word);
    let mut sections: Vec<String> = tables.into_iter().map(of_table).collect();
    sections.extend(forms.map(of_operation));
    if sections.is_empty() {
        let has = |keys: &[Key]| {
            let fits = |key: &Key| key.name == word || words_of(key.takes).contains(&word);
            keys.iter().any(fits)
        };
        let tables = TABLES.into_iter().filter(|table| has(table.keys));
        sections.extend(tables.map(of_table));
        let forms = operations().filter(|form| has(form.args));
        sections.extend(forms.map(of_operation));
    }
    if sections.is_empty() {
        let keys = TABLES.into_iter().flat_map(Table::names);
        let names = operations().map(|form| form.name).chain(keys);
        let known: Vec<&str> = names.collect::<BTreeSet<_>>().into_iter().collect();
        return Err(format!(
            "the language has no word `{word}`; {}",
            suggestion(word, &known)
        ));
    }
    Ok(sections.concat().trim_start().to_owned())
}

fn of_table(table: &Table) -> String {
    let Table {
        name,
        means,
        example,
        keys,
    } = table;
    let mut text = format!("\n### {name}\n\n{means}\n\n```toml\n{example}\n```\n\n");
    keys.iter().for_each(|key| line(&mut text, key));
    text
}

fn of_operation(form: &OpForm) -> String {
    let OpForm {
        name, means, args, ..
    } = form;
    let needed = args.iter().filter(|key| key.needed);
    let needed: String = needed.map(|key| format!(", {} = …", key.name)).collect();
    let subject = placeholder(form.subject.takes());
    let mut text = format!("\n### {name}\n\n`{{ {name} = {subject}{needed} }}`\n\n{means}\n");
    for (one, other, must) in form.apart {
        let rule = if *must {
            format!(" One of `{one}` and `{other}` is needed.")
        } else {
            format!(" `{one}` and `{other}` exclude each other.")
        };
        text.insert_str(text.len() - 1, &rule);
    }
    if !args.is_empty() {
        text.push('\n');
    }
    args.iter().for_each(|key| line(&mut text, key));
    text
}

/// One key, with what it takes.
fn line(text: &mut String, key: &Key) {
    let Key { name, means, .. } = key;
    let needed = if key.needed { ", needed" } else { "" };
    let mut takes = placeholder(key.takes);
    if let (Takes::Word(words), false) = (key.takes, key.needed) {
        let default = words().first().map_or(0, |word| word.len() + 2);
        takes.insert(default, '*');
    }
    let _ = writeln!(text, "- `{name}` = {takes}{needed}: {means}");
}

fn placeholder(takes: Takes) -> String {
    let list = |words: Vec<&str>| {
        let shown = words.iter().map(|word| format!("\"{word}\""));
        shown.collect::<Vec<_>>().join(" | ")
    };
    match takes {
        Takes::Number => "NUMBER".to_owned(),
        Takes::Cpu => "NUMBER | \"each\"".to_owned(),
        Takes::Numbers => "[NUMBER …]".to_owned(),
        Takes::Text => "TEXT".to_owned(),
        Takes::Name(of) => of.to_uppercase(),
        // The names of errors are a language of their own.
        Takes::Choice(words) if words().len() > 16 => "WORD".to_owned(),
        Takes::Word(words) | Takes::Choice(words) => list(words()),
        Takes::Words(words) => format!("[{} …]", list(words())),
        Takes::Length => "NUMBER | { min, max }".to_owned(),
        Takes::Script => "[OPERATION …]".to_owned(),
        Takes::Table(of) => format!("{{ {} }}", of.names().join(", ")),
        Takes::WordOr(word, of) => format!("\"{word}\" | {{ {} }}", of.names().join(", ")),
        Takes::Named(of) => format!("tables `[{}.NAME]`", of.name),
        Takes::List(_) => "list of tables".to_owned(),
        Takes::Parameters => "lists of integers or words".to_owned(),
    }
}

/// The words that a key takes.
fn words_of(takes: Takes) -> Vec<&'static str> {
    match takes {
        Takes::Word(words) | Takes::Choice(words) | Takes::Words(words) => words(),
        Takes::WordOr(word, _) => vec![word],
        _ => Vec::new(),
    }
}
