//! What a scenario's author claims.

use serde::{Deserialize, Serialize};

use super::{ActorIndex, ChannelIndex, Cpu};

/// Where records went: written = kept + refused + overwritten + lost; of those kept, some were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FlowPart {
    /// Offered by producers.
    Written,
    /// In the buffer at the end, or read before.
    Kept,
    /// Not accepted.
    Refused,
    /// Gone as relay documents it.
    Overwritten,
    /// Gone otherwise.
    Lost,
    /// Of those kept, read by somebody.
    Read,
}

impl FlowPart {
    /// All of them, each with its name in scenario files.
    pub const ALL: [(&str, Self); 6] = [
        ("written", Self::Written),
        ("kept", Self::Kept),
        ("refused", Self::Refused),
        ("overwritten", Self::Overwritten),
        ("lost", Self::Lost),
        ("read", Self::Read),
    ];

    /// Its name in scenario files.
    #[must_use]
    pub fn word(self) -> &'static str {
        let named = Self::ALL.iter().find(|(_, part)| *part == self);
        named.map_or("", |(word, _)| word)
    }
}

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
    /// Where the records of one channel buffer went, at the end.
    Flow {
        /// The channel.
        channel: ChannelIndex,
        /// The CPU.
        cpu: Cpu,
        /// How many, of each part that is claimed.
        parts: Vec<(FlowPart, u64)>,
    },
    /// relay_open() of the channel is refused.
    OpenRefused {
        /// The channel.
        channel: ChannelIndex,
    },
}
