//! Every format over the same few scenarios on three kernels, one of which cannot be had.

use super::*;
use crate::tests::{report, reports, rows, summary};

fn matrix() -> Matrix {
    let mut other = reports();
    other[1] = report("padding/b", Verdict::Passed);
    let column = |name: &str, reports, exit| Column {
        name: name.into(),
        asked: format!("suite:{name}"),
        reports,
        summary: Some(summary()),
        trouble: Vec::new(),
        exit,
    };
    let missing = Column {
        name: "9.9".into(),
        asked: "suite:9.9".into(),
        reports: Vec::new(),
        summary: None,
        trouble: vec![
            "the guest could not be made ready".into(),
            "no such kernel".into(),
        ],
        exit: Exit::SetUp,
    };
    Matrix {
        columns: vec![
            column("6.1", reports(), Exit::Failed),
            missing,
            column("7.3", other, Exit::Passed),
        ],
        pairs: false,
    }
}

fn rendered(format: Format) -> String {
    let mut bytes = Vec::new();
    matrix().write(format, &mut bytes).unwrap();
    anstream::adapter::strip_str(&String::from_utf8(bytes).unwrap()).to_string()
}

#[test]
fn differences_come_first_and_the_worst_exit_wins() {
    let matrix = matrix();
    let rows = matrix.rows();
    assert_eq!(rows[0].name, "padding/b");
    assert_eq!(rows.iter().filter(|row| row.differs()).count(), 1);
    assert_eq!(matrix.exit(), Exit::SetUp);
}

#[test]
fn both_columns_of_a_pair_must_say_the_same() {
    let mut matrix = matrix();
    matrix.columns.remove(1);
    assert!(matrix.unequal().is_empty());
    matrix.pairs = true;
    let unequal = matrix.unequal();
    assert_eq!(unequal.len(), 1);
    assert_eq!(
        (unequal[0].kernel, unequal[0].scenario),
        ("6.1", "padding/b")
    );
    assert_eq!(
        (unequal[0].built_in.as_str(), unequal[0].own.as_str()),
        ("failed", "passed")
    );
    assert_eq!(matrix.exit(), Exit::Failed);
    matrix.columns[1].reports = reports();
    matrix
        .columns
        .iter_mut()
        .for_each(|c| c.exit = Exit::Passed);
    assert_eq!(matrix.exit(), Exit::Passed);
    matrix.columns[1].reports.pop();
    assert_eq!(matrix.unequal()[0].own, "nothing");
}

#[test]
fn human() {
    insta::assert_snapshot!(rendered(Format::Human));
}

#[test]
fn json() {
    let text = rendered(Format::Json);
    let rows = rows(&text);
    assert_eq!(rows[0]["on"], "6.1");
    let last = &rows[rows.len() - 1]["matrix"];
    assert_eq!(last["differences"][0]["outcomes"]["6.1"], "failed");
    assert_eq!(
        last["differences"][0]["outcomes"]["9.9"],
        serde_json::Value::Null
    );
    insta::assert_snapshot!(text);
}

#[test]
fn ktap() {
    insta::assert_snapshot!(rendered(Format::Ktap));
}

#[test]
fn junit() {
    insta::assert_snapshot!(rendered(Format::Junit));
}
