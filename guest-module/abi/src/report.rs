//! What the guest reports: results, events and the directory of channels.
//!
//! All of it is allegation until the host has checked it.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::consts::{RB_MAX_CPUS, RB_NAME_SIZE};

/// What one operation came to, at the operation's index: `struct rb_result`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct OpResult {
    /// A [`State`](crate::State), written last.
    pub state: u32,
    /// -errno of a call that failed, else 0.
    pub error: i32,
    /// As the operation code says; writes: records tried; reads and copies: bytes got.
    pub value: u64,
    /// Records to which `subbuf_start` of the module said no or for which `relay_reserve()` gave NULL.
    pub refused: u64,
    /// CLOCK_MONOTONIC just before.
    pub start_ns: u64,
    /// CLOCK_MONOTONIC just after.
    pub end_ns: u64,
    /// The machine-wide count, taken just before.
    pub order_start: u32,
    /// And just after.
    pub order_end: u32,
    /// Where in the data area the bytes lie that a user actor got.
    pub data_offset: u32,
    /// How many of them found room there.
    pub data_bytes: u32,
    /// 0.
    pub reserved: u64,
}

/// What a file is, in the data area: `struct rb_stat`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Stat {
    /// Its size in bytes.
    pub size: u64,
    /// Type and permissions.
    pub mode: u32,
    /// Names it has.
    pub nlink: u32,
    /// Its owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
}

/// What happened in the middle of an operation: `struct rb_event`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Event {
    /// An [`EventKind`](crate::EventKind), written last.
    pub kind: u32,
    /// CPU it happened on.
    pub cpu: u16,
    /// Whose operation was running; [`RB_NONE16`](crate::RB_NONE16): no actor's.
    pub actor: u16,
    /// That operation, or [`RB_NONE32`](crate::RB_NONE32).
    pub op: u32,
    /// The record that was being written, or [`RB_NONE32`](crate::RB_NONE32).
    pub seq: u32,
    /// A [`Context`](crate::Context), as the kernel saw it.
    pub context: u8,
    /// Index of the channel.
    pub channel: u8,
    /// What the callback returned; creating a file: 1 made, 0 failed.
    pub verdict: u8,
    /// CPU of the channel buffer concerned; 255: not known.
    pub buf_cpu: u8,
    /// The machine-wide count.
    pub order: u32,
    /// CLOCK_MONOTONIC.
    pub time_ns: u64,
    /// `subbuf_start`: the new sub-buffer, from the start of the buffer; creating a file: bytes of its name.
    pub new_offset: u32,
    /// `subbuf_start`: the old one; [`RB_NONE32`](crate::RB_NONE32) when NULL.
    pub old_offset: u32,
    /// Sub-buffers produced at that moment; a read: its result or -errno.
    pub produced: u64,
    /// Sub-buffers consumed at that moment; a read: place of its bytes in the data area.
    pub consumed: u64,
    /// The argument of the callback; [`RB_NONE64`](crate::RB_NONE64) from 6.17.
    pub prev_padding: u64,
}

/// Where one channel buffer is: `struct rb_dir_buf`. All addresses are guest-physical.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct DirBuf {
    /// Of its `struct rchan_buf`; 0: no buffer.
    pub buf_pa: u64,
    /// Of its padding array, `n_subbufs` times 8 bytes.
    pub padding_pa: u64,
    /// Of its file's `i_size`; 0: no file.
    pub file_size_pa: u64,
    /// Index into the page table; [`RB_NONE32`](crate::RB_NONE32): the table was full.
    pub first_pfn: u32,
    /// Pages of the buffer.
    pub page_count: u32,
}

/// Where one channel is: `struct rb_dir_channel`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct DirChannel {
    /// A [`ChanState`](crate::ChanState).
    pub state: u32,
    /// Non-zero: one buffer, under CPU 0, for all CPUs.
    pub is_global: u32,
    /// Guest-physical address of its `struct rchan`; 0 unless open.
    pub chan_pa: u64,
    /// Size of a sub-buffer, as asked for.
    pub subbuf_size: u64,
    /// Sub-buffers of a buffer, as asked for.
    pub n_subbufs: u64,
    /// Non-zero: the four members below say something.
    pub held_known: u32,
    /// Pieces of slab and per-CPU memory that relay has allocated for it and not freed.
    pub held: u32,
    /// Their bytes.
    pub held_bytes: u64,
    /// The function that asked for the oldest of them, NUL terminated.
    pub held_at: [u8; RB_NAME_SIZE],
    /// The buffers, by CPU.
    pub bufs: [DirBuf; RB_MAX_CPUS],
}
