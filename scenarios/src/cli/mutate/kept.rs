//! The folder of a campaign: one line of JSON for each result, and what the unchanged relay said.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use relaybed_report::mutation::MutantRow;

use crate::run::mutate::Stock;

/// The file of results.
const RESULTS: &str = "results.jsonl";

/// What the unchanged relay said.
const STOCK: &str = "unchanged.json";

/// The folder of a campaign.
#[derive(Debug)]
pub(super) struct Kept {
    dir: PathBuf,
}

/// The folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeptError {
    /// A file operation failed.
    #[error("cannot use {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A line is not a result.
    #[error(
        "line {line} of {} is not a result of this version ({why}); remove it, or choose another folder (--out)",
        path.display()
    )]
    Nonsense {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
}

fn failed(path: &Path) -> impl Fn(io::Error) -> KeptError {
    let path = path.to_owned();
    move |source| KeptError::Io {
        path: path.clone(),
        source,
    }
}

impl Kept {
    /// The folder, made if need be.
    ///
    /// # Errors
    /// It can be neither made nor written, or what is in it is of something else.
    pub(super) fn open(dir: &Path) -> Result<Self, KeptError> {
        fs::create_dir_all(dir).map_err(failed(dir))?;
        tempfile::tempfile_in(dir).map_err(failed(dir))?;
        let kept = Self {
            dir: dir.to_owned(),
        };
        kept.rows("")?;
        Ok(kept)
    }

    fn results(&self) -> PathBuf {
        self.dir.join(RESULTS)
    }

    /// The newest result of each mutant of a relay.c, by its hash. A line that a killed process left unfinished is
    /// passed over.
    pub(super) fn rows(&self, relay: &str) -> Result<BTreeMap<String, MutantRow>, KeptError> {
        let path = self.results();
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
            text => text.map_err(failed(&path))?,
        };
        let mut rows = BTreeMap::new();
        for (number, line) in text.split_inclusive('\n').enumerate() {
            match serde_json::from_str::<MutantRow>(line) {
                Ok(row) if row.relay == relay => {
                    rows.insert(row.id.clone(), row);
                }
                Ok(_) => {}
                Err(error) if error.is_eof() => {}
                Err(error) => {
                    return Err(KeptError::Nonsense {
                        path,
                        line: number + 1,
                        why: error.to_string(),
                    });
                }
            }
        }
        Ok(rows)
    }

    /// Adds a result.
    pub(super) fn add(&self, row: &MutantRow) -> Result<(), KeptError> {
        let path = self.results();
        let failed = failed(&path);
        let mut line = serde_json::to_vec(row).map_err(|error| failed(error.into()))?;
        line.push(b'\n');
        let half = fs::read(&path).is_ok_and(|text| text.last().is_some_and(|last| *last != b'\n'));
        if half {
            // What a killed process left unfinished must not spoil this one.
            line.insert(0, b'\n');
        }
        let file = File::options().append(true).create(true).open(&path);
        file.and_then(|mut file| file.write_all(&line))
            .map_err(failed)
    }

    /// What the unchanged relay said in an earlier call, if that is known.
    pub(super) fn stock(&self) -> Option<Stock> {
        serde_json::from_slice(&fs::read(self.dir.join(STOCK)).ok()?).ok()
    }

    /// Keeps it.
    pub(super) fn keep_stock(&self, stock: &Stock) -> Result<(), KeptError> {
        let path = self.dir.join(STOCK);
        let text = serde_json::to_vec(stock).map_err(|error| failed(&path)(error.into()))?;
        fs::write(&path, text).map_err(failed(&path))
    }
}

#[cfg(test)]
mod tests {
    use relaybed_report::mutation::MutantOutcome;

    use super::*;

    fn row(id: &str, relay: &str) -> MutantRow {
        MutantRow {
            id: id.to_owned(),
            relay: relay.to_owned(),
            function: "f".to_owned(),
            line: 1,
            column: 1,
            operator: "drop".to_owned(),
            before: "a;".to_owned(),
            after: ";".to_owned(),
            diff: Vec::new(),
            module: None,
            outcome: MutantOutcome::Survived {
                changed: Vec::new(),
            },
            seconds: 1.0,
        }
    }

    #[test]
    fn results_are_found_again_whatever_a_killed_process_left() {
        let dir = tempfile::tempdir().unwrap();
        let kept = Kept::open(&dir.path().join("a/b")).unwrap();
        assert!(kept.rows("x").unwrap().is_empty());
        kept.add(&row("1", "x")).unwrap();
        kept.add(&row("2", "y")).unwrap();
        assert_eq!(kept.rows("x").unwrap().len(), 1);
        let mut text = fs::read(kept.results()).unwrap();
        text.extend_from_slice(b"{\"id\":");
        fs::write(kept.results(), &text).unwrap();
        assert_eq!(kept.rows("x").unwrap().len(), 1);
        kept.add(&row("3", "x")).unwrap();
        assert_eq!(kept.rows("x").unwrap().len(), 2);
        fs::write(kept.results(), "{}\n").unwrap();
        let error = kept.rows("x").unwrap_err().to_string();
        assert!(error.contains("line 1"), "{error}");
    }
}
