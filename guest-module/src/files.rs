//! A kernel out of the user's own files: an image, and the tree it was built in.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::cache::{Cache, Entry, Key, io_error};
use crate::compiler::Compiler;
use crate::error::Error;
use crate::guest::Options;
use crate::hash;
use crate::image::{self, MAX_IMAGE_BYTES};
use crate::kconfig::{self, Lacks};
use crate::module::{self, Against, Recipe};
use crate::packaged::VMLINUX;
use crate::progress::Progress;
use crate::relay::{self, RelayFiles};

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
    /// The relay that the module has instead of the kernel's.
    pub(crate) relay: Option<RelayFiles>,
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
    let compiler = compiler(&tree)?;
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
        &Against::Tree(&tree, &compiler),
        &recipe,
        progress,
    )?;
    Ok(Own {
        release,
        vmlinux,
        vmlinux_sha256,
        module,
        relay: recipe.own.map(relay::Own::into_files),
    })
}

/// The images that a build leaves in its tree: the one that boots everywhere, and the one that it is made of.
const IMAGES: [&str; 2] = ["arch/x86/boot/bzImage", "vmlinux"];

/// The kernel image that was built last in a tree.
///
/// # Errors
/// The tree cannot be read, or has none.
pub fn image_in(tree: &Path) -> Result<PathBuf, Error> {
    let tree = absolute(tree, TREE_WANTED)?;
    let built = |name: &&str| {
        fs::metadata(tree.join(name))
            .and_then(|image| image.modified())
            .ok()
    };
    let newest = IMAGES.iter().rev().max_by_key(|name| built(name));
    let newest = newest.filter(|name| built(name).is_some());
    newest
        .map(|name| tree.join(name))
        .ok_or_else(|| Error::NoImage { path: tree.clone() })
}

/// What stands in the way of testing the kernel of a tree, or one with a configuration, and what would be good to have.
///
/// # Errors
/// It cannot be read.
pub fn examine(path: &Path) -> Result<Lacks, Error> {
    let hint = "give the tree that a kernel is built in, or its .config";
    let path = absolute(path, hint)?;
    let is_tree = path.is_dir();
    let config = if is_tree {
        path.join(".config")
    } else {
        path.clone()
    };
    let text = fs::read(&config).map_err(|source| Error::Input {
        path: config,
        source,
        hint,
    })?;
    let text = String::from_utf8_lossy(&text);
    let mut lacks = kconfig::lacks(&text);
    if is_tree {
        let built = [
            image_in(&path).map(drop),
            Compiler::of(&path, &text).map(drop),
            inspect(&path).map(drop),
        ];
        let said = |error: &Error| !matches!(error, Error::Config(_));
        let errors = built.into_iter().filter_map(Result::err).filter(said);
        lacks.needed.extend(errors.map(|error| error.to_string()));
    }
    Ok(lacks)
}

/// Whether the files are there and the tree is one.
///
/// # Errors
/// See [`Error`].
pub(crate) fn check(image: &Path, tree: &Path) -> Result<(), Error> {
    let (_, tree) = found(image, tree)?;
    inspect(&tree)?;
    compiler(&tree).map(drop)
}

fn found(image: &Path, tree: &Path) -> Result<(PathBuf, PathBuf), Error> {
    Ok((
        absolute(image, "--kernel needs a bzImage or vmlinux")?,
        absolute(tree, TREE_WANTED)?,
    ))
}

const TREE_WANTED: &str = "--build-dir wants the tree the kernel was built in";

/// The compiler that the tree was built with.
fn compiler(tree: &Path) -> Result<Compiler, Error> {
    let config = fs::read(tree.join(".config")).unwrap_or_default();
    Compiler::of(tree, &String::from_utf8_lossy(&config))
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
    let symbols = read("Module.symvers").ok_or_else(|| {
        broken("Module.symvers is missing, which `make vmlinux` and `make bzImage` leave out: run `make modules` there")
    })?;
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

    /// A tree with what a whole build leaves, as far as it is looked at.
    fn built(dir: &Path) -> PathBuf {
        let tree = dir.join("tree");
        fs::create_dir_all(tree.join("include/generated")).unwrap();
        fs::create_dir_all(tree.join("arch/x86/boot")).unwrap();
        let release = "#define UTS_RELEASE \"6.1.0\"\n";
        fs::write(tree.join("include/generated/utsrelease.h"), release).unwrap();
        fs::write(tree.join(".config"), kconfig::tests::good()).unwrap();
        fs::write(tree.join("Module.symvers"), "").unwrap();
        fs::write(tree.join("vmlinux"), "older").unwrap();
        fs::write(tree.join("arch/x86/boot/bzImage"), "newer").unwrap();
        let hour_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
        let older = fs::File::options().append(true).open(tree.join("vmlinux"));
        older.unwrap().set_modified(hour_ago).unwrap();
        tree
    }

    #[test]
    fn the_image_of_a_tree_is_the_one_built_last() {
        let dir = tempfile::tempdir().unwrap();
        let tree = built(dir.path());
        assert!(image_in(&tree).unwrap().ends_with(IMAGES[0]));
        fs::remove_file(tree.join(IMAGES[0])).unwrap();
        assert!(image_in(&tree).unwrap().ends_with("vmlinux"));
        fs::remove_file(tree.join("vmlinux")).unwrap();
        let error = image_in(&tree).unwrap_err().to_string();
        assert!(
            error.contains("bzImage") && error.contains("--kernel"),
            "{error}"
        );
    }

    #[test]
    fn what_a_tree_lacks_is_told_before_anything_boots() {
        let dir = tempfile::tempdir().unwrap();
        let tree = built(dir.path());
        assert!(examine(&tree).unwrap().needed.is_empty());
        // As `make vmlinux` leaves it.
        fs::remove_file(tree.join("Module.symvers")).unwrap();
        let lacks = examine(&tree).unwrap();
        assert!(lacks.needed[0].contains("make modules"), "{lacks:?}");
        let config = kconfig::tests::good().replace("CONFIG_PVH=y", "# CONFIG_PVH is not set");
        fs::write(
            tree.join(".config"),
            config + "CONFIG_CC_VERSION_TEXT=\"gcc-1 (none) 1.0\"\n",
        )
        .unwrap();
        let lacks = examine(&tree).unwrap();
        assert_eq!(lacks.needed.len(), 2, "{lacks:?}");
        assert!(lacks.needed[0].starts_with("CONFIG_PVH=y"), "{lacks:?}");
        assert!(lacks.needed[1].contains("gcc-1"), "{lacks:?}");
        assert_eq!(examine(&tree.join(".config")).unwrap().needed.len(), 1);
        assert!(examine(&dir.path().join("absent")).is_err());
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
