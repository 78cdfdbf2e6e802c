//! Error numbers, as Linux counts them: the one table of their names.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! errnos {
    ($($name:ident = $number:literal: $means:literal,)+) => {
        $(#[doc = $means] pub const $name: u32 = $number;)+

        /// All errors with a name, by rising number.
        pub const NAMED: &[(&str, u32)] = &[$((stringify!($name), $number)),+];
    };
}

errnos! {
    EPERM = 1: "Operation not permitted.",
    ENOENT = 2: "No such file or directory.",
    EIO = 5: "Input or output error.",
    ENXIO = 6: "No such device or address.",
    EBADF = 9: "Bad file descriptor.",
    EAGAIN = 11: "Nothing there now; try again.",
    ENOMEM = 12: "Out of memory.",
    EACCES = 13: "Permission denied.",
    EFAULT = 14: "Bad address.",
    EBUSY = 16: "Device or resource busy.",
    EEXIST = 17: "File exists.",
    ENODEV = 19: "No such device.",
    EINVAL = 22: "Invalid argument.",
    ESPIPE = 29: "Illegal seek.",
    ENAMETOOLONG = 36: "File name too long.",
    ENOSYS = 38: "No such function.",
    ECHRNG = 44: "Channel number out of range.",
    EOVERFLOW = 75: "Value too large.",
    ECANCELED = 125: "Operation cancelled; the agent's word for a call that it ended.",
}

/// An error number; 0 is success.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Errno(pub u32);

impl Errno {
    /// Its name, if it is in the table.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        let known = NAMED.iter().find(|(_, number)| *number == self.0);
        known.map(|(name, _)| *name)
    }

    /// The error of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let known = NAMED.iter().find(|(known, _)| *known == name);
        known.map(|(_, number)| Self(*number))
    }
}

impl From<i32> for Errno {
    /// Takes `EIO` and `-EIO` alike.
    fn from(error: i32) -> Self {
        Self(error.unsigned_abs())
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            _ if self.0 == 0 => f.write_str("success"),
            Some(name) => f.write_str(name),
            None => write!(f, "errno {}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_go_both_ways() {
        for (name, number) in NAMED {
            assert_eq!(Errno::named(name), Some(Errno(*number)));
            assert_eq!(Errno(*number).name(), Some(*name));
        }
        assert!(NAMED.is_sorted_by(|a, b| a.1 < b.1));
    }

    #[test]
    fn people_see_names() {
        assert_eq!(Errno(EIO).to_string(), "EIO");
        assert_eq!(Errno::from(-22).to_string(), "EINVAL");
        assert_eq!(Errno(0).to_string(), "success");
        assert_eq!(Errno(4000).to_string(), "errno 4000");
    }
}
