//! What a run uses, decided before anything is started: kernel, QEMU, accelerator, with reasons.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use relaybed_case::evidence::OwnRelay;
use relaybed_guest::{Cache, Guest, KernelRequest, Progress, Qemu, RelayRequest};
use relaybed_vmm::probe::{self, AccelRequest, Choice, KvmUnusable};
use relaybed_vmm::{Accel, Backend, Clock, Deadline, MachineSpec, QemuProgram};

use super::coverage::Listing;
use super::drive::NoControl;
use super::error::SessionError;
use super::image::ReadyImage;
use super::remembered;
use crate::symbols::Symbols;
use relaybed_case::Case;
use relaybed_report::Summary;

/// Which virtual machine monitor is requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackendWish {
    /// Whatever works here.
    Auto,
    /// QEMU.
    Qemu,
    /// Our own, on KVM.
    Kvm,
}

/// How long a guest may talk without coming to an end, in deadlines.
pub const PATIENCE: u32 = 40;

/// The machine as requested.
#[derive(Clone, Debug)]
pub struct Wish {
    /// The kernel.
    pub kernel: KernelRequest,
    /// The relay.c to test in place of the kernel's.
    pub relay: Option<RelayRequest>,
    /// Number of vCPUs of every machine; `None`: as many as each case wants.
    pub vcpus: Option<u32>,
    /// Guest memory in MiB.
    pub memory_mib: u32,
    /// The virtual machine monitor.
    pub backend: BackendWish,
    /// The accelerator.
    pub accel: AccelRequest,
    /// Longest time without a sign of life.
    pub deadline: Duration,
    /// Longest wait altogether, signs of life or not, in deadlines.
    pub patience: u32,
    /// Copy the guest's console to standard error.
    pub show_console: bool,
    /// What the guest's clocks follow.
    pub clock: Clock,
    /// Whether single vCPUs shall be controllable.
    pub debug: bool,
    /// Fork machines off the image of an earlier boot where the backend can.
    pub images: bool,
    /// What is added to the guest's command line.
    pub cmdline: String,
}

/// A wish that cannot be had here.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Kernel or QEMU could not be made ready.
    #[error("the guest could not be made ready")]
    Guest(#[from] relaybed_guest::Error),
    /// KVM was demanded and cannot be used.
    #[error(transparent)]
    NoKvm(#[from] KvmUnusable),
    /// Our own backend and QEMU's translator exclude each other.
    #[error("--backend kvm runs on KVM only; omit --accel tcg or use --backend qemu")]
    NoTcg,
}

impl PlanError {
    /// Whether all is there and the sources do not make a module of it.
    #[must_use]
    pub const fn is_unbuildable(&self) -> bool {
        matches!(self, Self::Guest(error) if error.is_unbuildable())
    }
}

/// Everything a run uses.
#[derive(Debug)]
pub struct Plan {
    wish: Wish,
    guest: Guest,
    /// None when no QEMU is needed.
    qemu: Option<Qemu>,
    choice: Choice,
    backend: Backend,
    cache: Cache,
    /// By number of vCPUs. Whoever needs one that is not there makes it while the others wait.
    images: Mutex<BTreeMap<u32, Arc<ReadyImage>>>,
    /// Of the kernels of those images.
    symbols: Mutex<BTreeMap<u32, Arc<Symbols>>>,
    /// What machines list of what they execute.
    listing: Option<Listing>,
}

impl Plan {
    /// Decides, fetches and builds what `wish` needs, as far as the cache does not have it.
    ///
    /// # Errors
    /// [`PlanError`]; nothing was started.
    pub fn make(wish: Wish, cache: &Cache, progress: &dyn Progress) -> Result<Self, PlanError> {
        let options = relaybed_guest::Options {
            relay: wish.relay.clone(),
            ..relaybed_guest::Options::default()
        };
        relaybed_guest::check(&wish.kernel, &options)?;
        let choice = choose_quickly(&wish, cache)?;
        let backend = backend(wish.backend, choice.accel);
        let qemu = match backend {
            Backend::Qemu => {
                let qemu = relaybed_guest::qemu(cache, progress);
                Some(qemu.map_err(relaybed_guest::Error::from)?)
            }
            Backend::Kvm => None,
        };
        let guest = relaybed_guest::prepare_with(&wish.kernel, cache, progress, &options)?;
        Ok(Self {
            wish,
            guest,
            qemu,
            choice,
            backend,
            cache: cache.clone(),
            images: Mutex::default(),
            symbols: Mutex::default(),
            listing: None,
        })
    }

    /// From here on machines list what they execute.
    pub(super) fn list(&mut self, listing: Listing) {
        self.listing = Some(listing);
    }

    /// Where the machines' logs are kept after their end, if they are.
    pub(super) fn kept_logs(&self) -> Option<&Path> {
        self.listing
            .as_ref()
            .map(|listing| listing.folder.as_path())
    }

    /// Whether QEMU's translator executes the guests' instructions.
    pub(super) fn translates(&self) -> bool {
        self.backend == Backend::Qemu && self.choice.accel == Accel::Tcg
    }

    /// The machine to start with `vcpus` vCPUs, with its logs in `dir`.
    #[must_use]
    pub fn spec(&self, dir: &Path, vcpus: u32) -> MachineSpec {
        let (kernel, initramfs) = (self.guest.vmlinux.clone(), self.guest.initramfs.clone());
        let mut spec = match &self.qemu {
            None => MachineSpec::on_kvm(kernel, initramfs, PathBuf::from(dir)),
            Some(qemu) => {
                let program = QemuProgram {
                    argv0: qemu.argv0.clone(),
                    data_dir: qemu.data_dir.clone(),
                    sandbox: qemu.sandbox.clone(),
                };
                MachineSpec::new(kernel, initramfs, program, PathBuf::from(dir))
            }
        };
        spec.vcpus = vcpus;
        spec.memory_mib = self.wish.memory_mib;
        spec.accel = self.choice.accel;
        spec.clock = self.wish.clock;
        spec.debug = self.wish.debug;
        spec.cmdline_extra.clone_from(&self.wish.cmdline);
        if let Some(listing) = &self.listing {
            spec.listed.clone_from(&listing.ranges);
        }
        spec.boot_deadline = self.deadline();
        spec
    }

    /// Whether sessions are forked off images.
    #[must_use]
    pub fn forks(&self) -> bool {
        self.wish.images
    }

    /// The image that sessions of `vcpus` vCPUs are forked from, made by one boot if there is none yet; `None` if
    /// images are not wanted.
    ///
    /// # Errors
    /// [`SessionError`] if there is none and none can be made.
    pub fn image(
        &self,
        vcpus: u32,
        progress: &dyn Progress,
    ) -> Result<Option<Arc<ReadyImage>>, SessionError> {
        if !self.forks() {
            return Ok(None);
        }
        let mut images = self.images.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(image) = images.get(&vcpus) {
            return Ok(Some(Arc::clone(image)));
        }
        let image = Arc::new(ReadyImage::obtain(self, vcpus, progress)?);
        images.insert(vcpus, Arc::clone(&image));
        Ok(Some(image))
    }

    /// The same for machines that can be run under control, which QEMU's translator only can.
    ///
    /// # Errors
    /// [`NoControl`] where this plan is for something else.
    pub fn controllable(&self) -> Result<Self, NoControl> {
        if !self.translates() {
            return Err(NoControl {
                backend: self.backend(),
                accel: self.accel(),
            });
        }
        let mut wish = self.wish.clone();
        (wish.clock, wish.debug, wish.images) = (Clock::Instructions, true, true);
        Ok(Self {
            wish,
            guest: self.guest.clone(),
            qemu: self.qemu.clone(),
            choice: self.choice.clone(),
            backend: self.backend,
            cache: self.cache.clone(),
            images: Mutex::default(),
            symbols: Mutex::default(),
            listing: self.listing.clone(),
        })
    }

    /// The symbols of an image's kernel, from the cache or asked of a fork.
    ///
    /// # Errors
    /// [`SessionError`] if a fork does not send them.
    pub fn symbols(
        &self,
        image: &ReadyImage,
        progress: &dyn Progress,
    ) -> Result<Arc<Symbols>, SessionError> {
        let vcpus = image.vcpus();
        let mut all = self.symbols.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(symbols) = all.get(&vcpus) {
            return Ok(Arc::clone(symbols));
        }
        let mut symbols = super::symbols::obtain(self, image, progress)?;
        if self.guest.relay.is_some() {
            symbols.prefer_own_relay();
        }
        let symbols = Arc::new(symbols);
        all.insert(vcpus, Arc::clone(&symbols));
        Ok(symbols)
    }

    /// Whether machines of this plan can be run under control: see [`Controlled`](super::Controlled).
    #[must_use]
    pub fn is_controllable(&self) -> bool {
        self.translates() && self.wish.clock == Clock::Instructions && self.wish.debug
    }

    /// The cache that images are kept in.
    #[must_use]
    pub fn cache(&self) -> &Cache {
        &self.cache
    }

    /// Everything that an image of this guest depends on and the machine's spec does not contain.
    #[must_use]
    pub fn identity(&self) -> String {
        let guest = &self.guest;
        let monitor = self.qemu.as_ref().map_or_else(
            || format!("relaybed {}", env!("CARGO_PKG_VERSION")),
            |qemu| format!("QEMU {} {}", qemu.version, qemu.origin),
        );
        format!(
            "kernel {} initramfs {} {monitor}",
            guest.vmlinux_sha256, guest.initramfs_sha256
        )
    }

    /// Memory of every machine in MiB.
    #[must_use]
    pub fn memory_mib(&self) -> u32 {
        self.wish.memory_mib
    }

    /// Number of vCPUs that every machine is to have, if they were asked for.
    #[must_use]
    pub fn vcpus(&self) -> Option<u32> {
        self.wish.vcpus
    }

    /// Number of vCPUs of the one machine of a run that takes it for everything.
    #[must_use]
    pub fn vcpus_at_large(&self) -> u32 {
        self.wish.vcpus.unwrap_or(relaybed_case::DEFAULT_VCPUS)
    }

    /// Number of vCPUs of the machine that `case` runs on.
    #[must_use]
    pub fn vcpus_for(&self, case: &Case) -> u32 {
        self.wish.vcpus.unwrap_or(case.vcpus)
    }

    /// The deadline of one wait while a case runs.
    #[must_use]
    pub fn deadline(&self) -> Deadline {
        let idle = self.wish.deadline;
        Deadline {
            idle,
            busy: idle.saturating_mul(4),
            total: Some(idle.saturating_mul(self.wish.patience)),
        }
    }

    /// Whether the guest's console is copied to standard error.
    #[must_use]
    pub fn show_console(&self) -> bool {
        self.wish.show_console
    }

    /// Name of the backend.
    #[must_use]
    pub fn backend(&self) -> &'static str {
        match self.backend {
            Backend::Qemu => "qemu",
            Backend::Kvm => "kvm",
        }
    }

    /// Name of the accelerator.
    #[must_use]
    pub fn accel(&self) -> &'static str {
        match self.choice.accel {
            Accel::Tcg => "tcg",
            Accel::Kvm => "kvm",
        }
    }

    /// Why this accelerator.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.choice.reason
    }

    /// The guest that was made ready.
    #[must_use]
    pub fn guest(&self) -> &Guest {
        &self.guest
    }

    /// Where the kernel came from: package and version, or its path.
    #[must_use]
    pub fn kernel_origin(&self) -> String {
        match &self.guest.package {
            Some(package) => format!("{} {}", package.name, package.version),
            None => self.wish.kernel.to_string(),
        }
    }

    /// The relay.c that is tested in place of the kernel's, as evidence has it.
    #[must_use]
    pub fn own_relay(&self) -> Option<OwnRelay> {
        let relay = self.guest.relay.as_ref()?;
        Some(OwnRelay {
            origin: relay.origin.clone(),
            sha256: relay.sha256.clone(),
            version: relay.version.as_ref().map(ToString::to_string),
        })
    }

    /// That relay.c as `--relay` takes it, and its hash.
    pub(super) fn relay_as_asked(&self) -> Option<(String, String)> {
        let asked = self.wish.relay.as_ref()?;
        let relay = self.guest.relay.as_ref()?;
        Some((asked.from.to_string(), relay.sha256.clone()))
    }

    /// The release of that relay.c as a `LINUX_VERSION_CODE`, where it is not the kernel's.
    pub(super) fn relay_version(&self) -> Option<u32> {
        let version = self.guest.relay.as_ref()?.version.as_ref()?;
        Some(version.linux_version())
    }

    /// A summary with what is known before the first boot.
    #[must_use]
    pub fn blank_summary(&self, seed: u64) -> Summary {
        Summary {
            passed: 0,
            failed: 0,
            skipped: 0,
            known: 0,
            fixed: 0,
            not_run: 0,
            kernel: self.guest.release.clone(),
            kernel_origin: self.kernel_origin(),
            relay: self.own_relay(),
            started_s: now_s(),
            backend: self.backend().to_owned(),
            accel: self.accel().to_owned(),
            accel_reason: self.choice.reason.clone(),
            vcpus: self.wish.vcpus.unwrap_or(0),
            machines: BTreeMap::new(),
            seed,
            boot_ms: 0.0,
            boots: 0,
            forked: self.forks(),
            empty: 0,
            unspecified: Default::default(),
            records: 0,
            bytes: 0,
            judge_ms: 0.0,
            total_ms: 0.0,
            exits: None,
            own_rss_kib: 0,
            fuzz: None,
            explored: None,
            in_model: Vec::new(),
        }
    }
}

/// Seconds since 1970, where the host's clock is behind that.
fn now_s() -> Option<u64> {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.ok().map(|since| since.as_secs())
}

/// The accelerator, and why.
///
/// # Errors
/// When KVM is demanded, as our own backend does, and does not pass the probe.
pub fn choose(wish: &Wish) -> Result<Choice, PlanError> {
    let accel = match (wish.backend, wish.accel) {
        (BackendWish::Kvm, AccelRequest::Tcg) => return Err(PlanError::NoTcg),
        (BackendWish::Kvm, _) => AccelRequest::Kvm,
        (_, accel) => accel,
    };
    Ok(probe::choose(accel)?)
}

/// As [`choose`], but what is left to us and was refused a short while ago is not probed again.
fn choose_quickly(wish: &Wish, cache: &Cache) -> Result<Choice, PlanError> {
    let ours = wish.accel == AccelRequest::Auto && wish.backend != BackendWish::Kvm;
    if let Some(choice) = remembered::recall(cache).filter(|_| ours) {
        return Ok(choice);
    }
    let choice = choose(wish)?;
    remembered::remember(cache, &choice);
    Ok(choice)
}

/// Our own backend wherever KVM works, unless QEMU was asked for.
fn backend(wish: BackendWish, accel: Accel) -> Backend {
    match (wish, accel) {
        (BackendWish::Qemu, _) | (BackendWish::Auto, Accel::Tcg) => Backend::Qemu,
        (BackendWish::Kvm, _) | (BackendWish::Auto, Accel::Kvm) => Backend::Kvm,
    }
}
