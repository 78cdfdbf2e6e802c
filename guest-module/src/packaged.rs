//! A kernel out of Debian's packages: resolved, fetched, unpacked, its module built.
//!
//! "The newest of a series" is resolved once and then kept until a refresh is requested, so that two runs
//! test the same kernel and the second needs no network. Locks are taken in one order everywhere: the
//! resolution, the apt root, then entries.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::apt::{self, AptError, AptRoot};
use crate::cache::{Cache, Entry, Key, io_error};
use crate::deb;
use crate::error::Error;
use crate::guest::Options;
use crate::image::{self, MAX_IMAGE_BYTES};
use crate::kconfig;
use crate::module::{self, Against, Recipe};
use crate::packages::{self, Choice, PackageId};
use crate::progress::{Progress, Silent};
use crate::relay::{self, RelayFiles};
use crate::request::KernelRequest;
use crate::root;

/// What a build in a root of its own needs besides what the headers depend on.
const TOOLS: [&str; 10] = [
    "binutils",
    "make",
    "dash",
    "coreutils",
    "sed",
    "grep",
    "mawk",
    "perl-base",
    "findutils",
    "diffutils",
];

/// The kernel's file name in its cache entry.
pub(crate) const VMLINUX: &str = "vmlinux";

/// Exactly which packages a request means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Resolution {
    /// The suite they come from.
    suite: String,
    /// What `uname -r` will say.
    release: String,
    /// The package that holds the kernel image.
    image: PackageId,
    /// The kernel's headers and what was built with the kernel.
    headers: Vec<PackageId>,
    /// Everything else a module's build needs.
    tools: Vec<PackageId>,
}

/// A packaged kernel with its module.
#[derive(Debug)]
pub(crate) struct Packaged {
    /// What `uname -r` will say.
    pub(crate) release: String,
    /// The image package.
    pub(crate) package: PackageId,
    /// The entry that holds the kernel.
    pub(crate) kernel: Entry,
    /// The entry that holds the module.
    pub(crate) module: Entry,
    /// The relay that the module has instead of the kernel's.
    pub(crate) relay: Option<RelayFiles>,
}

/// What is looked for in a suite.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wanted<'a> {
    /// The newest kernel of this version series.
    Series(&'a str),
    /// The image package of this name.
    Package(&'a str),
}

/// Everything a run of this room carries around.
struct Session<'a> {
    request: &'a KernelRequest,
    suite: &'a str,
    wanted: Wanted<'a>,
    cache: &'a Cache,
    progress: &'a dyn Progress,
    recipe: Recipe,
}

/// Makes kernel and module for a request that names packages.
///
/// # Errors
/// See [`Error`].
pub(crate) fn prepare(
    request: &KernelRequest,
    (suite, wanted): (&str, Wanted<'_>),
    cache: &Cache,
    progress: &dyn Progress,
    options: &Options,
) -> Result<Packaged, Error> {
    let mut session = Session {
        request,
        suite,
        wanted,
        cache,
        progress,
        recipe: Recipe::new(options.module_warnings),
    };
    let (mut resolution, mut apt) = session.resolve(cache.refresh())?;
    if let Some(asked) = &options.relay {
        // Its source may come from the same apt root, which is ours alone as long as we hold it.
        apt = None;
        let kernel = Some((suite, resolution.image.version.as_str()));
        session.recipe.own = Some(relay::obtain(asked, kernel, cache, progress)?);
    }
    let (kernel, module) = session.obtain(&mut resolution, apt)?;
    let Resolution { release, image, .. } = resolution;
    progress.say(&format!(
        "kernel: {} {} (for {request})",
        image.name, image.version
    ));
    Ok(Packaged {
        release,
        package: image,
        kernel,
        module,
        relay: session.recipe.own.map(relay::Own::into_files),
    })
}

/// Modules out of the image package of a request that names packages, each as `NAME.ko` in the entry.
///
/// # Errors
/// See [`Error`]; a kernel whose modules are compressed or built in has no such files.
pub(crate) fn image_modules(
    request: &KernelRequest,
    (suite, wanted): (&str, Wanted<'_>),
    names: &[&str],
    cache: &Cache,
    progress: &dyn Progress,
) -> Result<Entry, Error> {
    let session = Session {
        request,
        suite,
        wanted,
        cache,
        progress,
        recipe: Recipe::new(false),
    };
    let (mut resolution, apt) = session.resolve(false)?;
    if let Some(found) = cache.find(&resolution.image_modules_key(names), &Silent) {
        return Ok(found);
    }
    let apt = match apt {
        Some(apt) => apt,
        None => {
            let apt = AptRoot::claimed(cache, suite, &session.purpose(), progress)?;
            session.reach(apt, &mut resolution)?
        }
    };
    let scratch = cache.scratch(apt.lock(), apt.lock_name())?;
    let image = &resolution.image;
    cache.entry(&resolution.image_modules_key(names), progress, |dir| {
        let wanted = std::slice::from_ref(image);
        let debs = apt.download(wanted, scratch.path(), &image.name, progress)?;
        for (deb, name) in debs.iter().cycle().zip(names) {
            let file = format!("{name}.ko");
            let module = deb::read_file(deb, &file, MAX_IMAGE_BYTES, |path| {
                path.file_name().is_some_and(|name| name == file.as_str())
            })?;
            let path = dir.join(&file);
            fs::write(&path, module).map_err(io_error("write", &path))?;
        }
        Ok(json!({ "release": resolution.release }))
    })
}

impl Resolution {
    fn image_modules_key(&self, names: &[&str]) -> Key {
        let image = packages::identity(std::slice::from_ref(&self.image));
        Key::new("image-modules")
            .with("image", image)
            .with("names", names.join(" "))
    }

    fn kernel_key(&self) -> Key {
        Key::new("kernel").with(
            "image",
            packages::identity(std::slice::from_ref(&self.image)),
        )
    }

    fn headers_key(&self) -> Key {
        Key::new("headers").with("packages", packages::identity(&self.headers))
    }

    fn tools_key(&self) -> Key {
        Key::new("tools").with("packages", packages::identity(&self.tools))
    }

    fn module_key(&self, recipe: &Recipe) -> Key {
        module::key(&self.build_identity(), recipe)
    }

    /// Names what a module is built against, and with what.
    fn build_identity(&self) -> String {
        format!("{} {}", self.headers_key().hash(), self.tools_key().hash())
    }
}

impl Session<'_> {
    /// The packages that the request means, from the cache unless asked `anew`; with the apt root if it was
    /// needed.
    fn resolve(&self, anew: bool) -> Result<(Resolution, Option<AptRoot>), Error> {
        let key = Key::new("resolved").with("request", self.request.to_string());
        let mut used = None;
        let make = |_: &Path| -> Result<_, Error> {
            let apt = AptRoot::updated(self.cache, self.suite, &self.purpose(), self.progress)?;
            let resolution = self.ask(&apt)?;
            used = Some(apt);
            Ok(json!(resolution))
        };
        let entry = if anew {
            self.cache.entry_anew(&key, self.progress, make)?
        } else {
            self.cache.entry(&key, self.progress, make)?
        };
        Ok((entry.facts()?, used))
    }

    /// What is fetched for, in an error's words.
    fn purpose(&self) -> String {
        format!(
            "kernel {}: image and headers packages, and {} with what they need",
            self.request,
            TOOLS.join(", ")
        )
    }

    /// Asks apt what the request means today.
    fn ask(&self, apt: &AptRoot) -> Result<Resolution, Error> {
        let kernels = |name: &str| {
            let prefixes = ["linux-image-", "linux-binary-", "linux-headers-"];
            prefixes.iter().any(|prefix| name.starts_with(prefix))
        };
        let choice = match self.wanted {
            // A package is unique by name, so it may come from any suite that is read with this one.
            Wanted::Package(name) => packages::choose_package(&apt.packages(false, kernels)?, name),
            Wanted::Series(series) => {
                packages::choose_series(&apt.packages(true, kernels)?, series)
            }
        };
        let request = self.request.to_string();
        let choice = choice.map_err(|source| Error::Choose { request, source })?;
        let headers = format!("{}={}", choice.headers, choice.image.version);
        let mut wanted = vec![headers.as_str()];
        wanted.extend(TOOLS);
        // Some headers depend on the image, which is fetched for its own sake and not to be installed.
        let closure = apt.closure(&wanted, false, Some(&choice.image))?;
        let (headers, tools) = closure
            .into_iter()
            .partition(|package| package.name.starts_with("linux-"));
        let Choice {
            holder, release, ..
        } = choice;
        Ok(Resolution {
            suite: self.suite.to_owned(),
            release,
            image: holder,
            headers,
            tools,
        })
    }

    /// Kernel and module: from the cache, else built from what is there, else fetched.
    fn obtain(
        &self,
        resolution: &mut Resolution,
        apt: Option<AptRoot>,
    ) -> Result<(Entry, Entry), Error> {
        if let Some(found) = self.find(resolution)? {
            return Ok(found);
        }
        let apt = match apt {
            Some(apt) => apt,
            None => {
                let apt = AptRoot::claimed(self.cache, self.suite, &self.purpose(), self.progress)?;
                // Who held it before us may have fetched the same.
                if let Some(found) = self.find(resolution)? {
                    return Ok(found);
                }
                self.reach(apt, resolution)?
            }
        };
        self.fetch(resolution, &apt)
    }

    /// Kernel and module as far as that takes no network: the module is built if its parts are there.
    fn find(&self, resolution: &Resolution) -> Result<Option<(Entry, Entry)>, Error> {
        // Damage is reported where the entry is made again.
        let cached = |key: &Key| self.cache.find(key, &Silent);
        let Some(kernel) = cached(&resolution.kernel_key()) else {
            return Ok(None);
        };
        if let Some(module) = cached(&resolution.module_key(&self.recipe)) {
            return Ok(Some((kernel, module)));
        }
        let parts = (
            cached(&resolution.tools_key()),
            cached(&resolution.headers_key()),
        );
        let (Some(tools), Some(headers)) = parts else {
            return Ok(None);
        };
        Ok(Some((kernel, self.build(resolution, &tools, &headers)?)))
    }

    /// Makes sure that the archive still has what was resolved some time ago; resolves again if it moved on.
    fn reach(&self, apt: AptRoot, resolution: &mut Resolution) -> Result<AptRoot, Error> {
        apt.update(self.progress)?;
        let wanted: Vec<&PackageId> = [&resolution.image]
            .into_iter()
            .chain(&resolution.headers)
            .chain(&resolution.tools)
            .collect();
        let offered = apt.packages(false, |name| wanted.iter().any(|p| p.name == name))?;
        let Some(gone) = wanted
            .into_iter()
            .find(|package| !offered.contains(package))
        else {
            return Ok(apt);
        };
        self.progress.say(&format!(
            "{} {} is no longer in the archive; {} is resolved again",
            gone.name, gone.version, self.request
        ));
        // Given up first: resolutions are locked before apt roots.
        drop(apt);
        let (newer, apt) = self.resolve(true)?;
        *resolution = newer;
        match apt {
            Some(apt) => Ok(apt),
            None => Ok(AptRoot::updated(
                self.cache,
                self.suite,
                &self.purpose(),
                self.progress,
            )?),
        }
    }

    /// Fetches what is missing, the kernel beside the module's build.
    fn fetch(&self, resolution: &Resolution, apt: &AptRoot) -> Result<(Entry, Entry), Error> {
        let scratch = self.cache.scratch(apt.lock(), apt.lock_name())?;
        let downloads = scratch.path();
        std::thread::scope(|scope| {
            let kernel = scope.spawn(|| self.kernel(resolution, apt, &downloads.join("image")));
            let module = self.module(resolution, apt, &downloads.join("build"));
            match kernel.join() {
                Ok(kernel) => Ok((kernel?, module?)),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }

    /// The kernel's entry: `vmlinux` out of the image package.
    fn kernel(
        &self,
        resolution: &Resolution,
        apt: &AptRoot,
        downloads: &Path,
    ) -> Result<Entry, Error> {
        let image = &resolution.image;
        self.cache
            .entry(&resolution.kernel_key(), self.progress, |dir| {
                let debs = apt.download(
                    std::slice::from_ref(image),
                    downloads,
                    &image.name,
                    self.progress,
                )?;
                let step = self
                    .progress
                    .begin(&format!("extracting {}", image.name), None);
                let name = format!("vmlinuz of {}", resolution.release);
                let deb = debs.first().ok_or_else(|| AptError::Absent {
                    name: image.name.clone(),
                    version: image.version.clone(),
                })?;
                let image = deb::read_file(deb, &name, MAX_IMAGE_BYTES, |path| {
                    path.file_name()
                        .is_some_and(|name| name.as_encoded_bytes().starts_with(b"vmlinuz"))
                })?;
                let vmlinux = image::vmlinux(image).map_err(|source| Error::Image {
                    path: deb.clone(),
                    source,
                })?;
                let path = dir.join(VMLINUX);
                fs::write(&path, vmlinux).map_err(io_error("write", &path))?;
                step.finish();
                Ok(json!({ "release": resolution.release }))
            })
    }

    /// The module's entry, built against headers and tools that are fetched in one go if missing.
    fn module(
        &self,
        resolution: &Resolution,
        apt: &AptRoot,
        downloads: &Path,
    ) -> Result<Entry, Error> {
        let key = resolution.module_key(&self.recipe);
        if let Some(module) = self.cache.find(&key, &Silent) {
            return Ok(module);
        }
        let parts = [
            (resolution.tools_key(), &resolution.tools),
            (resolution.headers_key(), &resolution.headers),
        ];
        let missing = parts
            .iter()
            .filter(|(key, _)| self.cache.find(key, &Silent).is_none());
        let missing: Vec<PackageId> = missing
            .flat_map(|(_, packages)| packages.to_vec())
            .collect();
        if !missing.is_empty() {
            let what = format!("headers and tools for {}", resolution.release);
            apt.download(&missing, downloads, &what, self.progress)?;
        }
        let [tools, headers] =
            parts.map(|(key, packages)| self.unpacked(&key, packages, downloads));
        let (tools, headers) = (tools?, headers?);
        self.build(resolution, &tools, &headers)
    }

    /// The module's entry, built from unpacked packages.
    fn build(
        &self,
        resolution: &Resolution,
        tools: &Entry,
        headers: &Entry,
    ) -> Result<Entry, Error> {
        let release = &resolution.release;
        let root = headers.path("root");
        let config = Path::new("usr/src").join(format!("linux-headers-{release}/.config"));
        let config = root::resolve(&root, &config).map_err(io_error("find .config in", &root))?;
        let text = fs::read_to_string(&config).map_err(io_error("read", &config))?;
        kconfig::check(&text, release)?;
        let key = resolution.module_key(&self.recipe);
        let identity = resolution.build_identity();
        let against = Against::Packages {
            headers,
            tools,
            identity: &identity,
        };
        let (recipe, progress) = (&self.recipe, self.progress);
        Ok(module::build(
            self.cache, &key, release, &against, recipe, progress,
        )?)
    }

    /// The entry with these packages unpacked under `root`.
    fn unpacked(
        &self,
        key: &Key,
        packages: &[PackageId],
        downloads: &Path,
    ) -> Result<Entry, Error> {
        self.cache.entry(key, self.progress, |dir| {
            let step = self
                .progress
                .begin(&format!("unpacking {} packages", packages.len()), None);
            let files = packages
                .iter()
                .map(|package| apt::file_of(package, downloads));
            let files = files.collect::<Result<Vec<_>, _>>()?;
            deb::unpack_all(&files, &dir.join("root"))?;
            step.finish();
            Ok(serde_json::Value::Null)
        })
    }
}
