//! Sizes, limits, offsets of the mailbox sections and flag bits, as in the C header.

/// First word of the mailbox: "RLAYBED1".
pub const RB_MAGIC: u64 = 0x3144_4542_5941_4c52;
/// Version of this contract; a guest of another version is refused.
pub const RB_ABI_VERSION: u32 = 7;
/// Size in bytes of a page of the guest.
pub const RB_PAGE_SIZE: usize = 4096;
/// Size in bytes of the whole mailbox.
pub const RB_MAILBOX_SIZE: usize = 4 << 20;
/// CPUs that the directory has room for.
pub const RB_MAX_CPUS: usize = 64;
/// Channels of one request.
pub const RB_MAX_CHANNELS: usize = 8;
/// Actors of one request.
pub const RB_MAX_ACTORS: usize = 64;
/// Gates of one request.
pub const RB_MAX_GATES: usize = 64;
/// Descriptors of all user actors.
pub const RB_MAX_FILES: usize = 64;
/// Operations of all actors.
pub const RB_MAX_OPS: usize = 4096;
/// Slots of the event log.
pub const RB_MAX_EVENTS: usize = 16384;
/// Pages of all channel buffers that one request opens.
pub const RB_MAX_PFNS: usize = 32768;
/// Literal bytes of all operations.
pub const RB_MAX_BLOB: usize = 65536;
/// Bytes of one record.
pub const RB_MAX_RECORD: usize = 65536;
/// Bytes of one formatted record of klog and its NUL; more is cut off.
pub const RB_KLOG_SIZE: usize = 256;
/// Bytes of a name, its NUL included.
pub const RB_NAME_SIZE: usize = 64;
/// Bytes of a base filename, its NUL included: more than relay takes.
pub const RB_BASE_SIZE: usize = 272;
/// Longest time in microseconds that a `subbuf_start` waits at a gate.
pub const RB_STALL_MAX_US: u32 = 3_000_000;
/// Longest wait for an NMI, in microseconds.
pub const RB_NMI_MAX_US: u32 = 10_000_000;
/// Where the mailbox holds the request, in bytes from its start.
pub const RB_OFF_REQUEST: usize = 0x1000;
/// Where the operations are.
pub const RB_OFF_OPS: usize = 0x4000;
/// Where the literal bytes are.
pub const RB_OFF_BLOB: usize = 0x44000;
/// Where the results are.
pub const RB_OFF_RESULTS: usize = 0x54000;
/// Where the directory of channels is.
pub const RB_OFF_DIRECTORY: usize = 0x94000;
/// Where the table of page frame numbers is.
pub const RB_OFF_PFNS: usize = 0xa4000;
/// Where the event log is.
pub const RB_OFF_EVENTS: usize = 0xe4000;
/// Where the data area begins; it goes to the end of the mailbox.
pub const RB_OFF_DATA: usize = 0x1e4000;
/// Size in bytes of the data area.
pub const RB_DATA_SIZE: usize = RB_MAILBOX_SIZE - RB_OFF_DATA;
/// "None" where a 16-bit index or offset stands.
pub const RB_NONE16: u16 = 0xffff;
/// "None" where a 32-bit index stands.
pub const RB_NONE32: u32 = 0xffff_ffff;
/// "None" where a 64-bit quantity stands.
pub const RB_NONE64: u64 = 0xffff_ffff_ffff_ffff;
/// Channel flag: opened before any actor starts.
pub const RB_CHAN_OPEN_AT_START: u32 = 0x1;
/// Channel flag: no base filename, so no files.
pub const RB_CHAN_BUFFER_ONLY: u32 = 0x2;
/// Channel flag: `create_buf_file` sets `is_global`.
pub const RB_CHAN_GLOBAL: u32 = 0x4;
/// Channel flag: parent NULL, so files in debugfs's root.
pub const RB_CHAN_ROOT: u32 = 0x8;
/// Channel flag: `relay_open()` is given no callbacks.
pub const RB_CHAN_NO_CALLBACKS: u32 = 0x10;
/// Channel flag: callbacks without `create_buf_file`.
pub const RB_CHAN_NO_CREATE: u32 = 0x20;
/// Channel flag: callbacks without `remove_buf_file`.
pub const RB_CHAN_NO_REMOVE: u32 = 0x40;
/// Channel flag: the callback that stalls does so once its header is reserved.
pub const RB_CHAN_STALL_LATE: u32 = 0x80;
/// Channel flag: `create_buf_file` waits at a gate once it has made the file.
pub const RB_CHAN_CREATED_WAITS: u32 = 0x100;
/// Operation flag: the payload is `len_min` literal bytes at `blob` of the blob area.
pub const RB_OP_BLOB: u16 = 0x1;
/// Operation flag: a read into memory that must not be touched.
pub const RB_OP_NOWHERE: u16 = 0x100;
/// Operation flag: a mapping with `PROT_WRITE`.
pub const RB_OP_WRITABLE: u16 = 0x200;
/// Operation flag: a mapping with `MAP_PRIVATE`.
pub const RB_OP_PRIVATE: u16 = 0x400;
/// Operation flag: `SPLICE_F_NONBLOCK`.
pub const RB_OP_NONBLOCK: u16 = 0x800;
/// Operation flag: the pipe is drained after the last `splice()`.
pub const RB_OP_LATE: u16 = 0x1000;
/// `FileMmap`: `PROT_NONE`.
pub const RB_OP_HIDDEN: u16 = 0x2000;
/// Operation flag: actor `nest` runs on top of this write at the first `subbuf_start` that it brings about.
pub const RB_OP_NEST_CALLBACK: u16 = 0x2;
/// Operation flag: actor `nest` runs on top of this write with its first slot reserved and half filled.
pub const RB_OP_NEST_FILL: u16 = 0x4;
/// Operation flag: `__relay_write()` with interrupts as they are.
pub const RB_OP_IRQS_ON: u16 = 0x8;
/// Operation flag: half way up the CPU raises gate `arg1` and stands until gate `nest` was raised; a reserved slot
/// is filled when gate `arg1` was raised, and raises gate `arg0` before.
pub const RB_OP_HOLD: u16 = 0x10;
/// Request flag: release everything, then power off.
pub const RB_REQ_POWER_OFF: u32 = 0x1;
/// All actors begin together; those of user space announce each operation by [`RB_IOC_STEP`](crate::RB_IOC_STEP).
pub const RB_REQ_STEPS: u32 = 0x2;
/// Kind of a word in [`Header::stop`](crate::Header::stop): an actor is before an operation.
pub const RB_STOP_STEP: u64 = 1;
/// Kind of such a word: the doorbell is about to be rung.
pub const RB_STOP_BELL: u64 = 2;
/// Kind of such a word: the CPU is about to idle.
pub const RB_STOP_IDLE: u64 = 3;
/// Where the kind is in such a word.
pub const RB_STOP_KIND_SHIFT: u32 = 56;
/// Where the actor is in such a word, in 16 bits; the operation is in the lowest 32.
pub const RB_STOP_ACTOR_SHIFT: u32 = 32;
/// First word of a record with a header: "RECR".
pub const RB_RECORD_MAGIC: u32 = 0x5243_4552;
/// Size in bytes of a record's header; shorter records are pattern alone.
pub const RB_RECORD_HEADER: usize = 32;
/// The actor in the pattern of a header that `subbuf_start` reserves.
pub const RB_HEADER_ACTOR: u32 = 0xfffe;
/// What each word of a pattern adds to the one before.
pub const RB_STEP: u64 = 0x9e37_79b9_7f4a_7c15;
/// Port of the doorbell, the second serial port.
pub const RB_BELL_PORT: u16 = 0x2f8;
/// Bytes of the longest line of the doorbell.
pub const RB_BELL_LINE_MAX: usize = 200;
