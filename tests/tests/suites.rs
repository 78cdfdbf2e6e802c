//! Every scenario of the built-in suites on a real kernel, each a test of its own name.
//!
//! One call of the command boots one machine and runs them all; a scenario passes as a test when its
//! outcome is `passed` or `known`. The kernel is Debian bookworm's 6.1, whose results must be as they were, or
//! `RELAYBED_KERNEL`.

use std::collections::BTreeMap;
use std::env;
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};
use relaybed_tests::call;
use relaybed_tests::golden::is_as_it_was;
use serde_json::Value;

const RELAYBED: &str = env!("CARGO_BIN_EXE_relaybed-under-test");

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let list = call(RELAYBED, &["list"]).expect_code(0);
    let names: Vec<String> = list
        .stdout
        .lines()
        .filter_map(|line| Some(line.split_whitespace().next()?.to_owned()))
        .collect();
    assert!(
        names.len() >= 30,
        "the suites have lost scenarios: {names:?}"
    );
    let outcomes = if arguments.list {
        BTreeMap::new()
    } else {
        run()
    };
    let outcomes = Arc::new(outcomes);
    let rows: Vec<Value> = outcomes.values().cloned().collect();
    let golden = env::var_os("RELAYBED_KERNEL").is_none().then(|| {
        Trial::test("golden/6.1", move || {
            is_as_it_was("6.1", &rows);
            Ok(())
        })
    });
    let trials: Vec<Trial> = names
        .into_iter()
        .map(|name| {
            let outcomes = Arc::clone(&outcomes);
            Trial::test(name.clone(), move || check(outcomes.get(&name)))
        })
        .chain(golden)
        .collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Runs all suites once and gives their rows by name.
fn run() -> BTreeMap<String, Value> {
    let ran = call(RELAYBED, &["run", "--format", "json"]);
    ran.rows()
        .into_iter()
        .filter_map(|row| Some((row.get("name")?.as_str()?.to_owned(), row)))
        .collect()
}

fn check(row: Option<&Value>) -> Result<(), Failed> {
    let row = row.ok_or("the run did not report this scenario")?;
    match row["outcome"].as_str() {
        Some("passed" | "known") => Ok(()),
        // Of a release that this kernel is not.
        Some("skipped")
            if row["reason"]
                .as_str()
                .is_some_and(|why| why.starts_with("needs ")) =>
        {
            Ok(())
        }
        // "fixed" too: the kernel is better than known-issues.toml says, which is to be mended.
        _ => Err(format!("{row:#}").into()),
    }
}
