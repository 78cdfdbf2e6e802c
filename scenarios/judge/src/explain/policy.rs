//! What the source leaves to the compiler, and to the machine.

use relaybed_twin::{self as twin, Setting, Site};

/// How a kernel's binary makes accesses that the source leaves to the compiler, and the machine.
#[derive(Clone, Copy, Debug)]
pub(super) struct Policy {
    pub(super) merged: twin::Sites,
    pub(super) is_split: bool,
    /// Where `prev_padding` is stored: see [`Setting::pads_late`].
    pub(super) pads_late: bool,
}

impl Policy {
    /// All that are tried.
    pub(super) const ALL: [Self; 3] = [
        Self {
            merged: twin::Sites::ALL.without(Site::CallbackEvent),
            is_split: false,
            pads_late: true,
        },
        Self {
            merged: twin::Sites::SOURCE,
            is_split: false,
            pads_late: false,
        },
        Self {
            merged: twin::Sites::ALL.without(Site::CallbackEvent),
            is_split: true,
            pads_late: true,
        },
    ];

    /// What a frame runs under by this.
    pub(super) const fn on(&self, set: &Setting) -> Setting {
        Setting {
            merged: self.merged,
            is_split: self.is_split,
            pads_late: self.pads_late,
            ..*set
        }
    }
}
