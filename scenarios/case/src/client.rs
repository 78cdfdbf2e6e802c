//! What a channel's client does beyond its mode, and what a case needs of a kernel.

use serde::{Deserialize, Serialize};

use super::{Cpu, GateIndex};

/// What the client of a channel does that an ordinary one does not: its callbacks, and what it gives to
/// `relay_open()`. The default is the ordinary client.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Client {
    /// `create_buf_file` declares the channel global: one buffer, under CPU 0, for all CPUs.
    pub global: bool,
    /// No parent directory is given, so files lie in the root of debugfs.
    pub root: bool,
    /// Which callbacks it has.
    pub callbacks: Callbacks,
    /// The base filename is the channel's name, drawn out with `x` to this many bytes.
    pub base_bytes: Option<u32>,
    /// Calls of `subbuf_start` that refuse whatever the mode says.
    pub refuse: Option<Refuse>,
    /// A call of `subbuf_start` that waits at a gate.
    pub stall: Option<Stall>,
    /// Calls of `create_buf_file` that do not make the file.
    pub create: Option<Denied>,
    /// Calls of `create_buf_file` that wait at a gate once they have made it.
    pub created: Option<Created>,
    /// Openings that find no memory.
    pub no_memory: Option<NoMemory>,
}

impl Client {
    /// Whether it is the ordinary one.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }
}

/// The callbacks that `relay_open()` is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Callbacks {
    /// All that the mode asks for.
    #[default]
    All,
    /// None: a NULL pointer.
    None,
    /// Without `create_buf_file`.
    NoCreate,
    /// Without `remove_buf_file`.
    NoRemove,
}

/// Refused switches. Calls of `subbuf_start` are counted by buffer from 1, from the opening on, without
/// those of opening and resetting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Refuse {
    /// The first call that refuses.
    pub from: u32,
    /// How many in a row do.
    pub count: u32,
}

impl Refuse {
    /// Whether this call refuses.
    #[must_use]
    pub fn covers(&self, call: u64) -> bool {
        call.checked_sub(self.from.into())
            .is_some_and(|behind| self.from > 0 && behind < self.count.into())
    }
}

/// A callback that waits in the middle of a switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stall {
    /// CPU of the buffer.
    pub cpu: Cpu,
    /// The call, counted as for [`Refuse`].
    pub at: u32,
    /// Gate that it signals first.
    pub signal: GateIndex,
    /// Gate that it then waits for.
    pub wait: GateIndex,
    /// It does so once it has accepted and reserved its header; else before it decides.
    #[serde(default)]
    pub late: bool,
}

/// A `create_buf_file` that waits once it has made the file: everybody can open it, and relay goes on only then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Created {
    /// For which CPU; `None`: for every one.
    pub cpu: Option<Cpu>,
    /// Gate that it signals first.
    pub signal: GateIndex,
    /// Gate that it then waits for.
    pub wait: GateIndex,
}

impl Created {
    /// Whether it is so for this CPU's file.
    #[must_use]
    pub fn covers(&self, cpu: usize) -> bool {
        self.cpu.is_none_or(|own| own as usize == cpu)
    }
}

/// Files that `create_buf_file` does not make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denied {
    /// For which CPU.
    pub cpu: Cpu,
    /// What it answers instead.
    pub answer: Answer,
    /// How many calls for that CPU make the file before.
    pub skip: u32,
    /// How many calls for that CPU then do not make it.
    pub times: u32,
}

/// An answer of `create_buf_file` that is no file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// NULL.
    Null,
    /// An error pointer.
    Error,
}

/// Openings for which one allocation fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoMemory {
    /// What there is no memory for.
    #[serde(rename = "for")]
    pub wanted: Wanted,
    /// CPU of the buffer; 0 for what a channel has only one of.
    pub cpu: Cpu,
    /// How many openings of the channel fail so, from the first on.
    pub times: u32,
}

/// What `relay_open()` allocates, in this order; from the buffer on for each CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wanted {
    /// `struct rchan`.
    Channel,
    /// Its per-CPU pointers to buffers.
    Pointers,
    /// `struct rchan_buf`.
    Buffer,
    /// Its padding array.
    Padding,
    /// Its list of pages.
    PageList,
    /// Its last page.
    Page,
    /// The mapping of its pages.
    Mapping,
    /// The name of its file.
    Name,
}

impl Wanted {
    /// By the words of the scenario language.
    pub const ALL: &[(&str, Self)] = &[
        ("channel", Self::Channel),
        ("pointers", Self::Pointers),
        ("buffer", Self::Buffer),
        ("padding", Self::Padding),
        ("page-list", Self::PageList),
        ("page", Self::Page),
        ("mapping", Self::Mapping),
        ("name", Self::Name),
    ];

    /// Whether each CPU's buffer has its own.
    #[must_use]
    pub fn is_of_buffer(self) -> bool {
        !matches!(self, Self::Channel | Self::Pointers)
    }
}

/// Something that not every release of relay has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Need {
    /// `relay_late_setup_files()`.
    LateSetup,
    /// Relay's own `splice_read`.
    Splice,
    /// `rchan.last_toobig`, `rchan_buf.prev_padding` and the callback's argument of that name.
    PrevPadding,
    /// `rchan_buf.stats`.
    Statistics,
    /// The callbacks `buf_mapped` and `buf_unmapped`.
    BufMapped,
}

impl Need {
    /// All of them, by the name that scenarios use.
    pub const ALL: [(&'static str, Self); 5] = [
        ("late-setup", Self::LateSetup),
        ("splice", Self::Splice),
        ("prev-padding", Self::PrevPadding),
        ("statistics", Self::Statistics),
        ("buf-mapped", Self::BufMapped),
    ];
}
