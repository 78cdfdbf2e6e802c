//! The shape of a schedule.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Number;

/// One actor's CPU runs while all others are stopped.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "describes the shape for the schema")]
pub(super) struct Turn {
    /// The actor, which has a CPU to itself.
    run: String,
    /// Where the turn ends: "end", behind its last operation; or a place.
    until: Until,
    /// Stop at the Nth hit in this turn; 1 if left out.
    hit: Option<Number>,
}

/// Where a turn ends.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes the shape for the schema")]
enum Until {
    /// "end": behind the actor's last operation.
    Word(String),
    /// A place.
    Place(UntilPlace),
}

/// A place: one of `before`, `symbol`, `writes` and `reads`, with what goes with it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({"writes": "produced", "cpu": 0}))]
#[expect(dead_code, reason = "describes the shape for the schema")]
struct UntilPlace {
    /// Before its operation of this number, from 0, repetitions counted out.
    before: Option<Number>,
    /// Before the first instruction of this function of the kernel. A kernel without it skips the scenario.
    #[schemars(example = &"relay_switch_subbuf")]
    symbol: Option<String>,
    /// With `symbol`: this many bytes after its start, where an instruction begins.
    offset: Option<Number>,
    /// With `symbol`: so many executed instructions later, callees included.
    instruction: Option<Number>,
    /// Behind an instruction that writes this member of a channel buffer: `data`, `offset`, `produced`,
    /// `consumed`, `padding`, `bytes_consumed` or `finalized`.
    #[schemars(example = &"produced")]
    writes: Option<String>,
    /// The same, behind one that reads it.
    reads: Option<String>,
    /// With `writes` and `reads`: the channel; the only one if left out.
    channel: Option<String>,
    /// With `writes` and `reads`: whose buffer; the actor's own if left out.
    cpu: Option<Number>,
}
