//! The doorbell: short lines from guest to host on `ttyS1`.

use crate::consts::RB_BELL_LINE_MAX;

/// One ring of the doorbell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ring {
    /// The guest is ready; the mailbox is at this guest-physical address, so it says.
    Ready(u64),
    /// An actor waits at a checkpoint; the header says which.
    Checkpoint,
    /// An actor waits for an NMI.
    Nmi,
    /// The request is through.
    Done,
    /// The guest cannot go on, for the reason given.
    Failed(String),
    /// A line that means nothing.
    Garbled(String),
}

/// Puts single bytes together to rings. Bounded: an endless line is cut and reported as garbled.
#[derive(Debug, Default)]
pub struct Decoder {
    line: Vec<u8>,
}

impl Decoder {
    /// Takes the next byte; gives the ring that it completes, if it completes one.
    pub fn push(&mut self, byte: u8) -> Option<Ring> {
        if byte != b'\n' && self.line.len() < RB_BELL_LINE_MAX {
            if byte != b'\r' {
                self.line.push(byte);
            }
            return None;
        }
        let line = String::from_utf8_lossy(&self.line).into_owned();
        self.line.clear();
        Some(Self::ring(line))
    }

    fn ring(line: String) -> Ring {
        let garbled = |line: &str| Ring::Garbled(line.to_owned());
        match (line.as_bytes().first(), line.get(1..)) {
            (Some(b'R'), Some(hex)) if hex.len() == 16 => {
                u64::from_str_radix(hex, 16).map_or_else(|_| garbled(&line), Ring::Ready)
            }
            (Some(b'C'), Some("")) => Ring::Checkpoint,
            (Some(b'N'), Some("")) => Ring::Nmi,
            (Some(b'D'), Some("")) => Ring::Done,
            (Some(b'X'), Some(why)) => Ring::Failed(why.to_owned()),
            _ => garbled(&line),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rings(bytes: &[u8]) -> Vec<Ring> {
        let mut decoder = Decoder::default();
        bytes
            .iter()
            .filter_map(|byte| decoder.push(*byte))
            .collect()
    }

    #[test]
    fn every_ring_is_decoded() {
        assert_eq!(
            rings(b"R0000000001234000\r\nC\nN\nD\nXno module\n"),
            [
                Ring::Ready(0x123_4000),
                Ring::Checkpoint,
                Ring::Nmi,
                Ring::Done,
                Ring::Failed("no module".into())
            ]
        );
    }

    #[test]
    fn nonsense_is_garbled_and_bounded() {
        assert_eq!(rings(b"R12\n"), [Ring::Garbled("R12".into())]);
        assert_eq!(
            rings(b"R00000000012340z0\n"),
            [Ring::Garbled("R00000000012340z0".into())]
        );
        assert_eq!(rings(b"\n"), [Ring::Garbled(String::new())]);
        assert_eq!(rings(&[b'a'; 1000]).len(), 1000 / (RB_BELL_LINE_MAX + 1));
    }
}
