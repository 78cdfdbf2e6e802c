//! From the machine's options to a plan.

use std::path::Path;
use std::time::Duration;

use relaybed_guest::{Cache, KernelRequest, RelayFrom, Terminal};

use super::again::Again;
use super::{Accel, Backend, MachineArgs, Stop};
use crate::run::{BackendWish, NoControl, PATIENCE, Plan, Wish};
use relaybed_report::exit::Exit;
use relaybed_vmm::Clock;
use relaybed_vmm::probe::AccelRequest;

/// The default kernel.
pub(super) const DEFAULT_KERNEL: &str = "bookworm:6.1";
/// Guest memory where none is asked for.
pub(super) const DEFAULT_MEMORY_MIB: u32 = 256;
/// The deadline where none is asked for.
pub(super) const DEFAULT_DEADLINE_S: u64 = 15;

/// A kernel that the options do not name fully.
#[derive(Debug, thiserror::Error)]
enum KernelError {
    #[error(
        "--kernel {image} is a file, so the module needs a tree to be built against: add --build-dir TREE \
         (the kernel's build folder, or the headers of the same build)"
    )]
    NoTree { image: String },
    #[error(
        "--build-dir goes with a kernel given as a file, or alone; {kernel} is not a file here"
    )]
    NoFile { kernel: String },
    #[error(transparent)]
    Tree(#[from] relaybed_guest::Error),
    #[error(transparent)]
    Name(#[from] relaybed_guest::RequestError),
}

/// A deterministic run was asked of a machine that has none.
#[derive(Debug, thiserror::Error)]
#[error(
    "no run is deterministic on KVM: its vCPUs run at once and by the host's clock. The same seed gives the same \
     records there and nothing more; leave --backend kvm and --accel kvm out for a deterministic run"
)]
struct NoDeterminism;

impl MachineArgs {
    /// The wish that these options express.
    ///
    /// # Errors
    /// [`Exit::Usage`] or, for a file that is not there, [`Exit::SetUp`].
    pub(super) fn wish(&self) -> Result<Wish, Stop> {
        let kernel = self.kernel_request().map_err(|error| {
            let exit = if matches!(error, KernelError::Name(_)) {
                Exit::Usage
            } else {
                Exit::SetUp
            };
            Stop::new(exit, error)
        })?;
        Ok(Wish {
            kernel,
            relay: self.relay.request(),
            vcpus: self.vcpus,
            memory_mib: self.memory,
            backend: match self.backend {
                Backend::Auto => BackendWish::Auto,
                Backend::Kvm => BackendWish::Kvm,
                Backend::Qemu => BackendWish::Qemu,
            },
            accel: match self.accel {
                Accel::Auto => AccelRequest::Auto,
                Accel::Tcg => AccelRequest::Tcg,
                Accel::Kvm => AccelRequest::Kvm,
            },
            deadline: Duration::from_secs(self.deadline),
            patience: PATIENCE,
            show_console: self.console,
            clock: Clock::Host,
            debug: false,
            images: !self.no_image,
            cmdline: self.cmdline.clone().unwrap_or_default(),
        })
    }

    fn kernel_request(&self) -> Result<KernelRequest, KernelError> {
        let kernel = self.kernel.as_str();
        let is_file = kernel.contains('/') || Path::new(kernel).exists();
        match (&self.build_dir, is_file) {
            (Some(tree), true) => Ok(KernelRequest::Files {
                image: kernel.into(),
                build_dir: tree.clone(),
            }),
            // The default is no answer to which kernel of the tree.
            (Some(tree), false) if kernel == DEFAULT_KERNEL => Ok(KernelRequest::Files {
                image: relaybed_guest::image_in(tree)?,
                build_dir: tree.clone(),
            }),
            (None, true) => Err(KernelError::NoTree {
                image: kernel.to_owned(),
            }),
            (Some(_), false) => Err(KernelError::NoFile {
                kernel: kernel.to_owned(),
            }),
            (None, false) => Ok(kernel.parse()?),
        }
    }

    /// Decides, fetches and builds what these options need.
    ///
    /// # Errors
    /// As [`Self::wish`]; [`Exit::SetUp`] when something cannot be had.
    pub(super) fn plan(&self) -> Result<Plan, Stop> {
        self.plan_as(false)
    }

    /// The same, for runs that their seed determines if it is to be `deterministic`.
    ///
    /// # Errors
    /// As [`Self::plan`], and [`Exit::SetUp`] where another backend or accelerator is demanded.
    pub(super) fn plan_as(&self, deterministic: bool) -> Result<Plan, Stop> {
        let mut wish = self.wish()?;
        if deterministic {
            if wish.backend == BackendWish::Kvm || wish.accel == AccelRequest::Kvm {
                return Err(Stop::new(Exit::SetUp, NoDeterminism));
            }
            (wish.backend, wish.accel) = (BackendWish::Qemu, AccelRequest::Tcg);
            (wish.clock, wish.debug, wish.images) = (Clock::Instructions, true, true);
        }
        let cache = Cache::open(None).map_err(|error| Stop::new(Exit::SetUp, error))?;
        Plan::make(wish, &cache, &Terminal::new()).map_err(|error| Stop::new(Exit::SetUp, error))
    }

    /// A plan whose machines can be run under control.
    ///
    /// # Errors
    /// As [`Self::plan`].
    pub(super) fn controlled_plan(&self) -> Result<Plan, Stop> {
        let mut wish = self.wish()?;
        (wish.clock, wish.debug, wish.images) = (Clock::Instructions, true, true);
        let (backend, accel) = match (wish.backend, wish.accel) {
            (BackendWish::Kvm, _) => ("kvm", "kvm"),
            (_, AccelRequest::Kvm) => ("qemu", "kvm"),
            _ => ("qemu", "tcg"),
        };
        if accel == "kvm" {
            return Err(Stop::new(Exit::SetUp, NoControl { backend, accel }));
        }
        // What is left to us is what can be controlled.
        (wish.backend, wish.accel) = (BackendWish::Qemu, AccelRequest::Tcg);
        let cache = Cache::open(None).map_err(|error| Stop::new(Exit::SetUp, error))?;
        Plan::make(wish, &cache, &Terminal::new()).map_err(|error| Stop::new(Exit::SetUp, error))
    }

    /// Takes the kernel, relay.c and number of vCPUs of a recorded run, where none is asked for.
    pub(super) fn recorded(&mut self, kernel: &str, relay: Option<&str>, vcpus: u32) {
        if let (None, Some(relay)) = (&self.relay.relay, relay) {
            // What does not parse was no name of a source: it is a path, and will not be found.
            let file = |_| RelayFrom::File(relay.into());
            self.relay.relay = Some(relay.parse().unwrap_or_else(file));
        }
        if self.kernel == DEFAULT_KERNEL {
            kernel.clone_into(&mut self.kernel);
        }
        self.vcpus.get_or_insert(vcpus);
    }

    /// The options that a line to paste must repeat: those that differ from the defaults.
    pub(super) fn again(&self) -> Again {
        let mut line = Again::default();
        let unlike = |differs: bool, value: u64| differs.then_some(value);
        let kernel = Some(&self.kernel).filter(|kernel| *kernel != DEFAULT_KERNEL);
        line.given("--kernel", kernel);
        line.given(
            "--build-dir",
            self.build_dir.as_ref().map(|tree| tree.display()),
        );
        self.relay.again(&mut line);
        line.given("--vcpus", self.vcpus);
        line.given(
            "--memory",
            unlike(self.memory != DEFAULT_MEMORY_MIB, self.memory.into()),
        );
        if self.backend != Backend::Auto {
            line.word("--backend", &self.backend);
        }
        if self.accel != Accel::Auto {
            line.word("--accel", &self.accel);
        }
        line.given(
            "--deadline",
            unlike(self.deadline != DEFAULT_DEADLINE_S, self.deadline),
        );
        line.given("--cmdline", self.cmdline.as_ref());
        line.flag("--no-image", self.no_image);
        line
    }
}
