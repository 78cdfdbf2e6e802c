//! A buffer that is small enough to be copied at every step of a search.

use relaybed_contract::{Geometry, Source};

use crate::{Bytes, Member, Memory};

/// Sub-buffers that it can have.
const SLOTS: usize = 4;
/// Bytes that its ring can have.
const RING: usize = 32;

/// One byte of a source: 0 is none, so what was never written.
pub(crate) type Name = u16;

/// A buffer of few bytes, each of which has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Small {
    members: [u64; Member::ALL.len()],
    padding: [u64; SLOTS],
    ring: [Name; RING],
    size: u8,
    /// Bytes were written outside the ring.
    pub(crate) is_overrun: bool,
}

impl Small {
    /// An empty buffer; `None` for a geometry that is too large for it.
    pub(crate) fn new(geometry: &Geometry) -> Option<Self> {
        let bytes = geometry.subbuf_size.checked_mul(geometry.n_subbufs)?;
        let fits = bytes <= RING as u64 && geometry.n_subbufs <= SLOTS as u64;
        fits.then(|| Self {
            members: [0; Member::ALL.len()],
            padding: [0; SLOTS],
            ring: [0; RING],
            size: u8::try_from(bytes).unwrap_or(u8::MAX),
            is_overrun: false,
        })
    }

    /// The byte at `at` from the start of the ring; `None` outside it.
    pub(crate) fn byte(&self, at: u64) -> Option<Name> {
        let at = usize::try_from(at).ok()?;
        (at < usize::from(self.size)).then(|| self.ring[at])
    }

    pub(crate) fn padding(&self) -> &[u64] {
        &self.padding
    }
}

/// The name of byte `at` of a source.
pub(crate) fn name(source: Source, at: u32) -> Name {
    let (kind, number) = match source {
        Source::Record { seq, .. } => (0, u64::from(seq)),
        Source::Header { produced } => (1, produced),
        Source::Stored { op, .. } => (2, op.into()),
    };
    // 10 bits of number, 4 of place; nothing that is searched has more.
    let low = (number & 0x3ff) << 4 | u64::from(at & 0xf);
    u16::try_from(kind << 14 | low).unwrap_or(0).wrapping_add(1)
}

impl Memory for Small {
    fn load(&self, member: Member, slot: u64) -> u64 {
        match member {
            Member::Padding => self.padding[usize::try_from(slot).unwrap_or(0) % SLOTS],
            _ => self.members[member as usize],
        }
    }

    fn store(&mut self, member: Member, slot: u64, value: u64) {
        match member {
            Member::Padding => self.padding[usize::try_from(slot).unwrap_or(0) % SLOTS] = value,
            _ => self.members[member as usize] = value,
        }
    }

    fn put(&mut self, at: u64, bytes: Bytes) {
        for i in 0..bytes.len {
            let place = at.wrapping_add(u64::from(i));
            let place = usize::try_from(place).unwrap_or(usize::MAX);
            if place < usize::from(self.size) {
                self.ring[place] = name(bytes.source, bytes.from + i);
            } else {
                self.is_overrun = true;
            }
        }
    }
}
