//! Moving records through the ways out of the kernel that are compared.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Bytes that every transport holds.
pub const RB_TRANSPORT_BYTES: usize = 65536;
/// Size of relay's sub-buffers in the comparison.
pub const RB_TRANSPORT_SUBBUF: usize = 8192;
/// Number of them.
pub const RB_TRANSPORT_SUBBUFS: usize = 8;
/// The actor that the records' pattern is of.
pub const RB_TRANSPORT_ACTOR: u32 = 0xfffd;

/// Argument of [`RB_IOC_TRANSPORT`]. Mirror of `struct rb_transport_arg`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct TransportArg {
    /// A [`Transport`](crate::Transport), or `NONE32` to close.
    pub transport: u32,
    /// Length of each record.
    pub len: u32,
}

/// Argument of [`RB_IOC_FILL`]. Mirror of `struct rb_fill_arg`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct FillArg {
    /// Number of the first record.
    pub seq: u32,
    /// How many.
    pub count: u32,
    /// Out: records that found room.
    pub done: u32,
    /// Zero.
    pub reserved: u32,
    /// Out: the time they took in nanoseconds, their making left out.
    pub ns: u64,
}

/// Argument of [`RB_IOC_SUBBUFS`]. Mirror of `struct rb_subbufs_arg`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SubbufsArg {
    /// Sub-buffers produced.
    pub produced: u64,
    /// Sub-buffers consumed.
    pub consumed: u64,
    /// Padding of each.
    pub padding: [u64; RB_TRANSPORT_SUBBUFS],
}

/// First page of the mapped ring. Mirror of `struct rb_ring`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct RingHead {
    /// Bytes put in.
    pub head: u64,
    /// Bytes taken out, by the reader.
    pub tail: u64,
}

/// Opens a transport, or closes the open one.
pub const RB_IOC_TRANSPORT: u32 = 0x4008_6220;
/// Puts records into the open transport.
pub const RB_IOC_FILL: u32 = 0xc018_6221;
/// Tells which of relay's sub-buffers are ready, and their padding.
pub const RB_IOC_SUBBUFS: u32 = 0x8050_6222;
/// `relay_subbufs_consumed()` of the argument.
pub const RB_IOC_CONSUMED: u32 = 0x6223;
/// Copies one record to the address that the argument is; on the transport's own device.
pub const RB_IOC_FETCH: u32 = 0x6224;
