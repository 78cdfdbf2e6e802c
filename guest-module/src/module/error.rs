//! Why a module was not built, in the words of whoever can change it.

use std::path::PathBuf;

use super::{MODULE, log};
use crate::cache::CacheError;
use crate::child::ChildError;
use crate::jail::JailError;
use crate::relay::Relay;

/// The module was not built.
#[derive(Debug, thiserror::Error)]
pub enum ModuleError {
    /// The compiler or kbuild refused.
    #[error("the module does not build for {release}; the whole log is in {}:\n{excerpt}", log.display())]
    Build {
        /// The kernel.
        release: String,
        /// The whole output.
        log: PathBuf,
        /// The lines that matter.
        excerpt: String,
    },
    /// The relay.c that was given does not compile.
    #[error("{relay} does not build for {release}:\n{excerpt}\nThe whole log is in {}", log.display())]
    Relay {
        /// The relay.c.
        relay: String,
        /// The kernel.
        release: String,
        /// The whole output.
        log: PathBuf,
        /// What the compiler says, with the user's file and line.
        excerpt: String,
    },
    /// The relay.c that was given is not all of relay.
    #[error(
        "{relay} has no {}, which every client of relay may call; is it a whole relay.c?",
        lacking.join(", ")
    )]
    Lacking {
        /// The relay.c.
        relay: String,
        /// The functions that it lacks.
        lacking: Vec<String>,
    },
    /// The relay.c that was given is of another release, and calls what this kernel does not have.
    #[error(
        "{relay} does not fit the kernel {release}: that has no {}. Take a kernel nearer to it (--kernel), or a \
         relay.c nearer to this kernel; the compiler's messages are in {}",
        missing.join(", "),
        log.display()
    )]
    Misfit {
        /// The relay.c.
        relay: String,
        /// The kernel.
        release: String,
        /// What is missing, each once.
        missing: Vec<String>,
        /// The whole output.
        log: PathBuf,
    },
    /// make succeeded, but there is no module.
    #[error("the build for {release} succeeded but made no {MODULE}; the whole log is in {}", log.display())]
    Nothing {
        /// The kernel.
        release: String,
        /// The whole output.
        log: PathBuf,
    },
    /// The build could not be started.
    #[error(transparent)]
    Child(#[from] ChildError),
    /// There is no way into the build's root.
    #[error(transparent)]
    Jail(#[from] JailError),
    /// The cache cannot be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
}

impl ModuleError {
    /// Whether it is the sources' fault.
    pub(crate) const fn is_unbuildable(&self) -> bool {
        match self {
            Self::Build { .. }
            | Self::Nothing { .. }
            | Self::Relay { .. }
            | Self::Lacking { .. }
            | Self::Misfit { .. } => true,
            Self::Child(_) | Self::Jail(_) | Self::Cache(_) => false,
        }
    }
}

/// Why a build failed, by its log.
pub(super) fn failure(
    relay: Option<&Relay>,
    release: &str,
    log: &str,
    kept: PathBuf,
) -> ModuleError {
    let excerpt = log::excerpt(log);
    let release = release.to_owned();
    let Some(relay) = relay else {
        return ModuleError::Build {
            release,
            log: kept,
            excerpt,
        };
    };
    let lacking = log::lacking(log);
    if !lacking.is_empty() {
        let relay = relay.to_string();
        return ModuleError::Lacking { relay, lacking };
    }
    let missing = log::missing(log);
    let fits = relay.is_of(&release) || missing.is_empty();
    let (relay, log) = (relay.to_string(), kept);
    if fits {
        return ModuleError::Relay {
            relay,
            release,
            log,
            excerpt,
        };
    }
    ModuleError::Misfit {
        relay,
        release,
        missing,
        log,
    }
}
