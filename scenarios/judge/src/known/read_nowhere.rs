//! K20: all that is wrong is that a read into memory that is not there did not fail.

use crate::matter::Matter;
use relaybed_case::errno::{EFAULT, Errno};
use relaybed_case::finding::Finding;
use relaybed_case::{FileCall, Op};

use super::{expects, operation};

pub(super) fn explains(matter: &Matter<'_>, _all: &[Finding], finding: &Finding) -> bool {
    let nowhere = matches!(
        operation(matter, finding),
        Some(Op::File {
            call: FileCall::ReadNowhere { .. },
            ..
        })
    );
    nowhere && expects(finding, Errno(EFAULT))
}
