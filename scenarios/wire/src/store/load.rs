//! Reading an evidence folder that anyone may have changed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use relaybed_abi::{Event, OpResult, RB_DATA_SIZE};
use serde::de::DeserializeOwned;

use super::StoreError;
use super::check;
use super::files::{
    CASE, CONSOLE, DATA, EVENTS, INDEX, RESULTS, SCHEDULE, TEXT_MAX, buffer_name, read, verify,
};
use super::rows::{EventRow, Extra, FORMAT, Index, IndexFormat, ObservationRow, ResultRow, Sum};
use super::schedule;
use crate::program::compile;
use relaybed_case::Case;
use relaybed_case::evidence::{Evidence, Observation};

/// Loads a folder that [`save`](super::save) wrote.
///
/// What comes out has the shape that its case demands; what it says is as doubtful as when it was
/// taken from the guest.
///
/// # Errors
/// [`StoreError`], naming the file and what to do.
pub fn load(dir: &Path) -> Result<(Case, Evidence, Extra), StoreError> {
    let (path, bytes) = read(dir, INDEX, TEXT_MAX)?;
    let format = json::<IndexFormat>(&path, &bytes)?.format;
    if format != FORMAT {
        return Err(StoreError::Format {
            path,
            seen: format,
            expected: FORMAT,
        });
    }
    let index: Index = json(&path, &bytes)?;
    let mut folder = Folder {
        dir,
        index_path: path,
        unread: index.files,
    };

    let (path, bytes) = folder.read(CASE, TEXT_MAX)?;
    let case: Case = json(&path, &bytes)?;
    compile(&case, None).map_err(|source| StoreError::Case { path, source })?;
    let results = results(&mut folder, &case)?;
    let events = events(&mut folder)?;
    let (_, data) = folder.read(DATA, RB_DATA_SIZE as u64)?;
    let observations: Vec<Observation> = index
        .observations
        .into_iter()
        .map(ObservationRow::observation)
        .collect();
    let mut evidence = Evidence {
        setting: index.setting,
        observations,
        results,
        events,
        events_lost: index.events_lost,
        data,
        data_lost: index.data_lost,
        console: console(&mut folder)?,
        taint_before: index.taint_before,
        taint_after: index.taint_after,
        trace: None,
    };
    let misfit = |what| StoreError::Shape {
        path: folder.index_path.clone(),
        what,
    };
    check::shape(&case, &evidence).map_err(misfit)?;
    fill_buffers(&mut folder, &mut evidence)?;
    if folder.unread.contains_key(SCHEDULE) {
        let (path, text) = folder.read(SCHEDULE, TEXT_MAX)?;
        evidence.trace = Some(schedule::parse(&path, &text, &case)?);
    }
    match folder.unread.into_keys().next() {
        Some(name) => Err(StoreError::Strange {
            path: folder.index_path,
            name,
        }),
        None => Ok((case, evidence, index.extra)),
    }
}

/// The folder, and the files in its index that were not read yet.
struct Folder<'a> {
    dir: &'a Path,
    index_path: PathBuf,
    unread: BTreeMap<String, Sum>,
}

impl Folder<'_> {
    fn read(&mut self, name: &str, limit: u64) -> Result<(PathBuf, Vec<u8>), StoreError> {
        let Some(saved) = self.unread.remove(name) else {
            let what = format!("it lists no file {name:?}");
            return Err(StoreError::Shape {
                path: self.index_path.clone(),
                what,
            });
        };
        let (path, bytes) = read(self.dir, name, limit)?;
        verify(&path, &bytes, saved)?;
        Ok((path, bytes))
    }
}

fn results(folder: &mut Folder<'_>, case: &Case) -> Result<Vec<Vec<OpResult>>, StoreError> {
    let (path, bytes) = folder.read(RESULTS, TEXT_MAX)?;
    let rows: Vec<ResultRow> = rows(&path, &bytes)?;
    let wanted = case.actors.iter().enumerate();
    let wanted = wanted.flat_map(|(actor, of)| (0..of.ops.len()).map(move |op| (actor, op)));
    if !rows.iter().map(|row| (row.actor, row.op)).eq(wanted) {
        let what = "its lines are not one for each operation, in their order".to_owned();
        return Err(StoreError::Shape { path, what });
    }
    let mut results: Vec<Vec<OpResult>> = case.actors.iter().map(|_| Vec::new()).collect();
    for row in rows {
        results[row.actor].push(row.result);
    }
    Ok(results)
}

fn events(folder: &mut Folder<'_>) -> Result<Vec<Event>, StoreError> {
    let (path, bytes) = folder.read(EVENTS, TEXT_MAX)?;
    Ok(rows(&path, &bytes)?
        .into_iter()
        .map(|row: EventRow| row.0)
        .collect())
}

fn console(folder: &mut Folder<'_>) -> Result<String, StoreError> {
    let (path, bytes) = folder.read(CONSOLE, TEXT_MAX)?;
    let not_text = |_| StoreError::Shape {
        path,
        what: "it is not UTF-8 text".to_owned(),
    };
    String::from_utf8(bytes).map_err(not_text)
}

/// Reads the buffers' bytes; `check::shape` has bounded their sizes and number.
fn fill_buffers(folder: &mut Folder<'_>, evidence: &mut Evidence) -> Result<(), StoreError> {
    for (k, observation) in evidence.observations.iter_mut().enumerate() {
        for (index, channel) in observation.channels.iter_mut().enumerate() {
            let alloc_size = channel.alloc_size;
            for buffer in &mut channel.buffers {
                let name = buffer_name(k, index, buffer.cpu);
                let (path, bytes) = folder.read(&name, alloc_size)?;
                if bytes.len() as u64 != alloc_size {
                    let what = format!("it has {} bytes, not {alloc_size}", bytes.len());
                    return Err(StoreError::Shape { path, what });
                }
                buffer.bytes = bytes;
            }
        }
    }
    Ok(())
}

fn json<T: DeserializeOwned>(path: &Path, bytes: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(bytes).map_err(|source| StoreError::Json {
        path: path.to_owned(),
        line: source.line(),
        source,
    })
}

fn rows<T: DeserializeOwned>(path: &Path, bytes: &[u8]) -> Result<Vec<T>, StoreError> {
    let text = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let parse = |(number, line)| {
        serde_json::from_slice(line).map_err(|source| StoreError::Json {
            path: path.to_owned(),
            line: number,
            source,
        })
    };
    (1..)
        .zip(text.split(|byte| *byte == b'\n'))
        .map(parse)
        .collect()
}
