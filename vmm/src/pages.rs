//! RAM as runs of pages that are not all zero: how an image keeps it, and how it is hashed.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use rustix::fs::SeekFrom;
use rustix::io::Errno;
use sha2::{Digest, Sha256};

/// A page.
pub(crate) const PAGE: usize = 4096;
/// What a hole reads as.
const ZEROS: [u8; PAGE] = [0; PAGE];
/// Bytes moved at once.
const CHUNK: usize = 256 * PAGE;

/// A hash of RAM in which holes and zeros are the same, however they are cut into runs.
#[derive(Debug, Default)]
pub(crate) struct RamHash(Sha256);

impl RamHash {
    /// Takes a run of pages in.
    pub(crate) fn note(&mut self, offset: u64, bytes: &[u8]) {
        for (index, page) in (0u64..).zip(bytes.chunks(PAGE)) {
            self.0.update((offset + index * PAGE as u64).to_le_bytes());
            self.0.update(page);
        }
    }

    /// The hash, in hexadecimal digits.
    pub(crate) fn finish(self) -> String {
        hex(self.0)
    }
}

/// The hash of `bytes`, in hexadecimal digits.
pub(crate) fn hash(bytes: &[u8]) -> String {
    hex(Sha256::new_with_prefix(bytes))
}

fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
}

/// Calls `each` for every run of pages of `file` that are not all zero, in order of their offsets.
///
/// # Errors
/// What `each` says, and what reading says.
pub(crate) fn each_run(
    file: &File,
    mut each: impl FnMut(u64, &[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let size = file.metadata()?.len();
    let mut at = 0;
    while at < size {
        // Reading does not move this position, so sharing the file does no harm.
        let start = match rustix::fs::seek(file, SeekFrom::Data(at)) {
            Ok(start) => start,
            Err(Errno::NXIO) => break,
            Err(error) => return Err(error.into()),
        };
        // Whole pages, whatever the file system's blocks are.
        let end = rustix::fs::seek(file, SeekFrom::Hole(start))?;
        let end = end.next_multiple_of(PAGE as u64).min(size);
        at = start / PAGE as u64 * PAGE as u64;
        let read = |from: u64, chunk: &mut [u8]| file.read_exact_at(chunk, at + from);
        each_run_of(end - at, read, |from, run| each(at + from, run))?;
        at = end;
    }
    Ok(())
}

/// The same for `size` bytes that `read` gives from an offset on.
///
/// # Errors
/// What `each` and `read` say.
pub(crate) fn each_run_of(
    size: u64,
    read: impl Fn(u64, &mut [u8]) -> io::Result<()>,
    mut each: impl FnMut(u64, &[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    let mut at = 0;
    while at < size {
        let want = usize::try_from(size - at).map_or(CHUNK, |left| left.min(CHUNK));
        let chunk = buffer.get_mut(..want).unwrap_or_default();
        read(at, chunk)?;
        for (offset, run) in runs(chunk) {
            each(at + offset as u64, run)?;
        }
        at += want as u64;
    }
    Ok(())
}

/// Runs of pages that are not all zero, with their offsets.
fn runs(chunk: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let used: Vec<bool> = chunk
        .chunks(PAGE)
        .map(|page| page != &ZEROS[..page.len()])
        .collect();
    let mut page = 0;
    std::iter::from_fn(move || {
        while page < used.len() && !used[page] {
            page += 1;
        }
        let first = page;
        while page < used.len() && used[page] {
            page += 1;
        }
        let (from, to) = (first * PAGE, (page * PAGE).min(chunk.len()));
        (first < page).then(|| (from, &chunk[from..to]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn runs_are_exactly_the_pages_that_are_not_zero(used in prop::collection::vec(any::<bool>(), 1..40)) {
            let mut chunk = vec![0; used.len() * PAGE];
            for (page, _) in used.iter().enumerate().filter(|(_, used)| **used) {
                chunk[page * PAGE + page] = 1;
            }
            let mut seen = vec![false; used.len()];
            for (offset, run) in runs(&chunk) {
                prop_assert_eq!(offset % PAGE, 0);
                prop_assert_eq!(run, &chunk[offset..offset + run.len()]);
                for page in 0..run.len() / PAGE {
                    seen[offset / PAGE + page] = true;
                }
            }
            prop_assert_eq!(seen, used);
        }
    }
}
