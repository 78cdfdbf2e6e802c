//! Loading the scenarios that a command line names.

mod files;
mod names;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Stop, input, say};
use files::Named;
use relaybed_case::Case;
use relaybed_case::select::{Loaded, matches};
use relaybed_lang as lang;
use relaybed_report::exit::Exit;

/// A pattern that names nothing.
#[derive(Debug, thiserror::Error)]
#[error(
    "'{pattern}' matches no scenario, file or folder; `relaybed list` shows the built-in scenarios"
)]
struct NoMatch {
    pattern: String,
}

/// A scenario file that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the scenario file {path}: {source}")]
struct Unreadable {
    path: String,
    source: std::io::Error,
}

/// A folder without scenarios.
#[derive(Debug, thiserror::Error)]
#[error("the folder {path} has no scenario files (*.toml)")]
struct NoFiles {
    path: String,
}

/// The cases that `patterns` name: those of the built-in suites first, in their order, then those of files and
/// folders; all of the built-in suites for no pattern. No two have the same name, and none is there twice.
///
/// Files that do not parse or check are reported in full, all of them, before this returns.
///
/// # Errors
/// [`Exit::Usage`] for a bad file or a pattern that names nothing.
pub(super) fn load(patterns: &[String]) -> Result<Vec<Loaded>, Stop> {
    let all = embedded();
    let mut named = Vec::new();
    let mut built_in = Vec::new();
    for pattern in patterns {
        if all.iter().any(|loaded| matches(pattern, &loaded.case.name)) {
            built_in.push(pattern);
            continue;
        }
        let files = Named::all(pattern)?;
        named.extend(files.ok_or_else(|| no_match(pattern))?);
    }
    let mut chosen: Vec<Loaded> = all
        .into_iter()
        .filter(|loaded| {
            patterns.is_empty() || built_in.iter().any(|p| matches(p, &loaded.case.name))
        })
        .collect();
    chosen.extend(cases(named, &chosen)?);
    Ok(chosen)
}

/// The same without those that a pattern of `excluded` names.
///
/// # Errors
/// As [`load`], and [`Exit::Usage`] for a pattern that leaves nothing out, or where nothing is left.
pub(super) fn load_without(patterns: &[String], excluded: &[String]) -> Result<Vec<Loaded>, Stop> {
    let mut chosen = load(patterns)?;
    let names = |pattern: &str, loaded: &Loaded| matches(pattern, &loaded.case.name);
    let names_none = |pattern: &&String| !chosen.iter().any(|loaded| names(pattern, loaded));
    if let Some(pattern) = excluded.iter().find(names_none) {
        return Err(Stop::new(Exit::Usage, NotExcluded::None(pattern.clone())));
    }
    chosen.retain(|loaded| !excluded.iter().any(|pattern| names(pattern, loaded)));
    match chosen.is_empty() && !excluded.is_empty() {
        true => Err(Stop::new(Exit::Usage, NotExcluded::All)),
        false => Ok(chosen),
    }
}

/// What `--exclude` cannot do.
#[derive(Debug, thiserror::Error)]
enum NotExcluded {
    #[error("--exclude {0} leaves nothing out: no chosen scenario has that name, suite or pattern")]
    None(String),
    #[error("--exclude leaves every chosen scenario out")]
    All,
}

fn no_match(pattern: &str) -> Stop {
    let pattern = pattern.to_owned();
    Stop::new(Exit::Usage, NoMatch { pattern })
}

/// The cases of files, under names that none of `others` has.
fn cases(named: Vec<Named>, others: &[Loaded]) -> Result<Vec<Loaded>, Stop> {
    let taken = others.iter().map(|other| bare(&other.case.name).to_owned());
    let mut chosen = Vec::new();
    let mut bad = false;
    for (named, cases) in read(named, &taken.collect())? {
        match cases {
            Some(cases) => chosen.extend(named.of(cases)?),
            None => bad = true,
        }
    }
    match bad {
        true => Err(Stop::said(Exit::Usage)),
        false => Ok(chosen),
    }
}

/// A file, and all its cases; `None` when it is wrong, which has been reported.
pub(super) type Read = (Named, Option<Vec<Loaded>>);

/// Each file once, in the order in which they are named.
fn read(named: Vec<Named>, taken: &BTreeSet<String>) -> Result<Vec<Read>, Stop> {
    let files = once_each(named);
    let places: Vec<&Path> = files.iter().map(|(place, _)| place.as_path()).collect();
    let names = names::unique(&places, taken);
    let read = |(name, (_, named)): (String, (_, Named))| {
        let cases = file(&name, &named.path)?;
        Ok((named, cases))
    };
    names.into_iter().zip(files).map(read).collect()
}

/// Each file once, however often and by whatever path it is named, with its place on disk.
fn once_each(named: Vec<Named>) -> Vec<(PathBuf, Named)> {
    let mut files: Vec<(PathBuf, Named)> = Vec::new();
    for named in named {
        // A file that is not there is reported when it is read.
        let place = named.path.canonicalize();
        let place = place.or_else(|_| std::path::absolute(&named.path));
        let place = place.unwrap_or_else(|_| named.path.clone());
        match files.iter_mut().find(|(of, _)| *of == place) {
            Some((_, known)) => known.merge(named),
            None => files.push((place, named)),
        }
    }
    files
}

/// A case's name without its parameters.
fn bare(name: &str) -> &str {
    name.split('[').next().unwrap_or(name)
}

/// All cases of the suites that are part of this program.
fn embedded() -> Vec<Loaded> {
    carried(lang::embedded(), "scenarios/suites")
}

/// All scenarios of this program whose schedules are worth exploring.
pub(super) fn races() -> Vec<Loaded> {
    carried(lang::races(), "fixtures")
}

fn carried(files: impl Iterator<Item = (&'static str, &'static str)>, folder: &str) -> Vec<Loaded> {
    let mut all = Vec::new();
    for (name, text) in files {
        let path = format!("{folder}/{name}.toml");
        // Unit tests load all of them, so an error here cannot come from a user.
        match lang::load(name, text) {
            Ok(cases) => all.extend(with_source(cases, text, &path, false)),
            Err(wrong) => say(&format!(
                "{:?}\n",
                miette::Report::new(wrong.in_file(&path))
            )),
        }
    }
    all
}

/// What `patterns` name on disk.
pub(super) fn on_disk(patterns: &[PathBuf]) -> Result<Vec<Read>, Stop> {
    let mut named = Vec::new();
    for pattern in patterns {
        let found = Named::all(&pattern.to_string_lossy())?;
        named.extend(found.unwrap_or_else(|| vec![Named::file(pattern.clone())]));
    }
    read(named, &BTreeSet::new())
}

/// The cases of one file, their names beginning with `name`; `None` when it is wrong, which has been reported.
fn file(name: &str, path: &Path) -> Result<Option<Vec<Loaded>>, Stop> {
    let shown = path.display().to_string();
    let text = input::text(path).map_err(|source| {
        let path = shown.clone();
        Stop::new(Exit::Usage, Unreadable { path, source })
    })?;
    match lang::load(name, &text) {
        Ok(cases) => Ok(Some(with_source(cases, &text, &shown, true))),
        Err(wrong) => {
            say(&format!(
                "{:?}\n",
                miette::Report::new(wrong.in_file(&shown))
            ));
            Ok(None)
        }
    }
}

/// Cases with their file's text; `is_file`: the path names them at the command line, too.
fn with_source(cases: Vec<Case>, text: &str, path: &str, is_file: bool) -> Vec<Loaded> {
    let source: Arc<str> = text.into();
    cases
        .into_iter()
        .map(|case| {
            let parameters = &case.name[bare(&case.name).len()..];
            let origin = match is_file {
                true => format!("{path}{parameters}"),
                false => case.name.clone(),
            };
            Loaded {
                source: Arc::clone(&source),
                path: path.into(),
                origin,
                case,
            }
        })
        .collect()
}
