//! What the source leaves to the compiler, and to the machine.

use relaybed_twin::{self as twin, Setting, Site};

/// How a kernel's binary makes accesses that the source leaves to the compiler, and the machine.
#[derive(Clone, Copy, Debug)]
pub(super) struct Policy {
    pub(super) merged: twin::Sites,
    pub(super) is_split: bool,
    /// Where `prev_padding` is stored: see [`Setting::pads_late`].
    pub(super) pads_late: bool,
    /// Where the size of the file is loaded: see [`Setting::sizes_early`]. In a free run an addition may be
    /// split anyway.
    pub(super) sizes_early: bool,
}

impl Policy {
    /// All that are tried.
    pub(super) const ALL: [Self; 3] = [
        Self {
            merged: twin::Sites::ALL.without(Site::CallbackEvent),
            is_split: false,
            pads_late: true,
            sizes_early: false,
        },
        Self {
            merged: twin::Sites::SOURCE,
            is_split: false,
            pads_late: false,
            sizes_early: false,
        },
        Self {
            merged: twin::Sites::ALL.without(Site::CallbackEvent),
            is_split: true,
            pads_late: true,
            sizes_early: false,
        },
    ];

    /// Ways in which a binary may make the accesses that no trace has, those of Debian's binaries first: where
    /// `prev_padding` is stored, where the size of the file is loaded.
    pub(super) fn unseen(has_prev_padding: bool) -> impl Iterator<Item = Self> {
        let ways = [(true, true), (true, false), (false, true), (false, false)];
        let ways = ways
            .into_iter()
            .filter(move |(late, _)| *late || has_prev_padding);
        ways.map(|(pads_late, sizes_early)| Self {
            pads_late,
            sizes_early,
            ..Self::ALL[0]
        })
    }

    /// What a frame runs under by this.
    pub(super) const fn on(&self, set: &Setting) -> Setting {
        Setting {
            merged: self.merged,
            is_split: self.is_split,
            pads_late: self.pads_late,
            sizes_early: self.sizes_early,
            ..*set
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_is_tried_once_and_gcc_12_has_the_first() {
        let ways = |has_prev_padding| {
            let all = Policy::unseen(has_prev_padding);
            all.map(|policy| (policy.pads_late, policy.sizes_early))
                .collect::<Vec<_>>()
        };
        let all = [(true, true), (true, false), (false, true), (false, false)];
        assert_eq!(ways(true), all);
        assert_eq!(ways(false), all[..2]);
    }
}
