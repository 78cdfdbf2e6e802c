//! K3: `create_buf_file` failed for a CPU behind the first, and CPU 0's file was not removed each time. What
//! follows from that, the next opening above all, is about the same channel.

use crate::matter::Matter;
use relaybed_case::Files;
use relaybed_case::finding::{Finding, Lifetime, What};

pub(super) fn explains(matter: &Matter<'_>, all: &[Finding], finding: &Finding) -> bool {
    let Some(channel) = super::channel(matter, finding) else {
        return false;
    };
    // Files that come late are another matter: K8.
    let fails =
        channel.files != Files::None && channel.client.create.is_some_and(|create| create.cpu > 0);
    let stays = |other: &Finding| {
        other.at.channel.as_ref() == Some(&channel.name)
            && other.at.cpu == Some(0)
            && matches!(
                other.what,
                What::Lifetime(Lifetime::FilesRemoved { expected, seen }) if seen < expected
            )
    };
    fails && super::may_follow(finding) && all.iter().any(stays)
}
