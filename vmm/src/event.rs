//! What a machine reports: its next event, and how it ended.

use crate::deadline::Stall;

/// The next thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The guest wrote this byte to the doorbell. The payload is in memory.
    Doorbell(u8),
    /// The machine ended. Every later call gives the same.
    Exit(Exit),
    /// No event before the deadline. The machine lives on; the caller decides.
    Deadline(Stall),
}

/// Every way in which a machine ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The guest switched the power off. On the KVM backend, which has no ACPI, also: every vCPU
    /// halted with interrupts off, which is what Linux makes of power-off there and of a plain halt
    /// too; either way nothing can run again. Under QEMU a plain halt is not an end but silence.
    PowerOff,
    /// The guest reset the machine, and not for a panic.
    Reset,
    /// The guest's kernel panicked. Recognised by the warm-boot word in RAM, not by text; the text is
    /// on the console.
    Panic,
    /// A vCPU had a fault while delivering a double fault, so the machine reset. Recognised by QEMU's
    /// own log or by KVM; the machine's log has the registers. QEMU on KVM does not distinguish it from
    /// [`Exit::Reset`].
    TripleFault,
    /// The backend stopped the machine by itself: an internal error such as an instruction that the
    /// accelerator cannot emulate.
    Stopped {
        /// The run state that QEMU reports, or what our own backend met.
        state: String,
    },
    /// The QEMU process ended without our doing and without the guest having ended.
    QemuDied {
        /// Exit status, if it exited.
        status: Option<i32>,
        /// Signal, if one killed it.
        signal: Option<i32>,
        /// Last lines of what it said.
        stderr_tail: String,
    },
    /// We ended it, since the guest printed without end and would have filled the disk.
    ConsoleFlood {
        /// How much it had printed.
        bytes: u64,
    },
    /// We ended it.
    Killed,
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::PowerOff => f.write_str("the guest powered off"),
            Self::Reset => f.write_str("the guest reset the machine"),
            Self::Panic => f.write_str("the guest's kernel panicked"),
            Self::TripleFault => f.write_str("a vCPU of the guest had a triple fault"),
            Self::Stopped { state } => {
                write!(f, "the machine was stopped by its backend ({state})")
            }
            Self::QemuDied {
                status,
                signal,
                stderr_tail,
            } => {
                f.write_str("QEMU died")?;
                if let Some(status) = status {
                    write!(f, " with status {status}")?;
                }
                if let Some(signal) = signal {
                    write!(f, " by signal {signal}")?;
                }
                if stderr_tail.is_empty() {
                    Ok(())
                } else {
                    write!(f, ": {stderr_tail}")
                }
            }
            Self::ConsoleFlood { bytes } => {
                write!(
                    f,
                    "the guest flooded the console ({bytes} bytes) and was switched off"
                )
            }
            Self::Killed => f.write_str("the machine was switched off by the host"),
        }
    }
}
