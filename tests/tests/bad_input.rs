//! Bad input at the command line: one clear error that says what to do next, the exit code that belongs
//! to it, no panic. What needs no machine is here; what a guest can do wrong is in `endings`.

#![expect(
    clippy::unwrap_used,
    reason = "a test's helper fails the test by panicking"
)]

use std::fs;
use std::path::Path;

use relaybed_tests::{Call, call};

const RELAYBED: &str = env!("CARGO_BIN_EXE_relaybed-under-test");

/// The call ended with `code`, said every one of `words`, and nothing panicked.
#[track_caller]
fn refused(ran: Call, code: i32, words: &[&str]) {
    let ran = ran.expect_code(code);
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
    for word in words {
        assert!(ran.stderr.contains(word), "no '{word}' in:\n{}", ran.stderr);
    }
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn codes_are_explained_and_others_are_usage_errors_with_near_ones() {
    let all = call(RELAYBED, &["explain"]).expect_code(0);
    for line in all.stdout.lines() {
        let code = line.split(' ').next().unwrap();
        let one = call(RELAYBED, &["explain", code]).expect_code(0);
        assert!(one.stdout.starts_with(code), "{}", one.stdout);
        assert!(one.stdout.contains("correct kernel"), "{}", one.stdout);
    }
    let near = ["R0399", "R0303", "relaybed explain"];
    refused(call(RELAYBED, &["explain", "R0399"]), 2, &near);
    refused(call(RELAYBED, &["explain", "integrity"]), 2, &["integrity"]);
    let until = ["explore", "hello/hello", "--until", "integ"];
    refused(call(RELAYBED, &until), 2, &["integ", "relaybed explain"]);
}

#[test]
fn usage_errors_exit_with_2() {
    // A machine that cannot be must not end in a green run of skipped scenarios.
    for (option, value) in [
        ("--vcpus", "0"),
        ("--vcpus", "65"),
        ("--memory", "1"),
        ("--deadline", "0"),
    ] {
        refused(call(RELAYBED, &["run", option, value]), 2, &[option, value]);
    }
    refused(
        call(RELAYBED, &["run", "--no-such-option"]),
        2,
        &["--no-such-option", "--help"],
    );
    refused(
        call(RELAYBED, &["run", "no-such-scenario"]),
        2,
        &["no-such-scenario", "relaybed list"],
    );
    refused(
        call(RELAYBED, &["run", "--kernel", "nonsense"]),
        2,
        &["nonsense"],
    );
    refused(
        call(RELAYBED, &["check", "no/such/file.toml"]),
        2,
        &["no/such/file.toml"],
    );
}

#[test]
fn help_names_every_exit_code() {
    let help = call(RELAYBED, &["--help"]).expect_code(0).stdout;
    for code in ["0 ", "1 ", "2 ", "3 ", "4 ", "5 "] {
        assert!(
            help.lines().any(|line| line.trim_start().starts_with(code)),
            "{code}: {help}"
        );
    }
}

#[test]
fn every_error_of_a_scenario_file_is_told_in_one_pass() {
    let folder = tempfile::tempdir().unwrap();
    let text = "summary = \"Three things are wrong here.\"\n\
        colour = \"red\"\n\
        [channel.cpu]\nsubbuf_size = 4096\nn_subbufs = 4\nmode = \"no-overwrite\"\n\
        [[actor]]\nname = \"w\"\ncpu = 7\ncontext = \"task\"\n\
        script = [ { write = \"cpo\", len = 32 } ]\n";
    let path = write(folder.path(), "three.toml", text);
    refused(
        call(RELAYBED, &["check", &path]),
        2,
        &["colour", "7", "cpo"],
    );
    refused(call(RELAYBED, &["run", &path]), 2, &["colour", "7", "cpo"]);
}

#[test]
fn malformed_toml_points_at_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(
        folder.path(),
        "broken.toml",
        "summary = \"x\n[channel.cpu\n",
    );
    refused(call(RELAYBED, &["check", &path]), 2, &["broken"]);
}

#[test]
fn a_folder_without_evidence_exits_with_3() {
    let folder = tempfile::tempdir().unwrap();
    refused(
        call(RELAYBED, &["judge", folder.path().to_str().unwrap()]),
        3,
        &["evidence"],
    );
    refused(
        call(RELAYBED, &["judge", "no/such/folder"]),
        3,
        &["no/such/folder"],
    );
    write(folder.path(), "case.json", "{}");
    write(folder.path(), "evidence.json", "not json");
    refused(
        call(RELAYBED, &["judge", folder.path().to_str().unwrap()]),
        3,
        &["evidence.json"],
    );
}

#[test]
fn a_kernel_file_that_cannot_be_used_exits_with_3() {
    let folder = tempfile::tempdir().unwrap();
    let tree = folder.path().to_str().unwrap().to_owned();
    refused(
        call(RELAYBED, &["run", "--kernel", "no/such/bzImage"]),
        3,
        &["--build-dir"],
    );
    let with = |image: &str| call(RELAYBED, &["run", "--kernel", image, "--build-dir", &tree]);
    refused(with("no/such/bzImage"), 3, &["no/such/bzImage"]);
    let empty = write(folder.path(), "empty", "");
    refused(with(&empty), 3, &["modules_prepare"]);
    prepared_tree(folder.path(), "CONFIG_RELAY=y\n");
    refused(with(&empty), 3, &[&empty]);
    let garbage = folder.path().join("garbage");
    fs::write(&garbage, vec![0x5a; 100_000]).unwrap();
    let garbage = garbage.to_str().unwrap();
    refused(with(garbage), 3, &[garbage]);
    prepared_tree(folder.path(), "");
    refused(with(garbage), 3, &["CONFIG_RELAY"]);
}

/// What a build tree that is ready for modules says of itself; `relay` is its line on relay.
fn prepared_tree(folder: &Path, relay: &str) {
    let generated = folder.join("include/generated");
    fs::create_dir_all(&generated).unwrap();
    fs::write(
        generated.join("utsrelease.h"),
        "#define UTS_RELEASE \"6.1.0\"\n",
    )
    .unwrap();
    let rest = [
        "DEBUG_FS",
        "SERIAL_8250",
        "SERIAL_8250_CONSOLE",
        "PVH",
        "MODULES",
        "DEVTMPFS",
        "BLK_DEV_INITRD",
    ];
    let rest: String = rest
        .iter()
        .map(|name| format!("CONFIG_{name}=y\n"))
        .collect();
    fs::write(folder.join(".config"), format!("{relay}{rest}")).unwrap();
    fs::write(folder.join("Module.symvers"), "").unwrap();
}

/// A scenario of one write to `cpu`, and what its author claims of it.
fn claiming(produced: u32) -> String {
    format!(
        "summary = \"One record.\"\n[channel.cpu]\nsubbuf_size = 4096\nn_subbufs = 4\n\
         [[actor]]\nname = \"w\"\ncpu = 0\nscript = [{{ write = \"cpu\", len = 32 }}]\n\
         [[expect]]\nbuffer = \"cpu\"\ncpu = 0\nproduced = {produced}\n"
    )
}

#[test]
fn files_of_one_name_keep_names_of_their_own_and_folders_are_suites() {
    let folder = tempfile::tempdir().unwrap();
    for sub in ["x/my", "y/my/deep"] {
        fs::create_dir_all(folder.path().join(sub)).unwrap();
    }
    for name in [
        "x/my/z.toml",
        "y/my/z.toml",
        "y/my/a.toml",
        "y/my/deep/z.toml",
    ] {
        write(folder.path(), name, &claiming(0));
    }
    let list = |patterns: &[&str]| {
        let mut command = std::process::Command::new(RELAYBED);
        command
            .arg("list")
            .args(patterns)
            .current_dir(folder.path());
        let said = relaybed_tests::call_command(command).expect_code(0).stdout;
        let name = |line: &str| line.split(' ').next().unwrap().to_owned();
        said.lines().map(name).collect::<Vec<_>>()
    };
    assert_eq!(list(&["x/my/z.toml", "y/my/z.toml"]), ["x.my/z", "y.my/z"]);
    // Each once, however it is named.
    let all = ["my/a", "deep/z", "y.my/z", "x.my/z"];
    assert_eq!(list(&["y", "x", "./x/my/z.toml", "y/my"]), all);
    assert_eq!(list(&["x/my/z.toml"]), ["my/z"]);
    let nothing = folder.path().join("nothing");
    fs::create_dir(&nothing).unwrap();
    let nothing = nothing.to_str().unwrap();
    refused(call(RELAYBED, &["run", nothing]), 2, &[nothing, ".toml"]);
}

#[test]
fn places_are_those_of_the_path_that_the_user_gave() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("my")).unwrap();
    write(folder.path(), "my/claim.toml", &claiming(1));
    write(
        folder.path(),
        "my/word.toml",
        &claiming(0).replace("cpu = 0\nscript", "cpo = 0\nscript"),
    );
    let mut command = std::process::Command::new(RELAYBED);
    command.args(["check", "my"]).current_dir(folder.path());
    let ran = relaybed_tests::call_command(command);
    refused(
        ran,
        2,
        &["my/claim.toml:12:12: my/claim: ", "my/word.toml:7:1", "cpo"],
    );
}

#[test]
fn what_known_issues_come_to_is_checked_before_anything_is_fetched() {
    let run = |known| call(RELAYBED, &["run", "hello/hello", "--known", known]);
    refused(run("perhaps"), 2, &["perhaps", "K2,K5=fail"]);
    refused(run("K999=fail"), 2, &["K999", "relaybed known"]);
}

#[test]
fn the_schema_and_completions_are_printed() {
    let lines = call(RELAYBED, &["schema", "report"]).expect_code(0).stdout;
    let lines: serde_json::Value = serde_json::from_str(&lines).unwrap();
    assert!(
        lines["$defs"]["Row"]["properties"]["outcome"].is_object(),
        "{lines:#}"
    );
    let schema = call(RELAYBED, &["schema"]).expect_code(0).stdout;
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    assert!(schema["properties"]["summary"].is_object(), "{schema:#}");
    for shell in ["bash", "zsh", "fish"] {
        let script = call(RELAYBED, &["completions", shell])
            .expect_code(0)
            .stdout;
        assert!(script.contains("relaybed"), "{shell}");
    }
}
