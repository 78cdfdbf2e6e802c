//! The language as data: which keys there are, what each takes, and what it means.
//!
//! Parser, JSON Schema and reference are made from these tables, so that none of them can lack a key.

mod actors;
mod calls;
mod channel;
mod file;
mod records;
mod turns;

use crate::ops::OpForm;

pub(super) use actors::ACTOR;
pub(super) use channel::{CHANNEL, CREATE, CREATED, NO_MEMORY, REFUSE, STALL};
pub(super) use file::{ACTOR_CLAIM, BUFFER_CLAIM, FLOW_CLAIM, OPEN_REFUSED, SCENARIO};
pub(super) use records::{NESTING, RANGE};
pub(super) use turns::{PLACE, TURN};

/// All operations, in the order of the reference.
pub(super) fn operations() -> impl Iterator<Item = &'static OpForm> {
    let of_user = calls::FILES.iter().chain(&calls::MACHINE);
    let of_all = actors::OPERATIONS.iter();
    records::OPERATIONS.iter().chain(of_user).chain(of_all)
}

/// The operation of this name.
pub(super) fn operation(name: &str) -> Option<&'static OpForm> {
    operations().find(|form| form.name == name)
}

/// What may stand behind a key.
#[derive(Clone, Copy, Debug)]
pub(super) enum Takes {
    /// An integer, or an expression in a string.
    Number,
    /// A number, or `"each"`.
    Cpu,
    /// A list of numbers.
    Numbers,
    /// Any text.
    Text,
    /// The name of a channel, a descriptor, a gate, an actor or a checkpoint.
    Name(&'static str),
    /// One of these words, or `"$parameter"`; where the key may be left out, the first is the default.
    Word(fn() -> Vec<&'static str>),
    /// The same, without a default.
    Choice(fn() -> Vec<&'static str>),
    /// A list of these words.
    Words(fn() -> Vec<&'static str>),
    /// A number, or the two between which lengths are drawn.
    Length,
    /// A list of operations.
    Script,
    /// A table.
    Table(&'static Table),
    /// A word, or a table.
    WordOr(&'static str, &'static Table),
    /// Tables by name: `[key.NAME]`.
    Named(&'static Table),
    /// A list of tables, each one of these: `[[key]]`.
    List(&'static [&'static Table]),
    /// Lists of integers or words by name.
    Parameters,
}

/// One key of a table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) takes: Takes,
    pub(super) needed: bool,
    pub(super) means: &'static str,
}

/// One table of the language.
#[derive(Debug)]
pub(super) struct Table {
    /// As the reference calls it.
    pub(super) name: &'static str,
    pub(super) means: &'static str,
    /// TOML that shows it.
    pub(super) example: &'static str,
    pub(super) keys: &'static [Key],
}

impl Table {
    /// Names of its keys.
    pub(super) fn names(&self) -> Vec<&'static str> {
        self.keys.iter().map(|key| key.name).collect()
    }
}

/// A key that may be left out.
const fn key(name: &'static str, takes: Takes, means: &'static str) -> Key {
    let needed = false;
    Key {
        name,
        takes,
        needed,
        means,
    }
}

/// A key that must be there.
const fn needed(name: &'static str, takes: Takes, means: &'static str) -> Key {
    let needed = true;
    Key {
        name,
        takes,
        needed,
        means,
    }
}

/// The words of a list that gives each its value.
fn words<T>(known: &[(&'static str, T)]) -> Vec<&'static str> {
    known.iter().map(|(word, _)| *word).collect()
}
