//! Guests that end badly, and the command being ended itself, on a real kernel: each gives its own exit
//! code and one clear error, keeps the evidence so far, and leaves nothing behind.

#![expect(
    clippy::unwrap_used,
    reason = "a test's helper fails the test by panicking"
)]

use std::fs;
use std::io::BufRead as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use relaybed_tests::{Call, call_command};
use rustix::process::{Pid, Signal, kill_process};

const RELAYBED: &str = env!("CARGO_BIN_EXE_relaybed-under-test");

/// Steps that take longer than any test waits.
const HANG: &str = "{ repeat = 60, steps = [{ delay_us = 1000000 }] }";

/// A scenario that writes five records and then does `last`.
fn scenario(folder: &Path, name: &str, last: &str) -> PathBuf {
    let text = format!(
        "summary = \"The guest ends in the middle.\"\n\
         [channel.cpu]\nsubbuf_size = 4096\nn_subbufs = 4\n\
         [[actor]]\nname = \"writer\"\ncpu = 0\n\
         script = [{{ write = \"cpu\", len = 64, count = 5 }}, {{ checkpoint = \"before\" }}, {{ signal = \"go\" }}]\n\
         [[actor]]\nname = \"ender\"\ncontext = \"user\"\n\
         script = [{{ wait = \"go\" }}, {last}]\n"
    );
    let path = folder.join(format!("{name}.toml"));
    fs::write(&path, text).unwrap();
    path
}

/// `run FILE` with temporary files in `folder`, so that what is left over can be seen.
fn command(folder: &Path, file: &Path, more: &[&str]) -> Command {
    let temporary = folder.join("tmp");
    fs::create_dir_all(&temporary).unwrap();
    let mut command = Command::new(RELAYBED);
    command
        .args(["run", "--format", "json"])
        .arg(file)
        .args(more);
    command.current_dir(folder).env("TMPDIR", temporary);
    command
}

/// No temporary file is left in the folder of [`command`], and no process works in it.
#[track_caller]
fn nothing_is_left(folder: &Path) {
    let left: Vec<_> = fs::read_dir(folder.join("tmp"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    assert!(left.is_empty(), "left behind: {left:?}");
    assert_eq!(processes_of(folder), Vec::<String>::new());
}

/// Command lines of live machines that a command started with its temporary files in `folder`: they
/// inherit its environment.
fn processes_of(folder: &Path) -> Vec<String> {
    let ours = format!("TMPDIR={}", folder.join("tmp").display());
    let read = |process: &Path, file: &str| {
        let bytes = fs::read(process.join(file)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).replace('\0', " ")
    };
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|process| read(process, "environ").split(' ').any(|word| word == ours))
        .map(|process| read(&process, "cmdline"))
        .filter(|line| line.contains("qemu"))
        .collect()
}

/// Runs a scenario that ends with `last`; checks code, words, evidence and that nothing is left.
#[track_caller]
fn ends(name: &str, last: &str, more: &[&str], code: i32, word: &str) -> Call {
    let folder = tempfile::tempdir().unwrap();
    let file = scenario(folder.path(), name, last);
    let ran = call_command(command(folder.path(), &file, more)).expect_code(code);
    let row = &ran.rows()[0];
    assert_eq!(row["outcome"], "failed", "{row:#}");
    assert!(row["what"].as_str().unwrap().contains(word), "{row:#}");
    let evidence = folder.path().join(row["evidence"].as_str().unwrap());
    for kept in [
        "case.json",
        "evidence.json",
        "results.jsonl",
        "console-all.txt",
        "obs0-ch0-cpu0.bin",
    ] {
        assert!(
            evidence.join(kept).exists(),
            "{kept} is not in the evidence"
        );
    }
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
    nothing_is_left(folder.path());
    ran
}

#[test]
fn a_panic_exits_with_4() {
    ends("panics", "{ sysrq = \"c\" }", &[], 4, "panicked");
}

/// Turns under control: the panic stops a vCPU that stands, which is known to stand for good then.
#[test]
fn a_panic_under_control_exits_with_4_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let text = "summary = \"The guest ends in the middle.\"\nvcpus = 2\n\
         [channel.cpu]\nsubbuf_size = 4096\nn_subbufs = 4\n\
         [[actor]]\nname = \"writer\"\ncpu = 0\n\
         script = [{ write = \"cpu\", len = 64, count = 5 }]\n\
         [[actor]]\nname = \"ender\"\ncpu = 1\ncontext = \"user\"\n\
         script = [{ sysrq = \"c\" }]\n\
         [[schedule]]\nrun = \"writer\"\nuntil = { writes = \"offset\", cpu = 0 }\n\
         [[schedule]]\nrun = \"ender\"\nuntil = \"end\"\n";
    let file = folder.path().join("panics-in-its-turn.toml");
    fs::write(&file, text).unwrap();
    let limit = Duration::from_secs(60);
    let command = command(folder.path(), &file, &["--deadline", "60"]);
    let began = Instant::now();
    let ran = call_command(command).expect_code(4);
    assert!(began.elapsed() < limit, "told by the deadline");
    let row = &ran.rows()[0];
    assert!(
        row["what"].as_str().unwrap().contains("panicked"),
        "{row:#}"
    );
    nothing_is_left(folder.path());
}

#[test]
fn a_reset_exits_with_4() {
    ends("resets", "{ sysrq = \"b\" }", &[], 4, "reset");
}

#[test]
fn a_power_off_in_the_middle_exits_with_4() {
    ends(
        "powers-off",
        &format!("{{ sysrq = \"o\" }}, {HANG}"),
        &[],
        4,
        "powered off",
    );
}

#[test]
fn a_hang_exits_with_5() {
    let more = ["--deadline", "2"];
    let ran = ends("hangs", HANG, &more, 5, "no progress");
    assert!(
        ran.rows()[0]["failures"][0]["seen"]
            .as_str()
            .unwrap()
            .contains("actor 1 in operation")
    );
}

#[test]
fn the_next_scenario_gets_a_new_machine() {
    let folder = tempfile::tempdir().unwrap();
    let file = scenario(folder.path(), "panics", "{ sysrq = \"c\" }");
    let ran = call_command(command(folder.path(), &file, &["hello/hello"])).expect_code(4);
    let rows = ran.rows();
    assert_eq!(rows[0]["outcome"], "passed", "{:#}", rows[0]);
    assert_eq!(rows[1]["outcome"], "failed", "{:#}", rows[1]);
    let twice = scenario(folder.path(), "again", "{ sysrq = \"c\" }");
    let ran =
        call_command(command(folder.path(), &file, &[twice.to_str().unwrap()])).expect_code(4);
    assert_eq!(ran.summary()["boots"], 2);
    let ran = call_command(command(
        folder.path(),
        &file,
        &[twice.to_str().unwrap(), "--fail-fast"],
    ));
    assert_eq!(ran.expect_code(4).summary()["not_run"], 1);
    nothing_is_left(folder.path());
}

#[test]
fn a_saved_failure_is_judged_again_without_a_machine() {
    let folder = tempfile::tempdir().unwrap();
    let file = scenario(folder.path(), "fine", "{ delay_us = 1 }");
    let out = folder.path().join("kept");
    let more = ["--plant", "lost", "--out", out.to_str().unwrap()];
    let ran = call_command(command(folder.path(), &file, &more)).expect_code(1);
    let row = ran.rows().remove(0);
    let step = &row["failures"][0]["step"];
    let writes = "{ write = \"cpu\", len = 64, count = 5 }";
    assert_eq!(
        (&step["text"], step["record"].is_u64()),
        (&writes.into(), true),
        "{row:#}"
    );
    let mut judge = Command::new(RELAYBED);
    judge.args([
        "judge",
        "--format",
        "json",
        row["evidence"].as_str().unwrap(),
    ]);
    let again = call_command(judge).expect_code(1).rows().remove(0);
    assert_eq!(again["failures"], row["failures"]);
}

#[test]
fn files_of_one_name_keep_their_evidence_apart_and_point_at_their_step() {
    let folder = tempfile::tempdir().unwrap();
    for sub in ["x/my", "y/my"] {
        fs::create_dir_all(folder.path().join(sub)).unwrap();
    }
    let failing = scenario(
        folder.path(),
        "x/my/z",
        "{ open_file = \"cpu\", cpu = 0, as = \"p\" }, \
        { repeat = 2, steps = [{ read = \"p\", size = 9, gives = 7 }] }",
    );
    scenario(folder.path(), "y/my/z", "{ delay_us = 1 }");
    let more = ["y/my/z.toml", "--out", "kept"];
    let ran = call_command(command(folder.path(), Path::new("x/my/z.toml"), &more)).expect_code(1);
    let rows = ran.rows();
    assert_eq!(
        (&rows[0]["name"], &rows[0]["outcome"]),
        (&"x.my/z".into(), &"failed".into())
    );
    assert_eq!(
        (&rows[1]["name"], &rows[1]["outcome"]),
        (&"y.my/z".into(), &"passed".into())
    );
    for kept in ["kept/x.my/z", "kept/y.my/z"] {
        assert!(
            folder.path().join(kept).join("evidence.json").exists(),
            "{kept}"
        );
    }
    let step = &rows[0]["failures"][0]["step"];
    let text = fs::read_to_string(failing).unwrap();
    let line = text
        .lines()
        .position(|line| line.contains("repeat"))
        .unwrap()
        + 1;
    assert_eq!(step["path"], "x/my/z.toml", "{step:#}");
    assert_eq!(step["line"], line, "{step:#}");
    assert_eq!(step["rounds"], serde_json::json!([[1, 2]]), "{step:#}");
    assert_eq!(
        step["text"], "{ read = \"p\", size = 9, gives = 7 }",
        "{step:#}"
    );
    let flow = &rows[0]["flow"][0];
    assert_eq!(
        (&flow["written"], &flow["lost"]),
        (&5.into(), &0.into()),
        "{flow:#}"
    );
    nothing_is_left(folder.path());
}

#[test]
fn a_known_issue_that_must_not_show_fails_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let issue = Path::new("readers/two-empty-flushes");
    let run = |known: &[&str]| call_command(command(folder.path(), issue, known));
    let known = run(&[]).expect_code(0).rows().remove(0);
    assert_eq!(known["known"], "K1", "{known:#}");
    let failed = run(&["--known", "K1=fail"]).expect_code(1).rows().remove(0);
    assert_eq!(failed["code"], "R1902", "{failed:#}");
    run(&["--known", "K1=pass"]).expect_code(0);
}

/// Starts a run that hangs in its guest, and waits until its machine is there.
fn hanging(folder: &Path) -> Child {
    let file = scenario(folder, "hangs", HANG);
    let mut child = command(folder, &file, &["--deadline", "60"]);
    let child = child
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while processes_of(folder).is_empty() {
        assert!(
            begun.elapsed() < Duration::from_secs(300),
            "no machine was started"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    child
}

/// Waits until no process works in `folder` any more.
fn await_silence(folder: &Path) {
    let begun = Instant::now();
    while !processes_of(folder).is_empty() {
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "{:?}",
            processes_of(folder)
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_signal_ends_the_run_in_order() {
    for signal in [Signal::TERM, Signal::INT] {
        let folder = tempfile::tempdir().unwrap();
        let mut child = hanging(folder.path());
        kill_process(Pid::from_child(&child), signal).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(130));
        await_silence(folder.path());
        nothing_is_left(folder.path());
    }
}

#[test]
fn the_machine_dies_with_a_command_that_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = hanging(folder.path());
    child.kill().unwrap();
    child.wait().unwrap();
    await_silence(folder.path());
}

/// A file system of 16 KiB, in a namespace of its own: anybody can have one.
#[test]
fn a_verdict_is_reported_though_the_disk_is_full() {
    let folder = tempfile::tempdir().unwrap();
    let full = folder.path().join("full");
    fs::create_dir(&full).unwrap();
    let script = "mount -t tmpfs -o size=16k tmpfs \"$0\" && exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script]);
    command.arg(&full).arg(RELAYBED);
    command.args([
        "run",
        "ordering/all-cpus",
        "hello/hello",
        "--plant",
        "torn",
        "--format",
        "json",
    ]);
    command
        .arg("--out")
        .arg(full.join("out"))
        .current_dir(folder.path());
    let ran = call_command(command).expect_code(3);
    let rows = ran.rows();
    let row = rows
        .iter()
        .find(|row| row["name"] == "ordering/all-cpus")
        .unwrap();
    assert_eq!(
        (&row["outcome"], &row["code"]),
        (&"failed".into(), &"R0301".into()),
        "{row:#}"
    );
    assert!(row["evidence"].is_null(), "{row:#}");
    assert_eq!(ran.summary()["failed"], 1);
    assert!(ran.stderr.contains("No space left"), "{}", ran.stderr);
}

#[test]
fn a_closed_pipe_ends_a_command_quietly() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [
        &["list"][..],
        &["explain"],
        &["run", "hello"],
        &["run", "hello", "--format", "ktap"],
    ] {
        let mut child = Command::new(RELAYBED)
            .args(arguments)
            .current_dir(folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // As `head` does that has what it wants.
        let mut line = String::new();
        std::io::BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let ended = child.wait_with_output().unwrap();
        assert!(!line.is_empty());
        assert_eq!(ended.status.code(), Some(141), "{arguments:?}");
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(
            !said.contains("relaybed:") && !said.contains("ipe"),
            "{said}"
        );
    }
}
