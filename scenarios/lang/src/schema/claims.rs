//! The shape of an author's claims.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Number;

/// One claim of the author.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes the shape for the schema")]
pub(super) enum Expectation {
    /// About one channel buffer.
    Buffer(BufferClaim),
    /// About what an actor got.
    Actor(ActorClaim),
    /// About where the records of one channel buffer went.
    Flow(FlowClaim),
    /// relay_open() is refused.
    OpenRefused(OpenRefused),
}

/// About one channel buffer, at a checkpoint or at the end.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "describes the shape for the schema")]
pub(super) struct BufferClaim {
    /// The channel.
    buffer: String,
    /// The CPU, or "each".
    cpu: Number,
    /// Label of a checkpoint; the end if left out.
    at: Option<String>,
    /// Sub-buffers produced.
    produced: Option<Number>,
    /// Sub-buffers consumed.
    consumed: Option<Number>,
    /// Offset in the current sub-buffer; S + 1 marks a full buffer.
    offset: Option<Number>,
    /// Padding of every sub-buffer, in their order in the buffer.
    padding: Option<Vec<Number>>,
}

/// About one actor, or each of those that `cpu = "each"` made.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "describes the shape for the schema")]
pub(super) struct ActorClaim {
    /// The actor.
    actor: String,
    /// Records that were not accepted, over all its writes.
    refused: Option<Number>,
    /// All bytes that it read, in order, as text.
    text: Option<String>,
}

/// Where the records of one channel buffer went, at the end: written = kept + refused + overwritten + lost.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "describes the shape for the schema")]
pub(super) struct FlowClaim {
    /// The channel.
    flow: String,
    /// The CPU, or "each".
    cpu: Number,
    /// Records offered by producers.
    written: Option<Number>,
    /// Records in the buffer at the end, or read before.
    kept: Option<Number>,
    /// Records not accepted.
    refused: Option<Number>,
    /// Records gone as relay documents it.
    overwritten: Option<Number>,
    /// Records gone otherwise.
    lost: Option<Number>,
    /// Of the records kept, those that were read.
    read: Option<Number>,
}

/// relay_open() of the channel is refused.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "describes the shape for the schema")]
pub(super) struct OpenRefused {
    /// The channel.
    open_refused: String,
}
