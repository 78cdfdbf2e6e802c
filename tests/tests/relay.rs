//! A relay.c in place of the kernel's: that it is the same relay, what is said where it cannot be built, and the
//! search for the commit that broke it. Needs kernels; relay.c comes out of Debian's source package.

#![expect(
    clippy::unwrap_used,
    reason = "a test's helper fails the test by panicking"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use relaybed_guest::{Cache, RelayFiles, RelayFrom, RelayRequest, Terminal, relay_files};
use relaybed_tests::{Call, call_command};

const RELAYBED: &str = env!("CARGO_BIN_EXE_relaybed-under-test");

/// Calls the command in `dir`, where it leaves its evidence.
fn relaybed(dir: &Path, arguments: &[&str]) -> Call {
    let mut command = Command::new(RELAYBED);
    command.current_dir(dir).args(arguments);
    call_command(command)
}

/// The relay that changed copies are made of.
fn original() -> RelayFiles {
    let request = RelayRequest {
        from: "source:6.1".parse::<RelayFrom>().unwrap(),
        header: None,
        version: None,
        changed: None,
    };
    let cache = Cache::open(None).unwrap();
    relay_files(&request, &cache, &Terminal::new()).unwrap()
}

/// A tree with nothing of the kernel's but relay, and what says its version.
struct Tree {
    dir: tempfile::TempDir,
    original: String,
}

impl Tree {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let files = original();
        for sub in ["kernel", "include/linux"] {
            fs::create_dir_all(dir.path().join(sub)).unwrap();
        }
        let makefile = "VERSION = 6\nPATCHLEVEL = 1\nSUBLEVEL = 192\nEXTRAVERSION =\n";
        fs::write(dir.path().join("Makefile"), makefile).unwrap();
        let header = files.header.unwrap();
        fs::write(dir.path().join("include/linux/relay.h"), header).unwrap();
        let original = String::from_utf8(files.source).unwrap();
        let tree = Self { dir, original };
        tree.put(&tree.original);
        tree
    }

    fn relay(&self) -> PathBuf {
        self.dir.path().join("kernel/relay.c")
    }

    fn put(&self, text: &str) {
        fs::write(self.relay(), text).unwrap();
    }

    /// The original with one piece replaced, which must be there exactly once.
    #[track_caller]
    fn edited(&self, from: &str, to: &str) -> String {
        assert_eq!(
            self.original.matches(from).count(),
            1,
            "relay.c has changed: `{from}` is not there once; describe the edit anew"
        );
        self.original.replace(from, to)
    }

    fn run(&self, arguments: &[&str]) -> Call {
        let relay = self.relay();
        let mut all = vec!["run", "--relay", relay.to_str().unwrap()];
        all.extend(arguments);
        relaybed(self.dir.path(), &all)
    }
}

/// A reader that counts one byte more than it copied.
const COUNTS_ONE_MORE: (&str, &str) = ("written += ret;", "written += ret + 1;");

#[test]
fn the_relay_c_that_is_given_is_the_one_that_runs() {
    let tree = Tree::new();
    let good = tree
        .run(&["hello/hello", "--format", "json"])
        .expect_code(0);
    let relay = good.summary()["relay"].clone();
    assert_eq!(relay["version"], "6.1.192");
    assert!(
        relay["origin"]
            .as_str()
            .unwrap()
            .ends_with("kernel/relay.c")
    );
    tree.put(&tree.edited(COUNTS_ONE_MORE.0, COUNTS_ONE_MORE.1));
    let out = tree.dir.path().join("out");
    let bad = tree.run(&[
        "hello/hello",
        "--format",
        "json",
        "--out",
        out.to_str().unwrap(),
    ]);
    let bad = bad.expect_code(1);
    assert_ne!(bad.summary()["relay"]["sha256"], relay["sha256"]);
    let rerun = bad.rows()[0]["rerun"].as_str().unwrap().to_owned();
    assert!(rerun.contains("--relay "), "{rerun}");
    // The evidence says which relay it was, and is judged by that without a machine.
    let folder = out.join("hello/hello");
    let judged = ["judge", folder.to_str().unwrap(), "--format", "json"];
    let judged = relaybed(tree.dir.path(), &judged);
    let judged = judged.expect_code(1).summary();
    assert_eq!(judged["relay"]["sha256"], bad.summary()["relay"]["sha256"]);
}

#[test]
fn what_does_not_build_is_said_in_the_compilers_words_with_file_and_line() {
    let tree = Tree::new();
    let line = 1 + tree.original.lines().count();
    tree.put(&format!("{}no_such_type variable;\n", tree.original));
    let call = tree.run(&["hello/hello"]).expect_code(3);
    let place = format!("{}:{line}:1: error: ", tree.relay().display());
    assert!(call.stderr.contains(&place), "{place}\n{}", call.stderr);

    let lacks = tree.edited("void relay_flush(", "void relay_flush_all(");
    tree.put(&lacks.replace("EXPORT_SYMBOL_GPL(relay_flush);", ""));
    let call = tree.run(&["hello/hello"]).expect_code(3);
    assert!(
        call.stderr.contains("has no relay_flush,"),
        "{}",
        call.stderr
    );
}

#[test]
fn a_relay_of_another_time_is_one_error_that_names_what_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let call = relaybed(dir.path(), &["run", "hello/hello", "--relay", "source:7.3"]);
    let call = call.expect_code(3);
    for part in ["does not fit the kernel 6.1.0-", "member mmap_prepare"] {
        assert!(call.stderr.contains(part), "{part}\n{}", call.stderr);
    }
    assert!(!call.stderr.contains(": error:"), "{}", call.stderr);
}

#[test]
fn a_relay_that_never_comes_back_or_crashes_ends_by_itself() {
    let tree = Tree::new();
    let open = "if (!(subbuf_size && n_subbufs))";
    tree.put(&tree.edited(
        open,
        "while (READ_ONCE(subbuf_size)) cpu_relax();\n\tif (!(subbuf_size && n_subbufs))",
    ));
    let call = tree.run(&["hello/hello", "--deadline", "3"]);
    assert!(
        matches!(call.code, Some(4 | 5)),
        "{:?}\n{}",
        call.code,
        call.stderr
    );
    tree.put(&tree.edited(
        open,
        "*(volatile int *)8 = 0;\n\tif (!(subbuf_size && n_subbufs))",
    ));
    let call = tree.run(&["hello/hello", "--deadline", "3"]);
    assert!(
        matches!(call.code, Some(1 | 4 | 5)),
        "{:?}\n{}",
        call.code,
        call.stderr
    );
}

/// Where every read begins.
const READ: &str = "\tif (!count)\n\t\treturn 0;\n\n\tinode_lock(file_inode(filp));\n\tdo {";

/// A scenario that reads until there is nothing, free or under control.
fn reads(tree: &Tree, name: &str, under_control: bool) -> String {
    let mut text = "summary = \"Reads until it is empty.\"\nvcpus = 2\n\
        [channel.cpu]\nsubbuf_size = 4096\nn_subbufs = 4\n\
        [[actor]]\nname = \"writer\"\ncpu = 0\n\
        script = [{ write = \"cpu\", len = 64, count = 5 }, { signal = \"go\" }]\n\
        [[actor]]\nname = \"reader\"\ncontext = \"user\"\ncpu = 1\n\
        script = [{ wait = \"go\" }, { open_file = \"cpu\", cpu = 0, as = \"p\" }, \
        { read = \"p\", size = 50, until = \"empty\" }]\n"
        .to_owned();
    if under_control {
        for actor in ["writer", "reader"] {
            text += &format!("[[schedule]]\nrun = \"{actor}\"\nuntil = \"end\"\n");
        }
    }
    let path = tree.dir.path().join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// The first row of a run, and how long the scenario took, in seconds.
fn row(call: &Call) -> (serde_json::Value, f64) {
    let row = call.rows().remove(0);
    let seconds = row["duration_ms"].as_f64().unwrap() / 1000.0;
    (row, seconds)
}

#[test]
fn an_oops_is_reported_at_once_with_its_text() {
    let tree = Tree::new();
    tree.put(&tree.edited(READ, &format!("\tBUG_ON(count);\n{READ}")));
    for under_control in [false, true] {
        let file = reads(&tree, "oopses.toml", under_control);
        let call = tree.run(&[&file, "--deadline", "30", "--format", "json"]);
        let (row, seconds) = row(&call.expect_code(4));
        assert_eq!(row["code"], "R0102", "{row:#}");
        let seen = row["failures"][0]["seen"].as_str().unwrap();
        assert!(
            seen.contains("kernel BUG at") && seen.contains("relay.c"),
            "{row:#}"
        );
        assert!(seconds < 20.0, "told by a deadline, after {seconds} s");
        let call = tree.run(&[&file, "--deadline", "30"]).expect_code(4);
        for part in ["[#1]", "relay_file_read+0x", "---[ end trace"] {
            assert!(call.stdout.contains(part), "{part}\n{}", call.stdout);
        }
    }
}

#[test]
fn a_read_without_end_is_bounded_by_the_deadline() {
    let tree = Tree::new();
    // Each look at the buffer is a stop point under control.
    let endless = "\tif (count)\n\t\treturn READ_ONCE(buf->subbufs_consumed) + 1;\n";
    tree.put(&tree.edited(READ, &format!("{endless}{READ}")));
    for (under_control, code) in [(false, "R0116"), (true, "R0122")] {
        let file = reads(&tree, "endless.toml", under_control);
        let call = tree.run(&[&file, "--deadline", "5", "--format", "json"]);
        let (row, seconds) = row(&call.expect_code(5));
        assert_eq!(row["code"], code, "{row:#}");
        assert!(seconds < 120.0, "{seconds} s");
    }
}

#[test]
fn a_hang_says_where_each_vcpu_is() {
    let tree = Tree::new();
    let spin = "\twhile (READ_ONCE(count))\n\t\tcpu_relax();\n";
    tree.put(&tree.edited(READ, &format!("{spin}{READ}")));
    let file = reads(&tree, "hangs.toml", false);
    let call = tree.run(&[&file, "--deadline", "2"]).expect_code(5);
    for part in ["vCPU 0 is in ", "vCPU 1 is in relay_file_read+0x"] {
        assert!(call.stdout.contains(part), "{part}\n{}", call.stdout);
    }
}

/// The verdicts of every scenario, with the built-in relay and with the kernel's relay.c in a module.
#[track_caller]
fn is_the_same(kernel: &str) {
    let arguments = [
        "matrix",
        "--parity",
        "--kernels",
        kernel,
        "--format",
        "json",
    ];
    let dir = tempfile::tempdir().unwrap();
    let call = relaybed(dir.path(), &arguments).expect_code(0);
    let rows = call.rows();
    let end = &rows.last().unwrap()["matrix"];
    assert_eq!(end["unequal"], serde_json::json!([]));
    let of = |name: &str| {
        let column = |row: &&serde_json::Value| row["on"] == name && row.get("summary").is_some();
        rows.iter().find(column).unwrap()["summary"].clone()
    };
    let (built_in, own) = (of(kernel), of(&format!("{kernel}+relay.c")));
    assert!(built_in.get("relay").is_none() && own.get("relay").is_some());
    assert_eq!(built_in["passed"], own["passed"]);
    assert!(own["passed"].as_u64().unwrap() > 300);
}

#[test]
fn relay_in_a_module_is_the_same_relay_on_6_1() {
    is_the_same("6.1");
}

#[test]
fn relay_in_a_module_is_the_same_relay_on_the_newest_kernel() {
    is_the_same("7.3");
}

fn git(dir: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .current_dir(dir)
        .args([
            "-c",
            "user.name=x",
            "-c",
            "user.email=x@x.x",
            "-c",
            "commit.gpgsign=false",
        ])
        .args(arguments)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "git {arguments:?}: {text}\n{errors}"
    );
    text
}

/// Fifty commits, one of which brings the defect, and some of which do not compile.
#[test]
fn git_bisect_finds_the_commit_and_passes_over_those_that_do_not_compile() {
    const COMMITS: usize = 50;
    const DEFECT: usize = 31;
    if Command::new("git").arg("--version").output().is_err() {
        println!("skipped: there is no git here");
        return;
    }
    let tree = Tree::new();
    let dir = tree.dir.path();
    git(dir, &["init", "--quiet", "--initial-branch=main"]);
    for number in 1..=COMMITS {
        let mut text = if number < DEFECT {
            tree.original.clone()
        } else {
            tree.edited(COUNTS_ONE_MORE.0, COUNTS_ONE_MORE.1)
        };
        text += &format!("/* commit {number} */\n");
        if number % 5 == 3 {
            text += "this does not compile\n";
        }
        tree.put(&text);
        git(dir, &["add", "."]);
        git(
            dir,
            &[
                "commit",
                "--quiet",
                "--message",
                &format!("commit {number}"),
            ],
        );
    }
    git(
        dir,
        &["bisect", "start", "HEAD", &format!("HEAD~{}", COMMITS - 1)],
    );
    let run = [
        "run",
        "--relay",
        "kernel/relay.c",
        "--bisect",
        "hello/hello",
    ];
    let mut arguments = vec!["bisect", "run", RELAYBED];
    arguments.extend(run);
    let told = git(dir, &arguments);
    assert!(told.contains("is the first bad commit"), "{told}");
    let first = git(dir, &["log", "-1", "--format=%s", "refs/bisect/bad"]);
    assert_eq!(first.trim(), format!("commit {DEFECT}"), "{told}");
}

#[test]
fn trouble_of_our_own_stops_git() {
    let tree = Tree::new();
    let absent = [
        "run",
        "--relay",
        "/nowhere/relay.c",
        "--bisect",
        "hello/hello",
    ];
    let code = relaybed(tree.dir.path(), &absent).code.unwrap();
    assert!(code >= 128, "{code}");
    tree.put("this does not compile\n");
    let code = tree.run(&["--bisect", "hello/hello"]).code;
    assert_eq!(code, Some(125));
}
