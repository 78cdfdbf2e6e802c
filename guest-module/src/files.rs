//! A kernel out of the user's own files: an image, and the tree it was built in.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::cache::{Cache, Entry, Key, io_error};
use crate::error::Error;
use crate::guest::Options;
use crate::hash;
use crate::image::{self, MAX_IMAGE_BYTES};
use crate::kconfig;
use crate::module::{self, Against, Recipe};
use crate::packaged::VMLINUX;
use crate::progress::Progress;
use crate::relay::{self, Relay};

/// The user's kernel with its module.
#[derive(Debug)]
pub(crate) struct Own {
    /// What `uname -r` will say, according to the tree.
    pub(crate) release: String,
    /// The bootable kernel: the user's own file, or one extracted from it.
    pub(crate) vmlinux: PathBuf,
    /// Its hash.
    pub(crate) vmlinux_sha256: String,
    /// The entry that holds the module.
    pub(crate) module: Entry,
    /// The relay that the module has instead of the kernel's, and the text of its relay.c.
    pub(crate) relay: Option<(Relay, Vec<u8>)>,
}

/// Makes kernel and module from the user's files.
///
/// # Errors
/// See [`Error`].
pub(crate) fn prepare(
    image: &Path,
    tree: &Path,
    cache: &Cache,
    progress: &dyn Progress,
    options: &Options,
) -> Result<Own, Error> {
    let (image, tree) = found(image, tree)?;
    let (release, identity) = inspect(&tree)?;
    let (vmlinux, vmlinux_sha256) = kernel(&image, cache, progress)?;
    let mut recipe = Recipe::new(options.module_warnings);
    if let Some(asked) = &options.relay {
        recipe.own = Some(relay::obtain(asked, None, cache, progress)?);
    }
    let key = module::key(&identity, &recipe);
    let module = module::build(
        cache,
        &key,
        &release,
        &Against::Tree(&tree),
        &recipe,
        progress,
    )?;
    Ok(Own {
        release,
        vmlinux,
        vmlinux_sha256,
        module,
        relay: recipe.own.map(relay::Own::split),
    })
}

/// Whether the files are there and the tree is one.
///
/// # Errors
/// See [`Error`].
pub(crate) fn check(image: &Path, tree: &Path) -> Result<(), Error> {
    let (_, tree) = found(image, tree)?;
    inspect(&tree).map(drop)
}

fn found(image: &Path, tree: &Path) -> Result<(PathBuf, PathBuf), Error> {
    Ok((
        absolute(image, "--kernel needs a bzImage or vmlinux")?,
        absolute(
            tree,
            "--build-dir needs the tree that the kernel was built in",
        )?,
    ))
}

fn absolute(path: &Path, hint: &'static str) -> Result<PathBuf, Error> {
    fs::canonicalize(path).map_err(|source| Error::Input {
        path: path.to_owned(),
        source,
        hint,
    })
}

/// The bootable kernel and its hash. A `vmlinux` is used where it is.
fn kernel(
    image: &Path,
    cache: &Cache,
    progress: &dyn Progress,
) -> Result<(PathBuf, String), Error> {
    let hint = "--kernel needs a bzImage or vmlinux";
    let input = |source| Error::Input {
        path: image.to_owned(),
        source,
        hint,
    };
    let size = fs::metadata(image).map_err(input)?.len();
    if size > MAX_IMAGE_BYTES {
        return Err(input(std::io::ErrorKind::FileTooLarge.into()));
    }
    let content = fs::read(image).map_err(input)?;
    let sha256 = hash::of_bytes(&content);
    let wrong = |source| Error::Image {
        path: image.to_owned(),
        source,
    };
    if content.starts_with(b"\x7fELF") {
        image::vmlinux(content).map_err(wrong)?;
        return Ok((image.to_owned(), sha256));
    }
    let key = Key::new("kernel").with("image", sha256);
    let entry = cache.entry(&key, progress, |dir| {
        let vmlinux = image::vmlinux(content).map_err(wrong)?;
        let path = dir.join(VMLINUX);
        fs::write(&path, vmlinux).map_err(io_error("write", &path))?;
        Ok::<_, Error>(Value::Null)
    })?;
    Ok((entry.path(VMLINUX), entry.sha256(VMLINUX)?))
}

/// The release a tree builds, and a text that changes whenever modules for it might.
fn inspect(tree: &Path) -> Result<(String, String), Error> {
    let broken = |problem| Error::Tree {
        path: tree.to_owned(),
        problem,
    };
    let read = |name: &str| fs::read(tree.join(name)).ok();
    let release = read("include/generated/utsrelease.h")
        .and_then(|text| parse_release(&String::from_utf8_lossy(&text)))
        .ok_or_else(|| broken("include/generated/utsrelease.h does not name a release"))?;
    let config = read(".config").ok_or_else(|| broken(".config is missing"))?;
    kconfig::check(&String::from_utf8_lossy(&config), &release)?;
    let symbols = read("Module.symvers").ok_or_else(|| broken("Module.symvers is missing"))?;
    let identity = format!(
        "{} {release} {} {}",
        tree.display(),
        hash::of_bytes(&config),
        hash::of_bytes(&symbols)
    );
    Ok((release, identity))
}

/// The release in the header that the kernel's build generates.
fn parse_release(header: &str) -> Option<String> {
    let line = header
        .lines()
        .find(|line| line.starts_with("#define UTS_RELEASE"))?;
    let release = line.split('"').nth(1)?;
    (!release.is_empty()).then(|| release.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;

    #[test]
    fn the_release_is_read() {
        assert_eq!(
            parse_release("#define UTS_RELEASE \"6.1.0+\"\n").as_deref(),
            Some("6.1.0+")
        );
        assert_eq!(parse_release("#define UTS_RELEASE\n"), None);
        assert_eq!(parse_release(""), None);
    }

    #[test]
    fn missing_files_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(Some(&dir.path().join("cache"))).unwrap();
        let text = |image: &Path, tree: &Path| {
            prepare(image, tree, &cache, &Silent, &Options::default())
                .unwrap_err()
                .to_string()
        };
        let absent = dir.path().join("absent");
        assert!(text(&absent, dir.path()).contains("--kernel"));
        assert!(text(dir.path(), &absent).contains("--build-dir"));
        let image = dir.path().join("image");
        fs::write(&image, "no kernel").unwrap();
        assert!(text(&image, dir.path()).contains("utsrelease.h"));
        let error = kernel(&image, &cache, &Silent).unwrap_err().to_string();
        assert!(error.contains("neither a bzImage nor an ELF"), "{error}");
    }
}
