//! System calls on descriptors of channel buffer files, beyond plain opening, reading and polling.

use serde::{Deserialize, Serialize};

use super::{Actor, ChannelIndex, Cpu, FileSlot, Op};

/// What a file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// Reading only.
    Read,
    /// Writing only.
    Write,
    /// Both.
    Both,
}

/// What `lseek()` counts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Whence {
    /// The start.
    Set,
    /// The descriptor's position.
    Current,
    /// The end.
    End,
    /// The next data.
    Data,
    /// The next hole.
    Hole,
}

/// A mapping that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Map {
    /// Bytes.
    pub len: u64,
    /// From which byte of the file on.
    pub offset: u64,
    /// `PROT_WRITE` too.
    pub writable: bool,
    /// `MAP_PRIVATE`.
    pub private: bool,
    /// `PROT_NONE`: nothing of it may be touched.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hidden: bool,
}

/// One system call on a descriptor.
#[expect(
    missing_docs,
    reason = "members are the arguments that the variant's text names"
)]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileCall {
    /// `open()` of a CPU's file, not for reading alone.
    Open {
        channel: ChannelIndex,
        cpu: Cpu,
        access: Access,
    },
    /// `dup()`: `to` is another descriptor of the same open file.
    Dup { to: FileSlot },
    /// `read()` into memory that must not be touched.
    ReadNowhere { size: u32 },
    /// `pread()`.
    Pread { size: u32, offset: u64 },
    /// `readv()` of `parts` parts.
    Readv { size: u32, parts: u32 },
    /// `write()` of so many zero bytes.
    Write { size: u32 },
    /// `ftruncate()`.
    Truncate { len: u64 },
    /// `lseek()`.
    Seek { whence: Whence, offset: i64 },
    /// `mmap()`. One mapping a slot.
    Map(Map),
    /// `munmap()` of all of the slot's mapping but its first bytes.
    Keep { len: u64 },
    /// `mremap()` of the slot's mapping to another length.
    Mremap { len: u64 },
    /// Writes these bytes through the slot's mapping.
    Store { at: u64, bytes: Vec<u8> },
    /// `fstat()`.
    Stat,
    /// `times` calls of `splice()` to a pipe, 0: until one gives 0. The pipe is drained after each call,
    /// or, where `late`, after the last.
    Splice {
        size: u32,
        times: u32,
        nonblock: bool,
        late: bool,
    },
    /// `sendfile()` to a file in memory.
    Sendfile { size: u32 },
}

impl FileCall {
    /// Bytes that it may take out of the file, at most; 0: it takes none.
    #[must_use]
    pub fn takes(&self) -> u64 {
        match self {
            Self::Readv { size, parts } => u64::from(*size) * u64::from(*parts),
            Self::Splice { size, times, .. } => {
                u64::from(*size).saturating_mul(u64::from((*times).max(1)))
            }
            Self::Sendfile { size } => u64::from(*size),
            _ => 0,
        }
    }

    /// Whether it reads as `read()` does: it takes bytes out of the file.
    #[must_use]
    pub fn is_taking(&self) -> bool {
        matches!(
            self,
            Self::Readv { .. } | Self::Splice { .. } | Self::Sendfile { .. }
        )
    }

    /// Whether the channel buffer or its file is another afterwards.
    #[must_use]
    pub fn is_changing(&self) -> bool {
        self.is_taking()
            || matches!(
                self,
                Self::Truncate { .. } | Self::Store { .. } | Self::ReadNowhere { .. }
            )
    }
}

impl Op {
    /// The slot of the descriptor that it makes or uses.
    #[must_use]
    pub fn file(&self) -> Option<FileSlot> {
        match self {
            Self::FileOpen { file, .. }
            | Self::FileClose { file }
            | Self::FileRead { file, .. }
            | Self::FilePoll { file, .. }
            | Self::FileMunmap { file }
            | Self::FileCopy { file }
            | Self::File { file, .. } => Some(*file),
            _ => None,
        }
    }

    /// Whether it takes bytes out of a file.
    #[must_use]
    pub fn reads(&self) -> bool {
        match self {
            Self::FileRead { .. } => true,
            Self::File { call, .. } => call.is_taking(),
            _ => false,
        }
    }
}

impl Actor {
    /// The buffer that operation `op` concerns by its descriptor, and the operation that opened its
    /// file: the last one before it, through whatever `dup()` lies between.
    #[must_use]
    pub fn bound(&self, op: usize) -> Option<(ChannelIndex, Cpu, usize)> {
        let mut slot = self.ops.get(op)?.file()?;
        for (index, before) in self.ops[..op].iter().enumerate().rev() {
            match before {
                Op::FileOpen { file, channel, cpu }
                | Op::File {
                    file,
                    call: FileCall::Open { channel, cpu, .. },
                } if *file == slot => return Some((*channel, *cpu, index)),
                Op::File {
                    file,
                    call: FileCall::Dup { to },
                } if *to == slot => slot = *file,
                _ => {}
            }
        }
        None
    }
}
