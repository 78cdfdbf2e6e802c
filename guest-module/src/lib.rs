//! Makes a bootable guest out of a kernel, without root.
//!
//! What comes in is the name of a kernel ([`KernelRequest`]) and a cache directory ([`Cache`]). What goes out is
//! a [`Guest`]: an uncompressed `vmlinux` and an initramfs with our agent and our module, built for exactly that
//! kernel. Kernels and tools come from Debian through a private apt root, verified by Debian's signatures;
//! nothing is installed on the host. [`qemu`] finds or fetches a QEMU in the same way.
//!
//! Everything is kept in the cache under a hash of all that it was made from. A second run fetches nothing,
//! builds nothing, and touches no network. Environment: `RELAYBED_CACHE`, `RELAYBED_MIRROR`,
//! `RELAYBED_SECURITY_MIRROR`, `RELAYBED_REFRESH`, `RELAYBED_QEMU`.
//!
//! This room knows nothing of machines or scenarios.
//!
//! # Example
//!
//! Kernels have names, and a wrong one is refused before anything is fetched:
//!
//! ```
//! use relaybed_guest::KernelRequest;
//!
//! let kernel: KernelRequest = "trixie-backports:7.3".parse()?;
//! assert_eq!(kernel.to_string(), "trixie-backports:7.3");
//! assert!("trixie-backports:".parse::<KernelRequest>().is_err());
//! # Ok::<(), relaybed_guest::RequestError>(())
//! ```

mod apt;
mod cache;
mod child;
mod compiler;
mod deb;
mod embedded;
mod error;
mod files;
mod guardian;
mod guest;
mod hash;
mod image;
mod initramfs;
mod interrupt;
mod jail;
mod kconfig;
mod manifest;
mod mirror;
mod module;
mod packaged;
mod packages;
mod progress;
mod qemu;
mod relay;
mod request;
mod root;
mod version;

pub use apt::AptError;
pub use cache::{Aside, Cache, CacheError, Folder, Item};
pub use child::ChildError;
pub use deb::DebError;
pub use error::Error;
pub use files::{examine, image_in};
pub use guest::{Guest, Options, check, kvm_modules, prepare, prepare_with};
pub use image::ImageError;
pub use interrupt::{Interrupted, interrupt_on};
pub use jail::JailError;
pub use kconfig::{ConfigError, Lacks};
pub use mirror::MirrorError;
pub use module::ModuleError;
pub use packages::{ChooseError, PackageId};
pub use progress::{Progress, Silent, Step, Terminal};
pub use qemu::{Qemu, QemuError, qemu};
pub use relay::{
    ChangedFile, Relay, RelayError, RelayFiles, RelayFrom, RelayRequest, RelayRequestError,
    RelayVersion, RelayVersionError, relay_files,
};
pub use request::{KernelRequest, RequestError};
pub use root::check as check_root;
