//! What the model says of a case.

use relaybed_abi::ChanState;

use super::behaviour::Behaviour;
use super::buffer::{Buffer, Fate, Piece, SwitchCall};
use super::order::{At, Order};

/// Everything that a correct kernel must show, as far as it is determined.
#[derive(Clone, Debug)]
pub struct Prediction {
    /// The kernel's release, as data.
    pub behaviour: Behaviour,
    /// CPUs that have buffers.
    pub online_cpus: u32,
    /// What happens before what.
    pub order: Order,
    /// The checkpoints, and last the end.
    pub moments: Vec<Moment>,
    /// By actor and operation.
    pub ops: Vec<Vec<OpPrediction>>,
    /// By channel and CPU: all calls of `subbuf_start`; `None` where not determined.
    pub calls: Vec<Vec<Option<Vec<SwitchCall>>>>,
    /// By channel and CPU: the buffer is predicted from beginning to end.
    pub exact: Vec<Vec<bool>>,
    /// By channel and CPU: operations may meet in the buffer that relay leaves to its client to keep
    /// apart, so that nothing about it is specified.
    pub unsafe_races: Vec<Vec<bool>>,
    /// `buf_unmapped` is called for each part in which a mapping goes.
    pub unmaps_parts: bool,
    /// By channel: how its files come and go, by CPU; `None` where not determined.
    pub files: Vec<Option<Vec<FileCalls>>>,
    /// What the kernel says of its reference counts, each once; nothing, as documented.
    pub warnings: Vec<RefWarning>,
    /// Memory is used that was given back: nothing that is predicted is certain.
    pub uses_freed: bool,
}

/// What a kernel says of a reference count that is used wrongly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefWarning {
    /// One more of something that has none.
    AddedToNone,
    /// One more of something whose count is given up.
    AddedToSaturated,
    /// One less of something whose count is given up.
    TakenFromSaturated,
}

/// What becomes of one channel buffer's file before the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileCalls {
    /// How often `create_buf_file` makes it.
    pub made: u64,
    /// How often `remove_buf_file` is called for it.
    pub removed: u64,
    /// How often `create_buf_file` is called for it and makes no file.
    pub denied: u64,
    /// Bytes of the name under which it was made last.
    pub name_bytes: usize,
}

/// The channels at a checkpoint or at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The checkpoint's operation; `None`: the end.
    pub at: Option<At>,
    /// One an entry of `Case::channels`.
    pub channels: Vec<ChannelMoment>,
}

/// One channel at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelMoment {
    /// Its state, where determined.
    pub state: Option<ChanState>,
    /// `last_toobig`, where the kernel has it and it is determined.
    pub last_toobig: Option<u64>,
    /// Pieces of memory that relay still holds for it, where determined: once it is closed and no
    /// descriptor or mapping is left.
    pub held: Option<u32>,
    /// By CPU; empty unless the channel is open for sure.
    pub buffers: Vec<BufferMoment>,
    /// By CPU: no operation on the buffer is under way at this moment.
    pub still: Vec<bool>,
    /// By CPU: whether it has a buffer, where determined; empty unless the channel is open.
    pub there: Vec<Option<bool>>,
}

/// One channel buffer at a moment: `None` where not determined.
pub type BufferMoment = Option<Buffer>;

/// One `read()` call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadPrediction {
    /// What it gives; places are counted from its first byte.
    pub pieces: Vec<Piece>,
    /// How many bytes that is.
    pub bytes: u32,
}

/// What a reader with a mapping sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// The buffer at that moment.
    pub buffer: Box<Buffer>,
    /// Bytes from its start that the mapping was asked to cover; relay rounds them up to pages only to
    /// compare them with the buffer's size.
    pub len: u64,
}

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatPrediction {
    /// Its size in bytes, where determined.
    pub size: Option<u64>,
    /// Whether its name is still there.
    pub is_named: bool,
}

/// What is determined of an operation's result. `None`: not determined.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpPrediction {
    /// Positive errno, 0 for success.
    pub error: Option<u32>,
    /// The value returned.
    pub value: Option<u64>,
    /// Records refused.
    pub refused: Option<u64>,
    /// Fates of a write operation's records.
    pub fates: Option<Vec<Fate>>,
    /// The calls of a read operation.
    pub reads: Option<Vec<ReadPrediction>>,
    /// What a copy of a mapping shows.
    pub copied: Option<Copied>,
    /// What `stat()` tells.
    pub stat: Option<StatPrediction>,
    /// The names that a directory has, sorted.
    pub names: Option<Vec<String>>,
    /// It can give no result since it waits for ever.
    pub stuck: bool,
}

impl Prediction {
    /// The moment of the checkpoint at `at`, or of the end.
    #[must_use]
    pub fn moment(&self, at: Option<(usize, usize)>) -> Option<&Moment> {
        let at = at.map(|(actor, op)| At { actor, op });
        self.moments.iter().find(|moment| moment.at == at)
    }

    /// The prediction for one operation.
    #[must_use]
    pub fn op(&self, actor: usize, op: usize) -> Option<&OpPrediction> {
        self.ops.get(actor)?.get(op)
    }

    /// What becomes of a buffer's file, where that is determined.
    pub(super) fn file(&mut self, channel: usize, cpu: usize) -> Option<&mut FileCalls> {
        self.files.get_mut(channel)?.as_mut()?.get_mut(cpu)
    }

    /// Whether the buffer is predicted from beginning to end.
    #[must_use]
    pub fn is_exact(&self, channel: usize, cpu: usize) -> bool {
        self.exact
            .get(channel)
            .and_then(|cpus| cpus.get(cpu))
            .copied()
            .unwrap_or(false)
    }

    /// Whether anything about the buffer is specified: see [`Self::unsafe_races`].
    #[must_use]
    pub fn is_specified(&self, channel: usize, cpu: usize) -> bool {
        let cpus = self.unsafe_races.get(channel);
        !cpus
            .and_then(|cpus| cpus.get(cpu))
            .copied()
            .unwrap_or(false)
    }

    /// Buffers that are predicted from beginning to end.
    #[must_use]
    pub fn exact_buffers(&self) -> u64 {
        self.exact.iter().flatten().filter(|exact| **exact).count() as u64
    }
}

impl OpPrediction {
    /// It succeeds, and returns this where known.
    #[must_use]
    pub fn ok(value: Option<u64>) -> Self {
        Self {
            error: Some(0),
            value,
            ..Self::default()
        }
    }

    /// It fails with this errno.
    #[must_use]
    pub fn failed(errno: u32) -> Self {
        Self {
            error: Some(errno),
            ..Self::default()
        }
    }
}
