//! Where the vCPUs of a run under control stop besides the landmarks.

use crate::instruction;
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

    /// Why one of these places is no instruction of a kernel, if one is not. `text` gives so many bytes from an address
    /// on; what cannot be read or decoded is taken for right.
    pub(super) fn inside(
        &self,
        symbols: &Symbols,
        text: &mut dyn FnMut(u64, usize) -> Option<Vec<u8>>,
    ) -> Option<String> {
        self.code.iter().find_map(|stop| {
            let begin = *symbols.named(&stop.symbol).first()?;
            let offset = usize::try_from(stop.offset).ok()?;
            let text = text(begin, offset + instruction::LEN_MAX)?;
            let mut at = 0;
            while at < offset {
                at += instruction::decode(text.get(at..)?)?.len;
            }
            (at > offset).then(|| {
                format!(
                    "{} of this kernel has no instruction at {offset:#x}, which is inside one: it is built in another \
                     way, as without ftrace's hook",
                    stop.symbol
                )
            })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_inside_an_instruction_is_none() {
        let symbols = Symbols::parse("ffffffff81000000 f\nffffffff81000100 g\n").unwrap();
        let stops = |offset| Stops {
            code: vec![CodeStop {
                symbol: "f".to_owned(),
                offset,
                instructions: 0,
            }],
            ..Stops::default()
        };
        // call of ftrace's hook; push %rbx. And without it: push %rbx; mov 0x18(%rdi),%rax; add %rsi,0x20(%rdi).
        let hooked = b"\xe8\x00\x00\x00\x00\x53".to_vec();
        let bare = b"\x53\x48\x8b\x47\x18\x48\x01\x77\x20".to_vec();
        let inside = |offset, text: &[u8]| {
            let mut read = |_, _| Some(text.to_vec());
            stops(offset).inside(&symbols, &mut read)
        };
        assert_eq!(inside(5, &hooked), None);
        assert_eq!(inside(0, &bare), None);
        let why = inside(4, &bare).unwrap();
        assert!(
            why.starts_with("f of this kernel has no instruction at 0x4"),
            "{why}"
        );
        assert_eq!(
            stops(5).inside(&symbols, &mut |_, _| None),
            None,
            "not to be read"
        );
    }
}
