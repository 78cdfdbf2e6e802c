//! K22 to K25: what relay's own splice, until 6.8, does otherwise than documented.

use crate::matter::Matter;
use relaybed_case::errno::{EAGAIN, EINVAL, Errno};
use relaybed_case::finding::{Finding, Reading, What};
use relaybed_case::{FileCall, Op};

use super::{buffer, is_count_of_reads, operation, shows};

/// Whether the finding is of a `splice()` whose pipe is drained late or not.
fn is_of_splice(matter: &Matter<'_>, finding: &Finding, is_late: bool) -> bool {
    match operation(matter, finding) {
        Some(Op::File {
            call: FileCall::Splice { late, .. },
            ..
        }) => *late == is_late,
        _ => false,
    }
}

/// Whether the finding is only that the consumed count is off in a buffer of which another finding is
/// explained by `cause`.
fn follows(
    matter: &Matter<'_>,
    all: &[Finding],
    finding: &Finding,
    cause: impl Fn(&Finding) -> bool,
) -> bool {
    let own = buffer(matter, finding);
    is_count_of_reads(finding)
        && own.is_some()
        && all
            .iter()
            .any(|other| cause(other) && buffer(matter, other) == own)
}

/// K22: bytes from the descriptor's own position, not from the buffer's.
pub(super) fn by_own_position(matter: &Matter<'_>, all: &[Finding], finding: &Finding) -> bool {
    let cause = |finding: &Finding| {
        is_of_splice(matter, finding, false)
            && matches!(
                finding.what,
                What::Reading(Reading::Bytes { .. } | Reading::Amount { .. })
            )
    };
    cause(finding) || follows(matter, all, finding, cause)
}

/// K23: stopped by an empty sub-buffer.
pub(super) fn stops_at_empty(matter: &Matter<'_>, all: &[Finding], finding: &Finding) -> bool {
    let cause =
        |finding: &Finding| is_of_splice(matter, finding, false) && shows(finding, Errno(EAGAIN));
    cause(finding) || follows(matter, all, finding, cause)
}

/// K24: more than was complete, while the pipe was not drained.
pub(super) fn runs_on(matter: &Matter<'_>, all: &[Finding], finding: &Finding) -> bool {
    let cause = |finding: &Finding| {
        is_of_splice(matter, finding, true)
            && matches!(
                finding.what,
                What::Reading(
                    Reading::Result { .. } | Reading::Value { .. } | Reading::Amount { .. }
                )
            )
    };
    cause(finding) || follows(matter, all, finding, cause)
}

/// K25: sendfile is refused, and so consumes nothing.
pub(super) fn sendfile_refused(matter: &Matter<'_>, all: &[Finding], finding: &Finding) -> bool {
    let cause = |finding: &Finding| {
        let sendfile = matches!(
            operation(matter, finding),
            Some(Op::File {
                call: FileCall::Sendfile { .. },
                ..
            })
        );
        sendfile && shows(finding, Errno(EINVAL))
    };
    cause(finding) || follows(matter, all, finding, cause)
}
