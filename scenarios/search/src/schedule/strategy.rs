//! Who is asked which vCPU goes on.

use relaybed_case::trace::Choice;

/// Says which of the enabled vCPUs goes on.
pub trait Strategy {
    /// The vCPU that goes on now: one of `choice.enabled`.
    fn choose(&mut self, choice: &Choice<'_>) -> u32;
}
