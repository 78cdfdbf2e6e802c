//! Codes of findings: short names that never change their meaning.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::verdict::Property;

/// A finding's stable name, such as `R0301`: the first two digits are its property, the others count within it.
///
/// A code is never renumbered and never used again for something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Code(pub(super) u16);

impl Code {
    /// The property that it belongs to; `None` for a code that no release has had.
    #[must_use]
    pub fn property(self) -> Option<Property> {
        Property::ALL
            .iter()
            .copied()
            .find(|property| property.group() == self.0 / 100)
    }

    /// The codes that `word` may have been meant to be, nearest first.
    #[must_use]
    pub fn near(word: &str) -> Vec<Self> {
        const MOST: usize = 3;
        let digits: String = word.chars().filter(char::is_ascii_digit).collect();
        let Ok(number) = digits.parse::<u16>() else {
            return Vec::new();
        };
        let mut codes: Vec<Self> = super::explanations().map(|entry| entry.code).collect();
        // Those of the same property come first.
        codes.sort_by_key(|code| (code.0 / 100 != number / 100, code.0.abs_diff(number)));
        codes.truncate(MOST);
        codes
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("R{:04}", self.0))
    }
}

/// A text that is no code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not the code of a finding, such as R0301")]
pub struct NoCode(String);

impl FromStr for Code {
    type Err = NoCode;

    fn from_str(text: &str) -> Result<Self, NoCode> {
        let digits = text.strip_prefix(['R', 'r']).filter(|digits| {
            let plain = digits.bytes().all(|digit| digit.is_ascii_digit());
            digits.len() == 4 && plain
        });
        let number = digits.and_then(|digits| digits.parse().ok());
        number.map(Self).ok_or_else(|| NoCode(text.to_owned()))
    }
}

impl TryFrom<String> for Code {
    type Error = NoCode;

    fn try_from(text: String) -> Result<Self, NoCode> {
        text.parse()
    }
}

impl From<Code> for String {
    fn from(code: Code) -> Self {
        code.to_string()
    }
}
