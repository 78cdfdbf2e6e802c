//! Where a command is going to write: tried before anything slow, so that minutes of work do not end in "cannot write".

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::Stop;
use relaybed_report::exit::Exit;
use relaybed_wire::swept;

/// A place that cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {path}: {source}; choose another place with --{option}")]
struct Unwritable {
    option: &'static str,
    path: String,
    source: io::Error,
}

/// Where failures keep their evidence when no folder is named.
const EVIDENCE: &str = "relaybed-evidence";

/// Folders below that one in which evidence may have been left half saved: kernels and suites.
const LEVELS: u32 = 2;

/// The folder for evidence, without what killed runs have left in it half saved. One that was `asked` for is made
/// if it is not there.
///
/// # Errors
/// [`Exit::SetUp`].
pub(super) fn evidence(asked: Option<&Path>) -> Result<PathBuf, Stop> {
    if let Some(out) = asked {
        folder("out", out)?;
    }
    let out = asked.unwrap_or(Path::new(EVIDENCE));
    swept::sweep(out, LEVELS);
    Ok(out.to_owned())
}

/// Makes sure that files can be put into the folder of `--option`, which is made if it is not there.
///
/// # Errors
/// [`Exit::SetUp`].
pub(super) fn folder(option: &'static str, path: &Path) -> Result<(), Stop> {
    let made = fs::create_dir_all(path).and_then(|()| room_in(path));
    made.map_err(|source| unwritable(option, path, source))
}

/// Makes sure that the file of `--option` can be written, and leaves it as it is.
///
/// # Errors
/// [`Exit::SetUp`].
pub(super) fn file(option: &'static str, path: &Path) -> Result<(), Stop> {
    let tried = match File::options().append(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => match path.parent() {
            Some(folder) if folder != Path::new("") => room_in(folder),
            _ => room_in(Path::new(".")),
        },
        opened => opened.map(drop),
    };
    tried.map_err(|source| unwritable(option, path, source))
}

/// Whether a file can be made in a folder: one without a name, which nothing can leave behind.
fn room_in(folder: &Path) -> io::Result<()> {
    tempfile::tempfile_in(folder).map(drop)
}

fn unwritable(option: &'static str, path: &Path, source: io::Error) -> Stop {
    let path = path.display().to_string();
    Stop::new(
        Exit::SetUp,
        Unwritable {
            option,
            path,
            source,
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_tried_and_nothing_is_left_in_them() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        folder("out", &path("a/b")).unwrap();
        assert_eq!(fs::read_dir(path("a/b")).unwrap().count(), 0);
        file("svg", &path("plot.svg")).unwrap();
        assert!(!path("plot.svg").exists());
        fs::write(path("there"), "kept").unwrap();
        file("svg", &path("there")).unwrap();
        assert_eq!(fs::read(path("there")).unwrap(), b"kept");
        assert!(folder("out", &path("there")).is_err());
        assert!(file("svg", &path("a")).is_err());
        assert!(file("svg", &path("none/plot.svg")).is_err());
    }
}
