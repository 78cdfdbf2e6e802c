//! A private root: a tree of unpacked packages that is used in place, without chroot.
//!
//! Packages name files by absolute path, and so do their symbolic links. Followed by the host's kernel, such a
//! link leads to the *host's* file: a QEMU was once started with the host's dynamic loader that way. So links are
//! written relative here, names are resolved inside the root, and [`check`] finds any link that leads out.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

/// As many links in a row as the kernel follows.
const LINKS_MAX: usize = 40;

/// How a link that leads out of the root is treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outside {
    /// As if the root were `/`: absolute targets start at the root, and `..` stays there.
    Clamp,
    /// As the host's kernel would see it: it is an error.
    Refuse,
}

/// The physical place of `path` in `root`: every link on the way resolved as if `root` were `/`. Neither the
/// last name nor those before it need to exist.
///
/// # Errors
/// Links lead round in circles.
pub(crate) fn resolve(root: &Path, path: &Path) -> io::Result<PathBuf> {
    Ok(root.join(walk(root, Path::new(""), path, Outside::Clamp)?))
}

/// The first link below `root` that leads out of it when the host's kernel follows it.
///
/// # Errors
/// A folder cannot be read.
pub fn check(root: &Path) -> io::Result<Option<PathBuf>> {
    check_below(root, Path::new(""))
}

fn check_below(root: &Path, under: &Path) -> io::Result<Option<PathBuf>> {
    for entry in fs::read_dir(root.join(under))? {
        let entry = entry?;
        let (path, kind) = (under.join(entry.file_name()), entry.file_type()?);
        if kind.is_dir() {
            if let Some(found) = check_below(root, &path)? {
                return Ok(Some(found));
            }
        } else if kind.is_symlink() {
            match walk(root, Path::new(""), &path, Outside::Refuse) {
                Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                    return Ok(Some(path));
                }
                // A link in a circle leads nowhere, nor does one without a target.
                _ => {}
            }
        }
    }
    Ok(None)
}

/// The target of a link in the folder `dir` of a root, written so that it stays in the root. `dir` is the
/// folder's physical place, relative to the root.
pub(crate) fn inward(dir: &Path, target: &Path) -> PathBuf {
    let depth = dir.components().count();
    let mut level = depth;
    let mut path = PathBuf::new();
    for component in target.components() {
        match component {
            Component::RootDir => {
                level = 0;
                path.extend(std::iter::repeat_n("..", depth));
            }
            // In the root of a tree, `..` is that root.
            Component::ParentDir if level == 0 => {}
            Component::ParentDir => {
                level -= 1;
                path.push("..");
            }
            Component::Normal(name) => {
                level += 1;
                path.push(name);
            }
            Component::CurDir | Component::Prefix(_) => {}
        }
    }
    if path.as_os_str().is_empty() {
        path.push(".");
    }
    path
}

/// Where `path`, seen from the folder `dir`, is: relative to `root`, free of links.
fn walk(root: &Path, dir: &Path, path: &Path, outside: Outside) -> io::Result<PathBuf> {
    let mut at = dir.to_owned();
    let mut links = 0;
    let mut ahead: Vec<OsString> = reversed(path);
    while let Some(name) = ahead.pop() {
        if name == ".." {
            if !at.pop() && outside == Outside::Refuse {
                return Err(io::ErrorKind::CrossesDevices.into());
            }
            continue;
        }
        let Ok(target) = fs::read_link(root.join(&at).join(&name)) else {
            at.push(&name);
            continue;
        };
        links += 1;
        if links > LINKS_MAX {
            return Err(rustix::io::Errno::LOOP.into());
        }
        if target.is_absolute() {
            if outside == Outside::Refuse {
                return Err(io::ErrorKind::CrossesDevices.into());
            }
            at = PathBuf::new();
        }
        ahead.extend(reversed(&target));
    }
    Ok(at)
}

/// The names in a path, the last one first.
fn reversed(path: &Path) -> Vec<OsString> {
    let names = path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    });
    let mut names: Vec<OsString> = names.collect();
    names.reverse();
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_target_is_written_inward() {
        for (dir, target, expected) in [
            (
                "usr/lib64",
                "/lib/x86_64-linux-gnu/ld.so",
                "../../lib/x86_64-linux-gnu/ld.so",
            ),
            ("usr/lib", "libz.so.1", "libz.so.1"),
            ("usr/lib", "../share/x", "../share/x"),
            ("usr/lib", "../../../../etc/passwd", "../../etc/passwd"),
            ("", "/usr/lib", "usr/lib"),
            ("", "../../etc", "etc"),
            ("etc", "/", ".."),
            ("", "/", "."),
        ] {
            assert_eq!(
                inward(Path::new(dir), Path::new(target)),
                Path::new(expected),
                "{dir} {target}"
            );
        }
    }

    #[test]
    fn names_resolve_inside() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::create_dir_all(root.join("usr/lib")).unwrap();
        symlink("/usr/lib", root.join("lib")).unwrap();
        symlink("../../..", root.join("usr/up")).unwrap();
        symlink("round", root.join("round")).unwrap();
        let resolved = |path: &str| resolve(root, Path::new(path)).unwrap();
        assert_eq!(resolved("/lib/x"), root.join("usr/lib/x"));
        assert_eq!(resolved("usr/up/etc/passwd"), root.join("etc/passwd"));
        assert_eq!(resolved("../../etc"), root.join("etc"));
        assert!(resolve(root, Path::new("round/x")).is_err());
    }

    #[test]
    fn a_link_that_leads_out_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::create_dir_all(root.join("usr/lib")).unwrap();
        symlink("usr/lib", root.join("lib")).unwrap();
        symlink("../../lib/none", root.join("usr/lib/dangling")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        assert_eq!(check(root).unwrap(), None);
        let out = root.join("usr/lib/out");
        for target in ["/lib", "../../../etc", "../../lib/../../../etc"] {
            symlink(target, &out).unwrap();
            assert_eq!(check(root).unwrap(), Some("usr/lib/out".into()), "{target}");
            fs::remove_file(&out).unwrap();
        }
    }

    proptest! {
        #[test]
        fn no_inward_target_leads_out(dir in "([a-c]/){0,3}", target in "/?((\\.\\.|[a-c]|\\.)/){0,8}") {
            let dir = Path::new(&dir);
            let target = inward(dir, Path::new(&target));
            prop_assert!(target.is_relative());
            let empty = tempfile::tempdir().unwrap();
            prop_assert!(walk(empty.path(), dir, &target, Outside::Refuse).is_ok());
        }
    }
}
