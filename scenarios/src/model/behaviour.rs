//! How relay differs between kernel releases, as data.

/// `LINUX_VERSION_CODE` of a release.
#[must_use]
pub const fn version(major: u32, minor: u32) -> u32 {
    (major << 16) | (minor << 8)
}

/// Differences between releases that a case can observe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behaviour {
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
    /// The largest `n_subbufs` whose padding array can be allocated.
    pub max_subbufs: u64,
    /// Reads find their place as all releases so far do, which goes wrong behind two empty sub-buffers in a
    /// row (known issue K1). The contract says no: only the recogniser of that issue says yes, to
    /// see whether it explains a run to the last byte.
    pub reads_as_found: bool,
}

/// Largest single allocation of the kernel's on x86-64, over the size of one padding entry.
const MAX_SUBBUFS: u64 = (4 << 20) / 8;

impl Behaviour {
    /// What a kernel of this `LINUX_VERSION_CODE` does.
    #[must_use]
    pub const fn of(linux_version: u32) -> Self {
        let before_6_17 = linux_version < version(6, 17);
        Self {
            prev_padding: before_6_17,
            last_toobig: before_6_17,
            stats: !before_6_17,
            optional_subbuf_start: linux_version >= version(5, 11),
            splice: linux_version < version(6, 9),
            max_subbufs: MAX_SUBBUFS,
            reads_as_found: false,
        }
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
