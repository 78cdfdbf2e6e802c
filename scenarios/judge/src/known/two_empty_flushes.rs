//! K1: behind two empty sub-buffers in a row a read finds the wrong place.

use crate::matter::Matter;
use crate::run::failures_under;
use relaybed_case::verdict::Failure;
use relaybed_contract::Behaviour;

/// Exact: some buffer had two empty sub-buffers in a row, or one that a lap may have left the oldest, and where the model reads as all releases so
/// far do, this failure is none and no other comes instead.
pub(super) fn explains(matter: &Matter<'_>, all: &[Failure], failure: &Failure) -> bool {
    if !matter.prediction.two_empty {
        return false;
    }
    let as_found = Behaviour {
        reads_as_found: true,
        ..matter.prediction.behaviour
    };
    let left = failures_under(matter.case, matter.evidence, &as_found);
    !left.contains(failure) && left.iter().all(|other| all.contains(other))
}
