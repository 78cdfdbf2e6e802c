//! Taking packages apart without installing them: no root, no maintainer scripts, no tools of the host.
//!
//! A package is an `ar` archive; its `data.tar` is read here, entry by entry, and every name is resolved inside
//! the root that it is unpacked into.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use object::read::ReadCache;
use object::read::archive::ArchiveFile;
use tar::{Entry, EntryType};

use crate::cache::{CacheError, io_error};
use crate::interrupt;
use crate::root;

/// A package could not be taken apart.
#[derive(Debug, thiserror::Error)]
pub enum DebError {
    /// The archive inside is damaged.
    #[error("cannot read the files in {}: {source}; fetch it again (RELAYBED_REFRESH=1)", path.display())]
    Archive {
        /// The package.
        path: PathBuf,
        /// What is wrong.
        source: io::Error,
    },
    /// A file of the package cannot be written.
    #[error("cannot unpack {name} of {}: {source}; is the disk full?", path.display())]
    Unpack {
        /// The package.
        path: PathBuf,
        /// The file.
        name: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A link leads out of the folder that the packages were unpacked into.
    #[error("{} leads out of the folder that its package was unpacked into; such packages are refused", path.display())]
    Outside {
        /// The link.
        path: PathBuf,
    },
    /// A file that should be inside is not.
    #[error("{} has no {name}; use another kernel package, or --kernel FILE", path.display())]
    Missing {
        /// The package.
        path: PathBuf,
        /// The file.
        name: String,
    },
    /// A file in it is larger than any of its kind.
    #[error("{name} in {} is larger than {limit} bytes; is the package genuine?", path.display())]
    TooLarge {
        /// The package.
        path: PathBuf,
        /// The file.
        name: String,
        /// The bound.
        limit: u64,
    },
    /// The target folder cannot be written.
    #[error(transparent)]
    Cache(#[from] CacheError),
}

/// Folders that are links into `usr` on a current Debian. Older packages still ship files in them.
const MERGED: [&str; 4] = ["bin", "lib", "lib64", "sbin"];

/// Folders of text that no build reads.
const TEXTS: [&str; 4] = [
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "usr/share/info",
];

/// Names that packages leave to their maintainer scripts, and what the scripts would make them mean.
const ALTERNATIVES: [(&str, &str); 2] = [("awk", "mawk"), ("sh", "dash")];

/// Unpacks packages over one another into `root`, as dpkg would lay out their files.
///
/// # Errors
/// A package is damaged or `root` cannot be written.
pub(crate) fn unpack_all(debs: &[PathBuf], root: &Path) -> Result<(), DebError> {
    for name in MERGED {
        let target = root.join("usr").join(name);
        fs::create_dir_all(&target).map_err(io_error("make", &target))?;
        let link = root.join(name);
        symlink(format!("usr/{name}"), &link).map_err(io_error("make", &link))?;
    }
    let next = AtomicUsize::new(0);
    let work = || -> Result<(), DebError> {
        while let Some(deb) = debs.get(next.fetch_add(1, Ordering::Relaxed)) {
            unpack(deb, root)?;
        }
        Ok(())
    };
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .try_for_each(|worker| match worker.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            })
    })?;
    for (name, meaning) in ALTERNATIVES {
        let (link, target) = (
            root.join("usr/bin").join(name),
            root.join("usr/bin").join(meaning),
        );
        if target.exists() && fs::symlink_metadata(&link).is_err() {
            symlink(meaning, &link).map_err(io_error("make", &link))?;
        }
    }
    match root::check(root).map_err(io_error("read", root))? {
        Some(path) => Err(DebError::Outside {
            path: root.join(path),
        }),
        None => Ok(()),
    }
}

/// Unpacks one package. Its files get the caller as owner; links to folders are followed, not replaced.
fn unpack(deb: &Path, root: &Path) -> Result<(), DebError> {
    let damaged = archive_error(deb);
    let mut archive = tar::Archive::new(data(deb).map_err(&damaged)?);
    for entry in archive.entries().map_err(&damaged)? {
        let mut entry = entry.map_err(&damaged)?;
        let name = entry.path().map_err(&damaged)?.into_owned();
        if !is_left_out(&name) {
            place(&mut entry, &name, root).map_err(|source| DebError::Unpack {
                path: deb.to_owned(),
                name,
                source,
            })?;
        }
    }
    Ok(())
}

/// Puts one entry where it belongs in `root`.
fn place(entry: &mut Entry<'_, impl Read>, name: &Path, root: &Path) -> io::Result<()> {
    let mut names = name.components();
    let Some(Component::Normal(last)) = names.next_back() else {
        return Ok(());
    };
    let dir = root::resolve(root, names.as_path())?;
    let path = dir.join(last);
    if entry.header().entry_type() == EntryType::Directory {
        return make_dir(&root::resolve(root, name)?);
    }
    make_dir(&dir)?;
    match entry.header().entry_type() {
        EntryType::Regular | EntryType::Continuous => {
            remove_file(&path)?;
            let mode = 0o644 | (entry.header().mode()? & 0o111);
            let mut options = File::options();
            let mut file = options
                .write(true)
                .create_new(true)
                .mode(mode)
                .open(&path)?;
            io::copy(entry, &mut file)?;
            // Whatever the umask is.
            file.set_permissions(fs::Permissions::from_mode(mode))?;
            let since = Duration::from_secs(entry.header().mtime()?);
            file.set_modified(SystemTime::UNIX_EPOCH + since)
        }
        EntryType::Symlink => {
            let target = entry.link_name()?.ok_or(io::ErrorKind::InvalidData)?;
            remove_file(&path)?;
            let below = dir.strip_prefix(root).map_err(io::Error::other)?;
            symlink(root::inward(below, &target), &path)
        }
        EntryType::Link => {
            let target = entry.link_name()?.ok_or(io::ErrorKind::InvalidData)?;
            remove_file(&path)?;
            fs::hard_link(root::resolve(root, &target)?, &path)
        }
        // Devices and pipes: packages ship none that a build or QEMU opens.
        _ => Ok(()),
    }
}

/// A folder, whatever the umask is, with all that lead to it.
fn make_dir(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let parents = path.ancestors().skip(1).find(|parent| parent.is_dir());
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(path)?;
    let made = path.ancestors().take_while(|made| Some(*made) != parents);
    for made in made {
        fs::set_permissions(made, fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

/// Removes a file or link that may not be there.
fn remove_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// What no build needs: text, sanitizers, link-time optimisation; and the type data of the kernel (`vmlinux` in
/// newer headers), which would make the module's link want another tool.
fn is_left_out(name: &Path) -> bool {
    let name = name.strip_prefix(".").unwrap_or(name);
    let last = name.file_name().unwrap_or_default().to_string_lossy();
    let among = |folder: &str| name.starts_with(folder);
    let sanitizer = last.starts_with("lib") && last.contains("san");
    TEXTS.iter().any(|folder| among(folder))
        || last == "vmlinux" && (among("usr/src") || among("usr/lib"))
        || sanitizer
            && among("usr/lib")
            && (last.contains("san.") || last.contains("san_preinit.o"))
        || last == "lto1" && (among("usr/lib/gcc") || among("usr/libexec/gcc"))
        || last.contains("lto-dump-") && among("usr/bin")
}

/// The uncompressed `data.tar` of a package.
fn data(deb: &Path) -> io::Result<Box<dyn Read>> {
    let invalid = |text: String| io::Error::new(io::ErrorKind::InvalidData, text);
    let mut file = File::open(deb)?;
    let cache = ReadCache::new(&mut file);
    let archive = ArchiveFile::parse(&cache).map_err(|error| invalid(error.to_string()))?;
    let mut found = None;
    for member in archive.members() {
        let member = member.map_err(|error| invalid(error.to_string()))?;
        if member.name().starts_with(b"data.tar") {
            found = Some((member.name().to_owned(), member.file_range()));
            break;
        }
    }
    let Some((name, (start, len))) = found else {
        return Err(invalid("it has no data.tar".to_owned()));
    };
    file.seek(SeekFrom::Start(start))?;
    let packed = BufReader::with_capacity(1 << 16, interrupt::Reader(file.take(len)));
    match name.as_slice() {
        b"data.tar" => Ok(Box::new(packed)),
        b"data.tar.gz" => Ok(Box::new(flate2::bufread::MultiGzDecoder::new(packed))),
        b"data.tar.xz" => Ok(Box::new(liblzma::bufread::XzDecoder::new_multi_decoder(
            packed,
        ))),
        b"data.tar.zst" => Ok(Box::new(zstd::stream::read::Decoder::with_buffer(packed)?)),
        other => {
            let name = String::from_utf8_lossy(other);
            Err(invalid(format!(
                "{name} is compressed in an unsupported way"
            )))
        }
    }
}

fn archive_error(deb: &Path) -> impl Fn(io::Error) -> DebError {
    let path = deb.to_owned();
    move |source| DebError::Archive {
        path: path.clone(),
        source,
    }
}

/// The content of the first file in `deb` whose name satisfies `wanted`. Reading stops there.
///
/// # Errors
/// The package is damaged, has no such file, or the file is larger than `limit`.
pub(crate) fn read_file(
    deb: &Path,
    what: &str,
    limit: u64,
    wanted: impl Fn(&Path) -> bool,
) -> Result<Vec<u8>, DebError> {
    let name = what.to_owned();
    let mut found = None;
    read_tar(deb, |tar| {
        found = find_in_tar(tar, limit, &wanted)?;
        Ok(())
    })?;
    match found {
        None => Err(DebError::Missing {
            path: deb.to_owned(),
            name,
        }),
        Some(content) if content.len() as u64 > limit => Err(DebError::TooLarge {
            path: deb.to_owned(),
            name,
            limit,
        }),
        Some(content) => Ok(content),
    }
}

/// Gives the files in `deb`, as one tar archive, to `read`, which may stop before their end.
///
/// # Errors
/// The package is damaged, or what `read` says.
pub(crate) fn read_tar(
    deb: &Path,
    read: impl FnOnce(&mut dyn Read) -> io::Result<()>,
) -> Result<(), DebError> {
    data(deb)
        .and_then(|mut data| read(&mut *data))
        .map_err(archive_error(deb))
}

/// The first wanted regular file's content, of which at most one byte more than `limit` is read.
fn find_in_tar(
    archive: impl Read,
    limit: u64,
    wanted: impl Fn(&Path) -> bool,
) -> io::Result<Option<Vec<u8>>> {
    for entry in tar::Archive::new(archive).entries()? {
        let entry = entry?;
        if entry.header().entry_type().is_file() && wanted(&entry.path()?) {
            let size = entry.header().size()?;
            let mut content = Vec::new();
            entry.take(limit + 1).read_to_end(&mut content)?;
            if (content.len() as u64) < size.min(limit + 1) {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            return Ok(Some(content));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
