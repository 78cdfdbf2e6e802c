//! A folder for one machine's console and log.

use std::io;
use std::path::{Path, PathBuf};

use relaybed_wire::swept::Swept;

/// The folder. It goes with the machine, unless logs are kept.
#[derive(Debug)]
pub(super) enum Logs {
    /// In the folder for temporary files.
    Temporary(Swept),
    /// Where its maker keeps them.
    Kept(PathBuf),
}

impl Logs {
    /// Makes one in the folder for temporary files, or where logs are `kept`.
    ///
    /// # Errors
    /// It cannot be made.
    pub(super) fn make(kept: Option<&Path>) -> io::Result<Self> {
        let Some(folder) = kept else {
            return Swept::temporary().map(Self::Temporary);
        };
        let made = tempfile::Builder::new()
            .prefix("machine-")
            .tempdir_in(folder)?;
        Ok(Self::Kept(made.keep()))
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Temporary(folder) => folder.path(),
            Self::Kept(path) => path,
        }
    }
}
