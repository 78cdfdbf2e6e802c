//! Places in the kernel's code that every run under control stops at. What the module reports is watched
//! instead (`told.rs`): a breakpoint that is met makes QEMU translate the whole kernel again.

use std::collections::BTreeMap;

use super::ram::View;
use crate::symbols::Symbols;
use relaybed_wire::observe::Ram as _;

/// The timer interrupt's work.
const TICK: &str = "hrtimer_interrupt";
/// Where a CPU goes that another one stops for good, to reset the machine or because it panicked.
const STOPPED: &str = "stop_this_cpu";
/// Its last loop: `hlt`, and a short jump back.
const HALT: [u8; 2] = [0xf4, 0xeb];
/// Functions with loops that wait for another CPU. Each such loop says `pause` in every turn.
const SPINNING: [&str; 14] = [
    "csd_lock_wait",
    "delay_tsc",
    "mutex_spin_on_owner",
    "multi_cpu_stop",
    "native_queued_spin_lock_slowpath",
    "osq_lock",
    "queued_read_lock_slowpath",
    "queued_write_lock_slowpath",
    "rt_mutex_adjust_prio_chain",
    "rwsem_spin_on_owner",
    "smp_call_function_many_cond",
    "smp_call_function_single",
    "try_to_wake_up",
    "wait_task_inactive",
];
/// `pause`, on which a CPU in a spinning loop says so.
const PAUSE: [u8; 2] = [0xf3, 0x90];
/// Longest function that is searched.
const FUNCTION_MAX: u64 = 0x4000;
/// The kernel's text is mapped from here on, without KASLR at its physical addresses.
const TEXT_MAP: u64 = 0xffff_ffff_8000_0000;

/// What a landmark stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Landmark {
    /// Its timer's interrupt.
    Tick,
    /// The CPU halts and never resumes.
    Stopped,
    /// One turn of a loop that waits for another CPU.
    Spin,
}

/// The landmarks of one image, by address.
#[derive(Clone, Debug, Default)]
pub(super) struct Landmarks {
    by_address: BTreeMap<u64, Landmark>,
}

/// A function that must be there is not.
#[derive(Clone, Debug, thiserror::Error)]
#[error(
    "this kernel has no function {name} in its symbol table, which a run under control must stop at; \
     run the scenario without --deterministic and without a schedule"
)]
pub struct NoLandmark {
    name: &'static str,
}

impl Landmarks {
    /// Finds them in the symbol table and the memory of a machine, as it is now.
    ///
    /// # Errors
    /// [`NoLandmark`].
    pub(super) fn find(symbols: &Symbols, ram: &View<'_>) -> Result<Self, NoLandmark> {
        let mut found = Self::default();
        let ticks = symbols.named(TICK);
        if ticks.is_empty() {
            return Err(NoLandmark { name: TICK });
        }
        for address in ticks {
            found.by_address.insert(*address, Landmark::Tick);
        }
        let mut inside = |name, bytes, landmark| {
            for start in symbols.named(name) {
                for address in places(*start, symbols.end(*start), ram, bytes) {
                    found.by_address.insert(address, landmark);
                }
            }
        };
        for name in SPINNING {
            inside(name, PAUSE, Landmark::Spin);
        }
        inside(STOPPED, HALT, Landmark::Stopped);
        Ok(found)
    }

    pub(super) fn at(&self, address: u64) -> Option<Landmark> {
        self.by_address.get(&address).copied()
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, Landmark)> + '_ {
        self.by_address
            .iter()
            .map(|(address, landmark)| (*address, *landmark))
    }
}

/// Addresses of these bytes. Inside another instruction they do no harm: nothing is ever
/// executed from there.
fn places(start: u64, end: u64, ram: &View<'_>, wanted: [u8; 2]) -> Vec<u64> {
    let len = end.saturating_sub(start).min(FUNCTION_MAX);
    let Some((physical, len)) = start.checked_sub(TEXT_MAP).zip(usize::try_from(len).ok()) else {
        return Vec::new();
    };
    let mut text = vec![0; len];
    if ram.read(physical, &mut text).is_err() {
        return Vec::new();
    }
    let pairs = text.windows(wanted.len()).zip(start..);
    pairs
        .filter_map(|(bytes, address)| (bytes == wanted).then_some(address))
        .collect()
}
