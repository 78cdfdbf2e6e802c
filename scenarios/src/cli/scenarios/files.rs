//! Scenario files on disk: single ones, and all of a folder.

use std::path::{Path, PathBuf};

use super::{NoFiles, Unreadable, no_match};
use crate::cli::Stop;
use relaybed_case::select::Loaded;
use relaybed_report::exit::Exit;

/// Marks a folder with saved evidence, whose scenario is a copy.
const EVIDENCE: &str = "evidence.json";

/// A scenario file as a command line names it.
#[derive(Debug)]
pub(in crate::cli) struct Named {
    /// The path as the user gave it, or below the folder that the user gave.
    pub(in crate::cli) path: PathBuf,
    /// `[parameters]` of the cases that are meant; empty: all.
    parameters: Vec<String>,
}

impl Named {
    /// What a pattern names on disk: a file, all files of a folder; `None`: nothing.
    ///
    /// # Errors
    /// A folder that cannot be read, or has no scenario files.
    pub(super) fn all(pattern: &str) -> Result<Option<Vec<Self>>, Stop> {
        if let Some((path, parameters)) = split_file(pattern) {
            let mut named = Self::file(path.into());
            named.parameters.extend(parameters.map(str::to_owned));
            return Ok(Some(vec![named]));
        }
        let folder = Path::new(pattern);
        if !folder.is_dir() {
            return Ok(None);
        }
        let mut paths = Vec::new();
        collect(folder, &mut paths)?;
        if paths.is_empty() {
            let path = folder.display().to_string();
            return Err(Stop::new(Exit::Usage, NoFiles { path }));
        }
        Ok(Some(paths.into_iter().map(Self::file).collect()))
    }

    /// All cases of a file.
    pub(super) fn file(path: PathBuf) -> Self {
        let parameters = Vec::new();
        Self { path, parameters }
    }

    /// What both name, which is the same file.
    pub(super) fn merge(&mut self, other: Self) {
        match self.parameters.is_empty() || other.parameters.is_empty() {
            true => self.parameters.clear(),
            false => self.parameters.extend(other.parameters),
        }
    }

    /// The cases that are meant among all of the file.
    ///
    /// # Errors
    /// Parameters that none has.
    pub(super) fn of(&self, mut cases: Vec<Loaded>) -> Result<Vec<Loaded>, Stop> {
        let has = |loaded: &Loaded, end: &String| loaded.case.name.ends_with(end);
        for end in &self.parameters {
            if !cases.iter().any(|loaded| has(loaded, end)) {
                return Err(no_match(&format!("{}{end}", self.path.display())));
            }
        }
        let all = self.parameters.is_empty();
        cases.retain(|loaded| all || self.parameters.iter().any(|end| has(loaded, end)));
        Ok(cases)
    }
}

/// All scenario files of a folder, folders below it included, in the order of their names.
fn collect(folder: &Path, paths: &mut Vec<PathBuf>) -> Result<(), Stop> {
    let unreadable = |source| {
        let path = folder.display().to_string();
        Stop::new(Exit::Usage, Unreadable { path, source })
    };
    let entries = std::fs::read_dir(folder).map_err(unreadable)?;
    let mut entries: Vec<_> = entries.collect::<Result<_, _>>().map_err(unreadable)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
        // A link to a folder may lead back here.
        let is_folder = entry.file_type().map_err(unreadable)?.is_dir();
        if is_folder && !is_hidden && !path.join(EVIDENCE).exists() {
            collect(&path, paths)?;
        } else if !is_hidden && path.extension().is_some_and(|end| end == "toml") && path.is_file()
        {
            paths.push(path);
        }
    }
    Ok(())
}

/// A scenario file's path and the `[parameters]` of its case where one is meant.
fn split_file(pattern: &str) -> Option<(&str, Option<&str>)> {
    let (stem, parameters) = pattern.rsplit_once(".toml")?;
    let file = &pattern[..stem.len() + ".toml".len()];
    match parameters {
        "" => Some((file, None)),
        one if one.starts_with('[') && one.ends_with(']') => Some((file, Some(one))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_of_a_file_is_named_by_its_parameters() {
        assert_eq!(split_file("a/b.toml"), Some(("a/b.toml", None)));
        let one = split_file("a/b.toml[len=3]");
        assert_eq!(one, Some(("a/b.toml", Some("[len=3]"))));
        assert_eq!(split_file("a.toml/b.toml"), Some(("a.toml/b.toml", None)));
        assert_eq!(split_file("ordering/fit[len=3]"), None);
        assert_eq!(split_file("a.tomlx"), None);
    }

    #[test]
    fn a_folder_names_its_files_and_no_copies_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        };
        for name in [
            "b.toml",
            "a.toml",
            "sub/c.toml",
            "note.md",
            ".hidden/d.toml",
            ".e.toml",
        ] {
            put(name);
        }
        put("kept/scenario.toml");
        put("kept/evidence.json");
        let named = Named::all(folder.path().to_str().unwrap())
            .unwrap()
            .unwrap();
        let names: Vec<_> = named
            .iter()
            .map(|file| file.path.strip_prefix(folder.path()).unwrap())
            .collect();
        assert_eq!(
            names,
            ["a.toml", "b.toml", "sub/c.toml"].map(Path::new).to_vec()
        );
        assert!(Named::all("no/such/folder").unwrap().is_none());
        let empty = tempfile::tempdir().unwrap();
        assert!(Named::all(empty.path().to_str().unwrap()).is_err());
    }
}
