//! Which vCPUs can run, and what is done if one waits for another.

use relaybed_vmm::{Answer, Debugger, Interrupts};

use super::{ANSWER_HALTS_MAX, Course};
use crate::run::drive::Stuck;
use crate::run::error::Cause;
use crate::run::landmarks::Landmark;

impl Course<'_, '_> {
    /// Lets stopped vCPUs answer the interrupts that wait for them; whether any did.
    pub(super) fn have_answered(&mut self, vcpu: u32) -> Result<bool, Cause> {
        let mut answered = false;
        for (other, state) in (0u32..).zip(self.vcpus.clone()) {
            if other == vcpu || state.idle || state.stopped {
                continue;
            }
            let landmarks = self.landmarks;
            let stops = |at| landmarks.at(at) == Some(Landmark::Stopped);
            let limits = (ANSWER_HALTS_MAX, self.limit);
            let (watched, mut met) = (&mut self.watched, Ok(()));
            let accesses = |debugger: &mut Debugger<'_>, address| {
                let noted = watched.met(debugger, other, address).map(drop);
                met = std::mem::replace(&mut met, Ok(())).and(noted);
            };
            let answer = self
                .debugger
                .take_interrupts(other, limits, stops, accesses)?;
            met?;
            self.state(other).stopped = answer == Answer::Left;
            answered |= answer == Answer::Took;
        }
        Ok(answered)
    }

    /// Clears the breakpoints in spinning loops, or sets them again.
    pub(super) fn spin_out(&mut self, clear: bool) -> Result<(), Cause> {
        for (address, landmark) in self.landmarks.iter() {
            if landmark == Landmark::Spin {
                if clear {
                    self.debugger.clear_breakpoint(address)?;
                } else {
                    self.debugger.set_breakpoint(address)?;
                }
            }
        }
        Ok(())
    }

    /// vCPUs that have work, ascending. Where none has, the one whose timer comes first.
    pub(super) fn enabled(&mut self) -> Result<Vec<u32>, Cause> {
        let mut enabled = Vec::new();
        let mut spinning = None;
        let mut sleeping: Option<(u64, u32)> = None;
        for (vcpu, state) in (0u32..).zip(self.vcpus.clone()) {
            if state.stopped {
                // Nothing wakes it.
            } else if state.spins {
                spinning = Some(vcpu);
            } else if !state.idle {
                enabled.push(vcpu);
            } else {
                let Interrupts { pending, timer } = self.debugger.interrupts(vcpu)?;
                if pending {
                    enabled.push(vcpu);
                } else if let Some(timer) = timer {
                    sleeping =
                        Some(sleeping.map_or((timer, vcpu), |least| least.min((timer, vcpu))));
                }
            }
        }
        if enabled.is_empty() {
            let next = spinning.or(sleeping.map(|(_, vcpu)| vcpu));
            let Some(next) = next else {
                let stands = self.stands();
                return Err(Cause::Stuck(Stuck::Asleep { stands }));
            };
            enabled.push(next);
        }
        Ok(enabled)
    }
}
