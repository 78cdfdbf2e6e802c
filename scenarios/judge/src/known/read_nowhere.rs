//! K20: all that is wrong is that a read into memory that is not there did not fail.

use crate::matter::Matter;
use relaybed_case::verdict::Failure;
use relaybed_case::{FileCall, Op};

use super::operation;

pub(super) fn explains(matter: &Matter<'_>, _all: &[Failure], failure: &Failure) -> bool {
    let nowhere = matches!(
        operation(matter, failure),
        Some(Op::File {
            call: FileCall::ReadNowhere { .. },
            ..
        })
    );
    nowhere && failure.expected.contains("EFAULT")
}
