//! The ends of text files that a guest or QEMU wrote, made safe to show.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// How much of a file's end is looked at.
const TAIL_MAX_BYTES: u64 = 256 * 1024;

/// The last `lines` lines of the file. A first line that is cut is left out.
pub(crate) fn tail(path: &Path, lines: usize) -> io::Result<Vec<String>> {
    let mut file = File::open(path)?;
    let start = file.metadata()?.len().saturating_sub(TAIL_MAX_BYTES);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(TAIL_MAX_BYTES).read_to_end(&mut bytes)?;
    Ok(last_lines(&bytes, lines, start > 0))
}

/// The last lines of `bytes`, without control characters: what a guest prints must not be able to
/// drive the terminal that shows it.
fn last_lines(bytes: &[u8], lines: usize, cut: bool) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let all: Vec<&str> = text.lines().skip(usize::from(cut)).collect();
    let start = all.len().saturating_sub(lines);
    all.get(start..)
        .unwrap_or_default()
        .iter()
        .map(|line| clean(line))
        .collect()
}

fn clean(line: &str) -> String {
    let replace = |c: char| {
        if c.is_control() && c != '\t' {
            '\u{fffd}'
        } else {
            c
        }
    };
    line.trim_end_matches('\r').chars().map(replace).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_lines_only() {
        assert_eq!(last_lines(b"a\r\nb\nc", 2, false), ["b", "c"]);
        assert_eq!(last_lines(b"cut\nb\n", 9, true), ["b"]);
        assert!(last_lines(b"", 3, false).is_empty());
    }

    #[test]
    fn a_guest_cannot_drive_the_terminal() {
        assert_eq!(
            last_lines(b"\x1b[2Jx\ty\xff", 1, false),
            ["\u{fffd}[2Jx\ty\u{fffd}"]
        );
    }

    #[test]
    fn only_the_end_of_a_large_file_is_read() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let line = format!("{}\n", "x".repeat(99));
        std::fs::write(file.path(), line.repeat(10_000)).unwrap();
        let lines = tail(file.path(), usize::MAX).unwrap();
        assert!(lines.len() > 2000 && lines.iter().all(|l| l.len() == 99));
    }
}
