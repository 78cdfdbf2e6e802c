//! Simulating mappings of channel buffer files.

use relaybed_case::errno::{EACCES, EFAULT, EINVAL, ENODEV};
use relaybed_case::{Access, Map};

use super::buffer::Source;
use super::order::At;
use super::predict::bound;
use super::prediction::{Copied, OpPrediction};
use super::simulate::Simulation;
use super::world::{Descriptor, Mapped};

/// Lengths of mappings and offsets beyond this meet limits of address space before relay's.
const CERTAIN: u64 = 1 << 40;
const PAGE: u64 = relaybed_abi::RB_PAGE_SIZE as u64;

impl Simulation<'_> {
    /// `mmap()`: the whole channel buffer or nothing.
    pub(super) fn op_map(&mut self, file: usize, descriptor: Descriptor, map: Map) -> OpPrediction {
        let proxy = self.is_proxied(descriptor);
        let Some(alloc_size) = self
            .buffer_of(descriptor)
            .map(|buffer| buffer.geometry.alloc_size())
        else {
            return OpPrediction::default();
        };
        if map.len > CERTAIN || map.offset > CERTAIN || self.mappings.contains_key(&file) {
            return OpPrediction::default();
        }
        // What mmap() itself looks at first, in its order.
        if map.len == 0 || !map.offset.is_multiple_of(PAGE) {
            return OpPrediction::failed(EINVAL);
        }
        let wants_write = map.writable && !map.private;
        if descriptor.access == Access::Write || (wants_write && descriptor.access == Access::Read)
        {
            return OpPrediction::failed(EACCES);
        }
        if proxy {
            return OpPrediction::failed(ENODEV);
        }
        let whole = map.len.next_multiple_of(PAGE) == alloc_size;
        if !whole || !self.relay.maps_from(map.offset) {
            return OpPrediction::failed(EINVAL);
        }
        let mapped = Mapped {
            of: descriptor,
            map,
            is_own: false,
        };
        self.mappings.insert(file, mapped);
        OpPrediction::ok(Some(1))
    }

    /// `munmap()` of the mapping's end.
    pub(super) fn op_keep(&mut self, file: usize, len: u64) -> OpPrediction {
        let Some(mapped) = self.mappings.get_mut(&file) else {
            return OpPrediction::default();
        };
        let kept = len.saturating_add(PAGE - 1) / PAGE * PAGE;
        if kept >= mapped.map.len {
            return OpPrediction::default();
        }
        mapped.map.len = kept;
        OpPrediction::ok(None)
    }

    /// `mremap()`: a mapping never grows, since it is the whole channel buffer.
    pub(super) fn op_mremap(&mut self, file: usize, len: u64) -> OpPrediction {
        match self.mappings.get(&file) {
            Some(mapped)
                if len <= CERTAIN
                    && len.next_multiple_of(PAGE) > mapped.map.len.next_multiple_of(PAGE) =>
            {
                OpPrediction::failed(EFAULT)
            }
            _ => OpPrediction::default(),
        }
    }

    /// Bytes written through a mapping: a shared one writes to the channel buffer itself.
    pub(super) fn op_store(&mut self, at: At, file: usize, place: u64, len: usize) -> OpPrediction {
        let Some(mapped) = self.mappings.get_mut(&file) else {
            return OpPrediction::default();
        };
        let len = u32::try_from(len).unwrap_or(u32::MAX);
        if !mapped.map.writable
            || mapped.map.offset != 0
            || place.saturating_add(len.into()) > mapped.map.len
        {
            return OpPrediction::default();
        }
        let stored = OpPrediction::ok(Some(len.into()));
        if mapped.map.private {
            mapped.is_own = true;
            return stored;
        }
        let of = mapped.of;
        let source = Source::Stored {
            actor: u16::try_from(at.actor).unwrap_or(u16::MAX),
            op: u16::try_from(at.op).unwrap_or(u16::MAX),
        };
        if let Some(buffer) = self.buffer_of(of) {
            buffer.store(source, place, len);
        }
        stored
    }

    /// What a reader with a mapping sees.
    pub(super) fn op_copy(&mut self, at: At, file: usize) -> OpPrediction {
        let Some(mapped) = self.mappings.get(&file).copied() else {
            return OpPrediction::default();
        };
        if mapped.map.hidden {
            return OpPrediction::failed(EFAULT);
        }
        let certain = bound(self.case, at).is_some()
            && !mapped.is_own
            && mapped.map.offset == 0
            && self
                .touch
                .is_seen_certainly(&self.done.order, mapped.of.key, Some(at));
        let buffer = self.buffer_of(mapped.of).map(|buffer| buffer.clone());
        OpPrediction {
            copied: buffer.filter(|_| certain).map(|buffer| Copied {
                buffer: Box::new(buffer),
                len: mapped.map.len,
            }),
            ..OpPrediction::ok(None)
        }
    }
}
