//! Everything that guest memory can hold that cannot be evidence.

use std::fmt;

use relaybed_abi::{RB_ABI_VERSION, RB_MAGIC, RB_MAILBOX_SIZE, RB_PAGE_SIZE, UnknownCode};

use super::OutOfRam;

/// Which part of the guest's report an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Where {
    /// The mailbox itself.
    Mailbox,
    /// A channel of the case, by its index.
    Channel(usize),
    /// A channel's buffer: channel and CPU.
    Buffer(usize, u32),
    /// An actor's operation: both by index.
    Operation(usize, usize),
    /// A slot of the event log.
    Event(usize),
}

impl fmt::Display for Where {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mailbox => write!(f, "mailbox"),
            Self::Channel(channel) => write!(f, "channel {channel}"),
            Self::Buffer(channel, cpu) => write!(f, "channel {channel}, CPU {cpu}"),
            Self::Operation(actor, op) => write!(f, "actor {actor}, operation {op}"),
            Self::Event(slot) => write!(f, "event {slot}"),
        }
    }
}

/// Guest memory that does not hold what it should.
///
/// Unless the text says otherwise, the guest is damaged (see its console) or the module in it is of
/// another build than this program; the same scenario in a fresh guest tells the two apart.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ObserveError {
    /// An address from the guest leads out of RAM.
    #[error(
        "{at}: {what} is not in the guest's {ram_bytes:#x} bytes of RAM; \
         the guest is damaged, see its console"
    )]
    OutOfRam {
        /// What should be there.
        what: &'static str,
        /// Where the address came from.
        at: Where,
        /// Size of RAM.
        ram_bytes: u64,
        /// The range.
        source: OutOfRam,
    },
    /// An address that no such structure can have.
    #[error("{at}: {what} cannot be at {address:#x}, which is not a multiple of {alignment}")]
    Misaligned {
        /// What should be there.
        what: &'static str,
        /// Where the address came from.
        at: Where,
        /// The address.
        address: u64,
        /// What it must be a multiple of.
        alignment: u64,
    },
    /// No mailbox at the address announced.
    #[error(
        "no mailbox at {address:#x}: its magic number is {seen:#018x} instead of {:#018x}; \
         the doorbell line was garbled or the module is not relaybed's",
        RB_MAGIC
    )]
    Magic {
        /// The address announced.
        address: u64,
        /// The number there.
        seen: u64,
    },
    /// The module speaks another version of the ABI.
    #[error(
        "the guest's module speaks ABI version {seen}, this program version {}; \
         build the guest again with this program",
        RB_ABI_VERSION
    )]
    Version {
        /// The version in the mailbox.
        seen: u32,
    },
    /// The mailbox has another size than the ABI's.
    #[error(
        "the mailbox says it has {seen} bytes, this ABI version's has {}",
        RB_MAILBOX_SIZE
    )]
    MailboxSize {
        /// The size in the mailbox.
        seen: u32,
    },
    /// The mailbox says it is elsewhere.
    #[error("the mailbox announced at {announced:#x} says that it is at {seen:#x}")]
    MailboxAddress {
        /// Where it was found.
        announced: u64,
        /// Where it says it is.
        seen: u64,
    },
    /// A page size that this program does not know.
    #[error(
        "the guest's pages have {seen} bytes; only pages of {} are supported",
        RB_PAGE_SIZE
    )]
    PageSize {
        /// The size in the header.
        seen: u32,
    },
    /// Counts of CPUs that no machine has.
    #[error("the guest counts {online} CPUs online of {possible} possible")]
    Cpus {
        /// CPUs online.
        online: u32,
        /// CPUs possible.
        possible: u32,
    },
    /// The release is no text.
    #[error("the guest's release is not terminated within {len} bytes")]
    Release {
        /// Size of the member.
        len: usize,
    },
    /// A structure of the kernel with a size it cannot have.
    #[error("the module says that {structure} has {seen} bytes; 1 to {limit} can be")]
    StructureSize {
        /// The structure.
        structure: &'static str,
        /// The size given.
        seen: u16,
        /// Largest believed.
        limit: u16,
    },
    /// A member that cannot be one.
    #[error(
        "the module says that member {member} of {structure} is at {offset} with {size} bytes: {why}"
    )]
    Member {
        /// The structure.
        structure: &'static str,
        /// The member.
        member: &'static str,
        /// Its offset.
        offset: u16,
        /// Its size.
        size: u16,
        /// What is wrong with that.
        why: &'static str,
    },
    /// A number that names no choice.
    #[error("{at}: {source}")]
    Code {
        /// Where it stood.
        at: Where,
        /// The number and what it should be.
        source: UnknownCode,
    },
    /// Two places that must agree do not.
    #[error("{at}: {what} is {seen}, not {expected}")]
    Mismatch {
        /// The quantity, and where it was read.
        what: &'static str,
        /// Channel or buffer.
        at: Where,
        /// What was read.
        seen: u64,
        /// What it must be.
        expected: u64,
    },
    /// A count or range beyond what there can be.
    #[error("{at}: {what} reaches to {seen}, but there are {limit}")]
    Beyond {
        /// What is counted.
        what: &'static str,
        /// Where it was read.
        at: Where,
        /// The count, or the end of the range.
        seen: u64,
        /// The limit.
        limit: u64,
    },
    /// One piece of memory is said to be two things.
    #[error("{at}: {what} at {address:#x} is in use for something else already")]
    Alias {
        /// What it is said to be.
        what: &'static str,
        /// By which buffer or channel.
        at: Where,
        /// The address.
        address: u64,
    },
}
