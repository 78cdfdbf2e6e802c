//! The schedule that a scenario asks for: whose turn it is, and until where.

use serde::{Deserialize, Serialize};

use super::{ActorIndex, ChannelIndex, Cpu};
use crate::field::Field;

/// One actor's vCPU goes on while all others stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Turn {
    /// The actor, alone on its CPU.
    pub actor: ActorIndex,
    /// Where the turn ends.
    pub until: Until,
    /// At the how manieth time it comes there in this turn; from 1.
    pub hit: u32,
}

/// A place at which a turn ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Until {
    /// Before the actor's own operation of this index; the one behind its last is its end.
    Before {
        /// The index.
        op: u32,
    },
    /// Before an instruction of the kernel.
    Code {
        /// The function.
        symbol: String,
        /// Bytes from its begin.
        offset: u64,
        /// So many instructions later.
        #[serde(default)]
        instructions: u32,
    },
    /// Behind an instruction that accesses a member of a channel buffer.
    Access {
        /// The channel.
        channel: ChannelIndex,
        /// Whose buffer.
        cpu: Cpu,
        /// The member.
        field: Field,
        /// It was written, else read.
        write: bool,
    },
}
