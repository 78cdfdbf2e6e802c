//! The guest's console: shown as it grows, and cut into the part that belongs to one case.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::crash::CrashWatch;

/// Half of the console text that is kept for one case at most.
const HALF_MAX_BYTES: u64 = 1 << 19;
/// Lines shown of the first report of trouble: an oops has some 50.
const REPORT_MAX: usize = 64;
/// Behind it a report has ended.
const REPORT_END: &str = "---[ end";

/// Follows the file that a machine's console goes to.
#[derive(Debug)]
pub(super) struct Console {
    path: PathBuf,
    show: bool,
    shown: u64,
    mark: u64,
}

impl Console {
    /// Follows `path`; `show` copies what is new to standard error.
    pub(super) fn new(path: PathBuf, show: bool) -> Self {
        Self {
            path,
            show,
            shown: 0,
            mark: 0,
        }
    }

    /// A case begins: what follows is its own.
    pub(super) fn mark(&mut self) {
        self.mark = std::fs::metadata(&self.path).map_or(self.mark, |meta| meta.len());
    }

    /// Text since the last mark; of a long one its beginning and its end, half a mebibyte each.
    pub(super) fn since_mark(&self) -> String {
        // A console that cannot be read any more must not hide the rest of the evidence.
        let read = |from| read_from(&self.path, from, HALF_MAX_BYTES).unwrap_or_default();
        let len = std::fs::metadata(&self.path).map_or(0, |meta| meta.len());
        let mut bytes = read(self.mark);
        let behind = self.mark + bytes.len() as u64;
        let end = behind.max(len.saturating_sub(HALF_MAX_BYTES));
        if end > behind {
            bytes.extend_from_slice(format!("\n[{} bytes left out]\n", end - behind).as_bytes());
        }
        bytes.extend(read(end));
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// What is worth a look in the text since the last mark, and its last lines: see [`excerpt`].
    pub(super) fn excerpt(&self, last: usize) -> Vec<String> {
        excerpt(&self.since_mark(), last)
    }

    /// Looks for an oops in what comes from now on.
    pub(super) fn crash_watch(&self) -> CrashWatch {
        CrashWatch::new(self.path.clone(), self.mark)
    }

    /// Shows what came since the last call, if it is to be shown.
    pub(super) fn show(&mut self) {
        if !self.show {
            return;
        }
        let bytes = read_from(&self.path, self.shown, u64::MAX).unwrap_or_default();
        self.shown += bytes.len() as u64;
        // A closed standard error must not stop the run.
        let _ = std::io::stderr().write_all(&bytes);
    }
}

/// What a person must see of a console: the first report of trouble, the line that begins each other, and the last
/// lines, with a word where something is left out.
pub(super) fn excerpt(text: &str, last: usize) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let mut shown: BTreeSet<usize> = (lines.len().saturating_sub(last)..lines.len()).collect();
    let mut troubles = relaybed_judge::reported(text).map(|(number, _)| number);
    if let Some(first) = troubles.next() {
        let report = lines.iter().enumerate().skip(first).take(REPORT_MAX);
        let end = report.clone().find(|(_, line)| line.contains(REPORT_END));
        let end = end.map_or(first + REPORT_MAX, |(number, _)| number + 1);
        shown.extend(first..end.min(lines.len()));
    }
    shown.extend(troubles.take(REPORT_MAX));
    let mut excerpt = Vec::new();
    let mut next = shown.first().copied().unwrap_or(0);
    for number in shown {
        if number > next {
            excerpt.push(format!("[{} lines left out]", number - next));
        }
        excerpt.push(clean(lines[number]));
        next = number + 1;
    }
    excerpt
}

/// What a guest prints must not drive the terminal that shows it.
fn clean(line: &str) -> String {
    let shown = |c: char| {
        if c.is_control() && c != '\t' {
            '\u{fffd}'
        } else {
            c
        }
    };
    line.trim_end_matches('\r').chars().map(shown).collect()
}

pub(super) fn read_from(path: &Path, from: u64, most: u64) -> std::io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_of_trouble_is_shown_however_far_above_the_end_it_is() {
        let noise = |from: u32| {
            (from..from + 40)
                .map(|n| format!("[ 2.0] line {n}\r\n"))
                .collect::<String>()
        };
        let panic = "[ 3.0] Kernel panic - not syncing: sysrq triggered crash\r\n[ 3.0] RIP: here\r\n\
            [ 3.1] ---[ end Kernel panic - not syncing ]---\r\n";
        let text = noise(0) + panic + &noise(40);
        let shown = excerpt(&text, 20);
        assert_eq!(
            shown[0],
            "[ 3.0] Kernel panic - not syncing: sysrq triggered crash"
        );
        assert_eq!(shown[1], "[ 3.0] RIP: here");
        assert_eq!(shown[3], "[20 lines left out]");
        assert_eq!((shown.len(), shown[23].as_str()), (24, "[ 2.0] line 79"));
        // One is not repeated, and of a second one the first line is there.
        let twice = noise(0) + panic + &noise(40) + "[ 4.0] BUG: again\n" + &noise(80);
        let shown = excerpt(&twice, 20);
        assert_eq!(
            shown
                .iter()
                .filter(|line| line.contains("BUG: again"))
                .count(),
            1
        );
        assert_eq!(excerpt("a\nb\x1b[2J\nc", 2), ["b\u{fffd}[2J", "c"]);
        assert!(excerpt("", 5).is_empty());
    }

    #[test]
    fn of_a_flood_the_end_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("console");
        let mut text = "x".repeat(2 << 20);
        text.push_str("\nKernel panic - not syncing: at last\n");
        std::fs::write(&path, &text).unwrap();
        let kept = Console::new(path.clone(), false).since_mark();
        assert!(kept.contains("bytes left out") && kept.ends_with("at last\n"));
        assert!(kept.len() < text.len());
        std::fs::write(&path, "short\n").unwrap();
        assert_eq!(Console::new(path, false).since_mark(), "short\n");
    }
}
