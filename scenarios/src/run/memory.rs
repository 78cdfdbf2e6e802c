//! How much memory `relaybed` itself holds.

/// Resident memory of this process in KiB, without shared memory, which is the guest's RAM.
///
/// From `RssAnon` and `RssFile` of `/proc/self/status` (proc(5)); 0 where that cannot be read.
#[must_use]
pub fn own_rss_kib() -> u64 {
    std::fs::read_to_string("/proc/self/status").map_or(0, |text| sum(&text))
}

fn sum(status: &str) -> u64 {
    status
        .lines()
        .filter_map(|line| {
            line.strip_prefix("RssAnon:")
                .or(line.strip_prefix("RssFile:"))
        })
        .filter_map(|rest| rest.split_whitespace().next()?.parse::<u64>().ok())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_memory_does_not_count() {
        let status = "VmRSS:\t  90 kB\nRssAnon:\t  10 kB\nRssFile:\t  20 kB\nRssShmem:\t  60 kB\n";
        assert_eq!(sum(status), 30);
        assert!(own_rss_kib() > 0);
    }
}
