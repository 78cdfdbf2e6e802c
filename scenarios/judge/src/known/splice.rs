//! K22 to K25: what relay's own splice, until 6.8, does otherwise than documented.

use crate::matter::Matter;
use relaybed_case::verdict::{Failure, Property};
use relaybed_case::{FileCall, Op};

use super::{buffer, operation};

/// Whether the failure is of a `splice()` whose pipe is drained late or not, in one of these words.
fn is_of_splice(matter: &Matter<'_>, failure: &Failure, is_late: bool, words: &[&str]) -> bool {
    let call = match operation(matter, failure) {
        Some(Op::File {
            call: FileCall::Splice { late, .. },
            ..
        }) => *late == is_late,
        _ => false,
    };
    call && words
        .iter()
        .any(|word| failure.what.contains(word) || failure.seen.contains(word))
}

/// Whether the failure is only that the consumed count is off in a buffer of which another failure is
/// explained by `cause`.
fn follows(
    matter: &Matter<'_>,
    all: &[Failure],
    failure: &Failure,
    cause: impl Fn(&Failure) -> bool,
) -> bool {
    let off = failure.property == Property::Model
        && (failure.what.contains("consumed") || failure.what.contains("bytes read"));
    let own = buffer(matter, failure);
    off && own.is_some()
        && all
            .iter()
            .any(|other| cause(other) && buffer(matter, other) == own)
}

/// K22: bytes from the descriptor's own position, not from the buffer's.
pub(super) fn by_own_position(matter: &Matter<'_>, all: &[Failure], failure: &Failure) -> bool {
    let cause = |failure: &Failure| {
        is_of_splice(
            matter,
            failure,
            false,
            &["gave other bytes", "another amount"],
        )
    };
    cause(failure) || follows(matter, all, failure, cause)
}

/// K23: stopped by an empty sub-buffer.
pub(super) fn stops_at_empty(matter: &Matter<'_>, all: &[Failure], failure: &Failure) -> bool {
    let cause = |failure: &Failure| is_of_splice(matter, failure, false, &["EAGAIN"]);
    cause(failure) || follows(matter, all, failure, cause)
}

/// K24: more than was complete, while the pipe was not drained.
pub(super) fn runs_on(matter: &Matter<'_>, all: &[Failure], failure: &Failure) -> bool {
    let cause =
        |failure: &Failure| is_of_splice(matter, failure, true, &["splice()", "another amount"]);
    cause(failure) || follows(matter, all, failure, cause)
}

/// K25: sendfile is refused, and so consumes nothing.
pub(super) fn sendfile_refused(matter: &Matter<'_>, all: &[Failure], failure: &Failure) -> bool {
    let cause = |failure: &Failure| {
        let sendfile = matches!(
            operation(matter, failure),
            Some(Op::File {
                call: FileCall::Sendfile { .. },
                ..
            })
        );
        sendfile && failure.seen.contains("EINVAL")
    };
    cause(failure) || follows(matter, all, failure, cause)
}
