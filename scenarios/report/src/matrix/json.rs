//! For programs: the objects of `run --format json`, each with the kernel's name as `on`; an object a
//! kernel; last the differences. A stable interface: members are added, never renamed.

use std::io::{self, Write};

use serde_json::{Map, Value, json};

use super::super::json as of_run;
use super::{Matrix, Row, word};

pub(super) fn write(out: &mut impl Write, matrix: &Matrix) -> io::Result<()> {
    for column in &matrix.columns {
        for report in &column.reports {
            let mut row = of_run::row(report);
            row["on"] = json!(column.name);
            writeln!(out, "{row}")?;
        }
        let row = json!({
            "on": column.name,
            "asked": column.asked,
            "summary": column.summary,
            "trouble": column.trouble,
            "exit": column.exit.code(),
        });
        writeln!(out, "{row}")?;
    }
    let rows = matrix.rows();
    let differing = rows.iter().filter(|row| row.differs());
    let differences: Vec<Value> = differing.map(|row| difference(matrix, row)).collect();
    let mut end = json!({
        "matrix": {
            "kernels": matrix.columns.iter().map(|column| &column.name).collect::<Vec<_>>(),
            "scenarios": rows.len(),
            "differences": differences,
            "exit": matrix.exit().code(),
        }
    });
    if matrix.pairs {
        let unequal = matrix.unequal().into_iter().map(|one| {
            json!({
                "on": one.kernel,
                "name": one.scenario,
                "built_in": one.built_in,
                "relay": one.own,
            })
        });
        end["matrix"]["unequal"] = unequal.collect();
    }
    writeln!(out, "{end}")
}

fn difference(matrix: &Matrix, row: &Row<'_>) -> Value {
    let cells = matrix.columns.iter().zip(&row.cells);
    let outcomes: Map<String, Value> = cells
        .map(|(column, cell)| (column.name.clone(), json!(cell.map(word))))
        .collect();
    json!({ "name": row.name, "outcomes": outcomes })
}
