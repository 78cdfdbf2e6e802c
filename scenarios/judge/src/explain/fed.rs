//! A load whose value is known.

use relaybed_contract::Buffer;
use relaybed_twin::{self as twin, Bytes, Memory};

use super::own::Seen;

/// A buffer one load of which is known.
pub(super) struct Fed<'b> {
    pub(super) buffer: &'b mut Buffer,
    pub(super) seen: Seen,
}

impl Memory for Fed<'_> {
    fn load(&self, member: twin::Member, slot: u64) -> u64 {
        if member == self.seen.member && slot == self.seen.slot {
            self.seen.before
        } else {
            self.buffer.load(member, slot)
        }
    }

    fn store(&mut self, member: twin::Member, slot: u64, value: u64) {
        Memory::store(self.buffer, member, slot, value);
    }

    fn put(&mut self, at: u64, bytes: Bytes) {
        self.buffer.put(at, bytes);
    }
}
