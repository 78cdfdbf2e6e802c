//! The guest's console: shown as it grows, and cut into the part that belongs to one case.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Most console text kept for one case.
const CASE_MAX_BYTES: u64 = 1 << 20;

/// Follows the file that a machine's console goes to.
#[derive(Debug)]
pub(super) struct Console {
    path: PathBuf,
    show: bool,
    shown: u64,
    mark: u64,
}

impl Console {
    /// Follows `path`; `show` copies what is new to standard error.
    pub(super) fn new(path: PathBuf, show: bool) -> Self {
        Self {
            path,
            show,
            shown: 0,
            mark: 0,
        }
    }

    /// A case begins: what follows is its own.
    pub(super) fn mark(&mut self) {
        self.mark = std::fs::metadata(&self.path).map_or(self.mark, |meta| meta.len());
    }

    /// Text since the last mark, at most its first mebibyte.
    pub(super) fn since_mark(&self) -> String {
        // A console that cannot be read any more must not hide the rest of the evidence.
        let bytes = read_from(&self.path, self.mark, CASE_MAX_BYTES).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Shows what came since the last call, if it is to be shown.
    pub(super) fn show(&mut self) {
        if !self.show {
            return;
        }
        let bytes = read_from(&self.path, self.shown, u64::MAX).unwrap_or_default();
        self.shown += bytes.len() as u64;
        // A closed standard error must not stop the run.
        let _ = std::io::stderr().write_all(&bytes);
    }
}

/// The last lines of a text.
pub(super) fn tail(text: &str, lines: usize) -> Vec<String> {
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..]
        .iter()
        .map(|line| (*line).to_owned())
        .collect()
}

fn read_from(path: &Path, from: u64, most: u64) -> std::io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}
