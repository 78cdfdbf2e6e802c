//! How relay differs between kernel releases, as data.

use relaybed_case::{Callbacks, Channel, Need};

/// `LINUX_VERSION_CODE` of a release.
#[must_use]
pub const fn version(major: u32, minor: u32) -> u32 {
    (major << 16) | (minor << 8)
}

/// Differences between releases that a case can observe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behaviour {
    /// `LINUX_VERSION_CODE` of the release.
    pub linux_version: u32,
    /// `subbuf_start` has the argument `prev_padding` and `rchan_buf` the field (until 6.16).
    pub prev_padding: bool,
    /// `rchan.last_toobig` exists (until 6.16).
    pub last_toobig: bool,
    /// `rchan_buf.stats` with `full_count` and `big_count` exists (from 6.17).
    pub stats: bool,
    /// A client may leave `subbuf_start` out with relay itself looking after it (from 5.11; before,
    /// `relay_open()` filled in a default, with the same effect).
    pub optional_subbuf_start: bool,
    /// relay's files have `splice_read` of their own (until 6.8); later ones refuse splice and sendfile.
    pub splice: bool,
    /// `relay_late_setup_files()` exists (until 6.15).
    pub late_setup: bool,
    /// The callbacks `buf_mapped` and `buf_unmapped` exist (until 5.10).
    pub buf_mapped: bool,
    /// `relay_open()` insists on the callbacks for files (from 5.11; before, one that creates none and
    /// one that removes none were filled in).
    pub file_callbacks: bool,
    /// The largest `n_subbufs` whose padding array can be allocated.
    pub max_subbufs: u64,
}

/// A series of releases.
type Series = Option<(u32, u32)>;

/// Since which release, and until before which, relay has what some scenarios need; and what that is.
const fn life(need: Need) -> (Series, Series, &'static str) {
    match need {
        Need::LateSetup => (None, Some((6, 16)), "relay_late_setup_files()"),
        Need::Splice => (None, Some((6, 9)), "relay's own splice_read"),
        Need::PrevPadding => (None, Some((6, 17)), "prev_padding and last_toobig"),
        Need::Statistics => (Some((6, 17)), None, "rchan_buf.stats"),
        Need::BufMapped => (
            None,
            Some((5, 11)),
            "the callbacks buf_mapped and buf_unmapped",
        ),
    }
}

const fn has(linux_version: u32, need: Need) -> bool {
    let (since, until, _) = life(need);
    let early = match since {
        Some((major, minor)) => linux_version < version(major, minor),
        None => false,
    };
    let late = match until {
        Some((major, minor)) => linux_version >= version(major, minor),
        None => false,
    };
    !early && !late
}

/// Largest single allocation of the kernel's on x86-64, over the size of one padding entry.
const MAX_SUBBUFS: u64 = (4 << 20) / 8;

impl Behaviour {
    /// What a kernel of this `LINUX_VERSION_CODE` does.
    #[must_use]
    pub const fn of(linux_version: u32) -> Self {
        Self {
            linux_version,
            prev_padding: has(linux_version, Need::PrevPadding),
            last_toobig: has(linux_version, Need::PrevPadding),
            stats: has(linux_version, Need::Statistics),
            optional_subbuf_start: linux_version >= version(5, 11),
            splice: has(linux_version, Need::Splice),
            late_setup: has(linux_version, Need::LateSetup),
            buf_mapped: has(linux_version, Need::BufMapped),
            file_callbacks: linux_version >= version(5, 11),
            max_subbufs: MAX_SUBBUFS,
        }
    }

    /// Why the release cannot run a case that has these needs, if it cannot.
    #[must_use]
    pub fn lacks(&self, needs: &[Need]) -> Option<String> {
        let here = self.linux_version;
        let need = *needs.iter().find(|need| !has(here, **need))?;
        let (since, until, what) = life(need);
        let life = match (since, until) {
            (Some((a, b)), _) => format!("came with {a}.{b}"),
            (None, Some((a, b))) => format!("went with {a}.{b}"),
            (None, None) => "is everywhere".to_owned(),
        };
        let (major, minor) = (here >> 16, here >> 8 & 0xff);
        Some(format!(
            "needs {what}, which {life}; this is {major}.{minor}"
        ))
    }

    /// Whether `relay_open()` must accept the channel as far as it looks at it before it makes files.
    #[must_use]
    pub fn accepts_channel(&self, channel: &Channel) -> bool {
        let callbacks = match channel.client.callbacks {
            Callbacks::All => true,
            Callbacks::None | Callbacks::NoCreate => false,
            Callbacks::NoRemove => !self.file_callbacks,
        };
        callbacks && self.accepts(channel.subbuf_size, channel.n_subbufs)
    }

    /// Whether `relay_open()` must accept these sizes.
    #[must_use]
    pub fn accepts(&self, subbuf_size: u64, n_subbufs: u64) -> bool {
        subbuf_size != 0
            && n_subbufs != 0
            && subbuf_size <= u64::from(u32::MAX) / n_subbufs
            && n_subbufs <= self.max_subbufs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_replace_last_toobig_and_prev_padding_in_6_17() {
        let old = Behaviour::of(version(6, 16));
        let new = Behaviour::of(version(6, 17));
        assert!(old.prev_padding && old.last_toobig && !old.stats);
        assert!(!new.prev_padding && !new.last_toobig && new.stats);
    }

    #[test]
    fn needs_are_met_for_as_long_as_relay_has_them() {
        let lacks = |release, need| Behaviour::of(release).lacks(&[need]);
        assert_eq!(lacks(version(6, 15), Need::LateSetup), None);
        let gone = lacks(version(6, 16), Need::Splice);
        let text = "needs relay's own splice_read, which went with 6.9; this is 6.16";
        assert_eq!(gone.as_deref(), Some(text));
        let early = lacks(version(6, 16), Need::Statistics);
        assert!(early.is_some_and(|text| text.contains("came with 6.17")));
        assert_eq!(lacks(version(7, 3), Need::Statistics), None);
        for (_, need) in Need::ALL {
            assert!(lacks(version(5, 10), need).is_none() || need == Need::Statistics);
        }
    }

    #[test]
    fn sizes_that_relay_open_refuses() {
        let behaviour = Behaviour::of(version(6, 1));
        assert!(!behaviour.accepts(0, 4));
        assert!(!behaviour.accepts(4096, 0));
        assert!(!behaviour.accepts(65536, 65536));
        assert!(behaviour.accepts(65535, 65537));
        assert!(!behaviour.accepts(1, MAX_SUBBUFS + 1));
        assert!(behaviour.accepts(7, 3));
    }
}
