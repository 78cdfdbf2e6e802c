//! Writes the lists of the suites' files and of those that race, so that the binary carries them.

#![expect(
    clippy::disallowed_methods,
    reason = "only the library is pure: its build script lists files"
)]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let variable = |name: &str| {
        env::var_os(name)
            .map(PathBuf::from)
            .ok_or(io::ErrorKind::NotFound)
    };
    let here = variable("CARGO_MANIFEST_DIR")?;
    let out = variable("OUT_DIR")?;
    let suites = here.join("../suites");
    println!("cargo::rerun-if-changed={}", suites.display());
    let mut list = String::new();
    for suite in sorted(&suites)? {
        if suite.is_dir() {
            list += &listed(&suite, &suites)?;
        }
    }
    fs::write(out.join("suites.rs"), format!("[\n{list}]\n"))?;
    let races = here.join("../../fixtures/explore");
    let list = listed(&races, &here.join("../../fixtures"))?;
    fs::write(out.join("races.rs"), format!("[\n{list}]\n"))
}

/// Rust's text of names below `root` and contents of the scenario files in `folder`.
fn listed(folder: &Path, root: &Path) -> io::Result<String> {
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut list = String::new();
    for file in sorted(folder)? {
        if file
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            let name = file.with_extension("");
            let name = name.strip_prefix(root).map_err(io::Error::other)?;
            // A String takes any text; the error type is there for other sinks.
            let _ = writeln!(list, "    ({name:?}, include_str!({file:?})),");
        }
    }
    Ok(list)
}

fn sorted(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path()));
    let mut paths = entries.collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}
