//! Explored schedules on a real kernel: a race is found without being told where, kept, and run again by
//! its token and by its evidence; what is another run is noticed.

#![expect(
    clippy::unwrap_used,
    reason = "a test's helper fails the test by panicking"
)]

use std::path::{Path, PathBuf};

use relaybed::schedule::{Decision, Schedule, Token};
use relaybed::store;
use relaybed_tests::{Call, call};
use serde_json::Value;

const RELAYBED: &str = env!("CARGO_BIN_EXE_relaybed-under-test");

fn fixture(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    root.join("fixtures").join(name)
}

fn replay(what: &str, scenario: Option<&Path>) -> Call {
    let mut arguments = vec!["replay", what, "--format", "json"];
    let scenario = scenario.map(|path| path.to_str().unwrap().to_owned());
    arguments.extend(scenario.as_deref());
    call(RELAYBED, &arguments)
}

fn word<'a>(row: &'a Value, key: &str) -> &'a str {
    row[key]
        .as_str()
        .unwrap_or_else(|| panic!("no {key} in {row}"))
}

/// All schedules of one preemption, in their order: the race needs one.
#[test]
fn a_race_is_found_kept_and_run_again() {
    let out = tempfile::tempdir().unwrap();
    let scenario = fixture("explore/reader-beside-writer.toml");
    let [scenario_text, out_text] =
        [&scenario, out.path()].map(|path: &Path| path.to_str().unwrap());
    let call = call(
        RELAYBED,
        &[
            "explore",
            scenario_text,
            "--strategy",
            "dfs",
            "--preemptions",
            "1",
            "--seeds",
            "0..400",
            "--shrink-for",
            "0",
            "--format",
            "json",
            "--out",
            out_text,
        ],
    )
    .expect_code(0);
    let rows = call.rows();
    let row = &rows[0];
    assert_eq!((word(row, "outcome"), word(row, "known")), ("known", "K2"));
    let explored = &call.summary()["explored"];
    assert_eq!(explored["findings"]["K2"]["times"], 1, "{explored}");
    assert_eq!(explored["distinct"], explored["schedules"], "{explored}");

    let rerun = word(row, "rerun").to_owned();
    let token = rerun.split(' ').nth(2).unwrap();
    for _ in 0..2 {
        let again = replay(token, Some(&scenario)).expect_code(0);
        assert_eq!(word(&again.rows()[0], "known"), "K2");
    }
    let evidence = PathBuf::from(word(row, "evidence"));
    let again = replay(evidence.to_str().unwrap(), None).expect_code(0);
    assert_eq!(word(&again.rows()[0], "known"), "K2");
    another_run_is_noticed(&evidence, token, &scenario);
}

/// The same evidence and token with one decision less are of a run that never was.
fn another_run_is_noticed(evidence: &Path, token: &str, scenario: &Path) {
    let (case, seen, mut extra) = store::load(evidence).unwrap();
    let trace = extra.schedule.as_mut().unwrap();
    let at = trace
        .steps
        .iter()
        .position(relaybed::schedule::Step::preempts);
    let at = at.unwrap();
    trace.steps[at].next = trace.steps[at].stop.vcpu;
    let forged = tempfile::tempdir().unwrap();
    let folder = forged.path().join("forged");
    store::save(&folder, &case, "", &seen, &extra).unwrap();
    let call = replay(folder.to_str().unwrap(), None).expect_code(3);
    let named = format!("not the recorded run: stop {}", at + 1);
    assert!(call.stderr.contains(&named), "{named}: {}", call.stderr);

    let mut token: Token = token.parse().unwrap();
    let decisions: Vec<Decision> = token.schedule.decisions.split_off(1);
    token.schedule = Schedule { decisions };
    let call = replay(&token.to_string(), Some(scenario)).expect_code(3);
    assert!(
        call.stderr.contains("not the recorded run: "),
        "{}",
        call.stderr
    );
}

#[test]
fn what_cannot_be_replayed_or_explored_is_told_before_anything_runs() {
    let told = |arguments: &[&str], part: &str| {
        let call = call(RELAYBED, arguments).expect_code(2);
        assert!(call.stderr.contains(part), "{part}: {}", call.stderr);
    };
    told(&["replay", "rbs1nonsense"], "copy the token again");
    told(&["replay", "rbs10000"], "copy");
    told(&["replay", "rbs9abc"], "version \"9\"");
    told(&["replay", "hello/hello"], "is no folder and no token");
    let folder = fixture("evidence/torn-record");
    told(&["replay", folder.to_str().unwrap()], "holds no schedule");
    let dfs = [
        "explore",
        "hello/hello",
        "--strategy",
        "dfs",
        "--seeds",
        "5..9",
    ];
    told(&dfs, "--seeds must begin with 0");
    told(
        &["explore", "hello/hello", "--seeds", "9..5"],
        "no seed from 9",
    );
    told(&["explore"], "SCENARIO");
}
