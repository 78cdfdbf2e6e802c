//! Actors of a case: where they live and what they do.

use serde::{Deserialize, Serialize};

use super::{ActorIndex, Cpu, Op};

/// Context in which a kernel actor's records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Context {
    /// Kernel thread.
    Task,
    /// Tasklet.
    Softirq,
    /// Interrupt: an irq_work, unless [`Source`] says otherwise.
    Hardirq,
    /// NMI that the CPU sends itself, unless [`Source`] says otherwise.
    Nmi,
}

impl Context {
    /// Its name in a scenario file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::Softirq => "softirq",
            Self::Hardirq => "hardirq",
            Self::Nmi => "nmi",
        }
    }
}

/// What brings an actor's CPU into its context, where that is not the CPU's own doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// A timer's interrupt.
    Hrtimer,
    /// A function call from another CPU: see [`Source::sender`].
    Ipi,
    /// The host sends the NMI, to CPU 0, when the module asks for it.
    Host,
}

impl Source {
    /// The CPU that sends `cpu` its interrupt, if one does.
    #[must_use]
    pub fn sender(self, cpu: Cpu) -> Option<Cpu> {
        (self == Self::Ipi).then_some(u32::from(cpu == 0))
    }

    /// What it brings a CPU into.
    #[must_use]
    pub fn context(self) -> Context {
        match self {
            Self::Hrtimer | Self::Ipi => Context::Hardirq,
            Self::Host => Context::Nmi,
        }
    }
}

/// Where in a write another actor is nested on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NestPoint {
    /// At the first `subbuf_start` that the write brings about. With interrupts out, softirq and hardirq
    /// come right behind the record instead.
    Callback,
    /// With the first slot reserved and half filled.
    Fill,
}

/// Where an actor lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// In the kernel, bound to a CPU.
    Kernel {
        /// The CPU.
        cpu: Cpu,
        /// Context of its records.
        context: Context,
    },
    /// In the kernel, without a thread: its whole script runs on top of another actor's write, once, and
    /// behind it at the latest.
    Nested {
        /// The CPU, the host's too.
        cpu: Cpu,
        /// Context of its records, above the host's.
        context: Context,
        /// The other actor.
        host: ActorIndex,
        /// Its operation, a write to the same channel.
        op: usize,
        /// Where in it.
        at: NestPoint,
    },
    /// A thread in user space, on one CPU or on any.
    User {
        /// The CPU it is bound to, if to one.
        cpu: Option<Cpu>,
    },
}

/// An ordered list of operations, done one after the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// Its name, unique in the case (`writer@1` where expanded).
    pub name: String,
    /// Kernel or user, CPU and context.
    pub place: Place,
    /// What brings its CPU into its context, if not the CPU itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// What it does.
    pub ops: Vec<Op>,
}

impl Actor {
    /// CPU and context of its records, if it is in the kernel.
    #[must_use]
    pub fn producer(&self) -> Option<(Cpu, Context)> {
        match self.place {
            Place::Kernel { cpu, context } | Place::Nested { cpu, context, .. } => {
                Some((cpu, context))
            }
            Place::User { .. } => None,
        }
    }

    /// Whether it runs on top of another actor's write.
    #[must_use]
    pub fn is_nested(&self) -> bool {
        matches!(self.place, Place::Nested { .. })
    }

    /// CPU it is bound to.
    #[must_use]
    pub fn cpu(&self) -> Option<Cpu> {
        match self.place {
            Place::Kernel { cpu, .. } | Place::Nested { cpu, .. } => Some(cpu),
            Place::User { cpu } => cpu,
        }
    }

    /// The operation that writes its record of this number.
    #[must_use]
    pub fn writing(&self, record: u32) -> Option<usize> {
        let after = (0..self.ops.len()).find(|op| self.first_record(op + 1) > record);
        after.filter(|op| self.first_record(*op) <= record)
    }

    /// Number of its first record in operation `op`: records are numbered over all its writes.
    #[must_use]
    pub fn first_record(&self, op: usize) -> u32 {
        self.ops
            .iter()
            .take(op)
            .map(|op| {
                if let Op::Write { count, .. } | Op::Klog { count, .. } = op {
                    *count
                } else {
                    0
                }
            })
            .sum()
    }
}
