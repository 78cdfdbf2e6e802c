//! Loads whose values are known.

use relaybed_contract::Buffer;
use relaybed_twin::{self as twin, Bytes, Memory, Step};

use super::lead::Loaded;

/// Where among what was loaded the value of this load is.
pub(super) fn place(loaded: &[Loaded], next: &Step) -> Option<usize> {
    let Step::Load { member, slot, .. } = next else {
        return None;
    };
    loaded.iter().position(|one| {
        one.member == *member && (one.slot == *slot || *member != twin::Member::Padding)
    })
}

/// A buffer one load of which is known.
pub(super) struct Fed<'b> {
    pub(super) buffer: &'b mut Buffer,
    pub(super) loaded: Loaded,
}

impl Memory for Fed<'_> {
    fn load(&self, member: twin::Member, slot: u64) -> u64 {
        if member == self.loaded.member && slot == self.loaded.slot {
            self.loaded.value
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
