//! K21: all that is wrong is that a mapping with an offset was granted.

use crate::matter::Matter;
use relaybed_case::errno::{EINVAL, Errno};
use relaybed_case::finding::Finding;
use relaybed_case::{FileCall, Op};

use super::{expects, operation};

pub(super) fn explains(matter: &Matter<'_>, _all: &[Finding], finding: &Finding) -> bool {
    let offset = match operation(matter, finding) {
        Some(Op::File {
            call: FileCall::Map(map),
            ..
        }) => map.offset,
        _ => 0,
    };
    offset != 0 && expects(finding, Errno(EINVAL))
}
