//! The head of the mailbox: what the guest is, and the handshake words.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::consts::RB_NAME_SIZE;

/// Where one member of a kernel structure is: `struct rb_member`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Member {
    /// Offset in bytes; [`RB_NONE16`](crate::RB_NONE16): this kernel has no such member.
    pub offset: u16,
    /// Size in bytes.
    pub size: u16,
}

/// Members of this kernel's `struct rchan_buf`, as its compiler placed them: `struct rb_buf_members`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct BufMembers {
    /// Virtual address of the buffer.
    pub start: Member,
    /// Virtual address of the current sub-buffer.
    pub data: Member,
    /// Offset in the current sub-buffer; sub-buffer size + 1 marks a full buffer.
    pub offset: Member,
    /// Count of sub-buffers produced.
    pub subbufs_produced: Member,
    /// Count of sub-buffers consumed.
    pub subbufs_consumed: Member,
    /// Pages of the buffer.
    pub page_count: Member,
    /// Non-zero once closed.
    pub finalized: Member,
    /// Pointer to the padding per sub-buffer.
    pub padding: Member,
    /// Padding of the sub-buffer before; until 6.16.
    pub prev_padding: Member,
    /// Bytes read of the sub-buffer that is being read.
    pub bytes_consumed: Member,
    /// Bytes of complete sub-buffers of a buffer without a file.
    pub early_bytes: Member,
    /// CPU of the buffer.
    pub cpu: Member,
    /// How often it was found full; from 6.17.
    pub full_count: Member,
    /// How often a record was too big; from 6.17.
    pub big_count: Member,
    /// Reference count.
    pub kref: Member,
    /// Size of the structure.
    pub size: u16,
    /// 0.
    pub reserved: u16,
}

/// Members of this kernel's `struct rchan`: `struct rb_chan_members`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ChanMembers {
    /// relay's version of the structure.
    pub version: Member,
    /// Size of a sub-buffer.
    pub subbuf_size: Member,
    /// Sub-buffers of a buffer.
    pub n_subbufs: Member,
    /// Size of a buffer, whole pages.
    pub alloc_size: Member,
    /// Length of the last record that was too big; until 6.16.
    pub last_toobig: Member,
    /// One buffer for all CPUs.
    pub is_global: Member,
    /// Whether there are files.
    pub has_base_filename: Member,
    /// Size of the structure.
    pub size: u16,
    /// 0.
    pub reserved: u16,
}

/// The head of the mailbox, at its offset 0: `struct rb_header`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Header {
    /// [`RB_MAGIC`](crate::RB_MAGIC).
    pub magic: u64,
    /// [`RB_ABI_VERSION`](crate::RB_ABI_VERSION) of the module.
    pub abi_version: u32,
    /// Size in bytes of the mailbox.
    pub mailbox_size: u32,
    /// Guest-physical address of the mailbox, page aligned.
    pub mailbox_pa: u64,
    /// `LINUX_VERSION_CODE` of the headers the module was built with.
    pub linux_version: u32,
    /// Size in bytes of a page.
    pub page_size: u32,
    /// CPU numbers are below this: `nr_cpu_ids`.
    pub cpus_possible: u32,
    /// CPUs online when the module was loaded.
    pub cpus_online: u32,
    /// Bit n: CPU n was online then; the first 64.
    pub cpus_online_mask: u64,
    /// `uname -r`, NUL terminated.
    pub release: [u8; RB_NAME_SIZE],
    /// Where the members of `struct rchan_buf` are.
    pub buf: BufMembers,
    /// Where the members of `struct rchan` are.
    pub chan: ChanMembers,
    /// Host: grows by one a request.
    pub request_seq: u32,
    /// The last `request_seq` that was finished.
    pub done_seq: u32,
    /// A [`Phase`](crate::Phase).
    pub phase: u32,
    /// -errno when the phase is refused.
    pub refusal: i32,
    /// Operation that the refusal is about, or [`RB_NONE32`](crate::RB_NONE32).
    pub refusal_op: u32,
    /// Checkpoints reached since the module was loaded.
    pub checkpoint_seq: u32,
    /// Host: the last checkpoint it has looked at.
    pub checkpoint_ack: u32,
    /// `arg0` of the checkpoint operation.
    pub checkpoint_label: u32,
    /// Index of that operation.
    pub checkpoint_op: u32,
    /// Slots taken of the event log; may exceed what there are.
    pub n_events: u32,
    /// Bytes taken of the data area; may exceed what there are.
    pub n_data: u32,
    /// Entries used of the page table.
    pub n_pfns: u32,
    /// The last order number given out.
    pub order: u32,
    /// How often the planted defect happened.
    pub plant_done: u32,
    /// Kernel taint mask when the guest was made ready.
    pub taint_ready: u64,
    /// The same when the request was finished.
    pub taint_now: u64,
    /// Where the kernel sees guest-physical 0: begin of its direct mapping of RAM.
    pub direct_map: u64,
    /// NMIs asked for since the module was loaded.
    pub nmi_seq: u32,
    /// Host: the last of them that it has sent.
    pub nmi_ack: u32,
    /// What the CPU that wrote it last had come to, for a host that stops vCPUs where they write it: an
    /// `RB_STOP_*` with actor and operation.
    pub stop: u64,
}
