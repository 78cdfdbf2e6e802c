//! JUnit: one suite a kernel and folder of scenarios, such as `6.1/ordering`. A kernel that could not
//! be tested is a suite with one test case that says why.

use std::io::{self, Write};

use super::super::junit::{self as of_run, Suite};
use super::Matrix;

pub(super) fn write(out: &mut impl Write, matrix: &Matrix) -> io::Result<()> {
    let mut suites = Vec::new();
    for column in &matrix.columns {
        let prefix = format!("{}/", column.name);
        suites.extend(of_run::suites(
            &column.reports,
            &prefix,
            column.summary.as_ref(),
        ));
        if !column.trouble.is_empty() {
            suites.push(Suite::trouble(&column.name, "kernel", &column.trouble));
        }
    }
    out.write_all(of_run::root("relaybed matrix", suites).as_bytes())
}
