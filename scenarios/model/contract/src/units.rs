//! Quantities that look alike and must not be confused.

/// Sub-buffers produced since the buffer was opened or reset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Produced(pub u64);

/// Sub-buffers consumed since the buffer was opened or reset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Consumed(pub u64);

/// Place of a sub-buffer in the ring, `0..n_subbufs`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub usize);

impl Produced {
    /// Sub-buffers that are complete and not consumed.
    #[must_use]
    pub fn ready(self, consumed: Consumed) -> u64 {
        self.0.saturating_sub(consumed.0)
    }

    /// Where the sub-buffer of this number lies in a ring of `n`.
    #[must_use]
    pub fn slot(self, n: u64) -> Slot {
        slot(self.0, n)
    }
}

impl Consumed {
    /// Where the first sub-buffer that is not consumed lies in a ring of `n`.
    #[must_use]
    pub fn slot(self, n: u64) -> Slot {
        slot(self.0, n)
    }
}

fn slot(number: u64, n: u64) -> Slot {
    Slot(usize::try_from(number % n.max(1)).unwrap_or(usize::MAX))
}
