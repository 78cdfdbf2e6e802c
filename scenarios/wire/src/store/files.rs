//! Names of the files, and reading them without trust.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::StoreError;
use super::rows::Sum;

pub(super) const SCENARIO: &str = "scenario.toml";
pub(super) const CASE: &str = "case.json";
pub(super) const INDEX: &str = "evidence.json";
pub(super) const RESULTS: &str = "results.jsonl";
pub(super) const EVENTS: &str = "events.jsonl";
pub(super) const DATA: &str = "data.bin";
pub(super) const CONSOLE: &str = "console.txt";
pub(super) const SCHEDULE: &str = "schedule.json";

/// Most bytes of any text file in the folder.
pub(super) const TEXT_MAX: u64 = 256 << 20;

/// The file with the bytes of one channel buffer.
pub(super) fn buffer_name(observation: usize, channel: usize, cpu: u32) -> String {
    format!("obs{observation}-ch{channel}-cpu{cpu}.bin")
}

/// Whether evidence has a file of this name.
pub(super) fn is_evidence(name: &str) -> bool {
    let fixed = [
        SCENARIO, CASE, INDEX, RESULTS, EVENTS, DATA, CONSOLE, SCHEDULE,
    ];
    fixed.contains(&name) || is_buffer(name).is_some()
}

/// Whether it is a [`buffer_name`].
fn is_buffer(name: &str) -> Option<()> {
    let mut rest = name.strip_suffix(".bin")?;
    for part in ["obs", "-ch", "-cpu"] {
        let number = rest.strip_prefix(part)?;
        rest = number.trim_start_matches(|c: char| c.is_ascii_digit());
        if rest.len() == number.len() {
            return None;
        }
    }
    rest.is_empty().then_some(())
}

/// For `map_err`: the file system refused this.
pub(super) fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io {
        action,
        path,
        source,
    }
}

/// Reads a whole regular file of at most `limit` bytes. Nothing is opened that could block or
/// leads elsewhere: devices, pipes and links are refused.
pub(super) fn read(dir: &Path, name: &str, limit: u64) -> Result<(PathBuf, Vec<u8>), StoreError> {
    let path = dir.join(name);
    let meta = match fs::symlink_metadata(&path) {
        Ok(meta) => meta,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(StoreError::Missing { path });
        }
        Err(error) => return Err(io_error("look at", &path)(error)),
    };
    if !meta.is_file() {
        return Err(StoreError::NotAFile { path });
    }
    if meta.len() > limit {
        return Err(StoreError::TooLarge {
            path,
            bytes: meta.len(),
            limit,
        });
    }
    let file = File::open(&path).map_err(io_error("open", &path))?;
    let mut bytes = Vec::new();
    bytes.reserve_exact(usize::try_from(meta.len()).unwrap_or(0));
    file.take(limit)
        .read_to_end(&mut bytes)
        .map_err(io_error("read", &path))?;
    Ok((path, bytes))
}

/// Compares a file with what was written down of it.
pub(super) fn verify(path: &Path, bytes: &[u8], saved: Sum) -> Result<(), StoreError> {
    let now = Sum::of(bytes);
    let pairs = [
        ("length", now.bytes, saved.bytes),
        ("CRC-32", now.crc32.into(), saved.crc32.into()),
    ];
    for (what, seen, expected) in pairs {
        if seen != expected {
            return Err(StoreError::Damaged {
                path: path.to_owned(),
                what,
                seen,
                expected,
            });
        }
    }
    Ok(())
}
