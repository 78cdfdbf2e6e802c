//! Operations of a case's actors.

use serde::{Deserialize, Serialize};

use super::{ActorIndex, ChannelIndex, Cpu, FileCall, FileSlot, GateIndex};

/// Something stands half way: a CPU that comes online, behind relay's preparation and before it runs; or a record
/// whose slot is reserved and not filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Hold {
    /// The gate that it raises there.
    pub reached: GateIndex,
    /// The gate that it waits for there, until it was raised once.
    pub until: GateIndex,
}

/// Which of relay's functions writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Via {
    /// `relay_write()`.
    Write,
    /// `__relay_write()`, interrupts kept out.
    RawWrite,
    /// `__relay_write()` with interrupts as they are.
    RawWriteIrqsOn,
    /// `relay_reserve()`, then filled.
    Reserve,
    /// The same, with a gate between the two.
    ReserveHeld(Hold),
}

impl Via {
    /// Whether it is `relay_reserve()`.
    #[must_use]
    pub const fn is_reserve(self) -> bool {
        matches!(self, Self::Reserve | Self::ReserveHeld(_))
    }

    /// Where a reserved slot waits before it is filled.
    #[must_use]
    pub const fn hold(self) -> Option<Hold> {
        match self {
            Self::ReserveHeld(hold) => Some(hold),
            _ => None,
        }
    }
}

/// What a write operation writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Payload {
    /// Records whose lengths in bytes are drawn from the seed between the two (both included).
    Record {
        /// Smallest length.
        len_min: u32,
        /// Largest length.
        len_max: u32,
    },
    /// These bytes, the same for every record.
    Bytes(Vec<u8>),
    /// This text behind the numbers of actor and record, as klog formats it.
    Formatted(String),
}

/// One operation.
#[expect(
    missing_docs,
    reason = "members are the arguments that the variant's text names"
)]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Op {
    /// `relay_open()`.
    Open { channel: ChannelIndex },
    /// `relay_close()`.
    Close { channel: ChannelIndex },
    /// `count` records, one call each, to the buffer of the actor's CPU.
    Write {
        channel: ChannelIndex,
        via: Via,
        payload: Payload,
        count: u32,
    },
    /// From now on klog goes to this channel, until another is registered or this one is unregistered or
    /// closed.
    KlogRegister { channel: ChannelIndex },
    /// If klog goes to this channel, it goes nowhere from now on.
    KlogUnregister { channel: ChannelIndex },
    /// `count` records by klog, formatted or raw, to whatever channel is registered.
    Klog { payload: Payload, count: u32 },
    /// `relay_flush()`: every buffer of the channel.
    Flush { channel: ChannelIndex },
    /// `relay_reset()`: every buffer of the channel.
    Reset { channel: ChannelIndex },
    /// `relay_subbufs_consumed()`.
    Consumed {
        channel: ChannelIndex,
        cpu: Cpu,
        n: u32,
    },
    /// `relay_buf_full()`.
    BufFull { channel: ChannelIndex, cpu: Cpu },
    /// `relay_switch_subbuf()` of the actor's CPU's buffer, for a record of this many bytes.
    Switch { channel: ChannelIndex, len: u64 },
    /// `relay_late_setup_files()`.
    LateSetup { channel: ChannelIndex },
    /// A function of relay's with NULL in place of the channel.
    Null { call: NullCall },
    /// The gate's count grows by one.
    Signal { gate: GateIndex },
    /// Goes on when the gate's count has reached `count`.
    Wait { gate: GateIndex, count: u32 },
    /// The machine stops and the host observes all buffers.
    Checkpoint { label: String },
    /// Does nothing for a while.
    Delay { microseconds: u32 },
    /// `open()` of a CPU's file.
    FileOpen {
        file: FileSlot,
        channel: ChannelIndex,
        cpu: Cpu,
    },
    /// `close()` of the descriptor.
    FileClose { file: FileSlot },
    /// `times` calls of `read()` with this many bytes; 0 times: until one gives 0.
    FileRead {
        file: FileSlot,
        size: u32,
        times: u32,
    },
    /// `poll()` for POLLIN; no timeout: until something comes.
    FilePoll {
        file: FileSlot,
        timeout_ms: Option<u32>,
    },
    /// `munmap()` of the slot's mapping.
    FileMunmap { file: FileSlot },
    /// Takes the bytes of the slot's mapping as a reader with mmap would.
    FileCopy { file: FileSlot },
    /// Any other system call on a descriptor.
    File { file: FileSlot, call: FileCall },
    /// `stat()` of a CPU's file by its path.
    Stat { channel: ChannelIndex, cpu: Cpu },
    /// The names in the channel's directory.
    List { channel: ChannelIndex },
    /// The CPU goes offline.
    CpuOff { cpu: Cpu },
    /// The CPU comes online.
    CpuOn { cpu: Cpu, hold: Option<Hold> },
    /// This character to `/proc/sysrq-trigger`: how a scenario makes its guest panic or reset.
    Sysrq { key: char },
}

/// What is called without a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NullCall {
    /// `relay_close(NULL)`.
    Close,
    /// `relay_flush(NULL)`.
    Flush,
    /// `relay_reset(NULL)`.
    Reset,
    /// `relay_subbufs_consumed(NULL, 0, 1)`.
    Consumed,
    /// `relay_late_setup_files(NULL, …)`.
    LateSetup,
    /// `relay_late_setup_files()` of a channel, with NULL in place of the name.
    LateName,
}

impl NullCall {
    /// By the words of the scenario language.
    pub const ALL: &[(&str, Self)] = &[
        ("close", Self::Close),
        ("flush", Self::Flush),
        ("reset", Self::Reset),
        ("consumed", Self::Consumed),
        ("late-setup", Self::LateSetup),
        ("late-name", Self::LateName),
    ];

    /// Whether it is `relay_late_setup_files()`, which says what it thinks of it.
    #[must_use]
    pub fn is_late_setup(self) -> bool {
        matches!(self, Self::LateSetup | Self::LateName)
    }
}

impl Op {
    /// The CPU that it puts offline or online.
    #[must_use]
    pub fn changed_cpu(&self) -> Option<Cpu> {
        match self {
            Self::CpuOff { cpu } | Self::CpuOn { cpu, .. } => Some(*cpu),
            _ => None,
        }
    }

    /// The gate that it raises.
    #[must_use]
    pub fn raised_gate(&self) -> Option<GateIndex> {
        match self {
            Self::Signal { gate } => Some(*gate),
            op => op.hold().map(|hold| hold.reached),
        }
    }

    /// The gate that it waits for, and the count.
    #[must_use]
    pub fn awaited_gate(&self) -> Option<(GateIndex, u32)> {
        match self {
            Self::Wait { gate, count } => Some((*gate, *count)),
            op => op.hold().map(|hold| (hold.until, 1)),
        }
    }

    /// Where it stands half way.
    #[must_use]
    pub fn hold(&self) -> Option<Hold> {
        match self {
            Self::CpuOn { hold, .. } => *hold,
            Self::Write { via, .. } => via.hold(),
            _ => None,
        }
    }

    /// The channel that it names; operations on a descriptor name none.
    #[must_use]
    pub fn channel(&self) -> Option<ChannelIndex> {
        match self {
            Self::Open { channel }
            | Self::Close { channel }
            | Self::Write { channel, .. }
            | Self::Flush { channel }
            | Self::Reset { channel }
            | Self::Consumed { channel, .. }
            | Self::BufFull { channel, .. }
            | Self::Switch { channel, .. }
            | Self::LateSetup { channel }
            | Self::KlogRegister { channel }
            | Self::KlogUnregister { channel }
            | Self::FileOpen { channel, .. }
            | Self::File {
                call: FileCall::Open { channel, .. },
                ..
            }
            | Self::Stat { channel, .. }
            | Self::List { channel } => Some(*channel),
            _ => None,
        }
    }
}

impl Payload {
    /// Length in bytes of record (`actor`, `seq`).
    #[must_use]
    pub fn len(&self, seed: u64, actor: ActorIndex, seq: u32) -> u32 {
        match self {
            Self::Record { len_min, len_max } => relaybed_abi::record_len(
                seed,
                u32::try_from(actor).unwrap_or(u32::MAX),
                seq,
                *len_min,
                *len_max,
            ),
            Self::Bytes(bytes) => u32::try_from(bytes.len()).unwrap_or(u32::MAX),
            Self::Formatted(text) => {
                u32::try_from(formatted(actor, seq, text).len()).unwrap_or(u32::MAX)
            }
        }
    }
}

/// What klog makes of a text: the numbers of actor and record, the text, the end of the line; cut to
/// what its buffer holds.
#[must_use]
pub fn formatted(actor: ActorIndex, seq: u32, text: &str) -> Vec<u8> {
    let mut bytes = format!("{actor}.{seq} {text}\n").into_bytes();
    bytes.truncate(relaybed_abi::RB_KLOG_SIZE - 1);
    bytes
}
