//! What threads may still do, and which steps the checks look at.

use super::Scene;
use crate::{Effect, Footprint, Op, Step};

/// All that each thread may access from each of its operations on.
pub(crate) struct Ahead(Vec<Vec<Footprint>>);

impl Ahead {
    pub(crate) fn of_scene(scene: &Scene) -> Self {
        let has_header = scene.set.geometry.header_bytes > 0;
        let rest = |ops: &[Op]| {
            ops.iter()
                .map(|op| Footprint::of_op(op, has_header))
                .fold(Footprint::default(), Footprint::and)
        };
        let thread = |ops: &Vec<Op>| (0..ops.len()).map(|first| rest(&ops[first..])).collect();
        Self(scene.threads.iter().map(thread).collect())
    }

    /// What a thread at this operation may still access; nothing once it is over.
    pub(crate) fn of(&self, thread: usize, op: Option<u8>) -> Footprint {
        op.and_then(|op| self.0.get(thread)?.get(usize::from(op)).copied())
            .unwrap_or_default()
    }
}

/// Whether the checks look at the step.
pub(crate) const fn is_seen(step: &Step) -> bool {
    matches!(
        step,
        Step::Effect(
            Effect::Locked(_)
                | Effect::CopiedIn { .. }
                | Effect::CopiedOut { .. }
                | Effect::Queued
                | Effect::WakeQueued
                | Effect::WakeSynced
        )
    )
}
