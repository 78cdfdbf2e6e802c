//! K3: `create_buf_file` failed for a CPU behind the first, and CPU 0's file was not removed each time. What
//! follows from that, the next opening above all, is about the same channel.

use crate::matter::Matter;
use relaybed_case::Files;
use relaybed_case::verdict::Failure;

fn number(text: &str) -> Option<u64> {
    text.parse().ok()
}

pub(super) fn explains(matter: &Matter<'_>, all: &[Failure], failure: &Failure) -> bool {
    let Some(channel) = super::channel(matter, failure) else {
        return false;
    };
    // Files that come late are another matter: K8.
    let fails =
        channel.files != Files::None && channel.client.create.is_some_and(|create| create.cpu > 0);
    let stays = |other: &Failure| {
        other.at.channel.as_ref() == Some(&channel.name)
            && other.at.cpu == Some(0)
            && other.what.contains("remove_buf_file")
            && number(&other.seen) < number(&other.expected)
    };
    fails && super::may_follow(failure) && all.iter().any(stays)
}
