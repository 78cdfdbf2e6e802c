//! The mailbox: found, checked, and spoken to.

use relaybed_abi::{
    Header, Phase, RB_ABI_VERSION, RB_MAGIC, RB_MAILBOX_SIZE, RB_NONE32, RB_PAGE_SIZE,
};

use super::layout::{BufLayout, ChanLayout};
use super::ram::{aligned, fill, get};
use super::{ObserveError, Ram, Where};
use crate::program::{Checkpoint, Program};

/// Most CPUs any x86-64 kernel can be built for.
const CPUS_POSSIBLE_MAX: u32 = 8192;

/// A mailbox of this ABI version, at an address inside RAM, whose member tables make sense.
///
/// Holding it proves nothing about words that change: [`Mailbox::handshake`] reads them anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    address: u64,
    release: String,
    linux_version: u32,
    cpus_online: u32,
    direct_map: u64,
    pub(super) cpus_possible: u32,
    pub(super) buf: BufLayout,
    pub(super) chan: ChanLayout,
}

/// The words by which host and guest take turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// Last request made.
    pub request_seq: u32,
    /// Last request finished.
    pub done_seq: u32,
    /// What the guest is doing.
    pub phase: Phase,
    /// `-errno`, when the phase is [`Phase::Refused`].
    pub refusal: i32,
    /// Operation the refusal is about, counted over all actors, if it is about one.
    pub refusal_op: Option<u32>,
    /// Checkpoints reached since the module was loaded.
    pub checkpoint_seq: u32,
    /// Last one the host acknowledged.
    pub checkpoint_ack: u32,
    /// Index into [`Program::checkpoints`] of the one reached last; an allegation until
    /// [`Handshake::checkpoint`] has checked it.
    pub checkpoint_label: u32,
    /// Index of that operation, counted over all actors; an allegation.
    pub checkpoint_op: u32,
    /// How often the planted defect struck.
    pub plant_done: u32,
    /// NMIs that the guest has asked for since the module was loaded.
    pub nmi_seq: u32,
    /// Last one the host sent.
    pub nmi_ack: u32,
}

impl Handshake {
    /// Whether an actor waits at a checkpoint that the host has not looked at.
    #[must_use]
    pub fn is_at_checkpoint(&self) -> bool {
        self.checkpoint_seq != self.checkpoint_ack
    }

    /// Whether an actor waits for an NMI that the host has not sent.
    #[must_use]
    pub fn awaits_nmi(&self) -> bool {
        self.nmi_seq != self.nmi_ack
    }

    /// The checkpoint at which an actor of this program waits.
    ///
    /// # Errors
    /// [`ObserveError::Beyond`] or [`ObserveError::Mismatch`] where label and operation are not
    /// those of one checkpoint of the program.
    pub fn checkpoint<'a>(&self, program: &'a Program) -> Result<&'a Checkpoint, ObserveError> {
        let at = Where::Mailbox;
        let Some(checkpoint) = program.checkpoints.get(self.checkpoint_label as usize) else {
            let (what, limit) = ("the checkpoint's label", program.checkpoints.len() as u64);
            let seen = u64::from(self.checkpoint_label) + 1;
            return Err(ObserveError::Beyond {
                what,
                at,
                seen,
                limit,
            });
        };
        let expected = (program.ops_of_actor[checkpoint.actor].start + checkpoint.op) as u64;
        let what = "the checkpoint's operation";
        super::buffer::expect(what, at, self.checkpoint_op.into(), expected)?;
        Ok(checkpoint)
    }
}

impl Mailbox {
    /// Takes the mailbox that the guest announced at `address`.
    ///
    /// # Errors
    /// [`ObserveError`] where there is no mailbox, or none that this program can work with.
    pub fn attach(ram: &dyn Ram, address: u64) -> Result<Self, ObserveError> {
        aligned(address, RB_PAGE_SIZE as u64, "the mailbox", Where::Mailbox)?;
        let header = read_header(ram, address)?;
        // The last byte too, so that sections cannot stick out of RAM.
        let last = address.saturating_add(RB_MAILBOX_SIZE as u64 - 1);
        fill(
            ram,
            last,
            &mut [0],
            "the end of the mailbox",
            Where::Mailbox,
        )?;
        if header.mailbox_size as usize != RB_MAILBOX_SIZE {
            return Err(ObserveError::MailboxSize {
                seen: header.mailbox_size,
            });
        }
        if header.mailbox_pa != address {
            let seen = header.mailbox_pa;
            return Err(ObserveError::MailboxAddress {
                announced: address,
                seen,
            });
        }
        if header.page_size as usize != RB_PAGE_SIZE {
            return Err(ObserveError::PageSize {
                seen: header.page_size,
            });
        }
        let (online, possible) = (header.cpus_online, header.cpus_possible);
        if online == 0 || online > possible || possible > CPUS_POSSIBLE_MAX {
            return Err(ObserveError::Cpus { online, possible });
        }
        let Some(end) = header.release.iter().position(|byte| *byte == 0) else {
            return Err(ObserveError::Release {
                len: header.release.len(),
            });
        };
        Ok(Self {
            address,
            release: String::from_utf8_lossy(&header.release[..end]).into_owned(),
            linux_version: header.linux_version,
            cpus_online: online,
            direct_map: header.direct_map,
            cpus_possible: possible,
            buf: BufLayout::check(&header.buf)?,
            chan: ChanLayout::check(&header.chan)?,
        })
    }

    /// Its guest-physical address.
    #[must_use]
    pub fn address(&self) -> u64 {
        self.address
    }

    /// `uname -r`, as the guest says.
    #[must_use]
    pub fn release(&self) -> &str {
        &self.release
    }

    /// LINUX_VERSION_CODE of the headers the module was built with, as it says.
    #[must_use]
    pub fn linux_version(&self) -> u32 {
        self.linux_version
    }

    /// CPUs online when the module was made ready, as it says.
    #[must_use]
    pub fn cpus_online(&self) -> u32 {
        self.cpus_online
    }

    /// Kernel address of guest-physical 0, as the guest says: good for stopping vCPUs at, not for reading.
    #[must_use]
    pub fn direct_map(&self) -> u64 {
        self.direct_map
    }

    /// The header as it is now; magic number and version are checked again, nothing else.
    ///
    /// # Errors
    /// [`ObserveError::Magic`] or [`ObserveError::Version`] where something overwrote it since.
    pub fn header(&self, ram: &dyn Ram) -> Result<Header, ObserveError> {
        read_header(ram, self.address)
    }

    /// The handshake words as they are now.
    ///
    /// # Errors
    /// As [`Mailbox::header`], and [`ObserveError::Code`] for a phase there is not.
    pub fn handshake(&self, ram: &dyn Ram) -> Result<Handshake, ObserveError> {
        let header = self.header(ram)?;
        let phase = Phase::try_from(header.phase).map_err(|source| ObserveError::Code {
            at: Where::Mailbox,
            source,
        })?;
        Ok(Handshake {
            request_seq: header.request_seq,
            done_seq: header.done_seq,
            phase,
            refusal: header.refusal,
            refusal_op: (header.refusal_op != RB_NONE32).then_some(header.refusal_op),
            checkpoint_seq: header.checkpoint_seq,
            checkpoint_ack: header.checkpoint_ack,
            checkpoint_label: header.checkpoint_label,
            checkpoint_op: header.checkpoint_op,
            plant_done: header.plant_done,
            nmi_seq: header.nmi_seq,
            nmi_ack: header.nmi_ack,
        })
    }

    /// What to write, and where, before [`Mailbox::request`]: the program's sections.
    pub fn program<'a>(&self, program: &'a Program) -> impl Iterator<Item = (u64, &'a [u8])> {
        let base = self.address;
        program
            .writes
            .iter()
            .map(move |(at, bytes)| (base + u64::from(*at), bytes.as_slice()))
    }

    /// What to write, and where, to ask for the program in the mailbox to be run; last of all.
    #[must_use]
    pub fn request(&self, now: &Handshake) -> (u64, [u8; 4]) {
        let at = std::mem::offset_of!(Header, request_seq) as u64;
        (
            self.address + at,
            now.request_seq.wrapping_add(1).to_le_bytes(),
        )
    }

    /// What to write, and where, to let the actor that waits at a checkpoint go on.
    #[must_use]
    pub fn acknowledge(&self, now: &Handshake) -> (u64, [u8; 4]) {
        let at = std::mem::offset_of!(Header, checkpoint_ack) as u64;
        (self.address + at, now.checkpoint_seq.to_le_bytes())
    }

    /// What to write, and where, to say that the NMI asked for was sent.
    #[must_use]
    pub fn sent_nmi(&self, now: &Handshake) -> (u64, [u8; 4]) {
        let at = std::mem::offset_of!(Header, nmi_ack) as u64;
        (self.address + at, now.nmi_seq.to_le_bytes())
    }
}

fn read_header(ram: &dyn Ram, address: u64) -> Result<Header, ObserveError> {
    let header: Header = get(ram, address, "the mailbox", Where::Mailbox)?;
    if header.magic != RB_MAGIC {
        return Err(ObserveError::Magic {
            address,
            seen: header.magic,
        });
    }
    if header.abi_version != RB_ABI_VERSION {
        return Err(ObserveError::Version {
            seen: header.abi_version,
        });
    }
    Ok(header)
}
