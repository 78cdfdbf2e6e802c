//! Evidence: everything one run of a case left, as values.
//!
//! `observe` takes it from guest memory, `store` saves and loads it as a folder, `judge` judges it.
//! Counts and lengths were checked against the mailbox and guest RAM when it was taken; what they
//! *say* is still the guest's word, and the judge's to doubt.

use relaybed_abi::{ChanState, Event, OpResult};
use serde::{Deserialize, Serialize};

use super::trace::Trace;

/// What was run, on what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// `uname -r` of the guest, as the guest says.
    pub release: String,
    /// LINUX_VERSION_CODE of the release whose relay this is: the kernel's, unless another relay was tested.
    pub linux_version: u32,
    /// CPUs online in the guest.
    pub vcpus: u32,
    /// `qemu` or `kvm`.
    pub backend: String,
    /// `tcg` or `kvm`.
    pub accel: String,
    /// Planted defect, if one was asked for.
    pub plant: Option<Planted>,
    /// The relay.c that was tested in place of the kernel's, if one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relay: Option<OwnRelay>,
}

/// A relay.c that was built into the module and driven in place of the kernel's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnRelay {
    /// The file's path, or package, version and path in it.
    pub origin: String,
    /// SHA-256 of relay.c.
    pub sha256: String,
    /// The release whose behaviour is expected of it, where that is not the kernel's.
    pub version: Option<String>,
}

impl std::fmt::Display for OwnRelay {
    /// Origin, release and the beginning of the hash.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let short = self.sha256.get(..12).unwrap_or(&self.sha256);
        let version = self.version.as_deref().unwrap_or("the kernel's release");
        write!(f, "{} ({version}, sha256 {short})", self.origin)
    }
}

/// A defect that the module was asked to plant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planted {
    /// `relaybed_abi::Plant` by its number.
    pub kind: u32,
    /// Actor at whose record it strikes.
    pub actor: u32,
    /// Number of that record.
    pub seq: u32,
    /// How often it struck, as the module says.
    pub done: u32,
}

/// Everything one run left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// What was run, on what.
    pub setting: Setting,
    /// Checkpoints in the order reached, and last the end.
    pub observations: Vec<Observation>,
    /// One result an operation, actor by actor, in the order of `Case::actors` and their `ops`.
    pub results: Vec<Vec<OpResult>>,
    /// The event log; `op` is an index into the operations of `actor`.
    pub events: Vec<Event>,
    /// Events that found no place in the log.
    pub events_lost: u32,
    /// The data area: what user actors got. `OpResult::data_offset` and READ events point into it.
    pub data: Vec<u8>,
    /// Bytes that found no place in the data area.
    pub data_lost: u32,
    /// Console text since the case began.
    pub console: String,
    /// Kernel taint mask when the guest was ready.
    pub taint_before: u64,
    /// Kernel taint mask when the case was done.
    pub taint_after: u64,
    /// Who ran when, and every access to what vCPUs share, of a run under control.
    pub trace: Option<Trace>,
}

/// All channels at one moment with the machine stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// Label of the checkpoint; `None`: the end.
    pub label: Option<String>,
    /// Actor and operation that reached the checkpoint.
    pub at: Option<(usize, usize)>,
    /// One an entry of `Case::channels`.
    pub channels: Vec<ChannelSeen>,
}

/// One channel, read from `struct rchan` and the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelSeen {
    /// Never opened, open, closed or refused, as the module says.
    pub state: ChanState,
    /// Members of struct rchan; all 0 unless open.
    pub version: u64,
    /// `subbuf_size` in bytes.
    pub subbuf_size: u64,
    /// `n_subbufs`.
    pub n_subbufs: u64,
    /// `alloc_size` in bytes.
    pub alloc_size: u64,
    /// `last_toobig`, until 6.16.
    pub last_toobig: Option<u64>,
    /// `is_global`.
    pub is_global: bool,
    /// Memory that relay has allocated for it and not freed; `None`: not counted.
    pub held: Option<Held>,
    /// Its buffers, by rising CPU number.
    pub buffers: Vec<BufferSeen>,
}

/// What relay holds of the kernel's memory for a channel: pieces of the slab and of per-CPU memory, without
/// pages and without what is allocated for a CPU that comes online.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// How many pieces.
    pub pieces: u32,
    /// Their bytes.
    pub bytes: u64,
    /// The function that asked for the oldest of them.
    pub at: String,
}

/// One channel buffer, read from `struct rchan_buf` and its pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BufferSeen {
    /// CPU whose buffer it is.
    pub cpu: u32,
    /// `subbufs_produced`.
    pub produced: u64,
    /// `subbufs_consumed`.
    pub consumed: u64,
    /// `offset` in the current sub-buffer; subbuf_size + 1 marks a full buffer.
    pub offset: u64,
    /// `data - start`: where the current sub-buffer begins, in bytes.
    pub data: u64,
    /// `padding[0..n_subbufs]`.
    pub padding: Vec<u64>,
    /// `bytes_consumed`.
    pub bytes_consumed: u64,
    /// `finalized`.
    pub finalized: u64,
    /// `prev_padding`, until 6.16.
    pub prev_padding: Option<u64>,
    /// `early_bytes`.
    pub early_bytes: u64,
    /// `stats.full_count` and `stats.big_count`, from 6.17.
    pub stats: Option<(u64, u64)>,
    /// Size of its file, if it has one.
    pub file_size: Option<u64>,
    /// The whole channel buffer, `alloc_size` bytes.
    pub bytes: Vec<u8>,
}
