//! A case: one scenario file with its parameters resolved, in the terms of the model.
//!
//! `lang` makes cases out of files, `program` makes operations for the guest out of a case, `model`
//! predicts what a correct kernel does with it and `judge` compares that with the evidence. A case is
//! a plain value: indices are valid, names are resolved, sizes are checked against the limits of the
//! ABI. What relay itself must refuse (a sub-buffer size of 0, say) is kept, since refusal is a result.

mod turns;

pub use turns::take_turns;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

mod calls;
mod client;

pub use calls::{Access, FileCall, Map, Whence};
pub use client::{Answer, Callbacks, Client, Denied, Need, Refuse, Stall};

/// Index of a channel in [`Case::channels`].
pub type ChannelIndex = usize;
/// Index of an actor in [`Case::actors`].
pub type ActorIndex = usize;
/// Index of a gate in [`Case::gates`].
pub type GateIndex = usize;
/// Number of a CPU as the kernel counts them.
pub type Cpu = u32;
/// CPUs of the machine of a case that asks for no number of them.
pub const DEFAULT_VCPUS: u32 = 2;
/// Slot of a descriptor, unique over all user actors of a case.
pub type FileSlot = usize;

/// One scenario with all its parameters chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// `suite/file` and, where the file has parameters, `[len=100,mode=overwrite]`. Stable and unique.
    pub name: String,
    /// The sentence that says what the scenario shows.
    pub summary: String,
    /// CPUs of the machine it is for: it gets at least so many, and every CPU named below is smaller.
    pub vcpus: u32,
    /// Draws record lengths.
    pub seed: u64,
    /// What the kernel must have; where it lacks something the case is skipped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<Need>,
    /// Channels, in the order of the file.
    pub channels: Vec<Channel>,
    /// Actors, in the order of the file; `cpu = "each"` is expanded to one for every CPU.
    pub actors: Vec<Actor>,
    /// Names of gates.
    pub gates: Vec<String>,
    /// What the author claims beyond the model; checked against the observation, and at check time
    /// against the model where that is exact.
    pub expect: Vec<Expect>,
}

/// What a client's `subbuf_start` callback answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// "Not full", by a callback.
    NoOverwrite,
    /// Always yes.
    Overwrite,
    /// No callback at all: relay's own default, which is no-overwrite.
    Default,
}

/// How the channel's files are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Files {
    /// `debugfs_create_file_unsafe()`: relay's file operations as they are.
    Direct,
    /// `debugfs_create_file()`: through debugfs's proxy, which passes read and poll only.
    Proxy,
    /// No base filename: buffering only.
    None,
}

/// One channel, as it will be given to `relay_open()`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channel {
    /// Its name, and its base filename unless the client wants a longer one: per-CPU files are named that
    /// plus the CPU id.
    pub name: String,
    /// `subbuf_size` in bytes, possibly one that relay refuses.
    pub subbuf_size: u64,
    /// `n_subbufs`, possibly one that relay refuses.
    pub n_subbufs: u64,
    /// What the callback answers.
    pub mode: Mode,
    /// Bytes the callback reserves at the start of each sub-buffer; 0: none.
    pub header_bytes: u32,
    /// How files are made.
    pub files: Files,
    /// Opened before any actor starts; otherwise an actor opens it.
    pub open_at_start: bool,
    /// What its client does beyond that.
    #[serde(default, skip_serializing_if = "Client::is_plain")]
    pub client: Client,
}

impl Channel {
    /// The base filename.
    #[must_use]
    pub fn base(&self) -> Cow<'_, str> {
        match self.client.base_bytes {
            Some(bytes) if bytes as usize > self.name.len() => {
                let more = "x".repeat(bytes as usize - self.name.len());
                Cow::Owned(format!("{}{more}", self.name))
            }
            _ => Cow::Borrowed(&self.name),
        }
    }

    /// Length in bytes of the name of a CPU's file.
    #[must_use]
    pub fn file_name_len(&self, cpu: Cpu) -> usize {
        self.base().len() + cpu.to_string().len()
    }

    /// CPU of the buffer that a write on `cpu` goes to.
    #[must_use]
    pub fn buffer_cpu(&self, cpu: Cpu) -> Cpu {
        if self.client.global { 0 } else { cpu }
    }

    /// How many buffers it has on a machine of so many CPUs.
    #[must_use]
    pub fn buffers(&self, online_cpus: u32) -> u32 {
        if self.client.global {
            online_cpus.min(1)
        } else {
            online_cpus
        }
    }
}

/// Context in which a kernel actor's records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Context {
    /// Kernel thread.
    Task,
    /// Tasklet.
    Softirq,
    /// irq_work.
    Hardirq,
    /// NMI that the CPU sends itself.
    Nmi,
}

/// Where in a write another actor is nested on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NestPoint {
    /// At the first `subbuf_start` that the write brings about. With interrupts out, softirq and hardirq
    /// come right behind the record instead.
    Callback,
    /// With the first slot reserved and half filled.
    Fill,
}

/// A CPU that comes online stands half way, behind relay's preparation and before it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Hold {
    /// The gate that it raises there.
    pub reached: GateIndex,
    /// The gate that it waits for there, until it was raised once.
    pub until: GateIndex,
}

/// Where an actor lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// In the kernel, bound to a CPU.
    Kernel {
        /// The CPU.
        cpu: Cpu,
        /// Context of its records.
        context: Context,
    },
    /// In the kernel, without a thread: its whole script runs on top of another actor's write, once, and
    /// behind it at the latest.
    Nested {
        /// The CPU, the host's too.
        cpu: Cpu,
        /// Context of its records, above the host's.
        context: Context,
        /// The other actor.
        host: ActorIndex,
        /// Its operation, a write to the same channel.
        op: usize,
        /// Where in it.
        at: NestPoint,
    },
    /// A thread in user space, on one CPU or on any.
    User {
        /// The CPU it is bound to, if to one.
        cpu: Option<Cpu>,
    },
}

/// An ordered list of operations, done one after the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// Its name, unique in the case (`writer@1` where expanded).
    pub name: String,
    /// Kernel or user, CPU and context.
    pub place: Place,
    /// What it does.
    pub ops: Vec<Op>,
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

/// A claim of the scenario's author. `None` members claim nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expect {
    /// About one channel buffer, at a checkpoint or at the end.
    Buffer {
        /// Label of a checkpoint; `None`: at the end.
        at: Option<String>,
        /// The channel.
        channel: ChannelIndex,
        /// The CPU.
        cpu: Cpu,
        /// Sub-buffers produced.
        produced: Option<u64>,
        /// Sub-buffers consumed.
        consumed: Option<u64>,
        /// Offset in the current sub-buffer; subbuf_size + 1 marks a full buffer.
        offset: Option<u64>,
        /// Padding of every sub-buffer.
        padding: Option<Vec<u64>>,
    },
    /// Records of an actor that were not accepted, over all its write operations.
    Refused {
        /// The actor.
        actor: ActorIndex,
        /// How many.
        records: u64,
    },
    /// Result of the actor's n-th operation (from 0): what the call returned, or its error number.
    Result {
        /// The actor.
        actor: ActorIndex,
        /// Index into its operations.
        op: usize,
        /// The value returned, if it succeeded.
        value: Option<u64>,
        /// The errno, if it failed.
        error: Option<i32>,
    },
    /// All bytes that one user actor read, in order, as text.
    Text {
        /// The actor.
        actor: ActorIndex,
        /// The text.
        text: String,
    },
    /// relay_open() of the channel is refused.
    OpenRefused {
        /// The channel.
        channel: ChannelIndex,
    },
}

impl Case {
    /// Callbacks that wait at a gate in the middle of a switch.
    pub fn stalls(&self) -> impl Iterator<Item = Stall> + '_ {
        let channels = self.channels.iter();
        channels.filter_map(|channel| channel.client.stall)
    }

    /// The actor that is nested on a write operation, and where.
    #[must_use]
    pub fn guest(&self, actor: ActorIndex, op: usize) -> Option<(ActorIndex, NestPoint)> {
        self.actors.iter().enumerate().find_map(|(guest, script)| {
            let Place::Nested {
                host, op: on, at, ..
            } = script.place
            else {
                return None;
            };
            ((host, on) == (actor, op)).then_some((guest, at))
        })
    }

    /// Whether the CPU goes offline or online in it.
    #[must_use]
    pub fn changes_cpu(&self, cpu: Cpu) -> bool {
        self.actors
            .iter()
            .flat_map(|actor| &actor.ops)
            .any(|op| op.changed_cpu() == Some(cpu))
    }
}

impl Actor {
    /// CPU and context of its records, if it is in the kernel.
    #[must_use]
    pub fn producer(&self) -> Option<(Cpu, Context)> {
        match self.place {
            Place::Kernel { cpu, context } | Place::Nested { cpu, context, .. } => {
                Some((cpu, context))
            }
            Place::User { .. } => None,
        }
    }

    /// Whether it runs on top of another actor's write.
    #[must_use]
    pub fn is_nested(&self) -> bool {
        matches!(self.place, Place::Nested { .. })
    }

    /// CPU it is bound to.
    #[must_use]
    pub fn cpu(&self) -> Option<Cpu> {
        match self.place {
            Place::Kernel { cpu, .. } | Place::Nested { cpu, .. } => Some(cpu),
            Place::User { cpu } => cpu,
        }
    }

    /// Number of its first record in operation `op`: records are numbered over all its writes.
    #[must_use]
    pub fn first_record(&self, op: usize) -> u32 {
        self.ops
            .iter()
            .take(op)
            .map(|op| {
                if let Op::Write { count, .. } | Op::Klog { count, .. } = op {
                    *count
                } else {
                    0
                }
            })
            .sum()
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
            Self::CpuOn { hold, .. } => hold.map(|hold| hold.reached),
            _ => None,
        }
    }

    /// The gate that it waits for, and the count.
    #[must_use]
    pub fn awaited_gate(&self) -> Option<(GateIndex, u32)> {
        match self {
            Self::Wait { gate, count } => Some((*gate, *count)),
            Self::CpuOn { hold, .. } => hold.map(|hold| (hold.until, 1)),
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
