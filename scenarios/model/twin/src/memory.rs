//! What frames work on: the members of a buffer, and the bytes of its ring.

use relaybed_contract::{Buffer, Consumed, Produced, Slot, Source};

use crate::{Member, contents};

/// A run of bytes of one source, as somebody writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Bytes {
    /// What they are part of.
    pub source: Source,
    /// Which byte of the source is the first.
    pub from: u32,
    /// How many.
    pub len: u32,
    /// How many bytes the source has.
    pub total: u32,
}

/// A buffer that frames work on.
pub trait Memory {
    /// The value of a member; `slot` counts for [`Member::Padding`] only.
    fn load(&self, member: Member, slot: u64) -> u64;
    /// Gives a member a value.
    fn store(&mut self, member: Member, slot: u64, value: u64);
    /// Puts bytes at byte `at` from the start of the ring, over what lies there.
    fn put(&mut self, at: u64, bytes: Bytes);
}

impl Memory for Buffer {
    fn load(&self, member: Member, slot: u64) -> u64 {
        match member {
            Member::Data => self.data.0 as u64,
            Member::Offset => self.offset,
            Member::Produced => self.produced.0,
            Member::Consumed => self.consumed.0,
            Member::Padding => index(slot)
                .and_then(|slot| self.padding.get(slot))
                .copied()
                .unwrap_or(0),
            Member::BytesConsumed => self.bytes_consumed,
            Member::Finalized => self.finalized.into(),
            // Who waits is no part of the contract's buffer: see `Around`.
            Member::ReadWait => 0,
            Member::PrevPadding => self.prev_padding,
            Member::FileSize => self.completed_bytes,
            Member::LastToobig => self.last_toobig,
            Member::FullCount => self.full_count,
            Member::BigCount => self.big_count,
            Member::Calls => self.calls,
        }
    }

    fn store(&mut self, member: Member, slot: u64, value: u64) {
        match member {
            Member::Data => self.data = Slot(index(value).unwrap_or(usize::MAX)),
            Member::Offset => self.offset = value,
            Member::Produced => self.produced = Produced(value),
            Member::Consumed => self.consumed = Consumed(value),
            Member::Padding => {
                if let Some(padding) = index(slot).and_then(|slot| self.padding.get_mut(slot)) {
                    *padding = value;
                }
            }
            Member::BytesConsumed => self.bytes_consumed = value,
            Member::Finalized => self.finalized = value != 0,
            Member::ReadWait => {}
            Member::PrevPadding => self.prev_padding = value,
            Member::FileSize => self.completed_bytes = value,
            Member::LastToobig => self.last_toobig = value,
            Member::FullCount => self.full_count = value,
            Member::BigCount => self.big_count = value,
            Member::Calls => self.calls = value,
        }
    }

    fn put(&mut self, at: u64, bytes: Bytes) {
        contents::put(self, at, bytes);
    }
}

fn index(slot: u64) -> Option<usize> {
    usize::try_from(slot).ok()
}

/// A memory that holds nothing: frames are run on it to see what they would access.
pub(crate) struct Blank;

impl Memory for Blank {
    fn load(&self, _: Member, _: u64) -> u64 {
        0
    }

    fn store(&mut self, _: Member, _: u64, _: u64) {}

    fn put(&mut self, _: u64, _: Bytes) {}
}
