//! What the host's accounts say of processes and threads.

use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use crate::deadline::CpuTime;

/// Scheduler time of all threads of process `pid`; zero if the host does not account for it.
pub(crate) fn cpu_time(pid: u32) -> CpuTime {
    let mut sum = CpuTime::default();
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) else {
        return sum;
    };
    for task in tasks.flatten() {
        let time = thread_time(&task.path());
        sum.run += time.run;
        sum.wait += time.wait;
    }
    sum
}

/// Scheduler time of the one thread whose folder under `/proc` this is.
pub(crate) fn thread_time(task: &Path) -> CpuTime {
    let text = std::fs::read_to_string(task.join("schedstat")).unwrap_or_default();
    let mut fields = text
        .split_ascii_whitespace()
        .map_while(|field| field.parse().ok());
    match (fields.next(), fields.next()) {
        (Some(run), Some(wait)) => CpuTime {
            run: Duration::from_nanos(run),
            wait: Duration::from_nanos(wait),
        },
        _ => CpuTime::default(),
    }
}

/// Resident memory of a process, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Resident {
    /// All of it.
    pub(crate) all: u64,
    /// Guest RAM.
    pub(crate) ram: u64,
    /// What is neither guest RAM nor backed by a file: the program's own data.
    pub(crate) own: u64,
}

/// Resident memory of process `pid`. Guest RAM is at `places` or, if there are none, all that is shared.
pub(crate) fn resident(pid: u32, places: &[Range<u64>]) -> Option<Resident> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let bytes = |key: &str| {
        let line = status.lines().find_map(|l| l.strip_prefix(key))?;
        let kib = line.split_ascii_whitespace().next()?;
        Some(kib.parse::<u64>().ok()? * 1024)
    };
    let all = bytes("VmRSS:")?;
    let (ram, own) = if places.is_empty() {
        (bytes("RssShmem:")?, bytes("RssAnon:")?)
    } else {
        let smaps = std::fs::read_to_string(format!("/proc/{pid}/smaps")).ok()?;
        split(&smaps, places)
    };
    Some(Resident { all, ram, own })
}

/// Resident bytes of the mappings that begin in `places`, and anonymous bytes of all others, by the
/// text of a process's `smaps`.
fn split(smaps: &str, places: &[Range<u64>]) -> (u64, u64) {
    let (mut inside, mut ram, mut own) = (false, 0, 0);
    let bytes = |rest: &str| {
        let kib = rest.split_ascii_whitespace().next();
        kib.and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) * 1024
    };
    for line in smaps.lines() {
        let start = line.split_once('-').map(|(start, _)| start);
        if let Some(start) = start.and_then(|start| u64::from_str_radix(start, 16).ok()) {
            inside = places.iter().any(|place| place.contains(&start));
        } else if let Some(rest) = line.strip_prefix("Rss:").filter(|_| inside) {
            ram += bytes(rest);
        } else if let Some(rest) = line.strip_prefix("Anonymous:").filter(|_| !inside) {
            own += bytes(rest);
        }
    }
    (ram, own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_s_time_grows_while_it_spins_and_is_part_of_its_process() {
        // Not the sum over this process: other tests' threads come and go.
        let own = || thread_time(Path::new("/proc/thread-self"));
        let before = own();
        let until = std::time::Instant::now() + Duration::from_millis(100);
        while std::time::Instant::now() < until {
            std::hint::spin_loop();
        }
        let after = own();
        let used = (after.run + after.wait).saturating_sub(before.run + before.wait);
        assert!(used > Duration::from_millis(20), "{used:?}");
        assert!(cpu_time(std::process::id()).run >= after.run);
    }

    #[test]
    fn only_the_mappings_asked_for_are_summed() {
        let smaps = "1000-3000 rw-p 00000000 00:00 0 \nSize: 8 kB\nRss:                   4 kB\n\
            Anonymous: 4 kB\n3000-5000 rw-p 00000000 00:00 0 [anon: a-b]\nRss: 8 kB\nPss: 8 kB\n\
            7000-8000 r--p 00000000 00:00 0\nRss: 16 kB\nAnonymous: 12 kB\n";
        let parts = split(smaps, &[0x1000..0x3000, 0x3000..0x5000]);
        assert_eq!(parts, (12 << 10, 12 << 10));
        assert_eq!(split(smaps, &[0x7000..0x7001, 0..1]), (16 << 10, 4 << 10));
        assert_eq!(split("Rss: 4 kB", &[0..1, 1..u64::MAX]), (0, 0));
    }
}
