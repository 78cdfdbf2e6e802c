//! What is asked of a machine, checked before anything is started.

use std::ffi::OsString;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::deadline::Deadline;
use crate::kernel_file::{self, KernelFileError};

/// Most vCPUs of a machine.
pub const VCPUS_MAX: u32 = 64;
/// Least RAM that a distribution kernel boots in, in MiB.
pub const MEMORY_MIN_MIB: u32 = 64;
/// Most RAM of a machine, in MiB.
pub const MEMORY_MAX_MIB: u32 = 64 * 1024;
/// RAM when nothing is said, in MiB.
pub const MEMORY_DEFAULT_MIB: u32 = 256;
/// Longest kernel command line: x86's limit less its terminating zero.
pub const CMDLINE_MAX_BYTES: usize = 2047;

/// What executes the guest's instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accel {
    /// QEMU's translator, one host thread per vCPU. Works everywhere.
    Tcg,
    /// The host's KVM. Ask [`crate::probe::choose`] before: presence proves nothing.
    Kvm,
}

impl std::fmt::Display for Accel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Tcg => "tcg",
            Self::Kvm => "kvm",
        })
    }
}

/// What makes the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// A QEMU process, with the spec's accelerator.
    Qemu,
    /// Our own virtual machine on the host's KVM, in this process. Needs no QEMU; boots a
    /// `vmlinux`, with or without a PVH entry, and a bzImage.
    Kvm,
}

impl std::fmt::Display for Backend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Qemu => "qemu",
            Self::Kvm => "kvm",
        })
    }
}

/// What the guest's clocks follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The host's time. vCPUs run side by side.
    Host,
    /// The number of instructions that were executed, one nanosecond each. vCPUs take turns, the clock
    /// of day begins at a fixed date and the machine's random numbers at a fixed seed, so that
    /// what a vCPU does while no other runs and nothing comes from outside is the same every time.
    /// QEMU's translator only; a boot takes some six times as long.
    Instructions,
}

/// How to start QEMU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QemuProgram {
    /// Program and its leading arguments: `qemu-system-x86_64` alone, or a dynamic loader with its
    /// options and the program, for a QEMU that lives in its own root. It must `exec`, not fork:
    /// the promise that QEMU dies with us holds for this process only.
    pub argv0: Vec<OsString>,
    /// Folder of firmware and option ROMs (`-L`), if not the one QEMU was built with.
    pub data_dir: Option<PathBuf>,
    /// Options of QEMU's own sandbox, if it has one that works here. Part of no machine's state.
    pub sandbox: Vec<OsString>,
}

impl QemuProgram {
    /// The host's own QEMU, found by `PATH`.
    pub fn from_path() -> Self {
        Self {
            argv0: vec!["qemu-system-x86_64".into()],
            data_dir: None,
            sandbox: Vec::new(),
        }
    }
}

/// A machine as asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineSpec {
    /// Uncompressed ELF `vmlinux` with a PVH entry.
    pub kernel: PathBuf,
    /// The initramfs, in any compression that the kernel knows.
    pub initramfs: PathBuf,
    /// Appended to the kernel command line of [`crate::cmdline`].
    pub cmdline_extra: String,
    /// Number of vCPUs, 1 to [`VCPUS_MAX`].
    pub vcpus: u32,
    /// RAM in MiB, [`MEMORY_MIN_MIB`] to [`MEMORY_MAX_MIB`].
    pub memory_mib: u32,
    /// What makes the machine.
    pub backend: Backend,
    /// What executes the guest under QEMU; [`Backend::Kvm`] is always KVM.
    pub accel: Accel,
    /// How to start QEMU; of no use to [`Backend::Kvm`].
    pub qemu: QemuProgram,
    /// An existing folder for `console.log` and the backend's log; one machine at a time.
    pub dir: PathBuf,
    /// What the guest's clocks follow.
    pub clock: Clock,
    /// Whether [`Paused::debug`](crate::Paused::debug) shall be possible. Costs nothing while not used.
    pub debug: bool,
    /// Ranges of guest addresses of which the machine's log shall list every instruction that QEMU's translator
    /// translates: what is executed there, once for each machine. Of no use without that translator.
    pub listed: Vec<Range<u64>>,
    /// How long [`Machine::await_boot`](crate::Machine::await_boot) waits for the first doorbell.
    pub boot_deadline: Deadline,
}

/// A spec that cannot be a machine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpecError {
    /// The number of vCPUs is out of bounds.
    #[error("{vcpus} vCPUs: a machine has 1 to {VCPUS_MAX}")]
    Vcpus {
        /// The number asked for.
        vcpus: u32,
    },
    /// The size of RAM is out of bounds.
    #[error("{memory_mib} MiB of RAM: a machine has {MEMORY_MIN_MIB} to {MEMORY_MAX_MIB} MiB")]
    Memory {
        /// The size asked for.
        memory_mib: u32,
    },
    /// Kernel and initramfs do not fit into RAM.
    #[error(
        "{memory_mib} MiB of RAM do not hold kernel and initramfs, which take {needed_mib} MiB \
         before anything runs: give more memory"
    )]
    MemoryTooSmall {
        /// The size asked for.
        memory_mib: u32,
        /// What loading alone takes.
        needed_mib: u64,
    },
    /// The kernel command line is too long.
    #[error(
        "the kernel command line has {len} bytes, the kernel reads {CMDLINE_MAX_BYTES}: shorten \
         the extra arguments"
    )]
    CmdlineTooLong {
        /// Its length.
        len: usize,
    },
    /// The kernel command line has a character that cannot be passed on.
    #[error("the extra kernel arguments contain the control character {character:?}: remove it")]
    CmdlineCharacter {
        /// The character.
        character: char,
    },
    /// An argument that this crate sets itself since it decides how the guest's end is reported.
    #[error(
        "the extra kernel argument {argument:?} would change how the guest's end is recognised: \
         remove it"
    )]
    CmdlineReserved {
        /// The argument.
        argument: String,
    },
    /// A file or folder of the spec is missing or of the wrong kind.
    #[error("{what} {path} is not {expected}: give an existing one")]
    Path {
        /// Its role in the spec.
        what: &'static str,
        /// The path.
        path: PathBuf,
        /// What it should be.
        expected: &'static str,
    },
    /// The initramfs is empty.
    #[error("the initramfs {path} is empty: build it again")]
    EmptyInitramfs {
        /// The path.
        path: PathBuf,
    },
    /// An instruction clock, or a debugger of QEMU's, that the accelerator does not have.
    #[error(
        "{what} needs QEMU's translator (the qemu backend with tcg), not {backend} with {accel}"
    )]
    NeedsTcg {
        /// What was asked for.
        what: &'static str,
        /// The backend.
        backend: Backend,
        /// The accelerator.
        accel: Accel,
    },
    /// There is no QEMU to start.
    #[error("no QEMU program is given (argv0 is empty)")]
    NoQemu,
    /// The kernel file cannot be booted.
    #[error("the kernel {path} cannot be booted")]
    Kernel {
        /// The path.
        path: PathBuf,
        /// What is wrong with it.
        source: KernelFileError,
    },
}

impl MachineSpec {
    /// Two vCPUs, 256 MiB, TCG, the usual deadline: change what differs.
    pub fn new(kernel: PathBuf, initramfs: PathBuf, qemu: QemuProgram, dir: PathBuf) -> Self {
        Self {
            kernel,
            initramfs,
            cmdline_extra: String::new(),
            vcpus: 2,
            memory_mib: MEMORY_DEFAULT_MIB,
            backend: Backend::Qemu,
            accel: Accel::Tcg,
            qemu,
            dir,
            clock: Clock::Host,
            debug: false,
            listed: Vec::new(),
            boot_deadline: Deadline::default(),
        }
    }

    /// As [`Self::new`], on the KVM backend.
    pub fn on_kvm(kernel: PathBuf, initramfs: PathBuf, dir: PathBuf) -> Self {
        let no_qemu = QemuProgram {
            argv0: Vec::new(),
            data_dir: None,
            sandbox: Vec::new(),
        };
        Self {
            backend: Backend::Kvm,
            accel: Accel::Kvm,
            ..Self::new(kernel, initramfs, no_qemu, dir)
        }
    }

    /// Checks everything that can be checked without starting anything.
    ///
    /// # Errors
    /// The first thing found wrong, as a [`SpecError`].
    pub fn validate(&self) -> Result<(), SpecError> {
        self.validate_values()?;
        require_file("kernel", &self.kernel)?;
        require_file("initramfs", &self.initramfs)?;
        require_dir("evidence folder", &self.dir)?;
        if let (Backend::Qemu, Some(dir)) = (self.backend, &self.qemu.data_dir) {
            require_dir("QEMU data folder", dir)?;
        }
        let initramfs_len = std::fs::metadata(&self.initramfs).map_or(0, |m| m.len());
        if initramfs_len == 0 {
            return Err(SpecError::EmptyInitramfs {
                path: self.initramfs.clone(),
            });
        }
        let checked = match self.backend {
            Backend::Qemu => kernel_file::check(&self.kernel),
            Backend::Kvm => crate::kvm::check_kernel(&self.kernel),
        };
        let kernel = checked.map_err(|source| SpecError::Kernel {
            path: self.kernel.clone(),
            source,
        })?;
        // A guest without room to be loaded hangs silently instead of failing.
        let needed = kernel.load_end.saturating_add(initramfs_len);
        if needed > self.memory_bytes() {
            return Err(SpecError::MemoryTooSmall {
                memory_mib: self.memory_mib,
                needed_mib: needed.div_ceil(crate::address::MIB),
            });
        }
        Ok(())
    }

    /// The part of [`Self::validate`] that looks at no file.
    fn validate_values(&self) -> Result<(), SpecError> {
        if !(1..=VCPUS_MAX).contains(&self.vcpus) {
            return Err(SpecError::Vcpus { vcpus: self.vcpus });
        }
        if !(MEMORY_MIN_MIB..=MEMORY_MAX_MIB).contains(&self.memory_mib) {
            return Err(SpecError::Memory {
                memory_mib: self.memory_mib,
            });
        }
        let translated = self.backend == Backend::Qemu && self.accel == Accel::Tcg;
        let ours = self.backend == Backend::Kvm;
        let special = [
            (
                self.clock == Clock::Instructions && !translated,
                "an instruction clock",
            ),
            (
                self.debug && !translated && !ours,
                "control of single vCPUs",
            ),
        ];
        if let Some((_, what)) = special.iter().find(|(lacking, _)| *lacking) {
            return Err(SpecError::NeedsTcg {
                what,
                backend: self.backend,
                accel: self.accel,
            });
        }
        if self.backend == Backend::Qemu && self.qemu.argv0.is_empty() {
            return Err(SpecError::NoQemu);
        }
        if let Some(character) = self.cmdline_extra.chars().find(|c| c.is_control()) {
            return Err(SpecError::CmdlineCharacter { character });
        }
        let reserved = |word: &&str| {
            crate::cmdline::RESERVED
                .iter()
                .any(|key| word.trim_matches('"').starts_with(key))
        };
        if let Some(word) = self.cmdline_extra.split(' ').find(reserved) {
            return Err(SpecError::CmdlineReserved {
                argument: word.to_owned(),
            });
        }
        let len = crate::cmdline::kernel_cmdline(self).len();
        if len > CMDLINE_MAX_BYTES {
            return Err(SpecError::CmdlineTooLong { len });
        }
        Ok(())
    }

    /// Size of RAM in bytes.
    pub(crate) fn memory_bytes(&self) -> u64 {
        u64::from(self.memory_mib) * crate::address::MIB
    }

    /// Where the guest's console is kept.
    pub fn console_path(&self) -> PathBuf {
        self.dir.join("console.log")
    }

    /// Where the backend's own messages are kept: QEMU's, or the registers of a vCPU that our own
    /// backend cannot run any further.
    pub fn machine_log_path(&self) -> PathBuf {
        self.dir.join(match self.backend {
            Backend::Qemu => "qemu.log",
            Backend::Kvm => "kvm.log",
        })
    }
}

fn require_file(what: &'static str, path: &Path) -> Result<(), SpecError> {
    if path.is_file() {
        return Ok(());
    }
    Err(SpecError::Path {
        what,
        path: path.to_owned(),
        expected: "a readable file",
    })
}

fn require_dir(what: &'static str, path: &Path) -> Result<(), SpecError> {
    if path.is_dir() {
        return Ok(());
    }
    Err(SpecError::Path {
        what,
        path: path.to_owned(),
        expected: "a folder",
    })
}

#[cfg(test)]
#[path = "spec_tests.rs"]
mod tests;
