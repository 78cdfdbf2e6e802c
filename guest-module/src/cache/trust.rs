//! Whether a cache is ours alone.
//!
//! What is in the cache is executed: QEMU, compilers, kernels. So it is used only where no other user could have put it
//! there. Hashes do not help against that: a user who can write an entry can write its manifest.

use std::fs::{self, DirBuilder, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::Path;

use rustix::process::geteuid;

use super::paths::make_dir;
use super::{CacheError, io_error};

/// The bits by which others may write.
const OTHERS_WRITE: u32 = 0o022;

/// The bit of a folder in which everybody may remove their own files only.
const STICKY: u32 = 0o1000;

/// Makes the cache folder if it is not there, and refuses one that others own or can write.
///
/// # Errors
/// [`CacheError::Foreign`], [`CacheError::Open`], or the folder cannot be made or looked at.
pub(super) fn claim(root: &Path) -> Result<(), CacheError> {
    if let Some(parent) = root.parent() {
        fs::create_dir_all(parent).map_err(io_error("make", root))?;
    }
    match DirBuilder::new().mode(0o700).create(root) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(io_error("make", root)(error));
        }
        _ => {}
    }
    let look = |path: &Path| fs::metadata(path).map_err(io_error("look at", path));
    let metadata = look(root)?;
    if !metadata.is_dir() {
        return Err(io_error("use", root)(io::ErrorKind::NotADirectory.into()));
    }
    refuse_foreign(root, &metadata)?;
    if metadata.mode() & OTHERS_WRITE != 0 {
        return Err(CacheError::Open {
            path: root.to_owned(),
        });
    }
    // A user who may rename a folder on the way can put another in its place.
    let real = fs::canonicalize(root).map_err(io_error("find", root))?;
    for above in real.ancestors().skip(1) {
        let mode = look(above)?.mode();
        if mode & 0o002 != 0 && mode & STICKY == 0 {
            return Err(CacheError::Open {
                path: above.to_owned(),
            });
        }
    }
    for entry in fs::read_dir(root)
        .map_err(io_error("list", root))?
        .flatten()
    {
        let path = entry.path();
        // A link that leads nowhere is harmless.
        let Ok(metadata) = fs::metadata(&path) else {
            continue;
        };
        refuse_foreign(&path, &metadata)?;
        close(&path, &metadata).map_err(io_error("set the mode of", &path))?;
    }
    Ok(())
}

/// A folder of the cache, made if it is not there, with nothing of another kind left in its place.
///
/// # Errors
/// It cannot be made.
pub(super) fn folder(path: &Path) -> Result<(), CacheError> {
    make_dir(path).map_err(io_error("make", path))
}

fn refuse_foreign(path: &Path, metadata: &Metadata) -> Result<(), CacheError> {
    if metadata.uid() == geteuid().as_raw() {
        return Ok(());
    }
    Err(CacheError::Foreign {
        path: path.to_owned(),
        owner: metadata.uid(),
    })
}

/// Takes the right to write from others, if they have it.
fn close(path: &Path, metadata: &Metadata) -> io::Result<()> {
    let mode = metadata.mode() & 0o7777;
    if mode & OTHERS_WRITE == 0 {
        return Ok(());
    }
    fs::set_permissions(path, Permissions::from_mode(mode & !OTHERS_WRITE))
}

/// Whether a file, folder or link of an entry is ours and others cannot write it.
pub(crate) fn is_ours(metadata: &Metadata) -> bool {
    metadata.uid() == geteuid().as_raw()
        // The mode of a link means nothing.
        && (metadata.is_symlink() || metadata.mode() & OTHERS_WRITE == 0)
}

/// The mode that an entry's file or folder has, whatever the umask was when it was made.
pub(crate) fn settle(path: &Path, metadata: &Metadata) -> io::Result<()> {
    let wanted = match metadata.is_dir() || metadata.mode() & 0o100 != 0 {
        true => 0o755,
        false => 0o644,
    };
    if metadata.mode() & 0o7777 == wanted {
        return Ok(());
    }
    fs::set_permissions(path, Permissions::from_mode(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::Cache;
    use std::os::unix::fs::chown;

    fn text(path: &Path) -> String {
        Cache::open(Some(path)).unwrap_err().to_string()
    }

    fn set(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_cache_that_others_can_write_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cache");
        Cache::open(Some(&path)).unwrap();
        let mode = fs::metadata(&path).unwrap().mode();
        assert_eq!(mode & 0o7777, 0o700, "whatever the umask is");
        for mode in [0o777, 0o775, 0o1777] {
            set(&path, mode);
            let text = text(&path);
            assert!(text.contains("chmod go-w"), "{text}");
        }
        set(&path, 0o755);
        Cache::open(Some(&path)).unwrap();
        // So is one in a folder where everybody may rename it, unless they may not.
        set(dir.path(), 0o777);
        assert!(text(&path).contains("chmod go-w"));
        set(dir.path(), 0o1777);
        Cache::open(Some(&path)).unwrap();
        set(dir.path(), 0o700);
        // Within a cache of ours, a folder that a generous umask made is closed.
        let kind = path.join("qemu");
        fs::create_dir(&kind).unwrap();
        set(&kind, 0o777);
        Cache::open(Some(&path)).unwrap();
        assert_eq!(fs::metadata(&kind).unwrap().mode() & 0o7777, 0o755);
    }

    #[test]
    fn another_user_s_cache_is_refused() {
        if !geteuid().is_root() {
            eprintln!("skipped: only root can give a folder to another user");
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cache");
        fs::create_dir_all(path.join("qemu")).unwrap();
        set(&path, 0o700);
        chown(&path, Some(1234), None).unwrap();
        let said = text(&path);
        assert!(
            said.contains("user 1234") && said.contains("RELAYBED_CACHE"),
            "{said}"
        );
        chown(&path, Some(0), None).unwrap();
        chown(path.join("qemu"), Some(1234), None).unwrap();
        assert!(text(&path).contains("user 1234"));
    }
}
