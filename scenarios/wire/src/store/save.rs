//! Writing an evidence folder.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::StoreError;
use super::files::{
    CASE, CONSOLE, DATA, EVENTS, INDEX, RESULTS, SCENARIO, SCHEDULE, buffer_name, io_error,
};
use super::place::put_in_place;
use super::rows::{EventRow, Extra, FORMAT, Index, ObservationRow, ResultRow, Sum};
use super::schedule;
use crate::swept::Swept;
use relaybed_case::Case;
use relaybed_case::evidence::Evidence;

/// Saves one run as the folder `dir`. Evidence that is there already is replaced as a whole; what else lies beside it
/// stays, and a folder that holds something else is left alone.
///
/// # Errors
/// [`StoreError::Occupied`], [`StoreError::Io`]. `dir` is then what it was before.
pub fn save(
    dir: &Path,
    case: &Case,
    source: &str,
    evidence: &Evidence,
    extra: &Extra,
) -> Result<(), StoreError> {
    let parent = match dir.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(parent).map_err(io_error("make", parent))?;
    // Removed with all that is left in it when it goes out of scope.
    let aside = Swept::make_in(parent).map_err(io_error("make a directory in", parent))?;
    let fresh = aside.path().join("new");
    fs::create_dir(&fresh).map_err(io_error("make", &fresh))?;
    write_all(&fresh, case, source, evidence, extra)?;
    put_in_place(dir, &fresh, &aside.path().join("old"))
}

/// Writes files and keeps what the index says of them.
struct Writer<'a> {
    dir: &'a Path,
    files: BTreeMap<String, Sum>,
}

impl Writer<'_> {
    fn put(&mut self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.files.insert(name.to_owned(), Sum::of(bytes));
        put(&self.dir.join(name), bytes)
    }
}

fn write_all(
    dir: &Path,
    case: &Case,
    source: &str,
    evidence: &Evidence,
    extra: &Extra,
) -> Result<(), StoreError> {
    let mut writer = Writer {
        dir,
        files: BTreeMap::new(),
    };
    put(&dir.join(SCENARIO), source.as_bytes())?;
    writer.put(CASE, &pretty(&dir.join(CASE), case)?)?;
    writer.put(DATA, &evidence.data)?;
    writer.put(CONSOLE, evidence.console.as_bytes())?;
    let results = evidence
        .results
        .iter()
        .enumerate()
        .flat_map(|(actor, list)| {
            list.iter().enumerate().map(move |(op, result)| ResultRow {
                actor,
                op,
                result: *result,
            })
        });
    writer.put(RESULTS, &lines(&dir.join(RESULTS), results)?)?;
    let events = evidence.events.iter().map(|event| EventRow(*event));
    writer.put(EVENTS, &lines(&dir.join(EVENTS), events)?)?;
    for (k, observation) in evidence.observations.iter().enumerate() {
        for (index, channel) in observation.channels.iter().enumerate() {
            for buffer in &channel.buffers {
                writer.put(&buffer_name(k, index, buffer.cpu), &buffer.bytes)?;
            }
        }
    }
    if let Some(trace) = &evidence.trace {
        let path = dir.join(SCHEDULE);
        let text = schedule::text(trace);
        writer.put(
            SCHEDULE,
            &text.map_err(|error| io_error("write", &path)(error.into()))?,
        )?;
    }
    let index = Index {
        format: FORMAT,
        extra: extra.clone(),
        setting: evidence.setting.clone(),
        events_lost: evidence.events_lost,
        data_lost: evidence.data_lost,
        taint_before: evidence.taint_before,
        taint_after: evidence.taint_after,
        observations: evidence
            .observations
            .iter()
            .map(ObservationRow::of)
            .collect(),
        files: writer.files,
    };
    let path: PathBuf = dir.join(INDEX);
    put(&path, &pretty(&path, &index)?)
}

fn put(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    fs::write(path, bytes).map_err(io_error("write", path))
}

fn pretty(path: &Path, value: &impl Serialize) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec_pretty(value).map_err(|error| io_error("write", path)(error.into()))
}

fn lines<T: Serialize>(path: &Path, rows: impl Iterator<Item = T>) -> Result<Vec<u8>, StoreError> {
    let mut text = Vec::new();
    for row in rows {
        serde_json::to_writer(&mut text, &row)
            .map_err(|error| io_error("write", path)(error.into()))?;
        text.push(b'\n');
    }
    Ok(text)
}
