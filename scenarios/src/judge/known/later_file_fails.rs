//! K3: `create_buf_file` failed for a CPU behind the first, and CPU 0's file was never removed. What
//! follows from that, the next opening above all, is about the same channel.

use crate::judge::matter::Matter;
use crate::verdict::{Failure, Property};

const FOLLOWS: [Property; 3] = [
    Property::Lifetime,
    Property::Notification,
    Property::Expectation,
];

pub(super) fn explains(matter: &Matter<'_>, all: &[Failure], failure: &Failure) -> bool {
    let Some(channel) = super::channel(matter, failure) else {
        return false;
    };
    let fails = channel.client.create.is_some_and(|create| create.cpu > 0);
    let stays = |other: &Failure| {
        other.at.channel.as_ref() == Some(&channel.name)
            && other.at.cpu == Some(0)
            && other.what.contains("remove_buf_file")
            && other.expected != other.seen
            && other.seen == "0"
    };
    fails && FOLLOWS.contains(&failure.property) && all.iter().any(stays)
}
