//! Everything that can keep a guest from being made.

use std::path::PathBuf;

use crate::apt::AptError;
use crate::cache::CacheError;
use crate::deb::DebError;
use crate::image::ImageError;
use crate::kconfig::ConfigError;
use crate::module::ModuleError;
use crate::packages::ChooseError;
use crate::qemu::QemuError;
use crate::relay::RelayError;
use crate::request::RequestError;

/// No guest could be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The text names no kernel.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The cache directory cannot be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// Packages could not be fetched.
    #[error(transparent)]
    Apt(#[from] AptError),
    /// The suite has no kernel as asked for.
    #[error("{request}: {source}")]
    Choose {
        /// What was asked for.
        request: String,
        /// Why there is none.
        source: ChooseError,
    },
    /// A package could not be taken apart.
    #[error(transparent)]
    Deb(#[from] DebError),
    /// The kernel image cannot be booted.
    #[error("cannot use {}: {source}", path.display())]
    Image {
        /// The image, or the package it is in.
        path: PathBuf,
        /// What is wrong with it.
        source: ImageError,
    },
    /// The kernel is built without what the testbed needs.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The module was not built.
    #[error(transparent)]
    Module(#[from] ModuleError),
    /// The relay.c that was given cannot be used.
    #[error(transparent)]
    Relay(#[from] RelayError),
    /// There is no QEMU.
    #[error(transparent)]
    Qemu(#[from] QemuError),
    /// A file of the user's cannot be read.
    #[error("cannot read {}: {source}; {hint}", path.display())]
    Input {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
        /// What the file should be.
        hint: &'static str,
    },
    /// The build tree is not one that modules can be built against.
    #[error("{} is not a kernel build tree that is ready for modules: {problem}; build the kernel there (`make`), or give its installed headers", path.display())]
    Tree {
        /// The tree.
        path: PathBuf,
        /// What is missing.
        problem: &'static str,
    },
    /// The build tree has no kernel in it.
    #[error("{} holds no kernel image (arch/x86/boot/bzImage or vmlinux): build it there (`make`), or name one with --kernel", path.display())]
    NoImage {
        /// The tree.
        path: PathBuf,
    },
    /// The compiler that a tree was built with is not on this host.
    #[error("{} was built with \"{built_with}\", and this host has no {wanted}: install it, or build the tree with a compiler that is here", path.display())]
    Compiler {
        /// The tree.
        path: PathBuf,
        /// What the tree's configuration says of its compiler.
        built_with: String,
        /// The programs that would do.
        wanted: String,
    },
    /// The kernel does not come from a package.
    #[error("a kernel of your own has no package to take modules from: name one of Debian's")]
    NoPackage,
    /// The initramfs cannot be written.
    #[error("cannot write the initramfs: {0}")]
    Initramfs(std::io::Error),
}

impl Error {
    /// Whether all is there and the sources do not make a module: a commit that git should pass over.
    #[must_use]
    pub const fn is_unbuildable(&self) -> bool {
        matches!(self, Self::Module(error) if error.is_unbuildable())
    }
}
