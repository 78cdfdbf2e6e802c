//! System calls on descriptors as `struct rb_op`.

use relaybed_abi::{
    Access as AbiAccess, Op as AbiOp, OpCode, RB_DATA_SIZE, RB_MAX_FILES, RB_MAX_RECORD,
    RB_OP_BLOB, RB_OP_HIDDEN, RB_OP_LATE, RB_OP_NONBLOCK, RB_OP_NOWHERE, RB_OP_PRIVATE,
    RB_OP_WRITABLE,
};

use super::ProgramError;
use super::ops::{Encoder, Position};
use relaybed_case::{Access, FileCall, Map, Whence};

/// Code and name of a call.
pub(super) fn code(call: &FileCall) -> (OpCode, &'static str) {
    match call {
        FileCall::Open { .. } => (OpCode::FileOpen, "file-open"),
        FileCall::Dup { .. } => (OpCode::FileDup, "file-dup"),
        FileCall::ReadNowhere { .. } => (OpCode::FileRead, "file-read"),
        FileCall::Pread { .. } => (OpCode::FilePread, "file-pread"),
        FileCall::Readv { .. } => (OpCode::FileReadv, "file-readv"),
        FileCall::Write { .. } => (OpCode::FileWrite, "file-write"),
        FileCall::Truncate { .. } => (OpCode::FileTruncate, "file-truncate"),
        FileCall::Seek { .. } => (OpCode::FileLseek, "file-lseek"),
        FileCall::Map(_) => (OpCode::FileMmap, "file-mmap"),
        FileCall::Keep { .. } => (OpCode::FileMunmap, "file-munmap"),
        FileCall::Mremap { .. } => (OpCode::FileMremap, "file-mremap"),
        FileCall::Store { .. } => (OpCode::FileStore, "file-store"),
        FileCall::Stat => (OpCode::FileStat, "file-stat"),
        FileCall::Splice { .. } => (OpCode::FileSplice, "file-splice"),
        FileCall::Sendfile { .. } => (OpCode::FileSendfile, "file-sendfile"),
    }
}

impl<'case> Encoder<'case> {
    /// Arguments of a call.
    pub(super) fn call(
        &mut self,
        position: &Position<'case>,
        call: &'case FileCall,
        raw: &mut AbiOp,
    ) -> Result<(), ProgramError> {
        let flag = |set: bool, flag: u16| if set { flag } else { 0 };
        match call {
            FileCall::Open { cpu, access, .. } => {
                (raw.arg0, raw.arg1) = (*cpu, access_code(*access).code());
            }
            FileCall::Dup { to } => {
                raw.arg0 = position.index("file slot", *to, RB_MAX_FILES)?.into();
            }
            FileCall::ReadNowhere { size } => {
                (raw.arg0, raw.arg1, raw.flags) = (*size, 1, RB_OP_NOWHERE);
            }
            FileCall::Pread { size, offset } => (raw.arg0, raw.len64) = (*size, *offset),
            FileCall::Readv { size, parts } => (raw.arg0, raw.arg1) = (*size, *parts),
            FileCall::Write { size } | FileCall::Sendfile { size } => raw.arg0 = *size,
            FileCall::Truncate { len } | FileCall::Keep { len } | FileCall::Mremap { len } => {
                raw.len64 = *len;
            }
            FileCall::Seek { whence, offset } => {
                (raw.arg0, raw.len64) = (whence_code(*whence), offset.cast_unsigned());
            }
            FileCall::Map(Map {
                len,
                offset,
                writable,
                private,
                hidden,
            }) => {
                raw.len64 = *len;
                // Both halves of the offset, by intent.
                raw.arg0 = u32::try_from(offset & u64::from(u32::MAX)).unwrap_or(0);
                raw.arg1 = u32::try_from(offset >> 32).unwrap_or(0);
                raw.flags = flag(*writable, RB_OP_WRITABLE)
                    | flag(*private, RB_OP_PRIVATE)
                    | flag(*hidden, RB_OP_HIDDEN);
            }
            FileCall::Store { at, bytes } => {
                let len = bytes.len() as u64;
                position.limit("the bytes stored", len, RB_MAX_RECORD)?;
                let len = u32::try_from(len).unwrap_or(u32::MAX);
                (raw.len_min, raw.len_max) = (len, len);
                (raw.len64, raw.blob) = (*at, self.literal(bytes)?);
                raw.flags = RB_OP_BLOB;
            }
            FileCall::Splice {
                size,
                times,
                nonblock,
                late,
            } => {
                (raw.arg0, raw.arg1) = (*size, *times);
                raw.flags = flag(*nonblock, RB_OP_NONBLOCK) | flag(*late, RB_OP_LATE);
            }
            FileCall::Stat => {}
        }
        let size = match call {
            FileCall::Readv { size, parts } => u64::from(*size).saturating_mul((*parts).into()),
            FileCall::ReadNowhere { size }
            | FileCall::Pread { size, .. }
            | FileCall::Write { size }
            | FileCall::Splice { size, .. }
            | FileCall::Sendfile { size } => (*size).into(),
            _ => 0,
        };
        position.limit("the size of a call", size, RB_DATA_SIZE)
    }
}

fn access_code(access: Access) -> AbiAccess {
    match access {
        Access::Read => AbiAccess::Read,
        Access::Write => AbiAccess::Write,
        Access::Both => AbiAccess::Both,
    }
}

/// As Linux counts them.
fn whence_code(whence: Whence) -> u32 {
    match whence {
        Whence::Set => 0,
        Whence::Current => 1,
        Whence::End => 2,
        Whence::Data => 3,
        Whence::Hole => 4,
    }
}
