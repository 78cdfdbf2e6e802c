//! The shapes of the JSON files: mirrors of the evidence types, so that those need not know files.

use std::collections::BTreeMap;

use relaybed_abi::{ChanState, Event, OpResult};
use serde::{Deserialize, Serialize};

use relaybed_case::evidence::{BufferSeen, ChannelSeen, Held, Observation, Setting};

/// Version of everything in an evidence folder; grows with any change of meaning.
pub(super) const FORMAT: u32 = 1;

/// Name of the note with a schedule's token.
pub const TOKEN_NOTE: &str = "token";
/// Name of the note with the path of the scenario's file, as the user gave it.
pub const FILE_NOTE: &str = "file";
/// The note of a run under control that has one word for the machine at its end: RAM and registers.
pub const MACHINE_NOTE: &str = "machine";

/// How the run came about: for people and for repeating it, not for the judge.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extra {
    /// Version of relaybed that ran it.
    pub relaybed: String,
    /// Command line that runs just this again.
    pub repeat: String,
    /// The kernel as it was asked for, and what that came to (package version, hash).
    pub kernel: String,
    /// Seed of the whole run; the case has its own.
    pub seed: u64,
    /// Wall time of the case.
    pub duration_ms: u64,
    /// Anything else worth keeping, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub notes: BTreeMap<String, String>,
}

/// `evidence.json`.
#[derive(Serialize, Deserialize)]
pub(super) struct Index {
    pub(super) format: u32,
    pub(super) extra: Extra,
    pub(super) setting: Setting,
    pub(super) events_lost: u32,
    pub(super) data_lost: u32,
    pub(super) taint_before: u64,
    pub(super) taint_after: u64,
    pub(super) observations: Vec<ObservationRow>,
    pub(super) files: BTreeMap<String, Sum>,
}

/// The one member that every version has.
#[derive(Deserialize)]
pub(super) struct IndexFormat {
    pub(super) format: u32,
}

/// What a file was when it was written.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sum {
    pub(super) bytes: u64,
    pub(super) crc32: u32,
}

impl Sum {
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self {
            bytes: bytes.len() as u64,
            crc32: crc32fast::hash(bytes),
        }
    }
}

/// Mirror of [`Observation`].
#[derive(Serialize, Deserialize)]
pub(super) struct ObservationRow {
    label: Option<String>,
    at: Option<(usize, usize)>,
    channels: Vec<ChannelRow>,
}

/// Mirror of [`ChannelSeen`].
#[derive(Serialize, Deserialize)]
struct ChannelRow {
    #[serde(with = "StateDef")]
    state: ChanState,
    version: u64,
    subbuf_size: u64,
    n_subbufs: u64,
    alloc_size: u64,
    last_toobig: Option<u64>,
    is_global: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    held: Option<Held>,
    buffers: Vec<BufferRow>,
}

#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct BufferRow(#[serde(with = "BufferDef")] BufferSeen);

#[derive(Serialize, Deserialize)]
#[serde(remote = "ChanState", rename_all = "kebab-case")]
enum StateDef {
    Never,
    Open,
    Closed,
    Refused,
}

/// [`BufferSeen`] without its bytes, which are a file.
#[derive(Serialize, Deserialize)]
#[serde(remote = "BufferSeen")]
struct BufferDef {
    cpu: u32,
    produced: u64,
    consumed: u64,
    offset: u64,
    data: u64,
    padding: Vec<u64>,
    bytes_consumed: u64,
    finalized: u64,
    prev_padding: Option<u64>,
    early_bytes: u64,
    stats: Option<(u64, u64)>,
    file_size: Option<u64>,
    #[serde(skip)]
    bytes: Vec<u8>,
}

impl ObservationRow {
    pub(super) fn of(seen: &Observation) -> Self {
        let channels = seen.channels.iter().map(ChannelRow::of).collect();
        Self {
            label: seen.label.clone(),
            at: seen.at,
            channels,
        }
    }

    /// The observation, its buffers' bytes still to be filled in.
    pub(super) fn observation(self) -> Observation {
        let channels = self.channels.into_iter().map(ChannelRow::seen).collect();
        Observation {
            label: self.label,
            at: self.at,
            channels,
        }
    }
}

impl ChannelRow {
    fn of(seen: &ChannelSeen) -> Self {
        // Without the bytes: a row is small, they may be many megabytes.
        let row = |buffer: &BufferSeen| {
            let padding = buffer.padding.clone();
            BufferRow(BufferSeen {
                padding,
                bytes: Vec::new(),
                ..*buffer
            })
        };
        Self {
            state: seen.state,
            version: seen.version,
            subbuf_size: seen.subbuf_size,
            n_subbufs: seen.n_subbufs,
            alloc_size: seen.alloc_size,
            last_toobig: seen.last_toobig,
            is_global: seen.is_global,
            held: seen.held.clone(),
            buffers: seen.buffers.iter().map(row).collect(),
        }
    }

    fn seen(self) -> ChannelSeen {
        ChannelSeen {
            state: self.state,
            version: self.version,
            subbuf_size: self.subbuf_size,
            n_subbufs: self.n_subbufs,
            alloc_size: self.alloc_size,
            last_toobig: self.last_toobig,
            is_global: self.is_global,
            held: self.held,
            buffers: self.buffers.into_iter().map(|row| row.0).collect(),
        }
    }
}

/// A line of `results.jsonl`.
#[derive(Serialize, Deserialize)]
pub(super) struct ResultRow {
    pub(super) actor: usize,
    pub(super) op: usize,
    #[serde(with = "ResultDef")]
    pub(super) result: OpResult,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "OpResult")]
struct ResultDef {
    state: u32,
    error: i32,
    value: u64,
    refused: u64,
    start_ns: u64,
    end_ns: u64,
    order_start: u32,
    order_end: u32,
    data_offset: u32,
    data_bytes: u32,
    reserved: u64,
}

/// A line of `events.jsonl`.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct EventRow(#[serde(with = "EventDef")] pub(super) Event);

#[derive(Serialize, Deserialize)]
#[serde(remote = "Event")]
struct EventDef {
    kind: u32,
    cpu: u16,
    actor: u16,
    op: u32,
    seq: u32,
    context: u8,
    channel: u8,
    verdict: u8,
    buf_cpu: u8,
    order: u32,
    time_ns: u64,
    new_offset: u32,
    old_offset: u32,
    produced: u64,
    consumed: u64,
    prev_padding: u64,
}
