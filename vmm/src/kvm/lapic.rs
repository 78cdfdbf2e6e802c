//! What a local APIC has in store, by its registers.

use kvm_bindings::{Msrs, kvm_lapic_state, kvm_msr_entry};
use kvm_ioctls::VcpuFd;

use super::KvmError;
use crate::debugger::Interrupts;

/// Registers: interrupts requested (eight words), the timer's entry, its count and its divisor.
const REQUESTED: std::ops::Range<usize> = 0x200..0x280;
const TIMER: usize = 0x320;
const COUNT: usize = 0x390;
const DIVISOR: usize = 0x3e0;
/// The timer's entry: masked; how it counts.
const MASKED: u32 = 1 << 16;
const MODE: u32 = 0b11 << 17;
const MODE_DEADLINE: u32 = 0b10 << 17;
/// The model-specific registers of the time stamp counter and of its deadline.
const TSC: u32 = 0x10;
const TSC_DEADLINE: u32 = 0x6e0;

/// Of a vCPU that is stopped.
pub(super) fn interrupts(vcpu: &VcpuFd) -> Result<Interrupts, KvmError> {
    let state = vcpu
        .get_lapic()
        .map_err(KvmError::io("read a vCPU's local APIC"))?;
    let entries = [TSC, TSC_DEADLINE].map(|index| kvm_msr_entry {
        index,
        ..Default::default()
    });
    let times = Msrs::from_entries(&entries).ok().and_then(|mut msrs| {
        let read = vcpu.get_msrs(&mut msrs).ok()?;
        let msrs = msrs.as_slice().get(..read)?;
        Some((msrs.first()?.data, msrs.get(1)?.data))
    });
    Ok(interrupts_of(&state, times))
}

/// By the registers, and by the time stamp counter and its deadline where there is one.
fn interrupts_of(state: &kvm_lapic_state, times: Option<(u64, u64)>) -> Interrupts {
    let word = |at: usize| {
        let bytes = state.regs.get(at..at + 4).unwrap_or_default();
        let bytes = bytes.iter().rev();
        bytes.fold(0, |word, byte| {
            (word << 8) | u32::from(byte.cast_unsigned())
        })
    };
    let timer = word(TIMER);
    let left = if timer & MASKED != 0 {
        None
    } else if timer & MODE == MODE_DEADLINE {
        let armed = times.filter(|(_, deadline)| *deadline != 0);
        // One that has passed is about to interrupt.
        armed.map(|(now, deadline)| deadline.saturating_sub(now).max(1))
    } else {
        let divisor = word(DIVISOR);
        // Three bits that are not together; the last value divides by one.
        let shift = ((divisor & 0b11) | ((divisor >> 1) & 0b100)) + 1;
        let count = u64::from(word(COUNT)) << (shift & 0b111);
        Some(count).filter(|count| *count > 0)
    };
    Interrupts {
        pending: REQUESTED.step_by(16).any(|at| word(at) != 0),
        timer: left,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(words: &[(usize, u32)]) -> kvm_lapic_state {
        let mut state = kvm_lapic_state::default();
        for (at, word) in words {
            for (byte, value) in state.regs[*at..*at + 4].iter_mut().zip(word.to_le_bytes()) {
                *byte = value.cast_signed();
            }
        }
        state
    }

    fn timer(words: &[(usize, u32)], times: Option<(u64, u64)>) -> Option<u64> {
        interrupts_of(&state(words), times).timer
    }

    #[test]
    fn an_interrupt_that_waits_is_seen_wherever_it_is() {
        assert!(!interrupts_of(&state(&[(TIMER, MASKED)]), None).pending);
        assert!(interrupts_of(&state(&[(0x200, 1)]), None).pending);
        assert!(interrupts_of(&state(&[(0x270, 1 << 31)]), None).pending);
        assert!(!interrupts_of(&state(&[(0x170, 1), (0x280, 1)]), None).pending);
    }

    #[test]
    fn the_timer_in_each_of_its_modes() {
        let deadline = [(TIMER, MODE_DEADLINE | 236)];
        assert_eq!(timer(&deadline, Some((100, 350))), Some(250));
        assert_eq!(timer(&deadline, Some((400, 350))), Some(1));
        assert_eq!(timer(&deadline, Some((400, 0))), None);
        assert_eq!(
            timer(&[(TIMER, MASKED | MODE_DEADLINE)], Some((1, 2))),
            None
        );
        // Divided by 16, by 1, by 2.
        assert_eq!(timer(&[(COUNT, 5), (DIVISOR, 0b0011)], None), Some(80));
        assert_eq!(timer(&[(COUNT, 5), (DIVISOR, 0b1011)], None), Some(5));
        assert_eq!(timer(&[(COUNT, 5)], None), Some(10));
        assert_eq!(timer(&[(COUNT, 0)], None), None);
    }
}
