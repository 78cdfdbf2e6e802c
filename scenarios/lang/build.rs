//! Writes the list of the suites' files, so that the binary carries them.

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
    let suites = variable("CARGO_MANIFEST_DIR")?.join("../suites");
    println!("cargo::rerun-if-changed={}", suites.display());
    let mut list = String::from("[\n");
    for suite in sorted(&suites)? {
        if !suite.is_dir() {
            continue;
        }
        println!("cargo::rerun-if-changed={}", suite.display());
        for file in sorted(&suite)? {
            if file
                .extension()
                .is_some_and(|extension| extension == "toml")
            {
                let name = file.with_extension("");
                let name = name.strip_prefix(&suites).map_err(io::Error::other)?;
                // A String takes any text; the error type is there for other sinks.
                let _ = writeln!(list, "    ({name:?}, include_str!({file:?})),");
            }
        }
    }
    list.push_str("]\n");
    fs::write(variable("OUT_DIR")?.join("suites.rs"), list)
}

fn sorted(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path()));
    let mut paths = entries.collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}
