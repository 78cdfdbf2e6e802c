//! K21: all that is wrong is that a mapping with an offset was granted.

use crate::matter::Matter;
use relaybed_case::verdict::Failure;
use relaybed_case::{FileCall, Op};

use super::operation;

pub(super) fn explains(matter: &Matter<'_>, _all: &[Failure], failure: &Failure) -> bool {
    let offset = match operation(matter, failure) {
        Some(Op::File {
            call: FileCall::Map(map),
            ..
        }) => map.offset,
        _ => 0,
    };
    offset != 0 && failure.expected.contains("EINVAL")
}
