//! The state of a run on the model beside the buffers: channels, their files, descriptors and mappings.

use std::collections::BTreeMap;

use relaybed_abi::ChanState;
use relaybed_case::{Access, Map};

use super::buffer::Buffer;
use super::order::At;
use super::predict::Key;

/// A channel while it is simulated.
#[derive(Clone, Debug)]
pub struct Live {
    /// Its state as the module has it.
    pub state: ChanState,
    /// `relay_open()` is under way: its files can be opened before the module has the channel.
    pub opening: bool,
    /// The buffer whose file is made and with which relay has not begun.
    pub unready: Option<FileOf>,
    /// Grows with every opening, so that descriptors of an earlier one are told apart.
    pub generation: u32,
    /// Counts openings over all channels: the higher, the newer.
    pub opened: u32,
    /// Its files came with `relay_late_setup_files()`.
    pub late: bool,
    /// How often `create_buf_file` was called for the CPU whose file the client may not make.
    pub asked: u32,
    /// How often it was opened, or tried to be.
    pub openings: u32,
    /// By CPU of the machine; those that do not exist are empty.
    pub buffers: Vec<Buffer>,
    /// By CPU: the channel has this buffer.
    pub there: Vec<bool>,
    /// Buffers of earlier openings that descriptors may still reach.
    pub closed: Vec<(u32, Vec<Buffer>)>,
    /// The files that are in its directory, by name.
    pub names: BTreeMap<String, FileOf>,
    /// Operations that met a record too big and are before no other such, with its length: each may have
    /// been the last.
    pub toobig: Vec<(At, u64)>,
    /// Pieces of memory that nobody can give back any more.
    pub lost_pieces: u32,
}

/// Which buffer a file is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileOf {
    /// The CPU.
    pub cpu: usize,
    /// The opening of the channel that made the buffer.
    pub generation: u32,
}

impl Live {
    /// A channel that was never opened.
    pub(super) fn never() -> Self {
        Self {
            state: ChanState::Never,
            opening: false,
            unready: None,
            generation: 0,
            opened: 0,
            late: false,
            asked: 0,
            openings: 0,
            buffers: Vec::new(),
            there: Vec::new(),
            closed: Vec::new(),
            names: BTreeMap::new(),
            toobig: Vec::new(),
            lost_pieces: 0,
        }
    }

    /// Whether it is a buffer of the channel as it is now.
    #[must_use]
    pub fn has(&self, of: FileOf) -> bool {
        self.generation == of.generation && (self.state == ChanState::Open || self.opening)
    }

    /// The buffer of one opening and CPU, whether the channel still has it or not.
    pub fn buffer_mut(&mut self, of: FileOf) -> Option<&mut Buffer> {
        if self.has(of) {
            return self.buffers.get_mut(of.cpu);
        }
        let mut closed = self.closed.iter_mut();
        closed
            .find(|(generation, _)| *generation == of.generation)
            .and_then(|(_, buffers)| buffers.get_mut(of.cpu))
    }

    /// The same, to look at.
    #[must_use]
    pub fn buffer(&self, of: FileOf) -> Option<&Buffer> {
        if self.has(of) {
            return self.buffers.get(of.cpu);
        }
        let mut closed = self.closed.iter();
        closed
            .find(|(generation, _)| *generation == of.generation)
            .and_then(|(_, buffers)| buffers.get(of.cpu))
    }
}

/// A descriptor that is open for sure.
#[derive(Clone, Copy, Debug)]
pub struct Descriptor {
    /// The channel buffer.
    pub key: Key,
    /// The opening of the channel that it is of.
    pub generation: u32,
    /// What it was opened for.
    pub access: Access,
    /// The operation that opened the file; descriptors made by `dup()` share it, and its position.
    pub file: At,
}

impl Descriptor {
    /// The buffer.
    #[must_use]
    pub fn of(&self) -> FileOf {
        FileOf {
            cpu: self.key.1,
            generation: self.generation,
        }
    }
}

/// A mapping that is there for sure; closing its descriptor does not end it.
#[derive(Clone, Copy, Debug)]
pub struct Mapped {
    /// What was mapped.
    pub of: Descriptor,
    /// What was asked for, and its length as it is now.
    pub map: Map,
    /// Pages of a private mapping that were written to are the mapping's own.
    pub is_own: bool,
}

/// References to buffers that relay does not count: none, as documented.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Uncounted {
    /// Open files that are not counted, by the operations that opened them.
    pub files: Vec<At>,
    /// References given back that were never counted, by channel.
    pub given_back: Vec<(usize, FileOf)>,
    /// Buffers that went for want of references, by channel.
    pub gone: Vec<(usize, FileOf)>,
}

/// What is known of a slot.
#[derive(Clone, Copy, Debug)]
pub enum Slot {
    /// A descriptor.
    Open(Descriptor),
    /// None.
    Failed,
    /// Not determined.
    Unknown,
}
