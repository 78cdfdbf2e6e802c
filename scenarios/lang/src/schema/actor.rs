//! The shape of an actor.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Number, Operation};

/// One actor: an ordered list of operations.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "describes the shape for the schema")]
pub(super) struct Actor {
    /// Its name; `NAME@CPU` for each one where `cpu` is "each".
    name: String,
    /// The CPU it is bound to, or "each" for one actor on every CPU. Needed in the kernel.
    cpu: Option<Number>,
    /// `task` (the default), `softirq`, `hardirq`, `nmi` or `user`.
    #[schemars(example = &"user")]
    context: Option<String>,
    /// What brings its CPU into `hardirq`: `irq-work` (the default), `hrtimer`, or `ipi`, which CPU 0 sends,
    /// and CPU 1 to CPU 0; into `nmi`: `self` (the default), or `host`, to CPU 0 only.
    #[schemars(example = &"hrtimer")]
    by: Option<String>,
    /// What it does, in order.
    script: Vec<Operation>,
}
