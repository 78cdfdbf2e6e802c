//! Values that findings carry: quantities with their unit, names, and what calls gave.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::errno::Errno;
use crate::pollbits::PollBits;

/// Writes a text on one line: control characters are escaped.
pub(crate) fn one_line(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    use fmt::Write as _;
    for c in text.chars() {
        match c {
            c if c.is_control() => write!(f, "{}", c.escape_default())?,
            c => f.write_char(c)?,
        }
    }
    Ok(())
}

/// A text that is itself the evidence: a name, a line of the console, another room's error.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Plain(String);

impl<T: Into<String>> From<T> for Plain {
    fn from(text: T) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.is_empty() {
            true => f.write_str("(empty)"),
            false => one_line(f, &self.0),
        }
    }
}

/// A text that an actor read or was to read, shown in quotes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Quoted(String);

impl<T: Into<String>> From<T> for Quoted {
    fn from(text: T) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Quoted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_debug())
    }
}

/// A number of bytes: `1 byte`, `512 bytes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1 => f.write_str("1 byte"),
            count => write!(f, "{count} bytes"),
        }
    }
}

/// An answer to a question: `yes` or `no`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Yes(pub bool);

impl fmt::Display for Yes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0 { "yes" } else { "no" })
    }
}

/// Values in a row: `3, 0, 8`; `none` where there are none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct List<T>(pub Vec<T>);

impl<T: fmt::Display> fmt::Display for List<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((first, rest)) = self.0.split_first() else {
            return f.write_str("none");
        };
        write!(f, "{first}")?;
        rest.iter().try_for_each(|item| write!(f, ", {item}"))
    }
}

impl<T> FromIterator<T> for List<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self(items.into_iter().collect())
    }
}

/// One record, as far as it can be named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// By its producer and its number.
    Named {
        /// Number of the record.
        number: u32,
        /// Name of its producer.
        actor: Plain,
    },
    /// The bytes do not say which.
    Unnamed,
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named { number, actor } => write!(f, "record {number} of {actor}"),
            Self::Unnamed => f.write_str("a record"),
        }
    }
}

/// What a byte should be, or whose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Due {
    /// Never written: relay allocates its pages zeroed.
    Zero,
    /// A byte of a sub-buffer's header.
    Header {
        /// Its offset in the header.
        byte: u64,
    },
    /// A byte that a program stored through a mapping.
    Stored {
        /// Its offset in what was stored.
        byte: u64,
    },
    /// A byte of a record.
    Record {
        /// Its offset in the record.
        byte: u64,
        /// The record.
        of: Record,
    },
}

impl fmt::Display for Due {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zero => f.write_str("0x00, never written"),
            Self::Header { byte } => write!(f, "byte {byte} of the sub-buffer's header"),
            Self::Stored { byte } => write!(f, "byte {byte} of what was stored through a mapping"),
            Self::Record { byte, of } => write!(f, "byte {byte} of {of}"),
        }
    }
}

/// A byte that was seen, if there was one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Byte(pub Option<u8>);

impl fmt::Display for Byte {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(byte) => write!(f, "{byte:#04x}"),
            None => f.write_str("no byte"),
        }
    }
}

/// An offset in a sub-buffer; one beyond its size is relay's mark of a full buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offset {
    /// The offset.
    pub offset: u64,
    /// Size of the sub-buffer.
    pub subbuf_size: u64,
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.offset == self.subbuf_size.saturating_add(1) {
            true => write!(f, "{} (marked full)", self.offset),
            false => write!(f, "{}", self.offset),
        }
    }
}

/// What a call came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It failed.
    Fails(Errno),
    /// It did not fail; what it returned is another matter.
    Succeeds,
    /// It returned this number; the kernel's signed values are shown signed.
    Returns(u64),
    /// It gave so many bytes.
    Gives(Bytes),
    /// It reported these events.
    Reports(PollBits),
}

impl Outcome {
    /// By an error number, 0 for none.
    #[must_use]
    pub fn of(error: Errno) -> Self {
        match error {
            Errno(0) => Self::Succeeds,
            error => Self::Fails(error),
        }
    }

    /// What a `read()` returned: bytes, or an error below 0.
    #[must_use]
    pub fn of_read(returned: i64) -> Self {
        match u64::try_from(returned) {
            Ok(bytes) => Self::Gives(Bytes(bytes)),
            Err(_) => {
                let errno = returned.unsigned_abs();
                Self::Fails(Errno(u32::try_from(errno).unwrap_or(u32::MAX)))
            }
        }
    }

    /// The error, if it failed.
    #[must_use]
    pub const fn error(self) -> Option<Errno> {
        match self {
            Self::Fails(error) => Some(error),
            _ => None,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fails(error) => write!(f, "{error}"),
            Self::Succeeds => f.write_str("success"),
            Self::Returns(value) => write!(f, "{}", value.cast_signed()),
            Self::Gives(bytes) => write!(f, "{bytes}"),
            Self::Reports(events) => write!(f, "{events}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_as_people_write_them() {
        assert_eq!(Bytes(1).to_string(), "1 byte");
        assert_eq!(Bytes(0).to_string(), "0 bytes");
        assert_eq!(List(vec![3, 0]).to_string(), "3, 0");
        assert_eq!(List::<u64>(Vec::new()).to_string(), "none");
        assert_eq!(Plain::from("a\nb\u{1b}").to_string(), "a\\nb\\u{1b}");
        assert_eq!(Quoted::from("a\n\"").to_string(), "\"a\\n\\\"\"");
        let negative = 0u64.wrapping_sub(2);
        assert_eq!(Outcome::Returns(negative).to_string(), "-2");
        assert_eq!(Outcome::of_read(-5).to_string(), "EIO");
        assert_eq!(Outcome::of_read(5).to_string(), "5 bytes");
        assert_eq!(Byte(Some(7)).to_string(), "0x07");
    }

    #[test]
    fn the_mark_of_a_full_buffer_is_named() {
        let at = |offset| Offset {
            offset,
            subbuf_size: 64,
        };
        assert_eq!(at(64).to_string(), "64");
        assert_eq!(at(65).to_string(), "65 (marked full)");
    }
}
