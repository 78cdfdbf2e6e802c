//! Which QEMU is it, and is it new enough?

use std::process::{Command, Stdio};

use serde::Deserialize;

use super::QemuError;
use crate::spec::QemuProgram;

/// A QEMU version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct Version {
    /// First number.
    pub major: u32,
    /// Second number.
    pub minor: u32,
    /// Third number.
    pub micro: u32,
}

impl Version {
    /// The oldest QEMU that works: 7.2 hangs bringing up a second CPU under an instruction clock.
    pub const OLDEST: Self = Self {
        major: 8,
        minor: 2,
        micro: 0,
    };

    /// Whether this version will do.
    pub fn is_enough(self) -> bool {
        self >= Self::OLDEST
    }

    /// Reads the output of `qemu-system-x86_64 --version`.
    pub fn parse(output: &str) -> Option<Self> {
        let rest = output
            .lines()
            .find_map(|l| l.trim().strip_prefix("QEMU emulator version "))?;
        let end = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let mut numbers = rest.get(..end)?.split('.');
        let major = numbers.next()?.parse().ok()?;
        let minor = numbers.next()?.parse().ok()?;
        let micro = match numbers.next() {
            None | Some("") => 0,
            Some(number) => number.parse().ok()?,
        };
        Some(Self {
            major,
            minor,
            micro,
        })
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.micro)
    }
}

impl QemuProgram {
    /// Asks the program for its version and refuses one that is too old.
    ///
    /// # Errors
    /// [`QemuError::Spawn`], [`QemuError::NotQemu`], [`QemuError::TooOld`].
    pub fn version(&self) -> Result<Version, QemuError> {
        let (program, leading) = self.argv0.split_first().ok_or(QemuError::NoProgram)?;
        let output = Command::new(program)
            .args(leading)
            .arg("--version")
            .stdin(Stdio::null())
            .output()
            .map_err(|source| QemuError::Spawn {
                program: program.into(),
                source,
            })?;
        let text = String::from_utf8_lossy(&output.stdout);
        let Some(version) = Version::parse(&text) else {
            let said = if text.is_empty() {
                String::from_utf8_lossy(&output.stderr)
            } else {
                text
            };
            return Err(QemuError::NotQemu {
                program: program.into(),
                said: said.chars().take(200).collect(),
            });
        };
        if version.is_enough() {
            Ok(version)
        } else {
            Err(QemuError::TooOld { version })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn version(major: u32, minor: u32, micro: u32) -> Version {
        Version {
            major,
            minor,
            micro,
        }
    }

    #[test]
    fn real_outputs() {
        let debian = "QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2+deb13u1~bpo12+1)\n\
                      Copyright (c) 2003-2025 Fabrice Bellard and the QEMU Project developers\n";
        assert_eq!(Version::parse(debian), Some(version(10, 0, 2)));
        assert_eq!(
            Version::parse("QEMU emulator version 9.2.50"),
            Some(version(9, 2, 50))
        );
        assert_eq!(
            Version::parse("QEMU emulator version 8.2-rc1"),
            Some(version(8, 2, 0))
        );
        assert_eq!(Version::parse("qemu: no"), None);
        assert_eq!(Version::parse("QEMU emulator version x"), None);
        assert_eq!(
            Version::parse("QEMU emulator version 99999999999.1.1"),
            None
        );
    }

    #[test]
    fn bookworms_own_is_too_old() {
        assert!(!version(7, 2, 17).is_enough());
        assert!(version(8, 2, 0).is_enough());
        assert!(version(10, 0, 0).is_enough());
    }

    #[test]
    fn a_program_that_is_not_qemu() {
        let qemu = QemuProgram {
            argv0: vec!["true".into()],
            data_dir: None,
            sandbox: Vec::new(),
        };
        assert!(matches!(qemu.version(), Err(QemuError::NotQemu { .. })));
        let qemu = QemuProgram {
            argv0: vec!["/nonexistent/qemu".into()],
            data_dir: None,
            sandbox: Vec::new(),
        };
        assert!(matches!(qemu.version(), Err(QemuError::Spawn { .. })));
    }

    proptest! {
        #[test]
        fn what_is_printed_is_parsed(major: u32, minor: u32, micro: u32, rest in "[ (].*") {
            let v = version(major, minor, micro);
            let output = format!("QEMU emulator version {v}{rest}");
            prop_assert_eq!(Version::parse(&output), Some(v));
        }

        #[test]
        fn no_output_makes_it_panic(output in "(QEMU emulator version )?.*") {
            let _ = Version::parse(&output);
        }
    }
}
