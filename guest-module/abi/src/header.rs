//! The head of the mailbox: what the guest is, and the handshake words.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::consts::RB_NAME_SIZE;

/// Mirror of `struct rb_member`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Member {
    /// `offset` of the C header.
    pub offset: u16,
    /// `size` of the C header.
    pub size: u16,
}

/// Mirror of `struct rb_buf_members`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct BufMembers {
    /// `start` of the C header.
    pub start: Member,
    /// `data` of the C header.
    pub data: Member,
    /// `offset` of the C header.
    pub offset: Member,
    /// `subbufs_produced` of the C header.
    pub subbufs_produced: Member,
    /// `subbufs_consumed` of the C header.
    pub subbufs_consumed: Member,
    /// `page_count` of the C header.
    pub page_count: Member,
    /// `finalized` of the C header.
    pub finalized: Member,
    /// `padding` of the C header.
    pub padding: Member,
    /// Until 6.16.
    pub prev_padding: Member,
    /// `bytes_consumed` of the C header.
    pub bytes_consumed: Member,
    /// `early_bytes` of the C header.
    pub early_bytes: Member,
    /// `cpu` of the C header.
    pub cpu: Member,
    /// From 6.17.
    pub full_count: Member,
    /// From 6.17.
    pub big_count: Member,
    /// `kref` of the C header.
    pub kref: Member,
    /// Sizeof(struct rchan_buf).
    pub size: u16,
    /// `reserved` of the C header.
    pub reserved: u16,
}

/// Mirror of `struct rb_chan_members`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ChanMembers {
    /// `version` of the C header.
    pub version: Member,
    /// `subbuf_size` of the C header.
    pub subbuf_size: Member,
    /// `n_subbufs` of the C header.
    pub n_subbufs: Member,
    /// `alloc_size` of the C header.
    pub alloc_size: Member,
    /// Until 6.16.
    pub last_toobig: Member,
    /// `is_global` of the C header.
    pub is_global: Member,
    /// `has_base_filename` of the C header.
    pub has_base_filename: Member,
    /// Sizeof(struct rchan).
    pub size: u16,
    /// `reserved` of the C header.
    pub reserved: u16,
}

/// Mirror of `struct rb_header`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Header {
    /// `magic` of the C header.
    pub magic: u64,
    /// `abi_version` of the C header.
    pub abi_version: u32,
    /// `mailbox_size` of the C header.
    pub mailbox_size: u32,
    /// Guest-physical, page aligned.
    pub mailbox_pa: u64,
    /// LINUX_VERSION_CODE of the headers.
    pub linux_version: u32,
    /// `page_size` of the C header.
    pub page_size: u32,
    /// Nr_cpu_ids.
    pub cpus_possible: u32,
    /// `cpus_online` of the C header.
    pub cpus_online: u32,
    /// Bit n: CPU n, first 64.
    pub cpus_online_mask: u64,
    /// Uname -r, NUL terminated.
    pub release: [u8; RB_NAME_SIZE],
    /// `buf` of the C header.
    pub buf: BufMembers,
    /// `chan` of the C header.
    pub chan: ChanMembers,
    /// Host: grows by one a request.
    pub request_seq: u32,
    /// Last request_seq that was finished.
    pub done_seq: u32,
    /// Enum rb_phase.
    pub phase: u32,
    /// -errno when phase is REFUSED.
    pub refusal: i32,
    /// Operation it is about, or NONE32.
    pub refusal_op: u32,
    /// Checkpoints reached since loading.
    pub checkpoint_seq: u32,
    /// Host: last one it has looked at.
    pub checkpoint_ack: u32,
    /// Arg0 of the checkpoint operation.
    pub checkpoint_label: u32,
    /// Index of that operation.
    pub checkpoint_op: u32,
    /// Slots taken; may exceed MAX_EVENTS.
    pub n_events: u32,
    /// Bytes taken of the data area, same.
    pub n_data: u32,
    /// Entries used of the page table.
    pub n_pfns: u32,
    /// Last order number given out.
    pub order: u32,
    /// The planted defect happened so often.
    pub plant_done: u32,
    /// Kernel taint mask when made ready.
    pub taint_ready: u64,
    /// The same when phase became DONE.
    pub taint_now: u64,
}
