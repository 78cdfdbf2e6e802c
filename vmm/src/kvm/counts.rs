//! How often vCPUs left the guest into this process, and why.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! reasons {
    ($($(#[doc = $doc:literal])* $variant:ident = $name:literal,)*) => {
        /// Why a vCPU left the guest.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Reason {
            $($(#[doc = $doc])* $variant,)*
        }

        impl Reason {
            const NAMES: &[&str] = &[$($name),*];
        }
    };
}

reasons! {
    /// A register of the console's UART.
    Console = "console",
    /// A register of the doorbell's UART.
    Doorbell = "doorbell",
    /// The reset register or the keyboard controller's.
    ResetPort = "reset port",
    /// The CMOS clock, which is not there.
    Cmos = "absent CMOS clock",
    /// PCI configuration, which is not there.
    Pci = "absent PCI",
    /// The port that old hardware is waited for with.
    Delay = "delay port",
    /// Another port at which there is nothing.
    EmptyPort = "other empty port",
    /// An address at which there is neither RAM nor a device.
    EmptyMemory = "empty memory",
    /// A debug register was met, or a step made.
    Debug = "debugger",
    /// A signal of ours.
    Kick = "kicked by the host",
    /// Anything else.
    Other = "other",
}

/// How often each reason came; one for a whole machine, counted by all of its vCPUs.
#[derive(Debug)]
pub(super) struct Counts {
    counts: [AtomicU64; Reason::NAMES.len()],
}

impl Counts {
    /// All zero.
    pub(super) fn new() -> Self {
        Self {
            counts: [const { AtomicU64::new(0) }; Reason::NAMES.len()],
        }
    }

    /// Counts one exit.
    pub(super) fn add(&self, reason: Reason) {
        if let Some(count) = self.counts.get(reason as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What has been counted so far.
    pub(super) fn snapshot(&self) -> ExitCounts {
        let counts = self.counts.iter().zip(Reason::NAMES);
        ExitCounts(
            counts
                .map(|(count, reason)| ExitCount {
                    reason,
                    count: count.load(Ordering::Relaxed),
                })
                .collect(),
        )
    }
}

/// How often vCPUs left the guest for one reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExitCount {
    /// The reason.
    pub reason: &'static str,
    /// How often it came.
    pub count: u64,
}

/// How often vCPUs have left the guest into the virtual machine's process, by reason.
///
/// What KVM handles itself (interrupts, halts, timers, page faults) is not seen here: the kernel's
/// own statistics under debugfs (`kvm/`) have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExitCounts(Vec<ExitCount>);

impl ExitCounts {
    /// Every reason, also those that never came.
    pub fn iter(&self) -> impl Iterator<Item = ExitCount> + '_ {
        self.0.iter().copied()
    }

    /// How often the reason with this name came; 0 for a name that there is not.
    pub fn get(&self, reason: &str) -> u64 {
        self.iter()
            .find(|c| c.reason == reason)
            .map_or(0, |c| c.count)
    }

    /// What came between `before` and this.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let counts = self.iter().map(|count| ExitCount {
            count: count.count.saturating_sub(before.get(count.reason)),
            ..count
        });
        Self(counts.collect())
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        self.iter().map(|c| c.count).sum()
    }
}

impl std::fmt::Display for ExitCounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} exits", self.total())?;
        let mut separator = ": ";
        for ExitCount { reason, count } in self.iter().filter(|c| c.count > 0) {
            write!(f, "{separator}{count} {reason}")?;
            separator = ", ";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_a_count_of_its_own() {
        let counts = Counts::new();
        counts.add(Reason::Console);
        counts.add(Reason::Other);
        counts.add(Reason::Other);
        let seen = counts.snapshot();
        assert_eq!(
            (seen.get("console"), seen.get("other"), seen.total()),
            (1, 2, 3)
        );
        assert_eq!(seen.to_string(), "3 exits: 1 console, 2 other");
        counts.add(Reason::Other);
        let since = counts.snapshot().since(&seen);
        assert_eq!(since.to_string(), "1 exits: 1 other");
        assert_eq!(Reason::NAMES.len(), Reason::Other as usize + 1);
    }
}
