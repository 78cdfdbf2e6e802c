//! Deadlines by progress.
//!
//! A fixed time-out fails a healthy guest on a busy host and waits too long for a dead one on an
//! idle host. So the clock here is not the wall's. Each stretch of waiting is divided by what the
//! virtual machine's threads did in it, as the host's scheduler accounts for them:
//!
//! - *busy*: they ran, so the guest executed something;
//! - *starved*: they wanted to run and the host gave them no CPU;
//! - *idle*: they slept, so every vCPU was halted.
//!
//! Starved time is not charged. Idle and busy time without a sign of life (a byte on the
//! console or the doorbell) are limited each on their own: a guest that waits for what never
//! comes is idle, a guest that spins silently is busy, and both end in bounded time. Signs of life
//! restart these two, so a guest that talks for ever needs the third limit, on the whole wait.

use std::time::Duration;

/// How long to wait for the next event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// Longest time with all vCPUs asleep and no sign of life.
    pub idle: Duration,
    /// Longest time of vCPUs running without a sign of life.
    pub busy: Duration,
    /// Longest wait altogether (idle and busy), signs of life or not.
    pub total: Option<Duration>,
}

impl Deadline {
    /// The same limit for idle and for busy, and ten times it for the whole wait.
    pub const fn stall(limit: Duration) -> Self {
        Self {
            idle: limit,
            busy: limit,
            total: Some(limit.saturating_mul(10)),
        }
    }

    /// Never idle or busy at all: only what has already happened is reported.
    pub const NOW: Self = Self::stall(Duration::ZERO);
}

impl Default for Deadline {
    /// 15 s idle, 60 s busy, 10 minutes in all.
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(15),
            busy: Duration::from_secs(60),
            total: Some(Duration::from_secs(600)),
        }
    }
}

/// Which limit was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StallKind {
    /// All vCPUs slept: the guest waits for something that does not come (a deadlock, a lost
    /// wake-up, a halt).
    Idle,
    /// vCPUs ran and said nothing: the guest spins.
    Busy,
    /// The guest gave signs of life but not the event that was waited for.
    Total,
}

/// A deadline that was reached, with the account of the time that led to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stall {
    /// The limit that was reached.
    pub kind: StallKind,
    /// Idle time since the last sign of life.
    pub idle: Duration,
    /// Busy time since the last sign of life.
    pub busy: Duration,
    /// Time of the whole wait in which the host gave the guest no CPU.
    pub starved: Duration,
}

impl std::fmt::Display for Stall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let what = match self.kind {
            StallKind::Idle => "the guest is idle and shows no sign of life",
            StallKind::Busy => "the guest runs and shows no sign of life",
            StallKind::Total => "the guest is alive, but what we waited for did not happen",
        };
        let Self {
            idle,
            busy,
            starved,
            ..
        } = self;
        write!(
            f,
            "{what} (since the last sign: idle {:.1} s, busy {:.1} s; starved by the host {:.1} s)",
            idle.as_secs_f64(),
            busy.as_secs_f64(),
            starved.as_secs_f64()
        )
    }
}

/// Scheduler time of all threads of a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CpuTime {
    /// Time on a CPU.
    pub(crate) run: Duration,
    /// Time in a run queue, wanting a CPU.
    pub(crate) wait: Duration,
}

/// Adds up one wait and says when it has lasted too long. Pure: time comes in as numbers.
#[derive(Debug)]
pub(crate) struct Meter {
    deadline: Deadline,
    idle: Duration,
    busy: Duration,
    starved: Duration,
    total: Duration,
}

impl Meter {
    /// A wait that starts now.
    pub(crate) fn new(deadline: Deadline) -> Self {
        let zero = Duration::ZERO;
        Self {
            deadline,
            idle: zero,
            busy: zero,
            starved: zero,
            total: zero,
        }
    }

    /// Charges a stretch of `wall` time in which the process' threads ran and waited for `used`.
    pub(crate) fn charge(&mut self, wall: Duration, used: CpuTime) {
        let wanted = used.run + used.wait;
        let occupied = wall.min(wanted);
        // Two threads on one CPU both count, so the stretch is divided in proportion.
        let busy = if wanted.is_zero() {
            Duration::ZERO
        } else {
            occupied
                .mul_f64(used.run.as_secs_f64() / wanted.as_secs_f64())
                .min(occupied)
        };
        let idle = wall.saturating_sub(occupied);
        self.busy += busy;
        self.idle += idle;
        self.starved += occupied.saturating_sub(busy);
        self.total += busy + idle;
    }

    /// The guest gave a sign of life.
    pub(crate) fn sign_of_life(&mut self) {
        self.idle = Duration::ZERO;
        self.busy = Duration::ZERO;
    }

    /// The limit that has been reached, if any.
    pub(crate) fn stalled(&self) -> Option<Stall> {
        let Deadline { idle, busy, total } = self.deadline;
        let kind = if self.idle >= idle {
            StallKind::Idle
        } else if self.busy >= busy {
            StallKind::Busy
        } else if total.is_some_and(|limit| self.total >= limit) {
            StallKind::Total
        } else {
            return None;
        };
        Some(Stall {
            kind,
            idle: self.idle,
            busy: self.busy,
            starved: self.starved,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn used(run_ms: u64, wait_ms: u64) -> CpuTime {
        CpuTime {
            run: Duration::from_millis(run_ms),
            wait: Duration::from_millis(wait_ms),
        }
    }

    fn meter() -> Meter {
        Meter::new(Deadline {
            idle: 5 * SECOND,
            busy: 9 * SECOND,
            total: Some(30 * SECOND),
        })
    }

    /// Charges the same stretch until the meter runs out; None if it does not in 1000.
    fn stretches(meter: &mut Meter, used: CpuTime, talks: bool) -> Option<(u32, StallKind)> {
        (1..1000).find_map(|n| {
            if talks {
                meter.sign_of_life();
            }
            meter.charge(SECOND, used);
            meter.stalled().map(|s| (n, s.kind))
        })
    }

    #[test]
    fn a_sleeping_guest_runs_into_the_idle_limit() {
        assert_eq!(
            stretches(&mut meter(), used(0, 0), false),
            Some((5, StallKind::Idle))
        );
    }

    #[test]
    fn a_spinning_guest_runs_into_the_busy_limit() {
        assert_eq!(
            stretches(&mut meter(), used(2000, 0), false),
            Some((9, StallKind::Busy))
        );
    }

    #[test]
    fn a_talking_guest_runs_into_the_total() {
        assert_eq!(
            stretches(&mut meter(), used(1000, 0), true),
            Some((30, StallKind::Total))
        );
    }

    #[test]
    fn a_starved_guest_is_not_charged() {
        assert_eq!(stretches(&mut meter(), used(0, 2000), false), None);
        // Half the CPU that it wants: twice the wall time.
        assert_eq!(
            stretches(&mut meter(), used(500, 500), false),
            Some((18, StallKind::Busy))
        );
    }

    proptest! {
        #[test]
        fn every_stretch_is_divided_without_rest(
            wall in 0u64..10_000, run in 0u64..40_000, wait in 0u64..40_000,
        ) {
            let mut meter = meter();
            let wall = Duration::from_millis(wall);
            meter.charge(wall, used(run, wait));
            prop_assert_eq!(meter.idle + meter.busy + meter.starved, wall);
            prop_assert_eq!(meter.total, meter.idle + meter.busy);
        }
    }
}
