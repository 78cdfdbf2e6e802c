//! K6 and K10: a file's name was seen to be shorter than it must be, of a channel whose files' names are
//! longer than relay keeps. What follows from that is about the same channel.

use crate::matter::Matter;
use relaybed_case::finding::{Finding, Lifetime, What};

/// Longest name of a file in bytes; relay may keep one byte less.
const NAME_MAX: usize = 255;

/// Some file has the longest name that there can be, and none has a longer one.
pub(super) fn of_the_longest(matter: &Matter<'_>, all: &[Finding], finding: &Finding) -> bool {
    is_cut(matter, all, finding, |longest| longest == NAME_MAX)
}

/// Some file would have a name that no file can have.
pub(super) fn beyond_the_longest(matter: &Matter<'_>, all: &[Finding], finding: &Finding) -> bool {
    is_cut(matter, all, finding, |longest| longest > NAME_MAX)
}

fn is_cut(
    matter: &Matter<'_>,
    all: &[Finding],
    finding: &Finding,
    concerned: fn(usize) -> bool,
) -> bool {
    let Some(channel) = super::channel(matter, finding) else {
        return false;
    };
    let last = channel
        .buffers(matter.prediction.online_cpus)
        .saturating_sub(1);
    // The name may not be told: of a channel whose second file had the name of the first, or which was closed.
    let cut = |other: &Finding| {
        other.at.channel.as_ref() == Some(&channel.name)
            && matches!(
                other.what,
                What::Lifetime(Lifetime::NameLength { .. } | Lifetime::State { .. })
            )
    };
    concerned(channel.file_name_len(last)) && super::may_follow(finding) && all.iter().any(cut)
}
