//! What the guest reports: results, events and the directory of channels.
//!
//! All of it is allegation until the host has checked it.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::consts::RB_MAX_CPUS;

/// Mirror of `struct rb_result`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct OpResult {
    /// Enum rb_state.
    pub state: u32,
    /// -errno of a call that failed, else 0.
    pub error: i32,
    /// As the operation code says; writes: records tried.
    pub value: u64,
    /// Records for which a callback said no or reserve gave NULL.
    pub refused: u64,
    /// CLOCK_MONOTONIC.
    pub start_ns: u64,
    /// `end_ns` of the C header.
    pub end_ns: u64,
    /// A machine-wide count, taken just before.
    pub order_start: u32,
    /// And just after the operation.
    pub order_end: u32,
    /// What a user actor got: place in the data area.
    pub data_offset: u32,
    /// `data_bytes` of the C header.
    pub data_bytes: u32,
    /// `reserved` of the C header.
    pub reserved: u64,
}

/// Mirror of `struct rb_event`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Event {
    /// Enum rb_event_kind, written last.
    pub kind: u32,
    /// CPU it happened on.
    pub cpu: u16,
    /// NONE16: no actor's operation was running.
    pub actor: u16,
    /// Operation, or NONE32.
    pub op: u32,
    /// Record being written, or NONE32.
    pub seq: u32,
    /// Enum rb_context, as seen by the kernel.
    pub context: u8,
    /// `channel` of the C header.
    pub channel: u8,
    /// SUBBUF_START: what the callback returned.
    pub verdict: u8,
    /// CPU of the channel buffer concerned.
    pub buf_cpu: u8,
    /// Machine-wide count.
    pub order: u32,
    /// `time_ns` of the C header.
    pub time_ns: u64,
    /// SUBBUF_START: subbuf - start.
    pub new_offset: u32,
    /// Prev_subbuf - start; NONE32 when NULL.
    pub old_offset: u32,
    /// Counts at that moment.
    pub produced: u64,
    /// `consumed` of the C header.
    pub consumed: u64,
    /// The argument; NONE64 from 6.17.
    pub prev_padding: u64,
}

/// Mirror of `struct rb_dir_buf`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct DirBuf {
    /// Struct rchan_buf; 0: no buffer.
    pub buf_pa: u64,
    /// Its padding array, n_subbufs of size_t.
    pub padding_pa: u64,
    /// I_size of its file; 0: no file.
    pub file_size_pa: u64,
    /// Index into the page table.
    pub first_pfn: u32,
    /// `page_count` of the C header.
    pub page_count: u32,
}

/// Mirror of `struct rb_dir_channel`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct DirChannel {
    /// Enum rb_chan_state.
    pub state: u32,
    /// `is_global` of the C header.
    pub is_global: u32,
    /// Struct rchan.
    pub chan_pa: u64,
    /// As asked for.
    pub subbuf_size: u64,
    /// `n_subbufs` of the C header.
    pub n_subbufs: u64,
    /// `bufs` of the C header.
    pub bufs: [DirBuf; RB_MAX_CPUS],
}
