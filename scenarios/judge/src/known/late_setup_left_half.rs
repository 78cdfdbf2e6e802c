//! K8: `relay_late_setup_files()` failed for a CPU behind the first, and did not succeed when it was called
//! again. What follows from that is about the same channel.

use crate::matter::Matter;
use relaybed_case::finding::Finding;
use relaybed_case::verdict::Property;
use relaybed_case::{Channel, Op};

const FOLLOWS: [Property; 4] = [
    Property::Lifetime,
    Property::Model,
    Property::Accounting,
    Property::Expectation,
];

pub(super) fn explains(matter: &Matter<'_>, all: &[Finding], finding: &Finding) -> bool {
    let Some(channel) = super::channel(matter, finding) else {
        return false;
    };
    let fails = |channel: &Channel| channel.client.create.is_some_and(|create| create.cpu > 0);
    let again = |other: &Finding| {
        super::operation(matter, other).is_some_and(|op| matches!(op, Op::LateSetup { .. }))
    };
    fails(channel) && FOLLOWS.contains(&finding.property()) && all.iter().any(again)
}
