//! One channel buffer: a ring of sub-buffers, what is in it, and how writing changes it.

use relaybed_case::{Channel, Files, Mode, Refuse};

use super::units::{Consumed, Produced, Slot};

/// Size of a page of the guest; `alloc_size` is a multiple of it.
const PAGE: u64 = relaybed_abi::RB_PAGE_SIZE as u64;

/// Sizes and mode of a channel, as accepted by `relay_open()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Geometry {
    /// Bytes of a sub-buffer: S.
    pub subbuf_size: u64,
    /// Sub-buffers of a buffer: N.
    pub n_subbufs: u64,
    /// Whether `subbuf_start` always accepts.
    pub overwrite: bool,
    /// Bytes that `subbuf_start` reserves in each sub-buffer.
    pub header_bytes: u64,
    /// Whether it has a file, whose size then counts bytes.
    pub has_file: bool,
    /// Calls of `subbuf_start` that refuse whatever the mode says.
    pub refuse: Option<Refuse>,
}

impl Geometry {
    /// Geometry of a channel of a case.
    #[must_use]
    pub fn of(channel: &Channel) -> Self {
        Self {
            subbuf_size: channel.subbuf_size,
            n_subbufs: channel.n_subbufs,
            overwrite: channel.mode == Mode::Overwrite,
            header_bytes: if channel.mode == Mode::Default {
                0
            } else {
                u64::from(channel.header_bytes)
            },
            has_file: channel.files != Files::None,
            refuse: channel.client.refuse,
        }
    }

    /// Bytes allocated a buffer: all sub-buffers, rounded up to pages.
    #[must_use]
    pub fn alloc_size(&self) -> u64 {
        self.subbuf_size
            .saturating_mul(self.n_subbufs)
            .div_ceil(PAGE)
            * PAGE
    }
}

/// What bytes in a buffer are a part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// A record of an actor's write operation.
    Record {
        /// The actor.
        actor: u16,
        /// Its operation.
        op: u16,
        /// Number of the record over all operations of the actor.
        seq: u32,
    },
    /// The header that `subbuf_start` reserved.
    Header {
        /// Sub-buffers produced when it was called.
        produced: u64,
    },
    /// What a user wrote through a mapping.
    Stored {
        /// The actor.
        actor: u16,
        /// Its operation.
        op: u16,
    },
}

/// Adjacent bytes of one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Piece {
    /// What they are part of.
    pub source: Source,
    /// Where they start: in the sub-buffer, or in the bytes read.
    pub start: u32,
    /// How many.
    pub len: u32,
    /// Which byte of the source is the first.
    pub from: u32,
    /// How many bytes the source has.
    pub total: u32,
}

impl Piece {
    /// First byte behind it.
    #[must_use]
    pub fn end(&self) -> u32 {
        self.start + self.len
    }

    /// Whether it is all of its source.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.from == 0 && self.len == self.total
    }

    /// The part of it in `start..end`, if any.
    #[must_use]
    pub fn clip(&self, start: u32, end: u32) -> Option<Self> {
        let from = self.start.max(start);
        let to = self.end().min(end);
        (from < to).then(|| Self {
            start: from,
            len: to - from,
            from: self.from + (from - self.start),
            ..*self
        })
    }
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fate {
    /// It is in the buffer.
    Accepted,
    /// `subbuf_start` said no, or there was nothing to reserve.
    Refused,
    /// It fits no sub-buffer.
    TooBig,
}

/// One call of `subbuf_start`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SwitchCall {
    /// Slot of the new sub-buffer.
    pub new: Slot,
    /// Slot of the old one; `None` when the buffer was opened or reset.
    pub old: Option<Slot>,
    /// Sub-buffers produced at that moment.
    pub produced: Produced,
    /// Sub-buffers consumed at that moment.
    pub consumed: Consumed,
    /// The argument, where the kernel has it.
    pub prev_padding: u64,
    /// What a correct callback returns.
    pub accepted: bool,
}

/// Contents of one sub-buffer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Subbuf {
    /// What was written since it was last begun, adjacent from byte 0.
    pub current: Vec<Piece>,
    /// What was there before, under it and behind it; sorted by start.
    pub old: Vec<Piece>,
}

impl Subbuf {
    /// Bytes written since it was last begun.
    #[must_use]
    pub fn fill(&self) -> u32 {
        self.current.last().map_or(0, Piece::end)
    }

    /// What still shows of earlier laps, behind the fill.
    pub fn remains(&self) -> impl Iterator<Item = Piece> + '_ {
        let fill = self.fill();
        let first = self.old.partition_point(|piece| piece.end() <= fill);
        self.old[first..]
            .iter()
            .filter_map(move |piece| piece.clip(fill, u32::MAX))
    }

    fn begin(&mut self) {
        let fill = self.fill();
        let first = self.old.partition_point(|piece| piece.end() <= fill);
        let tail = self.old.split_off(first);
        self.old.clear();
        std::mem::swap(&mut self.old, &mut self.current);
        self.old
            .extend(tail.iter().filter_map(|piece| piece.clip(fill, u32::MAX)));
    }
}

/// One channel buffer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Buffer {
    /// Sizes and mode.
    pub geometry: Geometry,
    /// P.
    pub produced: Produced,
    /// C.
    pub consumed: Consumed,
    /// O; S + 1 marks a full buffer.
    pub offset: u64,
    /// The current sub-buffer.
    pub data: Slot,
    /// Padding of each sub-buffer.
    pub padding: Vec<u64>,
    /// Bytes read of the first sub-buffer that is not consumed.
    pub bytes_consumed: u64,
    /// Whether the channel was closed.
    pub finalized: bool,
    /// Padding of the sub-buffer completed last.
    pub prev_padding: u64,
    /// Bytes in all sub-buffers ever completed; resetting keeps it.
    pub completed_bytes: u64,
    /// `subbuf_start` calls since the opening, without those of opening and resetting.
    pub calls: u64,
    /// `subbuf_start` calls that met a full buffer.
    pub full_count: u64,
    /// Records that were too big.
    pub big_count: u64,
    /// Length of the last record that was too big; 0: none.
    pub last_toobig: u64,
    /// Contents, by slot.
    pub subbufs: Vec<Subbuf>,
    /// What lies behind the last sub-buffer, up to the end of its page, counted from there; sorted by start. Nothing
    /// is ever written there.
    pub behind: Vec<Piece>,
    /// False once `relay_subbufs_consumed()` moved past a partly read sub-buffer: where the next
    /// read starts is then documented nowhere.
    pub position_known: bool,
    /// A user wrote into it through a mapping, so that it need not hold whole records.
    pub stored: bool,
}

enum Switched {
    Done,
    Refused,
    TooBig,
}

impl Buffer {
    /// A buffer as `relay_open()` leaves it.
    #[must_use]
    pub fn open(geometry: Geometry, log: &mut Vec<SwitchCall>) -> Self {
        let slots = usize::try_from(geometry.n_subbufs).unwrap_or(0);
        let mut buffer = Self {
            geometry,
            produced: Produced(0),
            consumed: Consumed(0),
            offset: 0,
            data: Slot(0),
            padding: vec![0; slots],
            bytes_consumed: 0,
            finalized: false,
            prev_padding: 0,
            completed_bytes: 0,
            calls: 0,
            full_count: 0,
            big_count: 0,
            last_toobig: 0,
            subbufs: vec![Subbuf::default(); slots],
            behind: Vec::new(),
            position_known: true,
            stored: false,
        };
        buffer.reset(log);
        buffer
    }

    /// Sub-buffers can take no more: `relay_buf_full()`.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.produced.ready(self.consumed) >= self.geometry.n_subbufs
    }

    /// Marked full: the last switch was refused.
    #[must_use]
    pub fn is_marked_full(&self) -> bool {
        self.offset > self.geometry.subbuf_size
    }

    /// `relay_reset()`: everything starts anew, but the bytes and the file size stay.
    pub fn reset(&mut self, log: &mut Vec<SwitchCall>) {
        self.produced = Produced(0);
        self.consumed = Consumed(0);
        self.bytes_consumed = 0;
        self.finalized = false;
        self.full_count = 0;
        self.big_count = 0;
        self.position_known = true;
        self.padding.fill(0);
        for subbuf in &mut self.subbufs {
            subbuf.begin();
        }
        self.data = Slot(0);
        self.offset = 0;
        log.push(SwitchCall {
            new: Slot(0),
            old: None,
            produced: self.produced,
            consumed: self.consumed,
            prev_padding: 0,
            accepted: true,
        });
        self.reserve_header();
    }

    /// A write of `len` bytes; `reserve`: by `relay_reserve()`.
    pub fn write(
        &mut self,
        source: Source,
        len: u32,
        reserve: bool,
        log: &mut Vec<SwitchCall>,
    ) -> Fate {
        let bytes = u64::from(len);
        if self.offset + bytes > self.geometry.subbuf_size {
            match self.switch(bytes, log) {
                Switched::Done if reserve && len == 0 => return Fate::Refused,
                Switched::Done => {}
                Switched::Refused => return Fate::Refused,
                Switched::TooBig => return Fate::TooBig,
            }
        }
        self.append(source, len);
        Fate::Accepted
    }

    /// `relay_switch_subbuf()` for a record of `len` bytes: what it returns, and the record's fate.
    pub fn switch_for(&mut self, len: u64, log: &mut Vec<SwitchCall>) -> (u64, Fate) {
        match self.switch(len, log) {
            Switched::Done => (len, Fate::Accepted),
            Switched::Refused => (0, Fate::Refused),
            Switched::TooBig => (0, Fate::TooBig),
        }
    }

    /// `relay_flush()`: a switch whatever the sub-buffer holds.
    pub fn flush(&mut self, log: &mut Vec<SwitchCall>) {
        self.switch(0, log);
    }

    /// `relay_subbufs_consumed()`.
    pub fn subbufs_consumed(&mut self, n: u64) {
        if n > self.geometry.n_subbufs {
            return;
        }
        let moved = n.min(self.produced.ready(self.consumed));
        if moved > 0 && self.bytes_consumed > 0 {
            self.position_known = false;
        }
        self.consumed.0 += moved;
    }

    /// Bytes of sub-buffer `slot` that are not padding, if it is complete.
    #[must_use]
    pub fn complete_fill(&self, slot: Slot) -> u64 {
        let padding = self.padding.get(slot.0).copied().unwrap_or(0);
        self.geometry.subbuf_size.saturating_sub(padding)
    }

    fn switch(&mut self, len: u64, log: &mut Vec<SwitchCall>) -> Switched {
        let size = self.geometry.subbuf_size;
        if len > size {
            return self.too_big(len);
        }
        if !self.is_marked_full() {
            self.complete();
        }
        let new = self.produced.slot(self.geometry.n_subbufs);
        let full = self.is_full();
        self.full_count += u64::from(full);
        self.calls += 1;
        let refuses = self.geometry.refuse.is_some_and(|r| r.covers(self.calls));
        let accepted = !refuses && (self.geometry.overwrite || !full);
        log.push(SwitchCall {
            new,
            old: Some(self.data),
            produced: self.produced,
            consumed: self.consumed,
            prev_padding: self.prev_padding,
            accepted,
        });
        if !accepted {
            self.offset = size + 1;
            return Switched::Refused;
        }
        self.data = new;
        self.offset = 0;
        self.padding[new.0] = 0;
        self.subbufs[new.0].begin();
        self.reserve_header();
        if len + self.offset > size {
            return self.too_big(len);
        }
        Switched::Done
    }

    fn complete(&mut self) {
        let padding = self.geometry.subbuf_size - self.offset;
        let slot = self.produced.slot(self.geometry.n_subbufs);
        self.prev_padding = padding;
        self.padding[slot.0] = padding;
        self.produced.0 += 1;
        self.completed_bytes += self.offset;
    }

    fn too_big(&mut self, len: u64) -> Switched {
        self.big_count += 1;
        self.last_toobig = len;
        Switched::TooBig
    }

    fn reserve_header(&mut self) {
        if let Ok(len @ 1..) = u32::try_from(self.geometry.header_bytes) {
            let produced = self.produced.0;
            self.append(Source::Header { produced }, len);
        }
    }

    fn append(&mut self, source: Source, len: u32) {
        if len == 0 {
            return;
        }
        let start = u32::try_from(self.offset).unwrap_or(u32::MAX);
        self.subbufs[self.data.0].current.push(Piece {
            source,
            start,
            len,
            from: 0,
            total: len,
        });
        self.offset += u64::from(len);
    }
}
