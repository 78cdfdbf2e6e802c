//! Mutation testing of a relay.c: small wrong changes that must be noticed, harmless ones that must not, and what is
//! said of files that are no relay.c. Needs a kernel; relay.c comes out of Debian's source package.

#![expect(
    clippy::unwrap_used,
    reason = "a test's helper fails the test by panicking"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use relaybed_tests::started::Place;
use relaybed_tests::{Call, call_command};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

const RELAYBED: &str = env!("CARGO_BIN_EXE_relaybed-under-test");

/// Calls `relaybed mutate` in `dir`.
fn mutate(dir: &Path, arguments: &[&str]) -> Call {
    let mut command = Command::new(RELAYBED);
    command.current_dir(dir).arg("mutate").args(arguments);
    call_command(command)
}

/// A change, as people describe it: function, operator, and the line that comes of it.
type Change<'a> = (&'a str, &'a str, &'a str);

/// Changes that must be noticed, and by what.
const DIE: &[(Change<'_>, &str)] = &[
    // Reads say more than they gave.
    (
        ("relay_file_read", "off-by-one", "+written += (ret + 1);"),
        "",
    ),
    // Complete sub-buffers are not counted.
    (
        ("relay_switch_subbuf", "drop", "-buf->subbufs_produced++;"),
        "",
    ),
    // The fix of CVE-2023-3268 is taken out.
    (
        (
            "relay_file_read_start_pos",
            "arithmetic",
            "+size_t read_pos = ((consumed * subbuf_size + buf->bytes_consumed))",
        ),
        "padding/skipped-at-the-end",
    ),
    // A flush stops at the first CPU without a buffer.
    (
        (
            "relay_flush",
            "loop",
            "+relay_switch_subbuf(buf, 0); else break;",
        ),
        "hotplug/hole",
    ),
    // The second channel waits for ever: the guest hangs.
    (
        (
            "relay_open",
            "lock",
            "-mutex_unlock(&relay_channels_mutex);",
        ),
        "",
    ),
];

/// A change that does nothing wrong: nobody else knows the channel yet.
const LIVES: Change<'_> = ("relay_open", "order", "-chan->parent = parent;");

/// One of which the list of harmless changes says why: any byte of a page names it.
const LISTED: Change<'_> = (
    "relay_buf_fault",
    "off-by-one",
    "+page = vmalloc_to_page(((buf->start + (pgoff << PAGE_SHIFT)) + 1));",
);

/// The name of the first mutant whose first changed line is described so.
#[track_caller]
fn name_of(list: &[Value], (function, operator, line): Change<'_>) -> String {
    let is_meant = |row: &&Value| {
        let lines = row["diff"].as_array().unwrap();
        row["function"] == function
            && row["operator"] == operator
            && lines.iter().take(2).any(|changed| changed == line)
    };
    let found: Vec<&Value> = list.iter().filter(is_meant).collect();
    let first = found.first();
    let row = first.unwrap_or_else(|| panic!("no {operator} mutant of {function} says {line}"));
    row["id"].as_str().unwrap().to_owned()
}

#[test]
fn wrong_changes_are_noticed_and_harmless_ones_are_not() {
    let dir = tempfile::tempdir().unwrap();
    let list = mutate(dir.path(), &["--relay", "source:6.1", "--list", "--json"]);
    let list = list.expect_code(0).rows();
    assert!(list.len() > 1000, "{}", list.len());
    let die: Vec<String> = DIE
        .iter()
        .map(|(change, _)| name_of(&list, *change))
        .collect();
    let (lives, listed) = (name_of(&list, LIVES), name_of(&list, LISTED));
    let ids = format!("{},{lives},{listed}", die.join(","));
    let mut arguments = vec!["--relay", "source:6.1", "--id", &ids, "--json"];
    arguments.extend(["hello", "hotplug/hole", "padding/skipped-at-the-end"]);
    let call = mutate(dir.path(), &arguments);
    let code = call.code.unwrap();
    let told = call.rows().pop().unwrap();
    let rows = told["mutation"]["rows"].as_array().unwrap().clone();
    let of = |id: &String| rows.iter().find(|row| row["id"] == **id).unwrap();
    for (id, (change, by)) in die.iter().zip(DIE) {
        let row = of(id);
        assert_eq!(row["outcome"], "killed", "{change:?}: {row:#}");
        assert!(row["by"].as_str().unwrap().starts_with(by), "{row:#}");
    }
    assert_eq!(of(&listed)["outcome"], "equivalent");
    // Some compilers make the same code of it.
    let outcome = of(&lives)["outcome"].as_str().unwrap();
    let expected = match outcome {
        "survived" => 1,
        "equivalent" => 0,
        _ => panic!("{:#}", of(&lives)),
    };
    assert_eq!(code, expected, "{outcome}");
    // What has a result is not tried again.
    let again = mutate(dir.path(), &arguments).expect_code(code);
    assert!(
        !again.stderr.contains("unchanged relay"),
        "{}",
        again.stderr
    );
    assert_eq!(again.rows().pop().unwrap()["counts"], told["counts"]);
}

/// The rows of a campaign without what may be another the next time.
fn rows_without_times(told: &Value) -> Vec<Value> {
    let mut rows = told["mutation"]["rows"].as_array().unwrap().clone();
    for row in &mut rows {
        row.as_object_mut().unwrap().remove("seconds");
    }
    rows
}

/// What no scenario of hello notices: which of the sub-buffers' padding a reader is told.
const BEHIND: Change<'_> = (
    "relay_file_read_consume",
    "drop",
    "-read_subbuf = buf->subbufs_consumed % n_subbufs;",
);

#[test]
fn what_scenarios_leave_alive_is_explored_and_all_is_the_same_side_by_side() {
    let dir = tempfile::tempdir().unwrap();
    let list = mutate(dir.path(), &["--relay", "source:6.1", "--list", "--json"]);
    let list = list.expect_code(0).rows();
    let behind = name_of(&list, BEHIND);
    let quick: Vec<String> = DIE[..2].iter().map(|(of, _)| name_of(&list, *of)).collect();
    let ids = format!("{behind},{}", quick.join(","));
    let arguments = ["--relay", "source:6.1", "--id", &ids, "--json", "hello"];
    let run = |jobs: &str, out: &str| {
        let more = ["--explore", "10", "--jobs", jobs, "--out", out];
        let call = mutate(dir.path(), &[&arguments[..], &more].concat());
        call.expect_code(0).rows().pop().unwrap()
    };
    let alone = run("1", "alone");
    let rows = rows_without_times(&alone);
    let of = |id: &String| rows.iter().find(|row| row["id"] == **id).unwrap();
    assert_eq!(of(&behind)["stage"], "explore", "{:#}", of(&behind));
    assert!(of(&behind)["by"].as_str().unwrap().starts_with("explore/"));
    for id in &quick {
        assert_eq!(of(id)["stage"], "suites", "{:#}", of(id));
    }
    assert_eq!(alone["counts"]["killed"], 3);
    assert_eq!(alone["counts"]["by_suites"], 2);
    // How long the unchanged relay took says which scenario comes first.
    fs::create_dir(dir.path().join("beside")).unwrap();
    fs::copy(
        dir.path().join("alone/unchanged.json"),
        dir.path().join("beside/unchanged.json"),
    )
    .unwrap();
    assert_eq!(rows_without_times(&run("3", "beside")), rows);
}

/// Ticks of CPU time after which nobody runs a guest any more: it has begun to boot, and is not ready.
const BEGUN: u64 = 60;

/// CPU time in user mode, in ticks; none if the process has ended.
fn ticks(pid: Pid) -> u64 {
    let path = format!("/proc/{}/stat", pid.as_raw_nonzero());
    let stat = fs::read_to_string(path).unwrap_or_default();
    let behind_name = stat.rsplit(')').next().unwrap_or_default();
    let field = behind_name.split_whitespace().nth(11);
    field.map_or(0, |ticks| ticks.parse().unwrap())
}

#[test]
fn a_host_that_runs_no_guest_kills_no_mutant() {
    let place = Place::new().unwrap();
    let list = ["--relay", "source:6.1", "--list", "--json"];
    let list = mutate(&place.work(), &list).expect_code(0).rows();
    let id = name_of(&list, DIE[1].0);
    let arguments = [
        "mutate",
        "hello/hello",
        "--relay",
        "source:6.1",
        "--id",
        &id,
        "--json",
    ];
    let mut run = place.start(RELAYBED, &arguments).unwrap();
    assert!(run.says("the unchanged relay passes"));
    let mut stopped = BTreeSet::new();
    while !run.has_ended_within(Duration::from_millis(20)).unwrap() {
        for (pid, line) in place.numbered().unwrap() {
            if line.contains("qemu-system")
                && ticks(pid) > BEGUN
                && stopped.insert(pid.as_raw_nonzero())
            {
                kill_process(pid, Signal::STOP).unwrap();
            }
        }
    }
    let ended = run.end().unwrap();
    assert_eq!(ended.status.code(), Some(3), "{}", ended.stderr);
    let told: Value = serde_json::from_str(&ended.stdout).unwrap();
    let row = &told["mutation"]["rows"][0];
    assert_eq!(row["outcome"], "trouble", "{row:#}");
    let why = row["why"].as_str().unwrap();
    assert!(
        why.starts_with("killed by ") && why.contains("starves"),
        "{why}"
    );
    assert_eq!(
        stopped.len(),
        3,
        "the mutant twice and the unchanged relay once"
    );
}

#[test]
fn what_relay_h_inlines_is_mutated_too() {
    let dir = tempfile::tempdir().unwrap();
    let of_header = ["--relay", "source:6.1", "--inlined"];
    let list = mutate(
        dir.path(),
        &[&of_header[..], &["--list", "--json"]].concat(),
    );
    let list = list.expect_code(0).rows();
    for function in [
        "relay_write",
        "__relay_write",
        "relay_reserve",
        "subbuf_start_reserve",
    ] {
        assert!(
            list.iter().any(|row| row["function"] == function),
            "{function}"
        );
    }
    // What is written is not counted.
    let id = name_of(&list, ("relay_write", "drop", "-buf->offset += length;"));
    let arguments = [&of_header[..], &["--id", &id, "--json", "hello"]].concat();
    let told = mutate(dir.path(), &arguments)
        .expect_code(0)
        .rows()
        .pop()
        .unwrap();
    let row = &told["mutation"]["rows"][0];
    assert_eq!(row["outcome"], "killed", "{row:#}");
    // The kernel's own relay.h is no file that a module could have changed.
    fs::write(
        dir.path().join("relay.c"),
        "int relay_open(void)\n{\n\treturn 0;\n}\n",
    )
    .unwrap();
    let arguments = ["--relay", "relay.c", "--inlined", "--list"];
    let call = mutate(dir.path(), &arguments).expect_code(3);
    assert!(call.stderr.contains("--relay-header"), "{}", call.stderr);
}

#[test]
fn what_is_no_relay_c_is_refused_in_a_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let prose = "Once upon a time there was (a file); it had no C in it!\n".repeat(40);
    for (text, why) in [
        ("", "the file is empty"),
        (prose.as_str(), "no C source"),
        (
            "int f(void)\n{\n\treturn 0;\n}\n",
            "defines no relay_open()",
        ),
    ] {
        fs::write(dir.path().join("relay.c"), text).unwrap();
        let call = mutate(dir.path(), &["--relay", "relay.c"]).expect_code(3);
        assert!(call.stderr.contains(why), "{why}: {}", call.stderr);
    }
    let absent = mutate(dir.path(), &["--relay", "absent.c"]).expect_code(3);
    assert!(absent.stderr.contains("absent.c"), "{}", absent.stderr);
    for wrong in [
        ["--operator", "compare"],
        ["--shard", "3/2"],
        ["--in-diff", "absent.patch"],
    ] {
        let arguments = ["--relay", "source:6.1", "--list", wrong[0], wrong[1]];
        mutate(dir.path(), &arguments).expect_code(2);
    }
}
