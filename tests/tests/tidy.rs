//! House rules that no compiler checks: who may know whom, what pure rooms must not touch, sizes of
//! files, what the top level holds. Needs no machine.

#![expect(
    clippy::unwrap_used,
    reason = "a test's helper fails the test by panicking"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

/// All files below `folder` with one of these endings, build output left out.
fn files(folder: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if name != "target" && !name.starts_with('.') {
                    folders.push(path);
                }
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                found.push(path);
            }
        }
    }
    assert!(!found.is_empty(), "nothing in {}", folder.display());
    found
}

/// The lines of a source file before its unit tests, comments left out.
fn code(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    text.lines()
        .take_while(|line| line.trim() != "#[cfg(test)]")
        .map(|line| line.split("//").next().unwrap_or("").to_owned())
        .collect()
}

#[test]
fn the_top_level_holds_the_rooms_and_nothing_else() {
    let allowed: BTreeSet<&str> = [
        "Cargo.toml",
        "Cargo.lock",
        "README.md",
        "LICENSE-MIT",
        "LICENSE-APACHE",
        "LICENSE-GPL-2.0",
        "rust-toolchain.toml",
        "vmm",
        "guest-module",
        "scenarios",
        "fixtures",
        "tests",
        "target",
    ]
    .into();
    for entry in fs::read_dir(root()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(
            name.starts_with('.') || allowed.contains(name.as_str()),
            "{name} does not belong at the top level"
        );
    }
}

/// Crates of ours that a manifest depends on, tests included.
fn ours(manifest: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(root().join(manifest).join("Cargo.toml")).unwrap();
    let table: toml::Table = text.parse().unwrap();
    ["dependencies", "dev-dependencies", "build-dependencies"]
        .iter()
        .filter_map(|section| table.get(*section)?.as_table())
        .flat_map(toml::Table::keys)
        .filter(|name| name.starts_with("relaybed"))
        .cloned()
        .collect()
}

#[test]
fn dependence_goes_one_way() {
    let set = |names: &[&str]| {
        names
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(ours("guest-module/abi"), set(&[]));
    assert_eq!(ours("vmm"), set(&[]));
    assert!(ours("guest-module/agent").is_subset(&set(&["relaybed-abi"])));
    assert!(ours("guest-module").is_subset(&set(&["relaybed-abi"])));
    assert!(ours("scenarios").is_subset(&set(&["relaybed-abi", "relaybed-guest", "relaybed-vmm"])));
}

#[test]
fn pure_rooms_touch_no_file_clock_thread_or_environment() {
    let pure = [
        "generate",
        "lang",
        "lang.rs",
        "model",
        "model.rs",
        "judge",
        "judge.rs",
        "program",
        "program.rs",
        "report",
        "report.rs",
        "schedule",
        "shrink",
        "case.rs",
        "evidence.rs",
        "verdict.rs",
        "hex.rs",
        "select.rs",
    ];
    let banned = [
        "std::fs",
        "Instant::now",
        "SystemTime",
        "std::thread",
        "std::env",
        "std::process",
        "std::net",
        "rustix",
    ];
    let source = root().join("scenarios/src");
    for path in files(&source, &[".rs"]) {
        let room = path
            .strip_prefix(&source)
            .unwrap()
            .components()
            .next()
            .unwrap();
        let room = room.as_os_str().to_string_lossy().into_owned();
        if !pure.contains(&room.as_str()) || path.to_string_lossy().contains("tests") {
            continue;
        }
        for (number, line) in code(&path).iter().enumerate() {
            for word in banned {
                assert!(
                    !line.contains(word),
                    "{}:{}: {word} in a pure room",
                    path.display(),
                    number + 1
                );
            }
        }
    }
}

#[test]
fn the_virtual_machine_room_does_not_know_relay() {
    for path in files(&root().join("vmm/src"), &[".rs"]) {
        if path.to_string_lossy().ends_with("tests.rs") {
            continue;
        }
        for (number, line) in code(&path).iter().enumerate() {
            let line = line.to_lowercase().replace("relaybed", "");
            assert!(!line.contains("relay"), "{}:{}", path.display(), number + 1);
        }
    }
}

#[test]
fn files_stay_readable() {
    for folder in ["vmm", "guest-module", "scenarios", "tests"] {
        for path in files(&root().join(folder), &[".rs", ".c", ".h"]) {
            let lines = fs::read_to_string(&path).unwrap().lines().count();
            assert!(
                lines <= 500,
                "{} has {lines} lines; the house limit is 500",
                path.display()
            );
        }
    }
}

#[test]
fn every_rust_file_says_what_it_is_for() {
    for folder in ["vmm", "guest-module", "scenarios", "tests"] {
        for path in files(&root().join(folder), &[".rs"]) {
            let text = fs::read_to_string(&path).unwrap();
            assert!(
                text.starts_with("//!"),
                "{} has no module doc",
                path.display()
            );
        }
    }
}

#[test]
fn kernel_versions_are_told_apart_in_one_place() {
    for path in files(&root().join("guest-module/module"), &[".c", ".h"]) {
        let text = fs::read_to_string(&path).unwrap();
        assert!(
            text.starts_with("/* SPDX") || text.starts_with("// SPDX"),
            "{}",
            path.display()
        );
        if !path.ends_with("compat.h") {
            for word in ["LINUX_VERSION_CODE", "KERNEL_VERSION"] {
                let uses = text
                    .lines()
                    .filter(|line| line.contains(word) && line.trim_start().starts_with('#'));
                assert_eq!(uses.count(), 0, "{word} in {}", path.display());
            }
        }
    }
}

#[test]
fn nothing_names_the_machine_it_was_written_on() {
    // Put together here so that this file does not find itself.
    let banned = [
        ["/wo", "rk/"].concat(),
        ["deb.deb", "ian.org"].concat(),
        ["/ro", "ot/"].concat(),
    ];
    for folder in ["vmm", "guest-module", "scenarios", "tests", "fixtures"] {
        let endings = [
            ".rs", ".c", ".h", ".toml", ".md", ".json", ".snap", "Makefile", "Kbuild",
        ];
        for path in files(&root().join(folder), &endings) {
            let text = fs::read_to_string(&path).unwrap();
            for word in &banned {
                assert!(
                    !text.contains(word.as_str()),
                    "{} names {word}",
                    path.display()
                );
            }
        }
    }
}
