//! What the source leaves to the compiler, and to the machine.

use relaybed_twin::{self as twin, Site};

/// How a kernel's binary makes accesses that the source leaves to the compiler, and the machine.
#[derive(Clone, Copy, Debug)]
pub(super) struct Policy {
    pub(super) merged: twin::Sites,
    pub(super) is_split: bool,
}

impl Policy {
    /// All that are tried.
    pub(super) const ALL: [Self; 3] = [
        Self {
            merged: twin::Sites::ALL.without(Site::CallbackEvent),
            is_split: false,
        },
        Self {
            merged: twin::Sites::SOURCE,
            is_split: false,
        },
        Self {
            merged: twin::Sites::ALL.without(Site::CallbackEvent),
            is_split: true,
        },
    ];
}
