//! Who is asked which vCPU goes on.

use super::place::Stop;

/// What is asked at each stop.
#[derive(Clone, Copy, Debug)]
pub struct Choice<'a> {
    /// Number of this stop in the run, from 0 without gaps.
    pub index: usize,
    /// Who stopped, and where.
    pub stop: &'a Stop,
    /// vCPUs that have work, ascending, never empty. The one that stopped is among them or not.
    pub enabled: &'a [u32],
}

/// Says which of the enabled vCPUs goes on.
pub trait Strategy {
    /// The vCPU that goes on now: one of `choice.enabled`.
    fn choose(&mut self, choice: &Choice<'_>) -> u32;
}
