//! Embeds what a guest is made of: the module's sources and the agent's static binary.
//!
//! The agent is another crate of this workspace, built for the guest: static, small, in a profile of its own.
//! Cargo cannot say so in a manifest yet, so a nested cargo builds it in a target directory of its own.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The one target a guest is built for.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Settings of the outer build that must not reach the nested one (lints, coverage, wrappers, target folder).
const OUTER_SETTINGS: [&str; 9] = [
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "CARGO_BUILD_TARGET_DIR",
    "CARGO_TARGET_DIR",
    "CARGO_BUILD_RUSTC_WRAPPER",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC",
];

fn main() {
    let here = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
    let out = PathBuf::from(variable("OUT_DIR"));
    println!("cargo::rerun-if-changed=build.rs");
    embed_module_sources(&here, &out);
    build_agent(&here, &out);
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|error| panic!("cargo sets {name}: {error}"))
}

/// Writes a list of the files that the module is built from, with their paths as the C code includes them.
fn embed_module_sources(here: &Path, out: &Path) {
    let mut files: Vec<PathBuf> = Vec::new();
    for (dir, wanted) in [
        ("module", &["c", "h", "S", "Kbuild", "Makefile"][..]),
        ("abi/include", &["h"][..]),
    ] {
        println!("cargo::rerun-if-changed={dir}");
        let entries = fs::read_dir(here.join(dir));
        for entry in entries.unwrap_or_else(|error| panic!("cannot list {dir}: {error}")) {
            let path = entry
                .unwrap_or_else(|error| panic!("cannot list {dir}: {error}"))
                .path();
            let kind = path
                .extension()
                .or(path.file_name())
                .and_then(|kind| kind.to_str());
            // Kbuild leaves `*.mod.c` behind when the module is built in place.
            let generated = path.to_str().is_some_and(|path| path.ends_with(".mod.c"));
            if kind.is_some_and(|kind| wanted.contains(&kind)) && !generated {
                files.push(path);
            }
        }
    }
    files.sort();
    let mut list = String::from("&[\n");
    for file in files {
        println!("cargo::rerun-if-changed={}", file.display());
        let name = file.strip_prefix(here).unwrap_or(&file);
        list += &format!("    ({name:?}, include_bytes!({file:?})),\n");
    }
    list += "]\n";
    write(&out.join("module_sources.rs"), list.as_bytes());
}

/// Builds the agent and puts it where the crate includes it from.
fn build_agent(here: &Path, out: &Path) {
    let workspace = here.parent().unwrap_or(here);
    for input in ["agent/src", "agent/Cargo.toml", "abi/src", "abi/Cargo.toml"] {
        println!("cargo::rerun-if-changed={}", here.join(input).display());
    }
    for input in ["Cargo.toml", "Cargo.lock"] {
        println!(
            "cargo::rerun-if-changed={}",
            workspace.join(input).display()
        );
    }
    let target_dir = out.join("agent-target");
    let mut cargo = Command::new(variable("CARGO"));
    for setting in OUTER_SETTINGS {
        cargo.env_remove(setting);
    }
    cargo
        .current_dir(workspace)
        .args([
            "build",
            "--package",
            "relaybed-agent",
            "--bin",
            "relaybed-agent",
        ])
        .args(["--profile", "agent", "--target", TARGET, "--target-dir"])
        .arg(&target_dir)
        .env("RUSTFLAGS", "-C target-feature=+crt-static");
    if workspace.join("Cargo.lock").exists() {
        cargo.arg("--locked");
    }
    let status = cargo
        .status()
        .unwrap_or_else(|error| panic!("cannot run cargo: {error}"));
    assert!(
        status.success(),
        "the agent does not build ({status}); its errors are above"
    );
    let built = target_dir.join(TARGET).join("agent/relaybed-agent");
    let agent = fs::read(&built)
        .unwrap_or_else(|error| panic!("cannot read the agent at {}: {error}", built.display()));
    write(&out.join("relaybed-agent"), &agent);
}

fn write(path: &Path, content: &[u8]) {
    fs::write(path, content)
        .unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
}
