//! What the host's accounts say of processes and threads.

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

/// Resident memory of process `pid` in bytes: all of it, and the part that is shared (guest RAM).
pub(crate) fn resident(pid: u32) -> Option<(u64, u64)> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let kib = |key: &str| {
        let line = status.lines().find_map(|l| l.strip_prefix(key))?;
        line.split_ascii_whitespace().next()?.parse::<u64>().ok()
    };
    Some((kib("VmRSS:")? * 1024, kib("RssShmem:")? * 1024))
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
}
