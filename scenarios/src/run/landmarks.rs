//! Places in the kernel and in our module that every run under control stops at.

use std::collections::BTreeMap;

use super::ram::View;
use crate::observe::Ram as _;
use crate::symbols::Symbols;

/// Where the kernel goes when a CPU has nothing to run; the first is in every kernel.
const IDLE: [&str; 4] = [
    "default_idle",
    "mwait_idle",
    "acpi_idle_do_entry",
    "acpi_safe_halt",
];
/// The timer interrupt's work.
const TICK: &str = "hrtimer_interrupt";
/// Our module before it rings the doorbell.
const BELL: &str = "bed_ring";
/// Our module before an operation of an actor.
const STEP: &str = "bed_step";
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
    /// The CPU has nothing to run.
    Idle,
    /// Its timer's interrupt.
    Tick,
    /// The module is about to ring.
    Bell,
    /// An actor is before an operation.
    Step,
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
    /// Finds them in the symbol table and the memory of a machine, as it stands now.
    ///
    /// # Errors
    /// [`NoLandmark`].
    pub(super) fn find(symbols: &Symbols, ram: &View<'_>) -> Result<Self, NoLandmark> {
        let mut found = Self::default();
        for (name, landmark, must) in [
            (IDLE[0], Landmark::Idle, true),
            (IDLE[1], Landmark::Idle, false),
            (IDLE[2], Landmark::Idle, false),
            (IDLE[3], Landmark::Idle, false),
            (TICK, Landmark::Tick, true),
            (BELL, Landmark::Bell, true),
            (STEP, Landmark::Step, true),
        ] {
            let addresses = symbols.named(name);
            if must && addresses.is_empty() {
                return Err(NoLandmark { name });
            }
            for address in addresses {
                found.by_address.insert(*address, landmark);
            }
        }
        for name in SPINNING {
            for begin in symbols.named(name) {
                for address in pauses(*begin, symbols.end(*begin), ram) {
                    found.by_address.insert(address, Landmark::Spin);
                }
            }
        }
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

/// Addresses at which the bytes of a `pause` stand. Inside another instruction they do no harm: nothing
/// is ever executed from there.
fn pauses(begin: u64, end: u64, ram: &View<'_>) -> Vec<u64> {
    let len = end.saturating_sub(begin).min(FUNCTION_MAX);
    let Some((physical, len)) = begin.checked_sub(TEXT_MAP).zip(usize::try_from(len).ok()) else {
        return Vec::new();
    };
    let mut text = vec![0; len];
    if ram.read(physical, &mut text).is_err() {
        return Vec::new();
    }
    let pairs = text.windows(PAUSE.len()).zip(begin..);
    pairs
        .filter_map(|(bytes, address)| (bytes == PAUSE).then_some(address))
        .collect()
}
