//! The members of a channel buffer that several vCPUs use.

use serde::{Deserialize, Serialize};

/// A member of a channel buffer's `struct rchan_buf` that both writers and readers use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// Address of the current sub-buffer.
    Data,
    /// Bytes written into the current sub-buffer.
    Offset,
    /// Count of sub-buffers produced.
    Produced,
    /// Count of sub-buffers consumed.
    Consumed,
    /// Padding of one sub-buffer.
    Padding,
    /// Bytes that readers took of the sub-buffer they read.
    BytesConsumed,
    /// Whether the buffer was closed.
    Finalized,
    /// Who waits in poll.
    ReadWait,
}

impl Field {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Data,
        Self::Offset,
        Self::Produced,
        Self::Consumed,
        Self::Padding,
        Self::BytesConsumed,
        Self::Finalized,
        Self::ReadWait,
    ];

    /// Its name in schedules.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Offset => "offset",
            Self::Produced => "produced",
            Self::Consumed => "consumed",
            Self::Padding => "padding",
            Self::BytesConsumed => "bytes_consumed",
            Self::Finalized => "finalized",
            Self::ReadWait => "read_wait",
        }
    }
}
