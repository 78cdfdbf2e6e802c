//! K1: behind two empty sub-buffers in a row a read finds the wrong place.

use crate::matter::Matter;
use crate::run::findings_under;
use relaybed_case::finding::Finding;
use relaybed_contract::Behaviour;

/// Exact: some buffer had two empty sub-buffers in a row, or one that a lap may have left the oldest, and where the model reads as all releases so
/// far do, this finding is none and no other comes instead.
pub(super) fn explains(matter: &Matter<'_>, all: &[Finding], finding: &Finding) -> bool {
    if !matter.prediction.two_empty {
        return false;
    }
    let as_found = Behaviour {
        reads_as_found: true,
        ..matter.prediction.behaviour
    };
    let left = findings_under(matter.case, matter.evidence, &as_found);
    !left.contains(finding) && left.iter().all(|other| all.contains(other))
}
