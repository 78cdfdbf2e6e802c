//! A relay.c among the user's files, and what the kernel tree around it says.

use std::fs;
use std::io::Read as _;
use std::path::Path;

use super::{Found, RelayError, RelayVersion, SOURCE_MAX_BYTES, SourceFile};

/// Where the header is in a kernel tree.
pub(super) const HEADER: &str = "include/linux/relay.h";

/// Reads the file; header and version come from the kernel tree that it is in, if any.
pub(super) fn find(path: &Path) -> Result<Found, RelayError> {
    let source = read(path, "--relay needs a relay.c, or source:VERSION")?;
    let tree = Path::new(&source.name).ancestors().skip(1).find_map(|dir| {
        Some((
            dir,
            version(&fs::read_to_string(dir.join("Makefile")).ok()?)?,
        ))
    });
    let header = match tree {
        Some((dir, _)) if dir.join(HEADER).is_file() => {
            Some(read(&dir.join(HEADER), "it is in the tree of the relay.c")?)
        }
        _ => None,
    };
    let version = tree.map(|(_, version)| version);
    Ok(Found {
        origin: source.name.clone(),
        source,
        header,
        version,
    })
}

/// A file of the user's under its full name.
pub(super) fn read(path: &Path, hint: &'static str) -> Result<SourceFile, RelayError> {
    let failed = |source| RelayError::Read {
        path: path.to_owned(),
        source,
        hint,
    };
    let unusable = |problem| RelayError::Unusable {
        path: path.to_owned(),
        problem,
    };
    let full = fs::canonicalize(path).map_err(failed)?;
    let name = full
        .to_str()
        .filter(|name| !name.contains(char::is_control))
        .ok_or_else(|| unusable("its path has characters that cannot be passed to the compiler"))?
        .to_owned();
    if !full.is_file() {
        return Err(unusable("it is not a file"));
    }
    let mut content = Vec::new();
    let file = fs::File::open(&full).map_err(failed)?;
    let mut limited = file.take(SOURCE_MAX_BYTES + 1);
    limited.read_to_end(&mut content).map_err(failed)?;
    if content.len() as u64 > SOURCE_MAX_BYTES {
        return Err(unusable("it is larger than 4 MiB: not a relay.c"));
    }
    Ok(SourceFile { name, content })
}

/// The version that a kernel tree's Makefile says.
pub(super) fn version(makefile: &str) -> Option<RelayVersion> {
    let value = |name: &str| {
        makefile.lines().find_map(|line| {
            let rest = line.strip_prefix(name)?.trim_start();
            Some(rest.strip_prefix('=')?.trim())
        })
    };
    let number = |name| value(name)?.parse().ok();
    let patch = value("SUBLEVEL").map_or(Some(0), |text| text.parse().ok())?;
    let extra = value("EXTRAVERSION").unwrap_or_default();
    RelayVersion::new(number("VERSION")?, number("PATCHLEVEL")?, patch, extra)
}
