//! The members that relay's functions load and store.

use relaybed_case::field::Field;

/// A member of `struct rchan_buf`, or of what belongs to it, that several CPUs may access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Member {
    /// `data`: the current sub-buffer. Its value is a slot, as (data - start) / S.
    Data,
    /// `offset`: bytes in the current sub-buffer; S + 1 marks a full buffer.
    Offset,
    /// `subbufs_produced`.
    Produced,
    /// `subbufs_consumed`.
    Consumed,
    /// `padding[slot]`.
    Padding,
    /// `bytes_consumed`.
    BytesConsumed,
    /// `finalized`.
    Finalized,
    /// `read_wait`: how many wait.
    ReadWait,
    /// `prev_padding` (until 6.16).
    PrevPadding,
    /// The file's `i_size`, or `early_bytes` of a buffer without a file.
    FileSize,
    /// `rchan.last_toobig` (until 6.16).
    LastToobig,
    /// `stats.full_count` (from 6.17).
    FullCount,
    /// `stats.big_count` (from 6.17).
    BigCount,
    /// How often the client's `subbuf_start` was called for a switch: its own count.
    Calls,
}

impl Member {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Data,
        Self::Offset,
        Self::Produced,
        Self::Consumed,
        Self::Padding,
        Self::BytesConsumed,
        Self::Finalized,
        Self::ReadWait,
        Self::PrevPadding,
        Self::FileSize,
        Self::LastToobig,
        Self::FullCount,
        Self::BigCount,
        Self::Calls,
    ];

    /// The name under which `explore` stops at it; `None` where it does not.
    #[must_use]
    pub const fn field(self) -> Option<Field> {
        match self {
            Self::Data => Some(Field::Data),
            Self::Offset => Some(Field::Offset),
            Self::Produced => Some(Field::Produced),
            Self::Consumed => Some(Field::Consumed),
            Self::Padding => Some(Field::Padding),
            Self::BytesConsumed => Some(Field::BytesConsumed),
            Self::Finalized => Some(Field::Finalized),
            Self::ReadWait => Some(Field::ReadWait),
            _ => None,
        }
    }

    /// Its name in the kernel's source.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Offset => "offset",
            Self::Produced => "subbufs_produced",
            Self::Consumed => "subbufs_consumed",
            Self::Padding => "padding",
            Self::BytesConsumed => "bytes_consumed",
            Self::Finalized => "finalized",
            Self::ReadWait => "read_wait",
            Self::PrevPadding => "prev_padding",
            Self::FileSize => "i_size",
            Self::LastToobig => "last_toobig",
            Self::FullCount => "stats.full_count",
            Self::BigCount => "stats.big_count",
            Self::Calls => "calls",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_of_explore_is_a_member_and_names_differ() {
        let fields: Vec<Field> = Member::ALL.into_iter().filter_map(Member::field).collect();
        assert_eq!(fields, Field::ALL);
        let mut words: Vec<&str> = Member::ALL.into_iter().map(Member::word).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), Member::ALL.len());
        assert!(words.iter().all(|word| word.len() > 3));
    }
}
