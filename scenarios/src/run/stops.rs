//! Where the vCPUs of a run under control stop besides the landmarks.

use crate::symbols::Symbols;
use relaybed_case::access::Access;
use relaybed_case::field::Field;
use relaybed_case::place::Place;
use relaybed_case::trace::Trace;
use relaybed_case::{Case, Until};

/// A function whose instructions are places.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CodeStop {
    /// The function.
    pub symbol: String,
    /// Bytes from its start.
    pub offset: u64,
    /// So many instructions later; the function's callees count.
    pub instructions: u32,
}

/// Accesses to one member of channel buffers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DataStop {
    /// The channel's index in the case.
    pub channel: u32,
    /// Whose channel buffer it is.
    pub cpu: u32,
    /// The member.
    pub field: Field,
    /// Writes only.
    pub writes: bool,
}

/// Where vCPUs stop besides operations, idleness, timer interrupts and waits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stops {
    /// At accesses to what writers and readers of a channel share.
    pub accesses: bool,
    /// Every access to a shared member is recorded, whether control may pass there or not. There are no stops at
    /// timer interrupts then: each look at an access lets QEMU's clock leap to the next one.
    pub recorded: bool,
    /// At some of them.
    pub data: Vec<DataStop>,
    /// At instructions.
    pub code: Vec<CodeStop>,
    /// A stopped vCPU answers the interrupts of one that waits for that, and stops where it was:
    /// for schedules that say which vCPUs are stopped.
    pub answering: bool,
}

impl Stops {
    /// Accesses to shared data: what an explorer switches at.
    #[must_use]
    pub fn accesses() -> Self {
        Self {
            accesses: true,
            recorded: true,
            ..Self::default()
        }
    }

    /// The places that a case's own schedule names.
    #[must_use]
    pub fn of(case: &Case) -> Self {
        let mut stops = Self {
            answering: !case.schedule.is_empty(),
            recorded: !case.schedule.is_empty(),
            ..Self::default()
        };
        for turn in &case.schedule {
            match &turn.until {
                Until::Code {
                    symbol,
                    offset,
                    instructions,
                } => stops.code.push(CodeStop {
                    symbol: symbol.clone(),
                    offset: *offset,
                    instructions: *instructions,
                }),
                Until::Access {
                    channel,
                    cpu,
                    field,
                    write,
                } => stops.data.push(DataStop {
                    channel: u32::try_from(*channel).unwrap_or(u32::MAX),
                    cpu: *cpu,
                    field: *field,
                    writes: *write,
                }),
                Until::Before { .. } => {}
            }
        }
        stops.code.sort();
        stops.code.dedup();
        stops
    }

    /// The places at which a recorded run of the case stopped: a scenario's own, an explorer's, or those of a
    /// deterministic run, of which only an explorer's lets timer interrupts pass.
    #[must_use]
    pub fn recorded(case: &Case, trace: &Trace) -> Self {
        let at =
            |wanted: fn(&Place) -> bool| trace.steps.iter().any(|step| wanted(&step.stop.place));
        let accesses =
            at(|place| matches!(place, Place::Data { .. })) || !at(|p| *p == Place::Tick);
        if case.schedule.is_empty() && accesses {
            Self::accesses()
        } else {
            Self::of(case)
        }
    }

    /// Why these places are not in a kernel, if they are not.
    #[must_use]
    pub fn lacking(&self, symbols: &Symbols) -> Option<String> {
        self.code.iter().find_map(|stop| {
            let name = &stop.symbol;
            match symbols.named(name) {
                [] => Some(format!("this kernel has no function {name}")),
                [start] if start + stop.offset >= symbols.end(*start) => Some(format!(
                    "{name} of this kernel has no instruction at {:#x}",
                    stop.offset
                )),
                [_] => None,
                several => Some(format!(
                    "this kernel has {} functions {name}",
                    several.len()
                )),
            }
        })
    }

    /// Whether an access is a stop. To an explorer each of relay's own is: which of them matter is for the search to
    /// find out, not for us to say. What the module's log reads changes nothing, and is not a stop.
    pub(super) fn wants(&self, access: &Access) -> bool {
        let is_relay = access.by.is_relay();
        if self.accesses || !is_relay {
            return is_relay;
        }
        self.data.iter().any(|stop| {
            let same = (stop.channel, stop.cpu, stop.field);
            let store = access.kind.stores();
            same == (access.channel, access.cpu, access.field) && (store || !stop.writes)
        })
    }
}
