//! Operators on loops: one that ends after its first turn, or at the first turn that has nothing to do.

use tree_sitter::Node;

use super::Site;
use crate::source::children;
use crate::{Edit, Operator};

use super::Found;

pub(super) fn of(site: &mut Site<'_>, node: Node<'_>) {
    if !matches!(node.kind(), "while_statement" | "for_statement") {
        return;
    }
    let Some(body) = node.child_by_field_name("body") else {
        return;
    };
    let head = site.text[node.start_byte()..body.start_byte()].trim_end();
    let end = body.end_byte();
    site.found.push(Found {
        at: node.start_byte(),
        operator: Operator::Loop,
        before: head.to_owned(),
        after: format!("{head} {{ … break; }}"),
        edits: vec![insert(body.start_byte(), "{ "), insert(end, " break; }")],
    });
    if let Some(end) = idle_end(body) {
        site.found.push(Found {
            at: node.start_byte(),
            operator: Operator::Loop,
            before: head.to_owned(),
            after: format!("{head} … else break;"),
            edits: vec![insert(end, " else break;")],
        });
    }
}

fn insert(at: usize, text: &str) -> Edit {
    Edit {
        range: at..at,
        text: text.to_owned(),
    }
}

/// The end of the only statement of a loop, if that is one `if` without an `else`.
fn idle_end(body: Node<'_>) -> Option<usize> {
    let only = if body.kind() == "compound_statement" {
        let mut named = children(body)
            .into_iter()
            .filter(|child| child.is_named() && child.kind() != "comment");
        named.next().filter(|_| named.next().is_none())?
    } else {
        body
    };
    let idle = only.kind() == "if_statement" && only.child_by_field_name("alternative").is_none();
    idle.then(|| only.end_byte())
}
