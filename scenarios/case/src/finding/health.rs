//! Findings about the guest itself: what its kernel reported, and how its machine ended.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::progress::Progress;
use super::state::Taint;
use super::table::findings;
use super::value::{Bytes, Plain};
use crate::errno::Errno;

/// What a kernel reports on its console only when something is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// `WARN_ON()` and its kin.
    Warn,
    /// Lockdep.
    Lockdep,
    /// RCU used wrongly.
    RcuUse,
    /// Memory that nothing points to any more.
    Leak,
    /// `BUG_ON()` and its kin.
    Bug,
    /// An oops.
    Oops,
    /// #GP.
    GeneralProtection,
    /// A panic.
    Panic,
    /// #UD.
    InvalidOpcode,
    /// #DE.
    DivideError,
    /// #SS.
    StackFault,
    /// #DF.
    DoubleFault,
    /// A bad address.
    BadAccess,
    /// A grace period that does not end.
    RcuStall,
    /// A task that waits for minutes.
    HungTask,
    /// A CPU that does nothing else.
    Lockup,
    /// Undefined behaviour.
    Ubsan,
    /// A list with wrong neighbours.
    List,
    /// A reference count that wrapped.
    RefCount,
    /// An NMI without a cause.
    UnknownNmi,
    /// A page in a state that cannot be.
    BadPage,
    /// No memory left.
    OutOfMemory,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Warn => "a WARN",
            Self::Lockdep => "a lockdep report",
            Self::RcuUse => "an RCU report",
            Self::Leak => "a leak report",
            Self::Bug => "a BUG",
            Self::Oops => "an oops",
            Self::GeneralProtection => "a general protection fault",
            Self::Panic => "a panic",
            Self::InvalidOpcode => "an invalid opcode",
            Self::DivideError => "a divide error",
            Self::StackFault => "a stack fault",
            Self::DoubleFault => "a double fault",
            Self::BadAccess => "a bad memory access",
            Self::RcuStall => "an RCU stall",
            Self::HungTask => "a hung task",
            Self::Lockup => "a lockup",
            Self::Ubsan => "a UBSAN report",
            Self::List => "a corrupted list",
            Self::RefCount => "a broken reference count",
            Self::UnknownNmi => "an unknown NMI",
            Self::BadPage => "a bad page",
            Self::OutOfMemory => "memory exhaustion",
        })
    }
}

impl Health {
    /// The finding that a line of the console is. When the kernel printed it is left out: two runs that found the same
    /// say the same.
    #[must_use]
    pub fn reported(trouble: Trouble, line: &str) -> Self {
        let line = Plain::from(without_time(line));
        match trouble {
            Trouble::Warn => Self::Warned { trouble, line },
            Trouble::Lockdep | Trouble::RcuUse => Self::LockReport { trouble, line },
            Trouble::RcuStall | Trouble::HungTask | Trouble::Lockup => {
                Self::Stalled { trouble, line }
            }
            Trouble::Ubsan | Trouble::List | Trouble::RefCount => Self::Corrupted { trouble, line },
            Trouble::Leak | Trouble::BadPage | Trouble::OutOfMemory => {
                Self::Memory { trouble, line }
            }
            Trouble::UnknownNmi => Self::UnknownNmi { trouble, line },
            _ => Self::Crashed { trouble, line },
        }
    }
}

/// A line of the console without printk's `[    2.789552] `.
fn without_time(line: &str) -> &str {
    let stamp = line
        .strip_prefix('[')
        .and_then(|rest| rest.split_once("] "));
    let is_time = |time: &str| time.contains('.') && time.trim().parse::<f64>().is_ok();
    stamp
        .filter(|(time, _)| is_time(time))
        .map_or(line, |(_, text)| text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_the_kernel_printed_a_line_is_left_out_and_nothing_else() {
        for (line, left) in [
            (
                "[    2.789552] Kernel panic - not syncing",
                "Kernel panic - not syncing",
            ),
            ("[12.5] [ T1] BUG: x", "[ T1] BUG: x"),
            ("[ T1] BUG: x", "[ T1] BUG: x"),
            ("[1] x", "[1] x"),
            ("BUG: x [ 1.5] y", "BUG: x [ 1.5] y"),
            ("[", "["),
        ] {
            assert_eq!(without_time(line), left);
        }
    }
}

findings! {
    /// The guest stayed whole.
    Health of Health {
        /// The kernel printed a WARN.
        Warned { trouble: Trouble, line: Plain } = 101 {
            "the kernel reported {trouble}";
            expected "no report of trouble on the console";
            seen "{line}";
            correct "No scenario of relaybed makes a correct kernel warn.";
            cause "The console of the evidence has the stack: look for relay's functions in it.";
            source "";
        }
        /// The kernel printed an oops, a BUG or a fault.
        Crashed { trouble: Trouble, line: Plain } = 102 {
            "the kernel reported {trouble}";
            expected "no report of trouble on the console";
            seen "{line}";
            correct "No scenario of relaybed makes a correct kernel oops.";
            cause "A buffer or channel was used after it was freed, or before it was set up. The console has the stack.";
            source "relay_open, relay_close, relay_destroy_channel, relay_prepare_cpu";
        }
        /// Lockdep or RCU reported a wrong use of locks.
        LockReport { trouble: Trouble, line: Plain } = 103 {
            "the kernel reported {trouble}";
            expected "no report of trouble on the console";
            seen "{line}";
            correct "Locks are taken in one order, and from the contexts that they are made for.";
            cause "The console names the locks and where they are taken.";
            source "relay_open, relay_close, relay_flush, relay_reset";
        }
        /// A task, a CPU or RCU did not get any further.
        Stalled { trouble: Trouble, line: Plain } = 104 {
            "the kernel reported {trouble}";
            expected "no report of trouble on the console";
            seen "{line}";
            correct "Every operation ends.";
            cause "A deadlock; or a host so busy that the guest got no time.";
            source "";
        }
        /// A sanitizer or a check of the kernel found corrupted data.
        Corrupted { trouble: Trouble, line: Plain } = 105 {
            "the kernel reported {trouble}";
            expected "no report of trouble on the console";
            seen "{line}";
            correct "Lists, reference counts and indices stay valid.";
            cause "A channel or buffer was freed or put twice.";
            source "relay_destroy_channel, relay_remove_buf";
        }
        /// Memory leaked, ran out, or a page is in a wrong state.
        Memory { trouble: Trouble, line: Plain } = 106 {
            "the kernel reported {trouble}";
            expected "no report of trouble on the console";
            seen "{line}";
            correct "Closing a channel gives all of its memory back.";
            cause "Pages of a buffer were not freed, or freed while mapped; or the guest has too little memory (--memory).";
            source "relay_alloc_buf, relay_destroy_buf";
        }
        /// There was an NMI that no driver claimed.
        UnknownNmi { trouble: Trouble, line: Plain } = 107 {
            "the kernel reported {trouble}";
            expected "no report of trouble on the console";
            seen "{line}";
            correct "The module's handler claims every NMI that it asks for.";
            cause "The module sent an NMI and its handler did not see it as its own.";
            source "";
        }
        /// The kernel's taint mask grew during the scenario.
        Tainted { before: Taint, new: Taint } = 108 {
            "the kernel became tainted during the scenario";
            expected "{before}";
            seen "and now: {new}";
            correct "A correct kernel is not tainted by anything that scenarios do.";
            cause "A WARN or an oops; the console says which.";
            source "";
        }
        /// The guest's kernel panicked.
        Panicked { progress: Progress } = 110 {
            "the guest's kernel panicked in the middle of the scenario";
            expected "every operation done and the doorbell rung";
            seen "{progress}";
            correct "A kernel survives every scenario, except those that ask for a panic.";
            cause "The console of the evidence says what happened.";
            source "";
        }
        /// The guest reset its machine.
        Reset { progress: Progress } = 111 {
            "the guest reset the machine in the middle of the scenario";
            expected "every operation done and the doorbell rung";
            seen "{progress}";
            correct "A kernel survives every scenario, except those that ask for a reset.";
            cause "A crash with panic=-1, or a sysrq.";
            source "";
        }
        /// The guest switched the power off.
        PoweredOff { progress: Progress } = 112 {
            "the guest powered off in the middle of the scenario";
            expected "every operation done and the doorbell rung";
            seen "{progress}";
            correct "A kernel stays up until the scenario is done.";
            cause "A sysrq, or all CPUs halted with interrupts off.";
            source "";
        }
        /// A vCPU had a fault while it delivered a double fault.
        TripleFault { progress: Progress } = 113 {
            "a vCPU of the guest had a triple fault in the middle of the scenario";
            expected "every operation done and the doorbell rung";
            seen "{progress}";
            correct "A kernel survives every scenario.";
            cause "Page tables or the stack were destroyed, so that not even the panic could run.";
            source "";
        }
        /// The virtual machine was stopped or ended, not by the guest.
        MachineEnded { how: Plain, progress: Progress } = 114 {
            "the machine ended in the middle of the scenario: {how}";
            expected "every operation done and the doorbell rung";
            seen "{progress}";
            correct "The virtual machine runs until relaybed ends it.";
            cause "Trouble of the host: QEMU died or met an instruction that it cannot emulate.";
            source "";
        }
        /// The guest printed without end.
        ConsoleFlood { bytes: Bytes, progress: Progress } = 115 {
            "the guest flooded the console in the middle of the scenario";
            expected "every operation done and the doorbell rung";
            seen "{bytes} on the console, {progress}";
            correct "A kernel prints little.";
            cause "A WARN in a loop, or an oops that repeats.";
            source "";
        }
        /// The guest gave no sign of life before the deadline.
        NoProgress { why: Plain, progress: Progress } = 116 {
            "no progress before the deadline: {why}";
            expected "every operation done and the doorbell rung";
            seen "{progress}";
            correct "Every operation ends.";
            cause "A deadlock in the kernel, a gate that is never signalled, or a host that is too busy (--deadline).";
            source "";
        }
        /// relaybed's module refused the scenario.
        Refused { errno: Errno, at: Plain, progress: Progress } = 117 {
            "the module refused the request with {errno} at {at}";
            expected "every operation done and the doorbell rung";
            seen "{progress}";
            correct "The module takes what the scenario language can say.";
            cause "The kernel has no more of something that the module needs, such as memory.";
            source "";
        }
        /// What the guest published makes no sense.
        Unreadable { why: Plain, progress: Progress } = 118 {
            "what the guest published makes no sense: {why}";
            expected "every operation done and the doorbell rung";
            seen "{progress}";
            correct "Structures of relay lie in guest RAM and their members are in range.";
            cause "relay's structures were overwritten or freed while relaybed read them.";
            source "struct rchan, struct rchan_buf";
        }
        /// relaybed's agent in the guest gave up.
        AgentGaveUp { why: Plain, progress: Progress } = 119 {
            "the agent gave up: {why}";
            expected "every operation done and the doorbell rung";
            seen "{progress}";
            correct "The agent can do its system calls.";
            cause "The guest has too little memory, or no debugfs.";
            source "";
        }
        /// The virtual machine could not be controlled.
        Uncontrolled { why: Plain, progress: Progress } = 120 {
            "the machine could not be controlled: {why}";
            expected "every operation done and the doorbell rung";
            seen "{progress}";
            correct "The virtual machine obeys.";
            cause "Trouble of the host or of QEMU.";
            source "";
        }
        /// The scenario does not fit into a request.
        NotSent { why: Plain, progress: Progress } = 121 {
            "the scenario cannot be sent to the guest: {why}";
            expected "every operation done and the doorbell rung";
            seen "{progress}";
            correct "Scenarios fit into the mailbox.";
            cause "The scenario is too long.";
            source "";
        }
        /// A run under control got stuck.
        Stuck { why: Plain, progress: Progress } = 122 {
            "the run under control got stuck: {why}";
            expected "every operation done and the doorbell rung";
            seen "{progress}";
            correct "Whichever vCPU may run reaches its next stop point.";
            cause "A vCPU spins on a lock whose holder was stopped, or a deadlock.";
            source "";
        }
    }
}
