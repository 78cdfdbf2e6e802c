//! What does not change while frames run: the channel, the release, the defects.

use relaybed_case::{Channel, Mode};
use relaybed_contract::{Behaviour, Geometry};

use crate::{Defect, Defects, Sites};

/// What frames on one buffer run under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Sizes and mode, and calls of the callback that refuse.
    pub geometry: Geometry,
    /// The client has a `subbuf_start`; else relay's own rule holds.
    pub has_callback: bool,
    /// `prev_padding` and `last_toobig` exist (until 6.16).
    pub prev_padding: bool,
    /// `stats` exist (from 6.17).
    pub stats: bool,
    /// The channel is global: flush and reset take no lock.
    pub is_global: bool,
    /// The channel's pointer for this CPU leads to this buffer. Known issues K3 and K34 clear it:
    /// `relay_subbufs_consumed()`, by which reads count too, then does nothing.
    pub is_listed: bool,
    /// What is wrong with this relay.
    pub defects: Defects,
    /// Loads that this kernel's binary leaves out.
    pub merged: Sites,
    /// An addition to a member is a load and a store, between which other CPUs may come. One instruction
    /// does both; it is not locked, so this holds wherever vCPUs run in parallel.
    pub is_split: bool,
    /// `relay_switch_subbuf()` stores `prev_padding` behind the load of the produced count that gives the slot, not
    /// before it. Both are the source's to a compiler. Until 6.16; Debian's binaries do (5.10, 6.1, 6.12, and
    /// our module's own relay.c).
    pub pads_late: bool,
    /// `relay_switch_subbuf()` loads the size of the file, to add to it, before the padding by which it grows, and
    /// stores it behind that: as gcc 10 and 12 have it (5.10, 6.1, 6.12, our module's own relay.c), not gcc 14 (7.2, 7.3).
    pub sizes_early: bool,
}

impl Setting {
    /// A channel of a case on a release, with these defects.
    #[must_use]
    pub fn of(channel: &Channel, behaviour: &Behaviour, defects: Defects) -> Self {
        let plain = Self::plain(Geometry::of(channel), defects);
        Self {
            has_callback: channel.mode != Mode::Default,
            prev_padding: behaviour.prev_padding,
            stats: behaviour.stats,
            is_global: channel.client.global,
            ..plain
        }
    }

    /// A per-CPU channel with a callback, on a release until 6.16.
    #[must_use]
    pub const fn plain(geometry: Geometry, defects: Defects) -> Self {
        Self {
            geometry,
            has_callback: true,
            prev_padding: true,
            stats: false,
            is_global: false,
            is_listed: true,
            defects,
            merged: Sites::SOURCE,
            is_split: false,
            pads_late: false,
            sizes_early: false,
        }
    }

    /// S.
    pub(crate) const fn size(&self) -> u64 {
        self.geometry.subbuf_size
    }

    /// N.
    pub(crate) const fn n(&self) -> u64 {
        self.geometry.n_subbufs
    }

    pub(crate) const fn has(&self, defect: Defect) -> bool {
        self.defects.has(defect)
    }

    /// Whether the call of this number, from 1, refuses whatever the mode says.
    pub(crate) fn refuses(&self, call: u64) -> bool {
        self.geometry
            .refuse
            .is_some_and(|refuse| refuse.covers(call))
    }
}
