//! Places where the source names a member again that the function has loaded before.
//!
//! A compiler may take the value that it has, or load it again. Both are relay; which one a kernel's binary
//! does is seen in a trace. A driver says which of these places take the old value.

/// A place where a load may be left out. The text names the source: function, and the expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Site {
    /// `relay_write()`, `__relay_write()`, `relay_reserve()`: the offset in `data + offset`, where the
    /// comparison loaded it and no switch came between.
    WriteAddress,
    /// The same functions: the offset that `offset += length` adds to. Left out, the new value is stored by
    /// an instruction that does not load.
    WriteAdd,
    /// `relay_switch_subbuf()`: the offset in the padding, after it was compared with S + 1.
    SwitchPadding,
    /// `relay_switch_subbuf()`: the produced count of a buffer that is marked full. The source has no such load.
    /// Debian's 5.10 loads the count before it compares the offset with S + 1, and has no use for it then.
    SwitchUnused,
    /// `relay_switch_subbuf()`: the count that `subbufs_produced++` adds to, after `% n_subbufs`.
    SwitchProduced,
    /// `relay_switch_subbuf()`: the padding by which the size grows, after it was stored.
    SwitchFill,
    /// `relay_file_read_avail()`: the two stores of a reader that was lapped. The source stores the consumed count,
    /// then bytes consumed; with this it is the other way round, as Debian's 5.10 to 7.3 have it.
    AvailLap,
    /// `relay_file_read_avail()`: the offset in the write position, after it was compared with S.
    AvailOffset,
    /// `relay_file_read_avail()`: the offset where both positions are the same.
    AvailOffsetEqual,
    /// `relay_file_read_avail()`: the consumed count where both positions are the same and the offset is S.
    AvailConsumedEqual,
    /// `relay_file_read_avail()`: bytes consumed in the read position, after a lap set them to 0.
    AvailBytes,
    /// `relay_file_read_consume()`: bytes consumed in the sum, after they were compared with the offset.
    ConsumeBytes,
    /// `relay_file_read_consume()`: what `bytes_consumed +=` adds to. Left out, the sum is only stored.
    ConsumeAdd,
    /// `relay_file_read_consume()`: adding 0, which may be left out whole, the store too.
    ConsumeAddNothing,
    /// `relay_file_read_consume()`: the consumed count in the slot, after the first comparison.
    ConsumeConsumed,
    /// `relay_file_read_consume()`: bytes consumed beside the padding, after they were stored.
    ConsumeBytesStored,
    /// `relay_file_read_consume()`: the produced count at the end, after the first comparison.
    ConsumeProduced,
    /// `relay_file_read_consume()`: the offset at the end, after the first comparison.
    ConsumeOffset,
    /// `relay_subbufs_consumed()`: the produced count that is stored, after the comparison.
    CountProduced,
    /// `relay_subbufs_consumed()`: the count that `subbufs_consumed +=` adds to. Left out, the sum is only
    /// stored.
    CountConsumed,
    /// `relay_subbufs_consumed()`: the count that `subbufs_consumed +=` adds to, loaded ahead of the comparison
    /// and whichever way that goes. Debian's 5.10 does; left out, it is loaded where the source has it.
    CountSum,
    /// `relay_file_read_start_pos()`: the consumed count, where `relay_file_read_avail()` left it.
    StartConsumed,
    /// `relay_file_read_start_pos()`: bytes consumed, likewise.
    StartBytes,
    /// `relay_file_read_subbuf_avail()`: the offset, likewise.
    BytesOffset,
    /// `relay_file_read_subbuf_avail()`: the offset that is not beyond S, after that was seen.
    BytesOffsetAgain,
    /// `relay_file_read_subbuf_avail()`: the padding, where `relay_file_read_start_pos()` loaded that of
    /// the same slot. Debian's 6.1 leaves it out.
    BytesPadding,
    /// `relay_file_read_end_pos()`: the padding; the result is never used beyond the file position.
    EndPadding,
    /// `__relay_reset()`: `data` for the callback, after it was stored.
    ResetData,
    /// `__relay_reset()` without a callback of the client's: the counts, whose comparison has no use.
    ResetFull,
    /// `relay_switch_subbuf()` without a callback of the client's: the produced count in relay's own rule,
    /// after the new slot was worked out of it. Debian's 6.1 has the rule inlined and leaves it out.
    RuleProduced,
    /// The client's callback: the counts for its event, where its log is full.
    CallbackEvent,
}

/// A set of sites, those where a load is left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Sites(u32);

impl Sites {
    /// None: every member is loaded where the source names it.
    pub const NONE: Self = Self(0);

    /// What the source has: every member is loaded where it is named, and nowhere else.
    pub const SOURCE: Self = Self::of(&[Site::SwitchUnused, Site::CountSum]);

    /// All: no member is loaded twice where that can be left out.
    pub const ALL: Self = Self((1 << (Site::CallbackEvent as u32 + 1)) - 1);

    /// What an optimising compiler leaves out by rule: a load of a member that it has loaded or stored before
    /// in the same function, small static ones inlined, with no call and no store through another pointer
    /// in between. What it keeps: the additions behind a copy or a store into `padding`, the padding loaded
    /// again behind the count, `data` behind the loop of a reset, what is a function of its own in later kernels,
    /// and the counts of the client's event.
    pub const COMPILED: Self = Self::ALL
        .without(Site::WriteAdd)
        .without(Site::SwitchProduced)
        .without(Site::SwitchFill)
        .without(Site::ConsumeAddNothing)
        .without(Site::ResetData)
        .without(Site::RuleProduced)
        .without(Site::CallbackEvent);

    /// The set of these.
    #[must_use]
    pub const fn of(sites: &[Site]) -> Self {
        let mut set = Self(0);
        let mut i = 0;
        while i < sites.len() {
            set = set.with(sites[i]);
            i += 1;
        }
        set
    }

    /// The set with this site too.
    #[must_use]
    pub const fn with(self, site: Site) -> Self {
        Self(self.0 | 1 << site as u32)
    }

    /// The set without this site.
    #[must_use]
    pub const fn without(self, site: Site) -> Self {
        Self(self.0 & !(1 << site as u32))
    }

    /// Whether the site is in the set.
    #[must_use]
    pub const fn has(self, site: Site) -> bool {
        self.0 >> site as u32 & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sites_are_kept_apart() {
        let set = Sites::of(&[Site::WriteAddress, Site::CallbackEvent]);
        assert!(set.has(Site::WriteAddress) && set.has(Site::CallbackEvent));
        assert!(!set.has(Site::WriteAdd) && !Sites::NONE.has(Site::WriteAddress));
        assert_eq!(
            set.without(Site::CallbackEvent),
            Sites::of(&[Site::WriteAddress])
        );
        assert_eq!(set.without(Site::WriteAdd), set);
        assert!(Sites::ALL.has(Site::CallbackEvent) && Sites::ALL.has(Site::StartBytes));
        assert_eq!(Sites::ALL.with(Site::ResetData), Sites::ALL);
    }
}
