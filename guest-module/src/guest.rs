//! From a request to a guest that can be booted.

use std::fs;
use std::path::PathBuf;

use serde::Serialize;
use serde_json::Value;

use crate::cache::{Cache, Entry, Key, io_error};
use crate::embedded;
use crate::error::Error;
use crate::files;
use crate::hash;
use crate::initramfs;
use crate::module::{LOG, MODULE};
use crate::packaged::{self, VMLINUX, Wanted};
use crate::packages::PackageId;
use crate::progress::Progress;
use crate::relay::{self, Relay, RelayFiles, RelayRequest};
use crate::request::KernelRequest;

/// The initramfs's file name in its cache entry.
const INITRAMFS: &str = "initramfs.cpio";

/// A kernel with everything it needs to run our agent: ready to boot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Guest {
    /// The request it was made for.
    pub request: KernelRequest,
    /// What `uname -r` says in it.
    pub release: String,
    /// The uncompressed kernel, an ELF with a PVH entry.
    pub vmlinux: PathBuf,
    /// SHA-256 of the kernel.
    pub vmlinux_sha256: String,
    /// The initramfs: agent, module, mount points.
    pub initramfs: PathBuf,
    /// SHA-256 of the initramfs.
    pub initramfs_sha256: String,
    /// The module as built, also in the initramfs.
    pub module: PathBuf,
    /// SHA-256 of the module.
    pub module_sha256: String,
    /// Everything the module's build said.
    pub module_log: PathBuf,
    /// The package the kernel comes from; none for the user's own files.
    pub package: Option<PackageId>,
    /// The relay that the module drives; none: the kernel's own.
    pub relay: Option<Relay>,
    /// The same with the texts of its files, as they were built.
    #[serde(skip)]
    pub relay_files: Option<RelayFiles>,
}

/// How a guest shall be made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Options {
    /// Build the module with kbuild's extra warnings (`W=1`). They go to [`Guest::module_log`].
    pub module_warnings: bool,
    /// Build this relay.c into the module, and drive it instead of the kernel's.
    pub relay: Option<RelayRequest>,
}

/// Looks at everything that a request names on this host: what cannot be read, or can never be had, is refused
/// before anything is fetched.
///
/// # Errors
/// As [`prepare_with`].
pub fn check(request: &KernelRequest, options: &Options) -> Result<(), Error> {
    let is_packaged = match request {
        KernelRequest::Files { image, build_dir } => {
            files::check(image, build_dir)?;
            false
        }
        _ => true,
    };
    match &options.relay {
        Some(asked) => Ok(relay::check(asked, is_packaged)?),
        None => Ok(()),
    }
}

/// Makes the guest, or finds it in the cache.
///
/// # Errors
/// See [`Error`]: each says what is missing and how to supply it.
pub fn prepare(
    request: &KernelRequest,
    cache: &Cache,
    progress: &dyn Progress,
) -> Result<Guest, Error> {
    prepare_with(request, cache, progress, &Options::default())
}

/// As [`prepare`], with options.
///
/// # Errors
/// As [`prepare`].
pub fn prepare_with(
    request: &KernelRequest,
    cache: &Cache,
    progress: &dyn Progress,
    options: &Options,
) -> Result<Guest, Error> {
    let from_suite = |suite: &str, wanted: Wanted<'_>| {
        let made = packaged::prepare(request, (suite, wanted), cache, progress, options)?;
        let guest = Unpacked {
            release: made.release,
            vmlinux: made.kernel.path(VMLINUX),
            vmlinux_sha256: made.kernel.sha256(VMLINUX)?,
            module: made.module,
            package: Some(made.package),
            relay: made.relay,
        };
        guest.assemble(request, cache, progress)
    };
    match request {
        KernelRequest::Series { suite, series } => from_suite(suite, Wanted::Series(series)),
        KernelRequest::Package { suite, name } => from_suite(suite, Wanted::Package(name)),
        KernelRequest::Files { image, build_dir } => {
            let made = files::prepare(image, build_dir, cache, progress, options)?;
            let guest = Unpacked {
                release: made.release,
                vmlinux: made.vmlinux,
                vmlinux_sha256: made.vmlinux_sha256,
                module: made.module,
                package: None,
                relay: made.relay,
            };
            guest.assemble(request, cache, progress)
        }
    }
}

/// The modules that give a packaged kernel its KVM on AMD's virtualisation, in loading order.
const KVM_MODULES: [&str; 4] = ["irqbypass", "kvm", "ccp", "kvm-amd"];

/// Modules that turn a guest with this kernel into a host of guests: KVM inside a machine whose CPUs
/// have AMD's virtualisation, as those that QEMU emulates do. In loading order.
///
/// # Errors
/// As [`prepare`]. A kernel of the user's own files has none, and is refused as such.
pub fn kvm_modules(
    request: &KernelRequest,
    cache: &Cache,
    progress: &dyn Progress,
) -> Result<Vec<PathBuf>, Error> {
    let (suite, wanted) = match request {
        KernelRequest::Series { suite, series } => (suite, Wanted::Series(series)),
        KernelRequest::Package { suite, name } => (suite, Wanted::Package(name)),
        KernelRequest::Files { .. } => return Err(Error::NoPackage),
    };
    let names = &KVM_MODULES;
    let entry = packaged::image_modules(request, (suite, wanted), names, cache, progress)?;
    let path = |name: &&str| entry.path(&format!("{name}.ko"));
    Ok(names.iter().map(path).collect())
}

/// Everything of a guest but its initramfs.
struct Unpacked {
    release: String,
    vmlinux: PathBuf,
    vmlinux_sha256: String,
    module: Entry,
    package: Option<PackageId>,
    relay: Option<RelayFiles>,
}

impl Unpacked {
    /// Adds the initramfs to kernel and module.
    fn assemble(
        self,
        request: &KernelRequest,
        cache: &Cache,
        progress: &dyn Progress,
    ) -> Result<Guest, Error> {
        let module_sha256 = self.module.sha256(MODULE)?;
        let key = Key::new("initramfs")
            .with("agent", hash::of_bytes(embedded::AGENT))
            .with("module", module_sha256.clone());
        let module_path = self.module.path(MODULE);
        let entry = cache.entry(&key, progress, |dir| {
            let module = fs::read(&module_path).map_err(io_error("read", &module_path))?;
            let archive = initramfs::build(embedded::AGENT, &module).map_err(Error::Initramfs)?;
            let path = dir.join(INITRAMFS);
            fs::write(&path, archive).map_err(io_error("write", &path))?;
            Ok::<_, Error>(Value::Null)
        })?;
        Ok(Guest {
            request: request.clone(),
            release: self.release,
            vmlinux: self.vmlinux,
            vmlinux_sha256: self.vmlinux_sha256,
            initramfs: entry.path(INITRAMFS),
            initramfs_sha256: entry.sha256(INITRAMFS)?,
            module: module_path,
            module_sha256,
            module_log: self.module.path(LOG),
            package: self.package,
            relay: self.relay.as_ref().map(|files| files.relay.clone()),
            relay_files: self.relay,
        })
    }
}
