//! Paths in a cache, in whatever state somebody has left them.

use std::fs;
use std::io;
use std::path::Path;

use super::{CacheError, io_error};

/// Removes whatever is at `path`, if anything.
pub(super) fn remove(path: &Path) -> Result<(), CacheError> {
    let removed = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        // A file in place of a folder above it: nothing is there either.
        Err(error)
            if !matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Err(io_error("remove", path)(error))
        }
        _ => Ok(()),
    }
}

/// Makes a folder and those above it; a file where one belongs makes way.
pub(super) fn make_dir(path: &Path) -> io::Result<()> {
    let in_the_way = match fs::create_dir_all(path) {
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory
            ) =>
        {
            path.ancestors()
                .find(|path| path.exists() && !path.is_dir())
        }
        result => return result,
    };
    let Some(file) = in_the_way else {
        // Made by somebody else just now, or removed.
        return fs::create_dir_all(path);
    };
    fs::remove_file(file)?;
    fs::create_dir_all(path)
}
