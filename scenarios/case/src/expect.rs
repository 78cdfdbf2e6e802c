//! What a scenario's author claims.

use serde::{Deserialize, Serialize};

use super::{ActorIndex, ChannelIndex, Cpu};

/// A claim of the scenario's author. `None` members claim nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expect {
    /// About one channel buffer, at a checkpoint or at the end.
    Buffer {
        /// Label of a checkpoint; `None`: at the end.
        at: Option<String>,
        /// The channel.
        channel: ChannelIndex,
        /// The CPU.
        cpu: Cpu,
        /// Sub-buffers produced.
        produced: Option<u64>,
        /// Sub-buffers consumed.
        consumed: Option<u64>,
        /// Offset in the current sub-buffer; subbuf_size + 1 marks a full buffer.
        offset: Option<u64>,
        /// Padding of every sub-buffer.
        padding: Option<Vec<u64>>,
    },
    /// Records of an actor that were not accepted, over all its write operations.
    Refused {
        /// The actor.
        actor: ActorIndex,
        /// How many.
        records: u64,
    },
    /// Result of the actor's n-th operation (from 0): what the call returned, or its error number.
    Result {
        /// The actor.
        actor: ActorIndex,
        /// Index into its operations.
        op: usize,
        /// The value returned, if it succeeded.
        value: Option<u64>,
        /// The errno, if it failed.
        error: Option<i32>,
    },
    /// All bytes that one user actor read, in order, as text.
    Text {
        /// The actor.
        actor: ActorIndex,
        /// The text.
        text: String,
    },
    /// relay_open() of the channel is refused.
    OpenRefused {
        /// The channel.
        channel: ChannelIndex,
    },
}
