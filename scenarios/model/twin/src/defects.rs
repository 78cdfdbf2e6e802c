//! The known defects of relay, and sets of them.

use std::fmt;
use std::str::FromStr;

/// A known issue of relay, by its id in `known-issues.toml`.
///
/// Those of reading and racing are K1, K2, K4, K7, K9, K31, K32, K33 and K37: a [`Frame`](crate::Frame)
/// has them as branches or as orders of steps. The other ids stand for what happens outside one buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
#[expect(missing_docs, reason = "the ids are documented in known-issues.toml")]
pub enum Defect {
    K1 = 1,
    K2 = 2,
    K3 = 3,
    K4 = 4,
    K6 = 6,
    K7 = 7,
    K8 = 8,
    K9 = 9,
    K10 = 10,
    K20 = 20,
    K21 = 21,
    K22 = 22,
    K23 = 23,
    K24 = 24,
    K25 = 25,
    K30 = 30,
    K31 = 31,
    K32 = 32,
    K33 = 33,
    K34 = 34,
    K35 = 35,
    K36 = 36,
    K37 = 37,
    /// `relay_file_read_avail()` loads the counts and the offset on two sides of a switch: it compares a place in
    /// the old sub-buffer with one in the new, finds nothing though one is complete, or steps to the next.
    K38 = 38,
    /// A read finds its place in the unfinished sub-buffer, and loads padding and `data` behind a switch: with the
    /// padding new and `data` old it gives less than there is, with the padding old and `data` new it takes
    /// the sub-buffer for complete and without padding, and gives the padding too.
    K39 = 39,
    /// `relay_reserve()` adds to the offset before the caller has filled the slot: a reader in between is
    /// given what lay there, and never what is filled in.
    K40 = 40,
    /// `relay_flush()` switches the buffers of other CPUs while those write: records and counts are lost,
    /// offsets run beyond the sub-buffer, and a write goes beyond the ring.
    K41 = 41,
    /// `relay_reset()` meets readers, writers or `relay_subbufs_consumed()`: what they store behind it are
    /// counts of before it, which nothing puts right.
    K42 = 42,
    /// `relay_subbufs_consumed()` meets a reader or another of its kind: more is counted as consumed than was
    /// produced.
    K43 = 43,
    /// `relay_subbufs_consumed()` leaves `bytes_consumed` of a sub-buffer that was partly read: the next read starts
    /// so far into the next one, passes over what is there, or gives what was never written.
    K44 = 44,
    /// `relay_open_buf()` has the file made before `__relay_reset()` initialises the buffer: whoever opens it in between
    /// holds a reference that is not counted, and gives back the channel's.
    K45 = 45,
}

impl Defect {
    /// All of them, in the order of their ids.
    pub const ALL: [Self; 31] = [
        Self::K1,
        Self::K2,
        Self::K3,
        Self::K4,
        Self::K6,
        Self::K7,
        Self::K8,
        Self::K9,
        Self::K10,
        Self::K20,
        Self::K21,
        Self::K22,
        Self::K23,
        Self::K24,
        Self::K25,
        Self::K30,
        Self::K31,
        Self::K32,
        Self::K33,
        Self::K34,
        Self::K35,
        Self::K36,
        Self::K37,
        Self::K38,
        Self::K39,
        Self::K40,
        Self::K41,
        Self::K42,
        Self::K43,
        Self::K44,
        Self::K45,
    ];

    /// Those that frames have: of reading, and of orders of steps.
    pub const OF_FRAMES: [Self; 16] = [
        Self::K1,
        Self::K2,
        Self::K4,
        Self::K7,
        Self::K9,
        Self::K31,
        Self::K32,
        Self::K33,
        Self::K37,
        Self::K38,
        Self::K39,
        Self::K40,
        Self::K41,
        Self::K42,
        Self::K43,
        Self::K44,
    ];

    /// The number in its id.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "K{}", self.number())
    }
}

/// The text is no id of a known issue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownDefect(pub String);

impl fmt::Display for UnknownDefect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is no id of a known issue", self.0)
    }
}

impl std::error::Error for UnknownDefect {}

impl FromStr for Defect {
    type Err = UnknownDefect;

    fn from_str(text: &str) -> Result<Self, UnknownDefect> {
        let is_it = |defect: &Self| text.strip_prefix('K') == Some(&*defect.number().to_string());
        Self::ALL
            .into_iter()
            .find(is_it)
            .ok_or_else(|| UnknownDefect(text.to_owned()))
    }
}

/// A set of defects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Defects(u64);

impl Defects {
    /// The empty set: relay as documented.
    pub const NONE: Self = Self(0);

    /// Every defect.
    pub const ALL: Self = Self::of(&Defect::ALL);

    /// The set of these.
    #[must_use]
    pub const fn of(defects: &[Defect]) -> Self {
        let mut bits = 0;
        let mut i = 0;
        while i < defects.len() {
            bits |= 1 << defects[i].number();
            i += 1;
        }
        Self(bits)
    }

    /// Whether the defect is in the set.
    #[must_use]
    pub const fn has(self, defect: Defect) -> bool {
        self.0 >> defect.number() & 1 == 1
    }

    /// The set with this defect too.
    #[must_use]
    pub const fn with(self, defect: Defect) -> Self {
        Self(self.0 | 1 << defect.number())
    }

    /// The set without this defect.
    #[must_use]
    pub const fn without(self, defect: Defect) -> Self {
        Self(self.0 & !(1 << defect.number()))
    }

    /// What is in either set.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in this set and not in the other.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether all of this set is in the other.
    #[must_use]
    pub const fn is_within(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    /// Whether the set is empty.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many there are in it.
    #[must_use]
    pub const fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// The defects, in the order of their ids.
    pub fn iter(self) -> impl Iterator<Item = Defect> {
        Defect::ALL.into_iter().filter(move |d| self.has(*d))
    }
}

impl FromIterator<Defect> for Defects {
    fn from_iter<I: IntoIterator<Item = Defect>>(defects: I) -> Self {
        defects.into_iter().fold(Self::NONE, Self::with)
    }
}

/// Ids joined by `+`; `none` for the empty set.
impl fmt::Display for Defects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return write!(f, "none");
        }
        for (i, defect) in self.iter().enumerate() {
            let blank = if i == 0 { "" } else { "+" };
            write!(f, "{blank}{defect}")?;
        }
        Ok(())
    }
}

impl FromStr for Defects {
    type Err = UnknownDefect;

    fn from_str(text: &str) -> Result<Self, UnknownDefect> {
        if text == "none" {
            return Ok(Self::NONE);
        }
        text.split([' ', ',', '+'])
            .filter(|word| !word.is_empty())
            .map(Defect::from_str)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_parsed_and_printed_by_ids() {
        let set = Defects::of(&[Defect::K37, Defect::K2]);
        assert_eq!(set.to_string(), "K2+K37");
        assert_eq!("K2+K37".parse(), Ok(set));
        assert_eq!("K37,K2".parse(), Ok(set));
        assert_eq!("K2 K37".parse(), Ok(set));
        assert_eq!("none".parse(), Ok(Defects::NONE));
        assert_eq!(Defects::NONE.to_string(), "none");
        for text in ["K11", "K02", "2", "k2", "K2x"] {
            assert_eq!(text.parse::<Defect>(), Err(UnknownDefect(text.to_owned())));
        }
        let error = UnknownDefect("K11".to_owned()).to_string();
        assert_eq!(error, "`K11` is no id of a known issue");
    }

    #[test]
    fn sets_are_sets() {
        let set = Defects::of(&[Defect::K1, Defect::K7]);
        assert!(set.has(Defect::K1) && !set.has(Defect::K2) && set.len() == 2);
        assert_eq!(set.without(Defect::K1), Defects::of(&[Defect::K7]));
        assert_eq!(set.without(Defect::K2), set);
        assert_eq!(set.with(Defect::K7), set);
        let other = Defects::of(&[Defect::K7, Defect::K9]);
        assert_eq!(set.union(other).to_string(), "K1+K7+K9");
        assert_eq!(set.minus(other).to_string(), "K1");
        assert!(!set.is_within(other) && Defects::NONE.is_within(set));
        assert!(set.is_within(set.union(other)) && Defects::NONE.is_empty() && !set.is_empty());
        let all: Defects = Defect::ALL.into_iter().collect();
        assert_eq!(all, Defects::ALL);
        assert!(Defects::of(&Defect::OF_FRAMES).is_within(all));
    }
}
