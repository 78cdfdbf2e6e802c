//! A C source as a tree, and the functions in it.

use tree_sitter::{Node, Parser, Tree};

use crate::masks::masked;
use crate::mutant::{id, short};
use crate::operators::{self, Found};
use crate::{Mutant, Operator};

/// A text of which the parser understands less than this share is no C.
const UNDERSTOOD_PERCENT: usize = 70;

/// A source that has no mutants.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoSource {
    /// Nothing is there.
    #[error("the file is empty")]
    Empty,
    /// It is no text.
    #[error("the file is no text: byte {at} is no part of a character")]
    NoText {
        /// The first bad byte.
        at: usize,
    },
    /// It is no C.
    #[error("the file is no C source: the parser gives up in line {line}")]
    NoC {
        /// The first line that it does not understand.
        line: usize,
    },
    /// It is C of something else.
    #[error("the file defines no {function}(): it is not relay's")]
    NoRelay {
        /// A function that must be there.
        function: String,
    },
    /// The grammar and the parser do not fit each other.
    #[error("the C grammar cannot be loaded")]
    NoGrammar,
}

/// A C source.
#[derive(Debug)]
pub struct Source {
    text: String,
    tree: Tree,
}

impl Source {
    /// Parses a text, which must define `function`.
    ///
    /// # Errors
    /// [`NoSource`].
    pub fn parse(text: Vec<u8>, function: &str) -> Result<Self, NoSource> {
        let text = String::from_utf8(text).map_err(|error| NoSource::NoText {
            at: error.utf8_error().valid_up_to(),
        })?;
        if text.trim().is_empty() {
            return Err(NoSource::Empty);
        }
        let mut parser = Parser::new();
        parser
            .set_language(&tree_sitter_c::LANGUAGE.into())
            .map_err(|_| NoSource::NoGrammar)?;
        let tree = parser
            .parse(masked(&text), None)
            .ok_or(NoSource::NoGrammar)?;
        let source = Self { text, tree };
        if let Some(line) = source.gives_up() {
            return Err(NoSource::NoC { line });
        }
        let defined = source.functions();
        if !defined.iter().any(|(name, _)| name == function) {
            let function = function.to_owned();
            return Err(NoSource::NoRelay { function });
        }
        Ok(source)
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The first line that is not understood, if too few are.
    fn gives_up(&self) -> Option<usize> {
        let mut errors = Vec::new();
        errors_of(self.tree.root_node(), &mut errors);
        let first = errors.first()?.start_position().row + 1;
        let lost: usize = errors.iter().map(|node| node.byte_range().len()).sum();
        let lost_percent = 100 * lost / self.text.len().max(1);
        let no_c = lost_percent > 100 - UNDERSTOOD_PERCENT || self.functions().is_empty();
        no_c.then_some(first)
    }

    /// The functions that are defined, in their order.
    fn functions(&self) -> Vec<(String, Node<'_>)> {
        let mut found = Vec::new();
        let mut left = vec![self.tree.root_node()];
        while let Some(node) = left.pop() {
            if node.kind() == "function_definition" {
                if let Some(name) = self.name(node) {
                    found.push((name, node));
                }
                continue;
            }
            left.extend(children(node));
        }
        found.sort_by_key(|(_, node)| node.start_byte());
        found
    }

    /// The name below a function's declarators.
    fn name(&self, function: Node<'_>) -> Option<String> {
        let mut node = function.child_by_field_name("declarator")?;
        while let Some(inner) = node.child_by_field_name("declarator") {
            node = inner;
        }
        let is_name = node.kind() == "identifier";
        is_name.then(|| self.text[node.byte_range()].to_owned())
    }

    /// All mutants, by their place.
    #[must_use]
    pub fn mutants(&self) -> Vec<Mutant> {
        let mut all = Vec::new();
        for (name, function) in self.functions() {
            let Some(body) = function.child_by_field_name("body") else {
                continue;
            };
            let mut found = Vec::new();
            operators::of_function(&self.text, body, &mut found);
            found.sort_by_key(|found| (found.at, found.operator));
            all.extend(self.named(&name, found));
        }
        all
    }

    /// Changes of one function as mutants; of those that come to the same text, the first.
    fn named(&self, function: &str, found: Vec<Found>) -> Vec<Mutant> {
        let mut mutants: Vec<Mutant> = Vec::new();
        let mut kinds: Vec<(Operator, String, String)> = Vec::new();
        for found in found {
            let same = |mutant: &&Mutant| mutant.edits == found.edits;
            let does_nothing = found
                .edits
                .iter()
                .all(|edit| self.text[edit.range.clone()] == edit.text);
            if does_nothing || mutants.iter().any(|mutant| same(&mutant)) {
                continue;
            }
            let kind = (found.operator, found.before, found.after);
            let nth = kinds.iter().filter(|other| **other == kind).count();
            let change = (kind.1.as_str(), kind.2.as_str());
            let (line, column) = self.place(found.at);
            mutants.push(Mutant {
                id: id(function, found.operator, change, nth),
                function: function.to_owned(),
                line,
                column,
                operator: found.operator,
                before: short(&kind.1),
                after: short(&kind.2),
                edits: found.edits,
            });
            kinds.push(kind);
        }
        mutants
    }

    /// Line and column of a byte, each from 1.
    fn place(&self, at: usize) -> (usize, usize) {
        let before = &self.text[..at];
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        (line, column)
    }
}

/// All children of a node.
pub(crate) fn children(node: Node<'_>) -> Vec<Node<'_>> {
    node.children(&mut node.walk()).collect()
}

/// The topmost nodes that are not understood, first to last.
fn errors_of<'t>(node: Node<'t>, found: &mut Vec<Node<'t>>) {
    if node.is_error() {
        found.push(node);
        return;
    }
    if node.has_error() {
        for child in children(node) {
            errors_of(child, found);
        }
    }
}
