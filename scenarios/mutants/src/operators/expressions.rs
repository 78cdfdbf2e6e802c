//! Operators on expressions: comparisons, arithmetic, logic, numbers, members.

use tree_sitter::Node;

use super::{Site, field};
use crate::Operator;

/// What becomes of an operation's sign.
const SIGNS: &[(Operator, &str, &[&str])] = &[
    (Operator::Comparison, "<", &["<=", ">="]),
    (Operator::Comparison, "<=", &["<", ">"]),
    (Operator::Comparison, ">", &[">=", "<="]),
    (Operator::Comparison, ">=", &[">", "<"]),
    (Operator::Comparison, "==", &["!=", ">=", "<="]),
    (Operator::Comparison, "!=", &["==", "<", ">"]),
    (Operator::Arithmetic, "+", &["-"]),
    (Operator::Arithmetic, "-", &["+"]),
    (Operator::Arithmetic, "*", &["/"]),
    (Operator::Arithmetic, "/", &["%"]),
    (Operator::Arithmetic, "%", &["/"]),
    (Operator::Arithmetic, "<<", &[">>"]),
    (Operator::Arithmetic, ">>", &["<<"]),
    (Operator::Logic, "&&", &["||"]),
    (Operator::Logic, "||", &["&&"]),
    (Operator::Logic, "&", &["|"]),
    (Operator::Logic, "|", &["&"]),
];

/// Operations whose operands make a difference by their place.
const SWAPPED: &[&str] = &["-", "%", "/"];

/// Operations that give a number which can be one too large.
const COMPUTED: &[&str] = &["+", "-", "*", "/", "%", "<<", ">>"];

/// What becomes of an assignment's sign.
const ASSIGNED: &[(&str, &[&str])] = &[
    ("+=", &["=", "-="]),
    ("-=", &["=", "+="]),
    ("|=", &["="]),
    ("%=", &["="]),
];

/// Members that are taken for each other.
const MEMBERS: &[(&str, &str)] = &[
    ("subbufs_produced", "subbufs_consumed"),
    ("subbufs_consumed", "subbufs_produced"),
    ("bytes_consumed", "offset"),
    ("offset", "bytes_consumed"),
    ("n_subbufs", "subbuf_size"),
    ("subbuf_size", "n_subbufs"),
    ("subbuf_size", "alloc_size"),
    ("alloc_size", "subbuf_size"),
    ("start", "data"),
    ("data", "start"),
];

pub(super) fn of(site: &mut Site<'_>, node: Node<'_>) {
    match node.kind() {
        "binary_expression" => binary(site, node),
        "number_literal" => number(site, node),
        "assignment_expression" => assignment(site, node),
        "update_expression" => update(site, node),
        "field_expression" => member(site, node),
        _ => {}
    }
}

fn binary(site: &mut Site<'_>, node: Node<'_>) {
    let parts = (field(node, "left"), field(node, "right"));
    let ((Some(left), Some(right)), Some(sign)) = (parts, node.child_by_field_name("operator"))
    else {
        return;
    };
    let (text, range) = (site.of(sign), node.byte_range());
    for (operator, from, to) in SIGNS {
        if *from == text {
            for to in *to {
                site.replace_in(*operator, (range.clone(), sign.byte_range()), to);
            }
        }
    }
    let (l, r) = (site.of(left), site.of(right));
    if SWAPPED.contains(&text) {
        let swapped = format!("({r}) {text} ({l})");
        site.replace(Operator::Arithmetic, range.clone(), swapped);
    }
    if text == "%" {
        // What was kept within a ring goes on behind it.
        site.replace(Operator::Arithmetic, range.clone(), format!("({l})"));
    }
    if ["&&", "||"].contains(&text) {
        for side in [l, r] {
            site.replace(Operator::Logic, range.clone(), format!("({side})"));
        }
    }
    let inner = node
        .parent()
        .is_some_and(|p| p.kind() == "binary_expression" && is_computed(site, p));
    if is_computed(site, node) && !inner {
        let more = format!("(({}) + 1)", site.of(node));
        site.replace(Operator::OffByOne, range, more);
    }
}

fn is_computed(site: &Site<'_>, node: Node<'_>) -> bool {
    let sign = node.child_by_field_name("operator");
    sign.is_some_and(|sign| COMPUTED.contains(&site.of(sign)))
}

fn number(site: &mut Site<'_>, node: Node<'_>) {
    // Returned values have an operator of their own.
    if node
        .parent()
        .is_some_and(|p| p.kind() == "return_statement")
    {
        return;
    }
    let Ok(value) = site.of(node).parse::<u64>() else {
        return;
    };
    let values = match value {
        0 => vec![1],
        1 => vec![0, 2],
        more => vec![more - 1, more + 1],
    };
    let around = statement_of(node).byte_range();
    for value in values {
        let value = value.to_string();
        site.replace_in(
            Operator::Constant,
            (around.clone(), node.byte_range()),
            &value,
        );
    }
}

/// The smallest part of the text that says what a word in it is for.
fn statement_of(node: Node<'_>) -> Node<'_> {
    let mut around = node;
    while let Some(parent) = around.parent() {
        let kind = around.kind();
        let whole = kind.ends_with("statement") || kind == "declaration";
        let large = parent.end_position().row > parent.start_position().row + 2;
        if whole || large {
            break;
        }
        around = parent;
    }
    around
}

fn assignment(site: &mut Site<'_>, node: Node<'_>) {
    let Some(sign) = node.child_by_field_name("operator") else {
        return;
    };
    let text = site.of(sign);
    for (from, to) in ASSIGNED {
        if *from == text {
            for to in *to {
                let place = (node.byte_range(), sign.byte_range());
                site.replace_in(Operator::Assign, place, to);
            }
        }
    }
    // A value that is not computed on the spot is one too large as well, where it is added.
    let plain = field(node, "right").filter(|right| right.kind() == "identifier");
    if let (Some(value), true) = (plain, text != "=") {
        let more = format!("({} + 1)", site.of(value));
        let place = (node.byte_range(), value.byte_range());
        site.replace_in(Operator::OffByOne, place, &more);
    }
}

fn update(site: &mut Site<'_>, node: Node<'_>) {
    let Some(sign) = node.child_by_field_name("operator") else {
        return;
    };
    let other = match site.of(sign) {
        "++" => "--",
        "--" => "++",
        _ => return,
    };
    let place = (node.byte_range(), sign.byte_range());
    site.replace_in(Operator::Assign, place, other);
}

fn member(site: &mut Site<'_>, node: Node<'_>) {
    let Some(name) = field(node, "field") else {
        return;
    };
    let text = site.of(name);
    let around = statement_of(node).byte_range();
    for (from, to) in MEMBERS {
        if *from == text {
            site.replace_in(Operator::Member, (around.clone(), name.byte_range()), to);
        }
    }
}
