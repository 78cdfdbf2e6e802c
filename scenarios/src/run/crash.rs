//! A guest whose kernel has oopsed will not end its scenario: what it prints is watched, so that nobody waits for a
//! deadline then.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use relaybed_judge::reported;

use super::console::read_from;

/// How long a guest that has printed an oops may take for what comes of it: a panic, or the scenario's end.
const SETTLE: Duration = Duration::from_secs(1);
/// The same of a guest that does not come to the end of its text.
const SETTLE_TEXT: Duration = Duration::from_secs(5);
/// The last line of an oops.
const END: &str = "---[ end trace";
/// Most text that is searched.
const TEXT_MAX: u64 = 1 << 20;

/// Looks for an oops in what a guest prints.
#[derive(Debug, Default)]
pub(super) struct CrashWatch {
    path: PathBuf,
    /// Up to here whole lines were read.
    read: u64,
    oops: Option<Oops>,
}

/// One that was printed.
#[derive(Debug)]
struct Oops {
    line: String,
    seen: Instant,
    whole: bool,
}

impl CrashWatch {
    /// Watches what is printed to this file from `from` on.
    pub(super) fn new(path: PathBuf, from: u64) -> Self {
        Self {
            path,
            read: from,
            oops: None,
        }
    }

    /// The line of an oops that was printed to its end, or does not come to it.
    pub(super) fn oops(&mut self) -> Option<&str> {
        self.read();
        let oops = self.oops.as_ref()?;
        let is_told = oops.whole || oops.seen.elapsed() > SETTLE_TEXT;
        is_told.then_some(oops.line.as_str())
    }

    /// The same, once the guest has had the time for what comes of it.
    pub(super) fn settled(&mut self) -> Option<String> {
        self.oops()?;
        let oops = self.oops.as_ref()?;
        (oops.seen.elapsed() > SETTLE).then(|| oops.line.clone())
    }

    fn read(&mut self) {
        let len = std::fs::metadata(&self.path).map_or(0, |meta| meta.len());
        if len <= self.read {
            return;
        }
        // A console that cannot be read any more says nothing; deadlines are still there.
        let bytes = read_from(&self.path, self.read, TEXT_MAX).unwrap_or_default();
        let Some(end) = bytes.iter().rposition(|byte| *byte == b'\n') else {
            return;
        };
        self.read += end as u64 + 1;
        for line in String::from_utf8_lossy(&bytes[..end]).lines() {
            self.line(line);
        }
    }

    fn line(&mut self, line: &str) {
        match &mut self.oops {
            Some(oops) => oops.whole |= line.contains(END),
            None if is_oops(line) => {
                self.oops = Some(Oops {
                    line: line.trim_end().to_owned(),
                    seen: Instant::now(),
                    whole: false,
                });
            }
            None => {}
        }
    }
}

/// Whether a line is the one that counts an oops: a report of trouble with `[#1]`. A WARN has none, nor has a BUG that
/// kills nobody.
fn is_oops(line: &str) -> bool {
    let counted = line.split("[#").skip(1).any(|rest| {
        let number = rest.split(']').next().unwrap_or_default();
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    });
    counted && reported(line).next().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_oops_is_told_once_its_text_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("console");
        let mut text = String::from("[ 1.0] Oops: 0002 [#1] of another scenario\n");
        std::fs::write(&path, &text).unwrap();
        let mut watch = CrashWatch::new(path.clone(), text.len() as u64);
        let mut says = |more: &str| {
            text.push_str(more);
            std::fs::write(&path, &text).unwrap();
            watch.oops().map(str::to_owned)
        };
        assert_eq!(
            says("[ 2.0] WARNING: CPU: 1\n[ 2.1] ---[ end trace 0 ]---\n"),
            None
        );
        assert_eq!(says("[ 3.0] BUG: kernel NULL pointer dereference\n"), None);
        assert_eq!(says("[ 3.1] Oops: 0000 [#1] PREEM"), None);
        assert_eq!(says("PT SMP\n[ 3.2] CPU: 1\n"), None);
        let oops = says("[ 3.3] ---[ end trace 0000000000000000 ]---\n");
        assert_eq!(oops.as_deref(), Some("[ 3.1] Oops: 0000 [#1] PREEMPT SMP"));
    }

    #[test]
    fn other_lines_are_no_oops() {
        for line in [
            "[ 1.0] WARNING: CPU: 1 PID: 2 at x.c:1",
            "[ 1.0] BUG: sleeping function called from invalid context at x.c:1",
            "[ 1.0] relay: item [#1] is no trouble",
            "[ 1.0] Oops: 0000 [#] PREEMPT",
        ] {
            assert!(!is_oops(line), "{line}");
        }
        for line in [
            "[ 1.0] general protection fault, probably for address 0x1: 0000 [#1] PREEMPT SMP",
            "[ 1.0] invalid opcode: 0000 [#2] PREEMPT SMP NOPTI",
            "[ 1.0] Oops: invalid opcode: 0000 [#1] SMP NOPTI",
        ] {
            assert!(is_oops(line), "{line}");
        }
    }
}
