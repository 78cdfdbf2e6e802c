//! Images of ready guests: booted once, kept in the cache, forked for every session.

use std::path::Path;

use relaybed_guest::{Cache, Folder, Progress};
use relaybed_vmm::{Image, Machine, MachineSpec};
use serde::{Deserialize, Serialize};

use super::error::SessionError;
use super::plan::Plan;
use super::session::Session;
use super::warm::{self, warm_up};
use relaybed_wire::program;

/// Images that are kept: each takes some 60 MiB, and every change of module or kernel makes new ones.
const KEPT: usize = 24;

/// How long a guest whose clocks count instructions rests before its image is taken, in its own time: what a
/// boot leaves to be done later would otherwise disturb every fork, one CPU waiting for another.
const SETTLE_US: u32 = 8_000_000;

/// What an image's note says.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Note {
    /// Guest-physical address of the mailbox.
    mailbox: u64,
    /// From spawning to ready, in milliseconds, of the boot that the image was taken of.
    boot_ms: f64,
}

/// An image of a guest that is ready, idle and warm (see `super::warm`).
#[derive(Debug)]
pub struct ReadyImage {
    image: Image,
    note: Note,
    vcpus: u32,
}

impl ReadyImage {
    /// The plan's image of a machine with `vcpus` vCPUs: found in the cache, or made by one boot. One that is damaged is made again.
    ///
    /// # Errors
    /// [`SessionError`] if there is none and none can be made.
    pub fn obtain(plan: &Plan, vcpus: u32, progress: &dyn Progress) -> Result<Self, SessionError> {
        let spec = plan.spec(Path::new("."), vcpus);
        let folder = Self::folder(plan, &spec, None, progress)?;
        match Self::open(plan, &spec, &folder) {
            Err(SessionError::Image(error)) => {
                progress.say(&format!("{error}; booting to make it"));
                let folder = Self::folder(plan, &spec, Some(&folder), progress)?;
                Self::open(plan, &spec, &folder)
            }
            opened => opened,
        }
    }

    /// A machine in the image's state, standing still, with its logs in `dir`.
    ///
    /// # Errors
    /// [`SessionError::Machine`].
    pub fn fork(&self, plan: &Plan, dir: &Path) -> Result<Machine, SessionError> {
        Ok(self.image.fork(plan.spec(dir, self.vcpus))?)
    }

    /// Guest-physical address of the mailbox.
    #[must_use]
    pub fn mailbox(&self) -> u64 {
        self.note.mailbox
    }

    /// Number of vCPUs of its forks.
    #[must_use]
    pub fn vcpus(&self) -> u32 {
        self.vcpus
    }

    /// The hash of the image's RAM.
    pub(super) fn ram_sha256(&self) -> &str {
        self.image.ram_sha256()
    }

    /// From spawning to ready, in milliseconds, of the boot that the image was taken of.
    #[must_use]
    pub fn boot_ms(&self) -> f64 {
        self.note.boot_ms
    }

    /// The image's folder, made unless it is there and not the one found `rotten`.
    fn folder(
        plan: &Plan,
        spec: &MachineSpec,
        rotten: Option<&Folder>,
        progress: &dyn Progress,
    ) -> Result<Folder, SessionError> {
        let identity = plan.identity();
        let shape = format!(
            "{} {} {:?} {} {} {} {SETTLE_US}",
            spec.backend, spec.accel, spec.clock, spec.vcpus, spec.memory_mib, spec.cmdline_extra
        );
        let inputs = [
            ("identity", identity.as_str()),
            ("shape", shape.as_str()),
            ("warm", warm::VERSION),
        ];
        let cache: &Cache = plan.cache();
        let mut made = false;
        let folder = cache.unread_folder("image", &inputs, rotten, progress, |dir| {
            made = true;
            make(plan, spec.vcpus, dir, &identity)
        })?;
        if made {
            cache.trim("image", KEPT);
        }
        Ok(folder)
    }

    fn open(plan: &Plan, spec: &MachineSpec, folder: &Folder) -> Result<Self, SessionError> {
        let image = Image::open(folder.path(), spec, &plan.identity())?;
        let note = serde_json::from_str(image.note())
            .map_err(|error| SessionError::ImageNote(error.to_string()))?;
        Ok(Self {
            image,
            note,
            vcpus: spec.vcpus,
        })
    }
}

/// Boots a machine of the plan's to ready, warms it up and saves it into `folder`.
fn make(plan: &Plan, vcpus: u32, folder: &Path, identity: &str) -> Result<(), SessionError> {
    let mut session = Session::boot(plan, vcpus)?;
    let boot_ms = session.boot_ms();
    if !warm_up(&mut session)? {
        // A kernel that does not come even through this is for scenarios to accuse.
        session = Session::boot(plan, vcpus)?;
    }
    if plan.is_controllable() {
        // With steps: their reporting is switched on in the image, not in each of its forks.
        let mut rest = program::rest(SETTLE_US);
        rest.announce_steps();
        session
            .perform(&rest, &[1])
            .map_err(|cause| SessionError::NoRest(cause.to_string()))?;
    }
    let mailbox = session.mailbox_address();
    let note = serde_json::to_string(&Note { mailbox, boot_ms })
        .map_err(|error| SessionError::ImageNote(error.to_string()))?;
    session.snapshot(folder, identity, &note)
}
