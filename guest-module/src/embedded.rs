//! What this crate carries along: the module's sources and the agent.

use std::path::Path;

use crate::cache::{CacheError, io_error};
use crate::hash;

/// The module's sources and the ABI header, by path relative to the module's room.
pub(crate) const MODULE_SOURCES: &[(&str, &[u8])] =
    include!(concat!(env!("OUT_DIR"), "/module_sources.rs"));

/// The agent: a static executable that runs as PID 1.
pub(crate) const AGENT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/relaybed-agent"));

/// One hash over names and contents of the sources.
pub(crate) fn sources_hash() -> String {
    let mut all = String::new();
    for (name, content) in MODULE_SOURCES {
        all += &format!("{name} {}\n", hash::of_bytes(content));
    }
    hash::of_bytes(all.as_bytes())
}

/// Writes the sources below `dir`, laid out as in the repository.
pub(crate) fn write_sources(dir: &Path) -> Result<(), CacheError> {
    for (name, content) in MODULE_SOURCES {
        let path = dir.join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(io_error("make", parent))?;
        }
        std::fs::write(&path, content).map_err(io_error("write", &path))?;
    }
    Ok(())
}
