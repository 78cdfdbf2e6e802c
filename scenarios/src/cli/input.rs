//! Reading a text that somebody names: a file, and no more of it than such a text can have.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// `O_NONBLOCK` of Linux on x86: a pipe without a writer is refused, not waited for.
const NONBLOCK: i32 = 0o4000;

/// Most bytes of a text: more than any scenario or patch of relay.c has.
const TEXT_MAX: u64 = 4 << 20;

/// The text of a regular file.
///
/// # Errors
/// It cannot be read, is too long, or is something else than a file: a device or a pipe may never end.
pub(super) fn text(path: &Path) -> io::Result<String> {
    let file = File::options()
        .read(true)
        .custom_flags(NONBLOCK)
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut text = String::new();
    file.take(TEXT_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > TEXT_MAX {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(text)
}
