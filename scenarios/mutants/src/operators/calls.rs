//! Operators on calls: other CPUs, and locks that are neither taken nor given back.

use tree_sitter::Node;

use super::{Found, Site, all_below, callee};
use crate::source::children;
use crate::{Edit, Operator};

/// Calls whose second argument is a CPU.
const OF_CPU: &[&str] = &["per_cpu_ptr"];

/// Calls whose first argument is a CPU.
const ON_CPU: &[&str] = &["smp_call_function_single"];

pub(super) fn of(site: &mut Site<'_>, node: Node<'_>) {
    if node.kind() != "call_expression" {
        return;
    }
    let Some(function) = node.child_by_field_name("function") else {
        return;
    };
    let name = site.of(function);
    let at = if OF_CPU.contains(&name) {
        1
    } else if ON_CPU.contains(&name) {
        0
    } else {
        return;
    };
    let arguments = node.child_by_field_name("arguments").map(children);
    let mut named = arguments.into_iter().flatten().filter(Node::is_named);
    let Some(cpu) = named.nth(at).filter(|cpu| !cpu.has_error()) else {
        return;
    };
    if site.of(cpu) != "0" {
        let place = (node.byte_range(), cpu.byte_range());
        site.replace_in(Operator::Cpu, place, "0");
    }
}

/// Locks of a whole function: taken and given back, and now neither.
pub(super) fn of_whole(site: &mut Site<'_>, body: Node<'_>) {
    let mut locks: Vec<(String, Vec<Edit>)> = Vec::new();
    let mut statements: Vec<Node<'_>> = all_below(body)
        .into_iter()
        .filter(|node| node.kind() == "expression_statement")
        .collect();
    statements.sort_by_key(Node::start_byte);
    for node in statements {
        let Some(name) = callee(site, node).and_then(lock) else {
            continue;
        };
        let edit = Edit {
            range: node.byte_range(),
            text: ";".to_owned(),
        };
        match locks.iter_mut().find(|(known, _)| *known == name) {
            Some((_, edits)) => edits.push(edit),
            None => locks.push((name, vec![edit])),
        }
    }
    for (name, edits) in locks {
        let Some(first) = edits.first().filter(|_| edits.len() > 1) else {
            continue;
        };
        site.found.push(Found {
            at: first.range.start,
            operator: Operator::Lock,
            before: format!("{name} and its opposite"),
            after: "neither".to_owned(),
            edits,
        });
    }
}

/// The lock that a function takes or gives back, as the name of the one that takes it.
fn lock(callee: &str) -> Option<String> {
    let name = callee
        .replace("unlock", "lock")
        .replace("_restore", "_save");
    let known = name.ends_with("_lock") || name == "local_irq_save";
    known.then_some(name)
}
