//! Operators on statements: conditions, returned values, statements left out, doubled, and out of order.

use tree_sitter::Node;

use super::{Site, callee, field};
use crate::Operator;
use crate::source::children;

pub(super) fn of(site: &mut Site<'_>, node: Node<'_>) {
    match node.kind() {
        "if_statement" => condition(site, node, true),
        "while_statement" | "do_statement" => condition(site, node, false),
        "conditional_expression" => choice(site, node),
        "return_statement" => returned(site, node),
        "expression_statement" => statement(site, node),
        "break_statement" | "continue_statement" | "goto_statement" => {
            site.replace(Operator::Jump, node.byte_range(), ";");
        }
        "compound_statement" => order(site, node),
        _ => {}
    }
}

/// A condition in parentheses.
fn condition(site: &mut Site<'_>, node: Node<'_>, is_if: bool) {
    let Some(condition) = field(node, "condition") else {
        return;
    };
    // The mask of a macro's loop has none.
    let head = &site.text[node.start_byte()..];
    if node.kind() == "while_statement" && !head.starts_with("while") {
        return;
    }
    let (text, range) = (site.of(condition), condition.byte_range());
    site.replace(Operator::Negate, range.clone(), format!("(!{text})"));
    if is_if {
        let always = format!("({text} || 1)");
        site.replace(Operator::Condition, range.clone(), always);
        site.replace(Operator::Condition, range, format!("({text} && 0)"));
    }
}

/// `a ? b : c`.
fn choice(site: &mut Site<'_>, node: Node<'_>) {
    let parts = ["condition", "consequence", "alternative"].map(|name| field(node, name));
    let [Some(_), Some(yes), Some(no)] = parts else {
        return;
    };
    for value in [yes, no] {
        let only = format!("({})", site.of(value));
        site.replace(Operator::Condition, node.byte_range(), only);
    }
}

fn returned(site: &mut Site<'_>, node: Node<'_>) {
    let Some(value) = node.named_child(0).filter(|value| !value.has_error()) else {
        return;
    };
    let other = match site.of(value) {
        "0" => "1",
        "NULL" => return,
        _ => "0",
    };
    let place = (node.byte_range(), value.byte_range());
    site.replace_in(Operator::Return, place, other);
}

/// The operator that leaves a call out, by what is called.
fn left_out(callee: &str) -> Operator {
    let any = |words: &[&str]| words.iter().any(|word| callee.contains(word));
    if any(&["lock", "get_cpu", "put_cpu", "irq_save", "irq_restore"]) {
        Operator::Lock
    } else if callee.starts_with("smp_") && callee.ends_with("mb") {
        Operator::Barrier
    } else if any(&["kref_", "get_page", "put_page"]) {
        Operator::Reference
    } else if any(&["irq_work", "wake_up", "waitqueue", "poll_wait"]) {
        Operator::Wake
    } else if any(&["free", "vunmap"]) {
        Operator::Free
    } else {
        Operator::Drop
    }
}

fn statement(site: &mut Site<'_>, node: Node<'_>) {
    let (text, range) = (site.of(node), node.byte_range());
    let whole = text.ends_with(';') && text.len() > 1;
    let Some(inner) = node.named_child(0).filter(|_| whole) else {
        return;
    };
    let operator = callee(site, node).map_or(Operator::Drop, left_out);
    site.replace(operator, range.clone(), ";");
    // An assignment that is made twice is made once.
    let plain = inner.kind() == "assignment_expression"
        && inner
            .child_by_field_name("operator")
            .is_some_and(|sign| site.of(sign) == "=");
    if !plain {
        let twice = format!("{{ {text} {text} }}");
        site.replace(Operator::Double, range, twice);
    }
}

/// Neighbours of which one stores something.
fn order(site: &mut Site<'_>, node: Node<'_>) {
    let named: Vec<Node<'_>> = children(node)
        .into_iter()
        .filter(|child| child.is_named() && child.kind() != "comment")
        .collect();
    for pair in named.windows(2) {
        let [first, second] = pair else { continue };
        let statements = pair.iter().all(|n| n.kind() == "expression_statement");
        if !statements || !pair.iter().any(|n| stores(*n)) {
            continue;
        }
        let (a, b) = (site.of(*first), site.of(*second));
        let between = &site.text[first.end_byte()..second.start_byte()];
        let range = first.start_byte()..second.end_byte();
        site.replace(Operator::Order, range, format!("{b}{between}{a}"));
    }
}

fn stores(statement: Node<'_>) -> bool {
    let inner = statement.named_child(0);
    inner.is_some_and(|inner| matches!(inner.kind(), "assignment_expression" | "update_expression"))
}
