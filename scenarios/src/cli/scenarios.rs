//! Loading the scenarios that a command line names.

use std::path::Path;
use std::sync::Arc;

use super::{Stop, input, say};
use relaybed_case::Case;
use relaybed_case::select::{Loaded, matches};
use relaybed_lang as lang;
use relaybed_report::exit::Exit;

/// A pattern that names nothing.
#[derive(Debug, thiserror::Error)]
#[error("no scenario is named by '{pattern}'; `relaybed list` shows all names")]
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

/// The cases that `patterns` name, in the order of the suites; all of them for no pattern.
///
/// Files that do not parse or check are reported in full, all of them, before this returns.
///
/// # Errors
/// [`Exit::Usage`] for a bad file or a pattern that names nothing.
pub(super) fn load(patterns: &[String]) -> Result<Vec<Loaded>, Stop> {
    let (files, names): (Vec<_>, Vec<_>) = patterns
        .iter()
        .partition(|pattern| split_file(pattern).is_some());
    let mut chosen = Vec::new();
    let mut bad = false;
    if !names.is_empty() || files.is_empty() {
        let all = embedded();
        for pattern in &names {
            if !all.iter().any(|loaded| matches(pattern, &loaded.case.name)) {
                let pattern = pattern.to_string();
                return Err(Stop::new(Exit::Usage, NoMatch { pattern }));
            }
        }
        chosen.extend(all.into_iter().filter(|loaded| {
            names.is_empty()
                || names
                    .iter()
                    .any(|pattern| matches(pattern, &loaded.case.name))
        }));
    }
    for (path, parameters) in files.into_iter().filter_map(|pattern| split_file(pattern)) {
        match file(Path::new(path))? {
            Some(cases) => {
                let before = chosen.len();
                chosen.extend(
                    cases
                        .into_iter()
                        .filter(|l| l.case.name.ends_with(parameters)),
                );
                if chosen.len() == before {
                    let pattern = format!("{path}{parameters}");
                    return Err(Stop::new(Exit::Usage, NoMatch { pattern }));
                }
            }
            None => bad = true,
        }
    }
    if bad {
        Err(Stop::said(Exit::Usage))
    } else {
        Ok(chosen)
    }
}

/// A scenario file's path and, where one of its cases is meant, that case's `[parameters]`.
fn split_file(pattern: &str) -> Option<(&str, &str)> {
    let (stem, parameters) = pattern.split_once(".toml")?;
    let named = parameters.is_empty() || (parameters.starts_with('[') && parameters.ends_with(']'));
    named.then(|| (&pattern[..stem.len() + ".toml".len()], parameters))
}

/// All cases of the suites that are part of this program.
fn embedded() -> Vec<Loaded> {
    let mut all = Vec::new();
    for (name, text) in lang::embedded() {
        // A unit test loads every embedded suite, so an error here cannot come from a user.
        match lang::load(name, text) {
            Ok(cases) => all.extend(with_source(cases, text, None)),
            Err(diagnostics) => say(&format!("{:?}\n", miette::Report::new(diagnostics))),
        }
    }
    all
}

/// The cases of one file; `None` when it is wrong, which has been told.
pub(super) fn file(path: &Path) -> Result<Option<Vec<Loaded>>, Stop> {
    let text = input::text(path).map_err(|source| {
        Stop::new(
            Exit::Usage,
            Unreadable {
                path: path.display().to_string(),
                source,
            },
        )
    })?;
    let name = name_of(path);
    match lang::load(&name, &text) {
        Ok(cases) => Ok(Some(with_source(cases, &text, Some(path)))),
        Err(diagnostics) => {
            say(&format!("{:?}\n", miette::Report::new(diagnostics)));
            Ok(None)
        }
    }
}

fn with_source(cases: Vec<Case>, text: &str, path: Option<&Path>) -> Vec<Loaded> {
    let source: Arc<str> = text.into();
    cases
        .into_iter()
        .map(|case| {
            let parameters = case.name.find('[').map_or("", |at| &case.name[at..]);
            let origin = match path {
                Some(path) => format!("{}{parameters}", path.display()),
                None => case.name.clone(),
            };
            Loaded {
                source: Arc::clone(&source),
                origin,
                case,
            }
        })
        .collect()
}

/// `folder/stem` of a path: the name a file would have as part of a suite.
fn name_of(path: &Path) -> String {
    let part = |part: Option<&std::ffi::OsStr>| {
        part.map(|part| part.to_string_lossy().into_owned())
            .filter(|part| !part.is_empty())
    };
    let stem = part(path.file_stem()).unwrap_or_else(|| "scenario".to_owned());
    match part(path.parent().and_then(Path::file_name)) {
        Some(folder) => format!("{folder}/{stem}"),
        None => format!("file/{stem}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_of_a_file_is_named_by_its_parameters() {
        assert_eq!(split_file("a/b.toml"), Some(("a/b.toml", "")));
        assert_eq!(split_file("a/b.toml[len=3]"), Some(("a/b.toml", "[len=3]")));
        assert_eq!(split_file("ordering/fit[len=3]"), None);
        assert_eq!(split_file("a.tomlx"), None);
    }

    #[test]
    fn a_file_is_named_like_a_member_of_a_suite() {
        assert_eq!(name_of(Path::new("a/ordering/fit.toml")), "ordering/fit");
        assert_eq!(name_of(Path::new("fit.toml")), "file/fit");
        assert_eq!(name_of(Path::new("/")), "file/scenario");
    }
}
