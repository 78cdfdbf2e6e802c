//! Sizes, limits, offsets of the mailbox sections and flag bits, as in the C header.

/// "RLAYBED1".
pub const RB_MAGIC: u64 = 0x3144_4542_5941_4c52;
/// `RB_ABI_VERSION` of the C header.
pub const RB_ABI_VERSION: u32 = 1;
/// `RB_PAGE_SIZE` of the C header.
pub const RB_PAGE_SIZE: usize = 4096;
/// `RB_MAILBOX_SIZE` of the C header.
pub const RB_MAILBOX_SIZE: usize = 4 << 20;
/// `RB_MAX_CPUS` of the C header.
pub const RB_MAX_CPUS: usize = 64;
/// `RB_MAX_CHANNELS` of the C header.
pub const RB_MAX_CHANNELS: usize = 8;
/// `RB_MAX_ACTORS` of the C header.
pub const RB_MAX_ACTORS: usize = 64;
/// `RB_MAX_GATES` of the C header.
pub const RB_MAX_GATES: usize = 64;
/// Descriptors of all user actors.
pub const RB_MAX_FILES: usize = 64;
/// `RB_MAX_OPS` of the C header.
pub const RB_MAX_OPS: usize = 4096;
/// `RB_MAX_EVENTS` of the C header.
pub const RB_MAX_EVENTS: usize = 16384;
/// Pages of all open channel buffers.
pub const RB_MAX_PFNS: usize = 32768;
/// Literal bytes of all operations.
pub const RB_MAX_BLOB: usize = 65536;
/// Bytes of one record.
pub const RB_MAX_RECORD: usize = 65536;
/// Offsets of the sections from the start of the mailbox, in bytes.
pub const RB_NAME_SIZE: usize = 64;
/// `RB_OFF_REQUEST` of the C header.
pub const RB_OFF_REQUEST: usize = 0x1000;
/// `RB_OFF_OPS` of the C header.
pub const RB_OFF_OPS: usize = 0x4000;
/// `RB_OFF_BLOB` of the C header.
pub const RB_OFF_BLOB: usize = 0x44000;
/// `RB_OFF_RESULTS` of the C header.
pub const RB_OFF_RESULTS: usize = 0x54000;
/// `RB_OFF_DIRECTORY` of the C header.
pub const RB_OFF_DIRECTORY: usize = 0x94000;
/// `RB_OFF_PFNS` of the C header.
pub const RB_OFF_PFNS: usize = 0xa4000;
/// `RB_OFF_EVENTS` of the C header.
pub const RB_OFF_EVENTS: usize = 0xe4000;
/// To the end.
pub const RB_OFF_DATA: usize = 0x1e4000;
/// `RB_DATA_SIZE` of the C header.
pub const RB_DATA_SIZE: usize = RB_MAILBOX_SIZE - RB_OFF_DATA;
/// `RB_NONE16` of the C header.
pub const RB_NONE16: u16 = 0xffff;
/// `RB_NONE32` of the C header.
pub const RB_NONE32: u32 = 0xffff_ffff;
/// Where one member of a kernel structure is; offset RB_NONE16: not there.
pub const RB_NONE64: u64 = 0xffff_ffff_ffff_ffff;
/// Opened before any actor starts.
pub const RB_CHAN_OPEN_AT_START: u32 = 0x1;
/// No base filename, so no files.
pub const RB_CHAN_BUFFER_ONLY: u32 = 0x2;
/// Create_buf_file sets is_global.
pub const RB_CHAN_GLOBAL: u32 = 0x4;
/// Payload: len bytes of the blob area at blob.
pub const RB_OP_BLOB: u16 = 0x1;
/// Release everything, then power off.
pub const RB_REQ_POWER_OFF: u32 = 0x1;
/// "RECR".
pub const RB_RECORD_MAGIC: u32 = 0x5243_4552;
/// `RB_RECORD_HEADER` of the C header.
pub const RB_RECORD_HEADER: usize = 32;
/// `RB_HEADER_ACTOR` of the C header.
pub const RB_HEADER_ACTOR: u32 = 0xfffe;
/// `RB_STEP` of the C header.
pub const RB_STEP: u64 = 0x9e37_79b9_7f4a_7c15;
/// `RB_BELL_PORT` of the C header.
pub const RB_BELL_PORT: u16 = 0x2f8;
/// `RB_BELL_LINE_MAX` of the C header.
pub const RB_BELL_LINE_MAX: usize = 200;
