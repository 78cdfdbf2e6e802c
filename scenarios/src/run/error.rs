//! What can stop a session, and what can stop one case.

use std::io;

use relaybed_vmm::{Error as VmmError, Exit as GuestExit, Stall};

use relaybed_case::errno::Errno;
use relaybed_case::evidence::Evidence;
use relaybed_case::finding::{Bytes, Finding, Health, Plain, Progress, Trouble};
use relaybed_case::verdict::Location;
use relaybed_report::exit::Exit;
use relaybed_wire::observe::ObserveError;
use relaybed_wire::program::ProgramError;
use relaybed_wire::store::StoreError;

/// No machine could be had, or the run's own files could not be written.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The machine could not be started or controlled.
    #[error("the machine could not be used")]
    Machine(#[from] VmmError),
    /// An image cannot be used.
    #[error(transparent)]
    Image(#[from] relaybed_vmm::ImageError),
    /// An image's note is not one of ours.
    #[error("cannot read the image's note ({0}): remove the folder \"image\" from the cache")]
    ImageNote(String),
    /// The cache that images are kept in.
    #[error(transparent)]
    Cache(#[from] relaybed_guest::CacheError),
    /// The guest's boot ended before it was ready.
    #[error("the guest did not get ready: {how}\n{console}")]
    Boot {
        /// How it ended.
        how: String,
        /// The console's last lines.
        console: String,
    },
    /// The guest died while booting.
    #[error("the guest died while booting: {exit}\n{console}")]
    Died {
        /// How it ended.
        exit: GuestExit,
        /// The console's last lines.
        console: String,
    },
    /// The guest made no progress while booting.
    #[error("the guest made no progress while booting: {stall}\n{console}")]
    Stalled {
        /// Which limit was reached.
        stall: Stall,
        /// The console's last lines.
        console: String,
    },
    /// What the guest announced is not a mailbox of this version.
    #[error("the guest's mailbox cannot be used")]
    Mailbox(#[from] ObserveError),
    /// The guest did not become idle before its image was taken.
    #[error("the guest did not become idle before its image was taken: {0}")]
    NoRest(String),
    /// The guest did not send its symbol table.
    #[error("the guest did not send its symbol table: {0}")]
    NoSymbols(String),
    /// What it sent is malformed.
    #[error(transparent)]
    Symbols(#[from] crate::symbols::SymbolError),
    /// The kernel cannot be run under control.
    #[error(transparent)]
    Landmark(#[from] super::landmarks::NoLandmark),
    /// The machine cannot be run under control.
    #[error(transparent)]
    Control(#[from] super::drive::NoControl),
    /// Ctrl-C or SIGTERM.
    #[error("interrupted")]
    Interrupted,
    /// Evidence could not be saved.
    #[error("the evidence could not be saved")]
    Store(#[from] StoreError),
    /// A file of the run, or the report, could not be written.
    #[error("cannot write")]
    Write(#[from] io::Error),
}

impl SessionError {
    /// The exit code of a run that could not continue.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Died { .. } => Exit::GuestDied,
            Self::Stalled { .. } => Exit::Deadline,
            Self::Write(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::NoReader,
            Self::Interrupted | Self::Machine(VmmError::Interrupted { .. }) => Exit::Interrupted,
            _ => Exit::SetUp,
        }
    }
}

/// Why a case did not finish.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// The machine ended.
    #[error("{0} in the middle of the scenario")]
    Died(GuestExit),
    /// Its kernel oopsed, and goes on without what the scenario waits for.
    #[error("the guest's kernel oopsed in the middle of the scenario: {0}")]
    Crashed(String),
    /// No sign of life.
    #[error("no progress before the deadline: {0}")]
    Stalled(Stall),
    /// The module refused the request.
    #[error("the module refused the request with errno {errno} at {op}")]
    Refused {
        /// The error number.
        errno: i32,
        /// What it is about.
        op: String,
    },
    /// Guest memory holds nonsense where evidence should be.
    #[error("what the guest published makes no sense: {0}")]
    Unreadable(#[from] ObserveError),
    /// The agent gave up.
    #[error("the agent gave up: {0}")]
    Agent(String),
    /// The machine could not be controlled.
    #[error("the machine could not be controlled: {0}")]
    Machine(VmmError),
    /// The case does not fit into a request.
    #[error("the scenario cannot be sent to the guest: {0}")]
    Program(#[from] ProgramError),
    /// What a vCPU did to a channel buffer cannot be said.
    #[error("{0}")]
    Unsaid(super::watched::Unsaid),
    /// A run under control cannot continue.
    #[error("{0}")]
    Stuck(super::drive::Stuck),
    /// Ctrl-C or SIGTERM.
    #[error("interrupted")]
    Interrupted,
}

impl From<relaybed_vmm::RamError> for Cause {
    fn from(error: relaybed_vmm::RamError) -> Self {
        Self::Machine(error.into())
    }
}

impl From<VmmError> for Cause {
    fn from(error: VmmError) -> Self {
        match error {
            VmmError::Interrupted { .. } => Self::Interrupted,
            VmmError::Ended { exit } => Self::Died(exit),
            error => Self::Machine(error),
        }
    }
}

impl Cause {
    /// What is wrong with a run that ended so.
    fn found(&self, progress: Progress) -> Health {
        let why = |error: &dyn std::fmt::Display| Plain::from(error.to_string());
        match self {
            Self::Died(exit) => died(exit, progress),
            Self::Crashed(line) => Health::reported(Trouble::Oops, line),
            Self::Stalled(stall) => Health::NoProgress {
                why: why(stall),
                progress,
            },
            Self::Refused { errno, op } => Health::Refused {
                errno: Errno::from(*errno),
                at: op.as_str().into(),
                progress,
            },
            Self::Unreadable(error) => Health::Unreadable {
                why: why(error),
                progress,
            },
            Self::Agent(error) => Health::AgentGaveUp {
                why: why(error),
                progress,
            },
            Self::Machine(error) => Health::Uncontrolled {
                why: why(error),
                progress,
            },
            Self::Unsaid(error) => Health::Uncontrolled {
                why: why(error),
                progress,
            },
            Self::Program(error) => Health::NotSent {
                why: why(error),
                progress,
            },
            Self::Stuck(stuck) => Health::Stuck {
                why: why(stuck),
                progress,
            },
            Self::Interrupted => Health::MachineEnded {
                how: why(self),
                progress,
            },
        }
    }

    /// The exit code that belongs to it.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Interrupted => Exit::Interrupted,
            Self::Stalled(_) | Self::Stuck(_) => Exit::Deadline,
            Self::Died(_) | Self::Crashed(_) | Self::Agent(_) => Exit::GuestDied,
            Self::Machine(_) | Self::Program(_) | Self::Unsaid(_) => Exit::SetUp,
            // The guest that was asked for is too small.
            Self::Refused { errno: ENOMEM, .. } => Exit::SetUp,
            Self::Refused { .. } | Self::Unreadable(_) => Exit::Failed,
        }
    }
}

/// What is wrong with a run whose machine ended so.
fn died(exit: &GuestExit, progress: Progress) -> Health {
    match exit {
        GuestExit::Panic => Health::Panicked { progress },
        GuestExit::Reset => Health::Reset { progress },
        GuestExit::PowerOff => Health::PoweredOff { progress },
        GuestExit::TripleFault => Health::TripleFault { progress },
        GuestExit::ConsoleFlood { bytes } => Health::ConsoleFlood {
            bytes: Bytes(*bytes),
            progress,
        },
        GuestExit::Stopped { .. } | GuestExit::QemuDied { .. } | GuestExit::Killed => {
            Health::MachineEnded {
                how: exit.to_string().into(),
                progress,
            }
        }
    }
}

/// `ENOMEM` of Linux.
pub(super) const ENOMEM: i32 = 12;

/// Reports of the kernel that become findings of a case that did not come to its end.
const REPORTS_MAX: usize = 8;

/// A case that did not finish, with the evidence so far.
#[derive(Debug)]
pub struct Ended {
    /// Why.
    pub cause: Cause,
    /// What could still be read.
    pub evidence: Option<Box<Evidence>>,
}

impl Ended {
    /// What is wrong with it: the end itself, and what the kernel reported before.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        let evidence = self.evidence.as_deref();
        let console = evidence.map_or("", |evidence| evidence.console.as_str());
        let reported = relaybed_judge::reported(console).map(|(_, what)| what);
        let own = self.cause.found(Progress::of(evidence));
        let mut all: Vec<Health> = reported.take(REPORTS_MAX).collect();
        // An oops that ended it is among what was reported.
        if !matches!(self.cause, Cause::Crashed(_)) || all.is_empty() {
            all.insert(0, own);
        }
        let finding = |what| Finding::new(Location::default(), what);
        all.into_iter().map(finding).collect()
    }
}
