//! JUnit: one suite a kernel and folder of scenarios, such as `6.1/ordering`. A kernel that could not
//! be tested is a suite with one test case that says why.

use std::io::{self, Write};

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::super::junit as of_run;
use super::{Column, Matrix};

pub(super) fn write(out: &mut impl Write, matrix: &Matrix) -> io::Result<()> {
    let mut report = Report::new("relaybed matrix");
    for column in &matrix.columns {
        let suites = of_run::suites(&column.reports, &format!("{}/", column.name));
        report.add_test_suites(suites);
        if !column.trouble.is_empty() {
            report.add_test_suite(trouble(column));
        }
    }
    report.serialize(out).map_err(io::Error::other)
}

fn trouble(column: &Column) -> TestSuite {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
    status.set_message(column.trouble.first().cloned().unwrap_or_default());
    status.set_description(column.trouble.join("\nbecause: "));
    let mut suite = TestSuite::new(column.name.clone());
    suite.add_test_case(TestCase::new("kernel", status));
    suite
}
