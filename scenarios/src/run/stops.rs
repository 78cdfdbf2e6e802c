//! Where the vCPUs of a run under control stop besides the landmarks, and keeping track of it.

use std::collections::BTreeMap;

use relaybed_vmm::{Access, Debugger};

use super::error::Cause;
use super::ram::View;
use crate::symbols::Symbols;
use relaybed_case::place::{Field, Place};
use relaybed_case::trace::Trace;
use relaybed_case::{Case, Until};
use relaybed_wire::observe::{FieldPlace, Mailbox, field_places, field_value};

/// A function whose instructions are places.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CodeStop {
    /// The function.
    pub symbol: String,
    /// Bytes from its begin.
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
    /// At accesses to what writers and readers of a channel share, and at no timer interrupt: each stop
    /// lets QEMU's clock leap to the next one, which would be a stop again.
    pub accesses: bool,
    /// At some of them.
    pub data: Vec<DataStop>,
    /// At instructions.
    pub code: Vec<CodeStop>,
    /// A vCPU that stands answers the interrupts of one that waits for that, and stands where it stood:
    /// for schedules that say who stands.
    pub answering: bool,
}

impl Stops {
    /// Accesses to shared data: what an explorer switches at.
    #[must_use]
    pub fn accesses() -> Self {
        Self {
            accesses: true,
            ..Self::default()
        }
    }

    /// The places that a case's own schedule names.
    #[must_use]
    pub fn of(case: &Case) -> Self {
        let mut stops = Self {
            answering: !case.schedule.is_empty(),
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
                [begin] if begin + stop.offset >= symbols.end(*begin) => Some(format!(
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

    fn wants(&self, place: &FieldPlace) -> Option<Access> {
        let same = |stop: &&DataStop| {
            (stop.channel, stop.cpu, stop.field) == (place.channel, place.cpu, place.field)
        };
        let mut named = self.data.iter().filter(same).peekable();
        if self.accesses {
            return shared(place.field);
        }
        named.peek()?;
        Some(if named.all(|stop| stop.writes) {
            Access::Write
        } else {
            Access::Any
        })
    }
}

/// Which accesses to a member are places for an explorer. Of the counts that each side decides by, what the
/// other wrote, reads are too; the rest matters only once it was written.
fn shared(field: Field) -> Option<Access> {
    match field {
        Field::Produced | Field::Consumed => Some(Access::Any),
        // Written beside the count of produced sub-buffers, and read beside that.
        Field::Padding => None,
        Field::Data | Field::Offset | Field::BytesConsumed | Field::Finalized | Field::ReadWait => {
            Some(Access::Write)
        }
    }
}

/// What is watched now, by kernel address.
#[derive(Debug, Default)]
pub(super) struct Watched {
    fields: BTreeMap<u64, (FieldPlace, Access, u64)>,
}

impl Watched {
    /// Watches what channels that are open now have of the wanted.
    pub(super) fn update(
        &mut self,
        debugger: &mut Debugger<'_>,
        (mailbox, case): (&Mailbox, &Case),
        stops: &Stops,
    ) -> Result<(), Cause> {
        if !stops.accesses && stops.data.is_empty() {
            return Ok(());
        }
        let view = View(debugger.paused()?.ram());
        let mut fields = BTreeMap::new();
        for place in field_places(&view, mailbox, case)? {
            if let Some(access) = stops.wants(&place) {
                let at = mailbox.direct_map().wrapping_add(place.address);
                fields.insert(at, (place, access, field_value(&view, &place)?));
            }
        }
        let same = |one: &(FieldPlace, Access, u64), other: &(FieldPlace, Access, u64)| {
            (one.0, one.1) == (other.0, other.1)
        };
        let old = std::mem::take(&mut self.fields);
        for (at, entry) in &old {
            if !fields.get(at).is_some_and(|now| same(now, entry)) {
                debugger.clear_watchpoint(*at, entry.0.len, entry.1)?;
            }
        }
        for (at, entry) in &fields {
            if !old.get(at).is_some_and(|then| same(then, entry)) {
                debugger.set_watchpoint(*at, entry.0.len, entry.1)?;
            }
        }
        self.fields = fields;
        Ok(())
    }

    /// Watches nothing any more.
    pub(super) fn clear(&mut self, debugger: &mut Debugger<'_>) -> Result<(), Cause> {
        for (at, (place, access, _)) in std::mem::take(&mut self.fields) {
            debugger.clear_watchpoint(at, place.len, access)?;
        }
        Ok(())
    }

    /// The place of an access that was met at this address. Where reads are watched too, one that left
    /// another value than it found is a write.
    pub(super) fn met(
        &mut self,
        debugger: &mut Debugger<'_>,
        address: u64,
    ) -> Result<Option<Place>, Cause> {
        let Some((place, access, value)) = self.fields.get_mut(&address) else {
            return Ok(None);
        };
        let now = field_value(&View(debugger.paused()?.ram()), place)?;
        let write = *access == Access::Write || now != *value;
        *value = now;
        Ok(Some(Place::Data {
            channel: place.channel,
            cpu: place.cpu,
            field: place.field,
            write,
        }))
    }
}
