//! Why evidence can be neither written nor read.

use std::io;
use std::path::PathBuf;

use crate::program::ProgramError;

/// A failure to save or load an evidence folder.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The file system refused something.
    #[error(
        "cannot {action} {path:?}; check space, permissions and that the path is the one meant"
    )]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file that every evidence folder has is not there.
    #[error(
        "{path:?} is missing; the folder is not evidence, or not all of it: run the scenario again"
    )]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// Something else stands where a file should.
    #[error("{path:?} is not a regular file; evidence has regular files only")]
    NotAFile {
        /// What it is called.
        path: PathBuf,
    },
    /// The target of `save` holds something that is no evidence.
    #[error(
        "{path:?} exists and is not an evidence folder; it is left as it is: choose another place"
    )]
    Occupied {
        /// The target.
        path: PathBuf,
    },
    /// More bytes than such a file can have.
    #[error("{path:?} has {bytes} bytes, at most {limit} can be; it is not what was saved")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its length.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// A file is not what was written.
    #[error(
        "{path:?} is damaged: its {what} is {seen}, {expected} was saved; \
         copy the folder again or run the scenario again"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// `length` or `CRC-32`.
        what: &'static str,
        /// What it has now.
        seen: u64,
        /// What it had.
        expected: u64,
    },
    /// A file that is not the JSON it should be.
    #[error("{path:?} cannot be understood (line {line}); it was changed or is not evidence")]
    Json {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// Evidence of another format version.
    #[error(
        "{path:?} has format {seen}, this program reads {expected}; \
         use the version that saved it or run the scenario again"
    )]
    Format {
        /// The file.
        path: PathBuf,
        /// Its version.
        seen: u32,
        /// Ours.
        expected: u32,
    },
    /// A file name in the index that no evidence has.
    #[error("{path:?} lists a file {name:?}, which is not part of this evidence; it was changed")]
    Strange {
        /// The index.
        path: PathBuf,
        /// The name.
        name: String,
    },
    /// The case is not one that could have been run.
    #[error("{path:?} holds a case that cannot be run; it was changed or another version saved it")]
    Case {
        /// The file.
        path: PathBuf,
        /// Why it cannot.
        source: ProgramError,
    },
    /// Parts of the evidence that do not fit the case or each other.
    #[error("{path:?} does not fit its case: {what}; it was changed, run the scenario again")]
    Shape {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        what: String,
    },
}
