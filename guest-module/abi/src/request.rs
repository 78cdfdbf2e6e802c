//! What the host asks for: channels, actors and their operations.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::consts::{RB_BASE_SIZE, RB_MAX_ACTORS, RB_MAX_CHANNELS};

/// A channel as asked for: `struct rb_channel_spec`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ChannelSpec {
    /// Base filename, NUL terminated, without a slash.
    pub base: [u8; RB_BASE_SIZE],
    /// Size in bytes of a sub-buffer.
    pub subbuf_size: u64,
    /// Sub-buffers of a buffer.
    pub n_subbufs: u64,
    /// A [`Mode`](crate::Mode).
    pub mode: u32,
    /// A [`Files`](crate::Files).
    pub files: u32,
    /// `RB_CHAN_*`.
    pub flags: u32,
    /// What `subbuf_start` reserves in each sub-buffer; below `subbuf_size` - 1.
    pub header_bytes: u32,
    /// First call of `subbuf_start` of each buffer that refuses; 0: none. Calls are counted from 1, from
    /// the opening on, without those of opening and resetting.
    pub refuse_from: u32,
    /// How many calls in a row refuse.
    pub refuse_count: u32,
    /// CPU of the buffer whose `subbuf_start` waits.
    pub stall_cpu: u32,
    /// The call that waits; 0: none.
    pub stall_at: u32,
    /// Gate that it signals before it waits.
    pub stall_signal: u32,
    /// Gate that it waits for, at most [`RB_STALL_MAX_US`](crate::RB_STALL_MAX_US).
    pub stall_wait: u32,
    /// A [`Create`](crate::Create).
    pub create_answer: u32,
    /// CPU of the file that `create_buf_file` does not make.
    pub create_cpu: u32,
    /// How many calls for that CPU make it before.
    pub create_skip: u32,
    /// How many calls for that CPU then do not make it.
    pub create_times: u32,
    /// A [`NoMemory`](crate::NoMemory).
    pub no_memory: u32,
    /// CPU of the buffer that finds no memory.
    pub no_memory_cpu: u32,
    /// How many openings of the channel find none.
    pub no_memory_times: u32,
    /// CPU of the file behind whose making `create_buf_file` waits; [`RB_NONE32`](crate::RB_NONE32): every CPU.
    pub created_cpu: u32,
    /// Gate that it signals before it waits.
    pub created_signal: u32,
    /// Gate that it waits for.
    pub created_wait: u32,
}

/// An actor: `struct rb_actor`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Actor {
    /// A [`Context`](crate::Context).
    pub context: u32,
    /// CPU it is bound to; user actors: [`RB_NONE32`](crate::RB_NONE32) is any.
    pub cpu: u32,
    /// Index of its first operation.
    pub first_op: u32,
    /// How many operations it has; no other actor has any of them.
    pub n_ops: u32,
    /// A [`Source`](crate::Source).
    pub source: u32,
    /// 0.
    pub reserved: u32,
}

/// One operation: `struct rb_op`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Op {
    /// An [`OpCode`](crate::OpCode).
    pub code: u16,
    /// Index of the channel, or [`RB_NONE16`](crate::RB_NONE16).
    pub channel: u16,
    /// Slot of a descriptor, or [`RB_NONE16`](crate::RB_NONE16).
    pub file: u16,
    /// `RB_OP_*`.
    pub flags: u16,
    /// As the operation code says.
    pub arg0: u32,
    /// As the operation code says.
    pub arg1: u32,
    /// Shortest record in bytes.
    pub len_min: u32,
    /// Longest record in bytes.
    pub len_max: u32,
    /// Records.
    pub count: u32,
    /// Number of the first of them.
    pub seq_first: u32,
    /// Offset in the blob area of a literal payload.
    pub blob: u32,
    /// Actor or gate, as the flags say; else 0.
    pub nest: u32,
    /// Length in bytes: of a mapping, or given to `relay_switch_subbuf()`.
    pub len64: u64,
}

/// What the host asks for: `struct rb_request`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Request {
    /// `RB_REQ_*`.
    pub flags: u32,
    /// Channels used of `channels`.
    pub n_channels: u32,
    /// Actors used of `actors`.
    pub n_actors: u32,
    /// Operations used of their area.
    pub n_ops: u32,
    /// Gates; they stand at 0 at the start.
    pub n_gates: u32,
    /// Bytes used of the blob area.
    pub n_blob: u32,
    /// A [`Plant`](crate::Plant).
    pub plant: u32,
    /// Whose record it strikes.
    pub plant_actor: u32,
    /// Which record it strikes.
    pub plant_seq: u32,
    /// 0.
    pub reserved: u32,
    /// Draws record lengths.
    pub seed: u64,
    /// The channels.
    pub channels: [ChannelSpec; RB_MAX_CHANNELS],
    /// The actors.
    pub actors: [Actor; RB_MAX_ACTORS],
}
