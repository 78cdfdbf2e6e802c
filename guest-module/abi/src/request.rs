//! What the host asks for: channels, actors and their operations.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::consts::{RB_MAX_ACTORS, RB_MAX_CHANNELS, RB_NAME_SIZE};

/// Mirror of `struct rb_channel_spec`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ChannelSpec {
    /// Base filename, NUL terminated.
    pub base: [u8; RB_NAME_SIZE],
    /// `subbuf_size` of the C header.
    pub subbuf_size: u64,
    /// `n_subbufs` of the C header.
    pub n_subbufs: u64,
    /// Enum rb_mode.
    pub mode: u32,
    /// Enum rb_files.
    pub files: u32,
    /// `RB_CHAN_`*.
    pub flags: u32,
    /// Subbuf_start_reserve() of these.
    pub header_bytes: u32,
}

/// Mirror of `struct rb_actor`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Actor {
    /// Enum rb_context.
    pub context: u32,
    /// Bound to it; user actors: NONE32 is any.
    pub cpu: u32,
    /// `first_op` of the C header.
    pub first_op: u32,
    /// `n_ops` of the C header.
    pub n_ops: u32,
}

/// Mirror of `struct rb_op`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Op {
    /// Enum rb_op_code.
    pub code: u16,
    /// Index, or NONE16.
    pub channel: u16,
    /// Slot, or NONE16.
    pub file: u16,
    /// `RB_OP_`*.
    pub flags: u16,
    /// `arg0` of the C header.
    pub arg0: u32,
    /// `arg1` of the C header.
    pub arg1: u32,
    /// `len_min` of the C header.
    pub len_min: u32,
    /// `len_max` of the C header.
    pub len_max: u32,
    /// Records.
    pub count: u32,
    /// `seq_first` of the C header.
    pub seq_first: u32,
    /// Offset in the blob area.
    pub blob: u32,
    /// `reserved` of the C header.
    pub reserved: u32,
    /// `len64` of the C header.
    pub len64: u64,
}

/// Mirror of `struct rb_request`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Request {
    /// `RB_REQ_`*.
    pub flags: u32,
    /// `n_channels` of the C header.
    pub n_channels: u32,
    /// `n_actors` of the C header.
    pub n_actors: u32,
    /// `n_ops` of the C header.
    pub n_ops: u32,
    /// `n_gates` of the C header.
    pub n_gates: u32,
    /// Bytes.
    pub n_blob: u32,
    /// Enum rb_plant.
    pub plant: u32,
    /// `plant_actor` of the C header.
    pub plant_actor: u32,
    /// `plant_seq` of the C header.
    pub plant_seq: u32,
    /// `reserved` of the C header.
    pub reserved: u32,
    /// Draws record lengths.
    pub seed: u64,
    /// `channels` of the C header.
    pub channels: [ChannelSpec; RB_MAX_CHANNELS],
    /// `actors` of the C header.
    pub actors: [Actor; RB_MAX_ACTORS],
}
