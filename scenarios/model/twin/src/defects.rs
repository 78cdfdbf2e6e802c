//! The defects of relay that the twin has as switches.

use std::fmt;

/// One defect: a known issue, by its id in the list.
#[expect(missing_docs, reason = "the list of known issues says what each is")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Defect {
    K1,
    K2,
    K3,
    K4,
    K6,
    K7,
    K8,
    K9,
    K10,
    K20,
    K21,
    K22,
    K23,
    K24,
    K25,
    K30,
    K31,
    K32,
    K33,
    K34,
    K35,
    K36,
    K37,
}

impl Defect {
    /// All of them, by rising id.
    pub const ALL: [Self; 23] = [
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
    ];

    /// The defect with this id.
    #[must_use]
    pub fn named(id: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|defect| defect.to_string() == id)
    }

    const fn bit(self) -> u64 {
        1 << self as u64
    }
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A set of defects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Defects(u64);

impl Defects {
    /// None: relay as it is documented.
    pub const NONE: Self = Self(0);

    /// Every defect.
    #[must_use]
    pub fn all() -> Self {
        Defect::ALL.into_iter().collect()
    }

    /// Whether the defect is among them.
    #[must_use]
    pub const fn has(self, defect: Defect) -> bool {
        self.0 & defect.bit() != 0
    }

    /// The same with one more.
    #[must_use]
    pub const fn with(self, defect: Defect) -> Self {
        Self(self.0 | defect.bit())
    }

    /// The same with one fixed.
    #[must_use]
    pub const fn without(self, defect: Defect) -> Self {
        Self(self.0 & !defect.bit())
    }

    /// Those that are not among the others.
    #[must_use]
    pub const fn except(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Its members by rising id.
    pub fn iter(self) -> impl Iterator<Item = Defect> {
        Defect::ALL
            .into_iter()
            .filter(move |defect| self.has(*defect))
    }
}

impl FromIterator<Defect> for Defects {
    fn from_iter<I: IntoIterator<Item = Defect>>(all: I) -> Self {
        all.into_iter().fold(Self::NONE, Self::with)
    }
}

impl fmt::Display for Defects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, defect) in self.iter().enumerate() {
            let plus = if index == 0 { "" } else { "+" };
            write!(f, "{plus}{defect}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_read_as_their_members_by_rising_id() {
        let set: Defects = [Defect::K10, Defect::K3].into_iter().collect();
        assert_eq!(set.to_string(), "K3+K10");
        assert!(
            set.without(Defect::K3).has(Defect::K10) && !set.without(Defect::K3).has(Defect::K3)
        );
        assert_eq!(Defects::all().iter().count(), Defect::ALL.len());
        for defect in Defect::ALL {
            assert_eq!(Defect::named(&defect.to_string()), Some(defect));
        }
        assert_eq!(Defect::named("K5"), None);
    }
}
