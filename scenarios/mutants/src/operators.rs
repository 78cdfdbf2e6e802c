//! What each operator makes of a function: the walk over its tree, and what all of them share.

mod calls;
mod expressions;
mod loops;
mod statements;

use std::ops::Range;

use tree_sitter::Node;

use crate::source::children;
use crate::{Edit, Operator};

/// A change that was found possible.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// Where it shows.
    pub(crate) at: usize,
    /// The kind of change.
    pub(crate) operator: Operator,
    /// The text that is changed.
    pub(crate) before: String,
    /// What becomes of it.
    pub(crate) after: String,
    /// The change.
    pub(crate) edits: Vec<Edit>,
}

/// A function that is looked at.
pub(crate) struct Site<'a> {
    /// The whole source, as it is.
    text: &'a str,
    found: &'a mut Vec<Found>,
}

impl<'a> Site<'a> {
    /// The text of a node.
    fn of(&self, node: Node<'_>) -> &'a str {
        &self.text[node.byte_range()]
    }

    /// Replaces a piece of the text.
    fn replace(&mut self, operator: Operator, range: Range<usize>, text: impl Into<String>) {
        let text = text.into();
        self.found.push(Found {
            at: range.start,
            operator,
            before: self.text[range.clone()].to_owned(),
            after: text.clone(),
            edits: vec![Edit { range, text }],
        });
    }

    /// Replaces a piece of the text, and shows the change with what is around it.
    fn replace_in(
        &mut self,
        operator: Operator,
        (around, range): (Range<usize>, Range<usize>),
        text: &str,
    ) {
        let (before, old) = (&self.text[around.clone()], range.clone());
        let (head, tail) = (
            &self.text[around.start..old.start],
            &self.text[old.end..around.end],
        );
        self.found.push(Found {
            at: range.start,
            operator,
            before: before.to_owned(),
            after: format!("{head}{text}{tail}"),
            edits: vec![Edit {
                range,
                text: text.to_owned(),
            }],
        });
    }
}

/// All changes of one function's body.
pub(crate) fn of_function(text: &str, body: Node<'_>, found: &mut Vec<Found>) {
    let mut site = Site { text, found };
    let mut left = vec![body];
    while let Some(node) = left.pop() {
        expressions::of(&mut site, node);
        statements::of(&mut site, node);
        calls::of(&mut site, node);
        loops::of(&mut site, node);
        left.extend(children(node));
    }
    calls::of_whole(&mut site, body);
}

/// A child by the name of its field, if all of it was understood.
fn field<'t>(node: Node<'t>, name: &str) -> Option<Node<'t>> {
    node.child_by_field_name(name)
        .filter(|child| !child.has_error())
}

/// The name of the function that an expression statement calls.
fn callee<'a>(site: &Site<'a>, statement: Node<'_>) -> Option<&'a str> {
    let call = statement.named_child(0)?;
    if call.kind() != "call_expression" {
        return None;
    }
    let function = call.child_by_field_name("function")?;
    (function.kind() == "identifier").then(|| site.of(function))
}

/// All nodes below one, itself included.
fn all_below(node: Node<'_>) -> Vec<Node<'_>> {
    let mut all = vec![node];
    let mut at = 0;
    while let Some(node) = all.get(at).copied() {
        all.extend(children(node));
        at += 1;
    }
    all
}

#[cfg(test)]
mod tests;
