//! What relay, or the scenario, leaves open: how often, and why.

use std::fmt;

use serde::ser::{Serialize, SerializeMap as _, Serializer};

/// Why a single check had nothing to compare with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// What comes of it depends on an order of operations that no gate fixes.
    Order,
    /// Operations met that relay wants kept apart, or one was under way.
    Met,
    /// Bytes of several records cannot be told apart.
    Alike,
    /// A channel without a `subbuf_start` callback does not say which records it dropped.
    Untold,
    /// The bytes that readers got and left do not make up the whole stream.
    Stream,
    /// Where readers stand is known to relay only.
    Position,
    /// The guest's kernel does not tell what memory relay holds.
    Uncounted,
}

impl Why {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Order,
        Self::Met,
        Self::Alike,
        Self::Untold,
        Self::Stream,
        Self::Position,
        Self::Uncounted,
    ];

    /// Its name in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::Met => "met",
            Self::Alike => "alike",
            Self::Untold => "untold",
            Self::Stream => "stream",
            Self::Position => "position",
            Self::Uncounted => "uncounted",
        }
    }

    /// The reason as a clause: what is open *because* of it.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Order => "no gate fixes the order of operations",
            Self::Met => "operations met that relay wants kept apart, or one was under way",
            Self::Alike => "bytes of several records are indistinguishable",
            Self::Untold => "without a subbuf_start callback relay does not say what it drops",
            Self::Stream => "what readers got is not the whole stream",
            Self::Position => "relay keeps the readers' position to itself",
            Self::Uncounted => "the guest's kernel does not show what memory relay holds",
        }
    }
}

/// Single checks that had nothing to compare with, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unspecified([u64; Why::ALL.len()]);

impl Unspecified {
    /// Counts some more.
    pub fn add(&mut self, why: Why, checks: u64) {
        if let Some(count) = self.0.get_mut(why as usize) {
            *count = count.saturating_add(checks);
        }
    }

    /// Takes in all of another.
    pub fn add_all(&mut self, other: Self) {
        other.iter().for_each(|(why, checks)| self.add(why, checks));
    }

    /// How many, for whatever reason.
    #[must_use]
    pub fn total(self) -> u64 {
        self.0
            .iter()
            .fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// The reasons there were, and how many checks each.
    pub fn iter(self) -> impl Iterator<Item = (Why, u64)> {
        let all = Why::ALL.into_iter().zip(self.0);
        all.filter(|(_, checks)| *checks > 0)
    }
}

impl fmt::Display for Unspecified {
    /// `3 checks: no gate fixes the order of operations; 1 check: …`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (why, checks)) in self.iter().enumerate() {
            let before = if index == 0 { "" } else { "; " };
            let plural = if checks == 1 { "" } else { "s" };
            write!(f, "{before}{checks} check{plural}: {}", why.reason())?;
        }
        Ok(())
    }
}

impl Serialize for Unspecified {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (why, checks) in self.iter() {
            map.serialize_entry(why.name(), &checks)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_counted_by_itself_and_put_into_words() {
        let mut open = Unspecified::default();
        for (times, why) in (1..).zip(Why::ALL) {
            open.add(why, times);
        }
        let counted: Vec<_> = open.iter().collect();
        assert_eq!(counted, Why::ALL.into_iter().zip(1..).collect::<Vec<_>>());
        let sum = (1..).take(Why::ALL.len()).sum::<u64>();
        assert_eq!(open.total(), sum);
        let mut only = Unspecified::default();
        only.add(Why::Order, 1);
        assert_eq!(
            only.to_string(),
            "1 check: no gate fixes the order of operations"
        );
        only.add_all(open);
        let text = serde_json::to_string(&only).unwrap_or_default();
        assert!(text.starts_with(r#"{"order":2,"met":2,"#), "{text}");
    }
}
