//! Scenarios on machines of their own and side by side, and a machine held for gdb, on a real kernel: what happens
//! in one machine never reaches another, reports are the same however many run at a time, nothing is left behind.

#![expect(
    clippy::unwrap_used,
    reason = "a test's helper fails the test by panicking"
)]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use relaybed_tests::call_command;
use serde_json::Value;

const RELAYBED: &str = env!("CARGO_BIN_EXE_relaybed-under-test");

/// A scenario that writes and then does `last`.
fn scenario(folder: &Path, name: &str, last: &str) -> PathBuf {
    let text = format!(
        "summary = \"A scenario beside others.\"\n\
         [channel.cpu]\nsubbuf_size = 4096\nn_subbufs = 4\n\
         [[actor]]\nname = \"writer\"\ncpu = 0\n\
         script = [{{ write = \"cpu\", len = 64, count = 5 }}, {{ signal = \"go\" }}]\n\
         [[actor]]\nname = \"other\"\ncontext = \"user\"\n\
         script = [{{ wait = \"go\" }}, {last}]\n"
    );
    let path = folder.join(format!("{name}.toml"));
    fs::write(&path, text).unwrap();
    path
}

/// Names and outcomes in the order told, and the summary.
fn run(folder: &Path, files: &[PathBuf], more: &[&str], code: i32) -> (Vec<Value>, Value) {
    let mut command = Command::new(RELAYBED);
    command
        .args(["run", "--format", "json"])
        .args(files)
        .args(more);
    command.current_dir(folder);
    let ran = call_command(command).expect_code(code);
    let mut rows = ran.rows();
    let summary = rows.pop().unwrap()["summary"].clone();
    let told = rows.iter().map(|row| {
        serde_json::json!([row["name"], row["outcome"], row["records"], row["failures"]])
    });
    (told.collect(), summary)
}

#[test]
fn a_guest_that_dies_reaches_no_other_and_reports_do_not_depend_on_jobs() {
    let folder = tempfile::tempdir().unwrap();
    let files: Vec<PathBuf> = [
        ("a", "{ delay_us = 1 }"),
        ("b", "{ sysrq = \"c\" }"),
        ("c", "{ delay_us = 200000 }"),
        ("d", "{ delay_us = 1 }"),
    ]
    .iter()
    .map(|(name, last)| scenario(folder.path(), name, last))
    .collect();
    let alone = ["--isolate", "per-scenario", "--jobs", "1"];
    let beside = ["--isolate", "per-scenario", "--jobs", "3"];
    let (one, summary) = run(folder.path(), &files, &alone, 4);
    let outcomes: Vec<&Value> = one.iter().map(|row| &row[1]).collect();
    assert_eq!(outcomes, ["passed", "failed", "passed", "passed"]);
    assert_eq!(summary["boots"], 4, "a machine for each");
    let (three, summary) = run(folder.path(), &files, &beside, 4);
    assert_eq!(one, three);
    assert_eq!(summary["boots"], 4);
    let (shared, summary) = run(folder.path(), &files, &["--isolate", "none"], 4);
    assert_eq!(one, shared);
    assert_eq!(
        summary["boots"], 2,
        "one, and another behind the one that died"
    );
}

#[test]
fn fail_fast_tells_the_same_whatever_runs_beside() {
    let folder = tempfile::tempdir().unwrap();
    let files: Vec<PathBuf> = [
        // The later one is through long before.
        ("slow", "{ delay_us = 500000 }, { sysrq = \"c\" }"),
        ("quick", "{ sysrq = \"c\" }"),
        ("never", "{ delay_us = 1 }"),
    ]
    .iter()
    .map(|(name, last)| scenario(folder.path(), name, last))
    .collect();
    let more = ["--isolate", "per-scenario", "--jobs", "2", "--fail-fast"];
    let (told, summary) = run(folder.path(), &files, &more, 4);
    let outcomes: Vec<&Value> = told.iter().map(|row| &row[1]).collect();
    assert_eq!(outcomes, ["failed", "not_run", "not_run"]);
    assert_eq!(
        (&summary["failed"], &summary["not_run"]),
        (&1.into(), &2.into())
    );
}

/// A packet of gdb's protocol.
fn packet(body: &str) -> Vec<u8> {
    let sum = body.bytes().fold(0u8, u8::wrapping_add);
    format!("${body}#{sum:02x}").into_bytes()
}

#[test]
fn a_failure_is_held_for_gdb_until_enter() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(RELAYBED)
        .args(["run", "padding/exact-fit", "--plant", "torn", "--gdb"])
        .current_dir(folder.path())
        .env("TMPDIR", folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    let line = said
        .by_ref()
        .map(Result::unwrap)
        .find(|line| line.contains("target remote"))
        .unwrap();
    let address = line.split("target remote ").nth(1).unwrap();
    let address = address.split('\'').next().unwrap();
    let symbols = line.split("' ").nth(1).unwrap();
    let file = fs::read(symbols).unwrap();
    let known = b"relay_open\0";
    assert!(file.windows(known.len()).any(|name| name == known));

    let mut gdb = UnixStream::connect(address).unwrap();
    gdb.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    gdb.write_all(&packet("?")).unwrap();
    let mut answer = [0; 5];
    gdb.read_exact(&mut answer).unwrap();
    assert!(answer.starts_with(b"+$T"), "{answer:?}");

    child.stdin.take().unwrap().write_all(b"\n").unwrap();
    // Read to the end, so that the command is not held up by a full pipe.
    let rest: Vec<String> = said.map(Result::unwrap).collect();
    assert!(rest.iter().any(|line| line == "let go"), "{rest:?}");
    assert_eq!(child.wait().unwrap().code(), Some(1));
    let mut end = Vec::new();
    // The machine is gone, and its end of the connection with it.
    let _ = gdb.read_to_end(&mut end);
    let mut left = fs::read_dir(folder.path()).unwrap();
    assert!(left.all(|entry| entry.unwrap().file_name() == "relaybed-evidence"));
}
