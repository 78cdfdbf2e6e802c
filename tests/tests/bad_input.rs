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
fn help_knows_commands_and_the_language() {
    let help = |words: &[&str], code| {
        let called = call(RELAYBED, &[&["help"], words].concat()).expect_code(code);
        called.stdout + &called.stderr
    };
    assert!(help(&[], 0).contains("Exit codes:"));
    assert!(help(&["kernel", "check"], 0).contains("Usage: relaybed kernel check"));
    assert!(help(&["rum"], 2).contains("unrecognized subcommand 'rum'"));
    assert!(help(&["language"], 0).starts_with("# The scenario language"));
    assert!(help(&["language", "poll"], 0).starts_with("### poll"));
    assert!(help(&["language", "pol"], 2).contains("did you mean `poll`?"));
}

#[test]
fn help_names_every_exit_code() {
    let help = call(RELAYBED, &["--help"]).expect_code(0).stdout;
    for code in ["0 ", "1 ", "2 ", "3 ", "4 ", "5 ", "130 ", "141 "] {
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
    refused(
        with(&empty),
        3,
        &["not a kernel build tree", "utsrelease.h"],
    );
    prepared_tree(folder.path(), "CONFIG_RELAY=y\n");
    refused(with(&empty), 3, &[&empty]);
    let garbage = folder.path().join("garbage");
    fs::write(&garbage, vec![0x5a; 100_000]).unwrap();
    let garbage = garbage.to_str().unwrap();
    refused(with(garbage), 3, &[garbage]);
    prepared_tree(folder.path(), "");
    refused(with(garbage), 3, &["CONFIG_RELAY"]);
}

#[test]
fn a_tree_is_looked_at_before_anything_boots() {
    let folder = tempfile::tempdir().unwrap();
    let tree = folder.path().to_str().unwrap().to_owned();
    // Alone: its image is looked for in it.
    let alone = || call(RELAYBED, &["run", "--build-dir", &tree]);
    refused(alone(), 3, &["arch/x86/boot/bzImage", "--kernel"]);
    prepared_tree(folder.path(), "CONFIG_RELAY=y\n");
    let image = write(folder.path(), "vmlinux", "no kernel");
    refused(alone(), 3, &[&image]);
    let check = || call(RELAYBED, &["kernel", "check", &tree]);
    let said = check().expect_code(0).stdout;
    assert!(said.contains("has all that is needed"), "{said}");
    assert!(said.contains("CONFIG_HOTPLUG_CPU=y is missing: "), "{said}");
    fs::remove_file(folder.path().join("Module.symvers")).unwrap();
    let said = check().expect_code(3).stdout;
    assert!(said.contains("make modules"), "{said}");
    refused(alone(), 3, &["make modules"]);
    let config = write(folder.path(), "config", "CONFIG_RELAY=y\n");
    let said = call(RELAYBED, &["kernel", "check", &config])
        .expect_code(3)
        .stdout;
    assert!(said.contains("CONFIG_PVH=y is missing"), "{said}");
    prepared_tree(
        folder.path(),
        "CONFIG_RELAY=y\nCONFIG_CC_VERSION_TEXT=\"gcc-1 (None) 1.0\"\n",
    );
    refused(alone(), 3, &["built with", "gcc-1"]);
}

#[test]
fn what_cannot_be_excluded_or_fit_is_refused_before_anything_boots() {
    let folder = tempfile::tempdir().unwrap();
    let run = |more: &[&str]| call(RELAYBED, &[&["run", "hello"], more].concat());
    refused(run(&["--exclude", "hullo"]), 2, &["--exclude hullo"]);
    refused(run(&["--exclude", "hello"]), 2, &["every chosen scenario"]);
    let large = claiming(0).replace("4096", "8388608");
    let large = write(folder.path(), "large.toml", &large);
    let cpus = ["run", &large, "--vcpus", "8"];
    refused(
        call(RELAYBED, &cpus),
        3,
        &["256 MiB on 8 CPUs", "--memory 384"],
    );
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
        "X86_64",
        "BINFMT_ELF",
        "PROC_FS",
        "SYSFS",
        "FUTEX",
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

/// With an empty cache and no mirror to be had: what is wrong is said before anything would be fetched.
#[test]
fn what_can_be_refused_at_once_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "file", "no folder");
    let below_a_file = format!("{file}/below");
    let no_diff = write(folder.path(), "no.diff", "hello\n");
    let fixtures = format!("{}/../fixtures", env!("CARGO_MANIFEST_DIR"));
    let evidence = format!("{fixtures}/evidence/led-6.1");
    let lines: [(&str, &[&str], i32, &str); 17] = [
        ("run", &["hello", "--out", &below_a_file], 3, "--out"),
        ("fuzz", &["--out", &below_a_file], 3, "--out"),
        ("explore", &["hello", "--out", &below_a_file], 3, "--out"),
        ("replay", &[&evidence, "--out", &below_a_file], 3, "--out"),
        ("matrix", &["--out", &below_a_file], 3, "--out"),
        (
            "capture",
            &["hello/hello", "--out", &below_a_file],
            3,
            "--out",
        ),
        ("bench", &["transports", "--svg", &below_a_file], 3, "--svg"),
        ("mutate", &["--out", &below_a_file], 3, &below_a_file),
        ("mutate", &["--in-diff", "no/such.diff"], 2, "no/such.diff"),
        ("mutate", &["--in-diff", &no_diff], 2, "no unified diff"),
        (
            "mutate",
            &["--in-diff", "/dev/zero"],
            2,
            "not a regular file",
        ),
        ("mutate", &["--again", "surived"], 2, "survived"),
        ("run", &["hello", "--relay", "no/relay.c"], 3, "no/relay.c"),
        (
            "run",
            &[
                "hello",
                "--relay",
                "source:kernel",
                "--relay-header",
                "no/relay.h",
            ],
            3,
            "no/relay.h",
        ),
        ("coverage", &["hello", "--no-image"], 3, "--no-image"),
        ("coverage", &["hello", "--backend", "kvm"], 3, "translator"),
        ("explore", &["hello", "--accel", "kvm"], 3, "translator"),
    ];
    for (command, rest, code, word) in lines {
        let mut call = std::process::Command::new(RELAYBED);
        call.arg(command).args(rest).current_dir(folder.path());
        for variable in ["RELAYBED_MIRROR", "RELAYBED_SECURITY_MIRROR"] {
            // Port 9 of this machine: nobody listens.
            call.env(variable, "http://127.0.0.1:9/debian");
        }
        call.env("RELAYBED_CACHE", folder.path().join("cache"));
        let ran = relaybed_tests::call_command(call);
        assert!(!ran.stderr.contains("fetching"), "{}", ran.stderr);
        assert!(!ran.stderr.contains("package lists"), "{}", ran.stderr);
        refused(ran, code, &[word]);
    }
}

#[test]
fn what_is_no_file_is_not_read_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    for path in ["/dev/zero", "/dev/null", pipe.to_str().unwrap(), "/proc"] {
        refused(call(RELAYBED, &["check", path]), 2, &[path]);
    }
    let long = write(folder.path(), "long.toml", &"# a comment\n".repeat(400_000));
    refused(call(RELAYBED, &["check", &long]), 2, &["too large"]);
}

#[test]
fn a_limit_on_file_sizes_ends_in_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let evidence = format!(
        "{}/../fixtures/evidence/led-6.1",
        env!("CARGO_MANIFEST_DIR")
    );
    let page = folder.path().join("page.html");
    let script = "ulimit -f 1; \"$0\" report \"$1\" -o \"$2\"";
    let mut command = std::process::Command::new("sh");
    command.args(["-c", script, RELAYBED, &evidence]).arg(&page);
    let ran = relaybed_tests::call_command(command);
    refused(ran, 3, &["page.html", "File too large"]);
}

#[test]
fn a_home_that_is_no_path_from_the_root_is_no_place_for_the_cache() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = std::process::Command::new(RELAYBED);
    command.args(["cache", "size"]).current_dir(folder.path());
    command
        .env_remove("RELAYBED_CACHE")
        .env_remove("XDG_CACHE_HOME");
    let ran = relaybed_tests::call_command({
        command.env("HOME", "home");
        command
    });
    refused(ran, 3, &["absolute path"]);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
