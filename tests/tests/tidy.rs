//! House rules that no compiler checks: who may know whom, what pure rooms must not touch, sizes of
//! files, what the top level holds. Needs no machine.

#![expect(
    clippy::unwrap_used,
    reason = "a test's helper fails the test by panicking"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use relaybed_tests::call;

const RELAYBED: &str = env!("CARGO_BIN_EXE_relaybed-under-test");

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

/// The lines of a source file, comments left out.
fn code(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    text.lines()
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

/// The rooms of `scenarios/`, and which crates of ours each may know. Where data goes is this table.
const ROOMS: &[(&str, &[&str])] = &[
    ("case", &["relaybed-abi"]),
    ("lang", &["relaybed-abi", "relaybed-case"]),
    ("model/contract", &["relaybed-abi", "relaybed-case"]),
    (
        "model/twin",
        &["relaybed-abi", "relaybed-case", "relaybed-contract"],
    ),
    (
        "judge",
        &[
            "relaybed-abi",
            "relaybed-case",
            "relaybed-contract",
            "relaybed-twin",
        ],
    ),
    (
        "search",
        &[
            "relaybed-abi",
            "relaybed-case",
            "relaybed-contract",
            "relaybed-lang",
            "relaybed-twin",
        ],
    ),
    ("mutants", &[]),
    ("wire", &["relaybed-abi", "relaybed-case"]),
    (
        "report",
        &[
            "relaybed-abi",
            "relaybed-case",
            "relaybed-contract",
            "relaybed-judge",
            "relaybed-lang",
            "relaybed-wire",
        ],
    ),
];

/// Crates of ours that a manifest depends on.
fn ours(manifest: &str, sections: &[&str]) -> BTreeSet<String> {
    let text = fs::read_to_string(root().join(manifest).join("Cargo.toml")).unwrap();
    let table: toml::Table = text.parse().unwrap();
    sections
        .iter()
        .filter_map(|section| table.get(*section)?.as_table())
        .flat_map(toml::Table::keys)
        .filter(|name| name.starts_with("relaybed"))
        .cloned()
        .collect()
}

/// Tests and build scripts included.
const ALL: &[&str] = &["dependencies", "dev-dependencies", "build-dependencies"];

#[test]
fn dependence_goes_one_way() {
    let set = |names: &[&str]| {
        names
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(ours("guest-module/abi", ALL), set(&[]));
    assert_eq!(ours("vmm", ALL), set(&[]));
    assert!(ours("guest-module/agent", ALL).is_subset(&set(&["relaybed-abi"])));
    assert!(ours("guest-module", ALL).is_subset(&set(&["relaybed-abi"])));
    for (room, knows) in ROOMS {
        let known = ours(&format!("scenarios/{room}"), &["dependencies"]);
        assert_eq!(known, set(knows), "scenarios/{room}");
    }
    let top = ours("scenarios", &["dependencies"]);
    assert!(!top.contains("relaybed-tests") && top.contains("relaybed-vmm"));
}

#[test]
fn pure_rooms_are_held_to_it_by_the_compiler_and_clippy() {
    let law = fs::canonicalize(root().join("scenarios/pure.clippy.toml")).unwrap();
    for (room, _) in ROOMS.iter().filter(|(room, _)| *room != "wire") {
        let room = root().join("scenarios").join(room);
        assert_eq!(fs::canonicalize(room.join(".clippy.toml")).unwrap(), law);
        let text = fs::read_to_string(room.join("src/lib.rs")).unwrap();
        assert!(
            text.contains("#![forbid(unsafe_code)]"),
            "{}",
            room.display()
        );
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

/// A finding is compared by its values, code and place: its text is made for people, last.
#[test]
fn no_verdict_looks_into_a_text() {
    let texts = [
        "finding.to_string(",
        "what.to_string(",
        ".expected()",
        ".seen()",
    ];
    for room in ["judge/src", "search/src", "src/run"] {
        for path in files(&root().join("scenarios").join(room), &[".rs"]) {
            let all = code(&path);
            let lines = all
                .iter()
                .take_while(|line| !line.contains("#[cfg(test)]"))
                .enumerate();
            for (number, line) in lines {
                for text in texts {
                    let place = format!("{}:{}", path.display(), number + 1);
                    assert!(!line.contains(text), "{place} makes the text of a finding");
                }
            }
        }
    }
    // No member of a finding's own is a text: names and lines from outside are of a type without comparisons.
    for path in files(&root().join("scenarios/case/src/finding"), &[".rs"]) {
        for line in code(&path) {
            let line = line.trim();
            let member = line.split_once(" = ").map_or("", |(members, _)| members);
            let is_entry = member.contains(" { ") && member.ends_with('}');
            assert!(!is_entry || !member.contains("String"), "{line}");
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

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

#[test]
fn the_readme_counts_the_issues_that_known_lists() {
    let issues = relaybed_twin::issues();
    let unfixed = issues
        .iter()
        .filter(|issue| issue.kernels.fixed_in.is_empty());
    let (all, unfixed) = (issues.len(), unfixed.count());
    let readme = read("README.md");
    let claim = format!("catalogued {all} issues in it, and {unfixed} of them");
    assert!(readme.contains(&claim), "README.md: no '{claim}'");
    let known = call(RELAYBED, &["known"]).expect_code(0).stdout;
    let count = format!("{all} known issues, {unfixed} of them");
    assert!(known.contains(&count), "known: no '{count}'");
}

#[test]
fn scenarios_of_readme_and_manual_are_good() {
    for page in ["README.md", "scenarios/README.md"] {
        let text = read(page);
        let blocks: Vec<&str> = text.split("```toml\n").skip(1).collect();
        assert!(!blocks.is_empty(), "{page}");
        for block in blocks {
            let (scenario, _) = block.split_once("```").unwrap();
            let loaded = relaybed_lang::load(page, scenario);
            assert!(loaded.is_ok(), "{page}: {loaded:?}\n{scenario}");
        }
    }
}

#[test]
fn the_manual_has_every_command() {
    let help = call(RELAYBED, &["--help"]).expect_code(0).stdout;
    let (_, commands) = help.split_once("Commands:\n").unwrap();
    let manual = read("scenarios/README.md");
    let (_, table) = manual.split_once("| command |").unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    let lines = commands.lines().take_while(|line| !line.is_empty());
    for line in lines.filter(|line| line.starts_with("  ") && !line.starts_with("   ")) {
        let name = line.split_whitespace().next().unwrap();
        let is_there = table.contains(&format!("`{name}")) || name == "help";
        assert!(is_there, "the manual's table lacks '{name}'");
    }
}

#[test]
fn links_of_the_pages_lead_somewhere() {
    for page in [
        "README.md",
        "scenarios/README.md",
        ".github/CONTRIBUTING.md",
    ] {
        let path = root().join(page);
        for link in read(page).split("](").skip(1) {
            let (link, _) = link.split_once(')').unwrap();
            let is_there = link.contains("://") || path.parent().unwrap().join(link).exists();
            assert!(is_there, "{page}: {link}");
        }
    }
}

/// Phrases that were translated, not written; the contributors' guide says what to write instead.
const NOT_ENGLISH: &[&str] = &[
    " told",
    "mended",
    "manieth",
    "for want of",
    "came to no",
    "come to its end",
    "wished for",
];

/// What users read of a source file: text in quotes, and in the command line's files what becomes `--help`.
fn user_visible(path: &Path) -> Vec<String> {
    let is_help = path.to_string_lossy().contains("/src/cli");
    let mut seen = Vec::new();
    for line in fs::read_to_string(path).unwrap().lines() {
        match line.trim_start().strip_prefix("//") {
            Some(comment) if is_help && comment.starts_with("/ ") => seen.push(comment.to_owned()),
            Some(_) => {}
            None => seen.extend(line.split('"').skip(1).step_by(2).map(str::to_owned)),
        }
    }
    seen
}

#[test]
fn what_users_read_is_plain_english() {
    for room in [
        "vmm/src",
        "guest-module/src",
        "scenarios/src",
        "scenarios/case/src",
        "scenarios/lang/src",
        "scenarios/report/src",
        "scenarios/wire/src",
    ] {
        for path in files(&root().join(room), &[".rs"]) {
            for text in user_visible(&path) {
                let found = NOT_ENGLISH.iter().find(|phrase| text.contains(**phrase));
                assert_eq!(found, None, "{}: {text}", path.display());
            }
        }
    }
    assert!(user_visible(&root().join("scenarios/src/cli.rs")).len() > 50);
}
