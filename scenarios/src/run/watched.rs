//! Every access to the shared members of channel buffers, in a run under control.
//!
//! A watchpoint halts the vCPU behind the instruction, and does not say whether it loaded or stored: a store may
//! leave the value that it found. So the instruction itself is looked at.

use std::collections::BTreeMap;

use relaybed_vmm::{Access as Watch, Debugger};

use super::error::Cause;
use super::ram::View;
use crate::instruction::{self, Instruction, Memory};
use crate::symbols::Symbols;
use relaybed_case::Case;
use relaybed_case::access::{Access, AccessKind, Code};
use relaybed_case::trace::Accessed;
use relaybed_wire::observe::{FieldPlace, Mailbox, field_places, field_value};

/// How the names of all functions of our module start.
const MODULE: &str = "bed_";

/// An access that cannot be said.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{by} accessed {field} of channel {channel} CPU {cpu}, which is impossible: {why}")]
pub struct Unsaid {
    field: &'static str,
    channel: u32,
    cpu: u32,
    by: Code,
    why: &'static str,
}

/// One member that is watched.
#[derive(Clone, Copy, Debug)]
struct Member {
    place: FieldPlace,
    /// What is there.
    value: u64,
    /// Its channel is open, so the memory is the buffer's.
    open: bool,
}

/// An instruction that accessed a member.
#[derive(Clone, Debug)]
struct Known {
    by: Code,
    /// `None`: one that cannot be decoded.
    instruction: Option<Instruction>,
}

/// What is watched now.
#[derive(Debug)]
pub(super) struct Watched<'a> {
    symbols: &'a Symbols,
    mailbox: &'a Mailbox,
    /// By kernel address.
    members: BTreeMap<u64, Member>,
    /// By the address behind the instruction.
    known: BTreeMap<u64, Known>,
    /// Accesses since they were taken.
    log: Vec<Accessed>,
}

impl<'a> Watched<'a> {
    /// Nothing yet, of a machine with these symbols and this mailbox.
    pub(super) fn new(symbols: &'a Symbols, mailbox: &'a Mailbox) -> Self {
        Self {
            symbols,
            mailbox,
            members: BTreeMap::new(),
            known: BTreeMap::new(),
            log: Vec::new(),
        }
    }

    /// Watches the channels that are open now, and keeps watching those that were: whoever holds a descriptor
    /// uses their buffers still.
    pub(super) fn update(&mut self, debugger: &mut Debugger<'_>, case: &Case) -> Result<(), Cause> {
        let mailbox = self.mailbox;
        let view = View(debugger.paused()?.ram());
        let mut fresh = Vec::new();
        for member in self.members.values_mut() {
            member.open = false;
        }
        for place in field_places(&view, mailbox, case)? {
            let at = mailbox.direct_map().wrapping_add(place.address);
            match self.members.get_mut(&at) {
                Some(member) if member.place == place => member.open = true,
                _ => fresh.push((at, place, field_value(&view, &place)?)),
            }
        }
        for (at, place, value) in fresh {
            self.forget(debugger, at)?;
            debugger.set_watchpoint(at, place.len, Watch::Any)?;
            let open = true;
            self.members.insert(at, Member { place, value, open });
        }
        Ok(())
    }

    /// Watches nothing any more.
    pub(super) fn clear(&mut self, debugger: &mut Debugger<'_>) -> Result<(), Cause> {
        for at in self.members.keys().copied().collect::<Vec<_>>() {
            self.forget(debugger, at)?;
        }
        Ok(())
    }

    fn forget(&mut self, debugger: &mut Debugger<'_>, at: u64) -> Result<(), Cause> {
        if let Some(member) = self.members.remove(&at) {
            debugger.clear_watchpoint(at, member.place.len, Watch::Any)?;
        }
        Ok(())
    }

    /// The accesses since this was asked last, in order, all of them before the stop of this number.
    pub(super) fn take(&mut self, before: usize) -> impl Iterator<Item = Accessed> {
        let log = std::mem::take(&mut self.log).into_iter();
        log.map(move |accessed| Accessed { before, ..accessed })
    }

    /// Logs what a vCPU did that has halted at the watchpoint of this address. `None` where no member is any more, and
    /// for more of an access that was begun.
    pub(super) fn met(
        &mut self,
        debugger: &mut Debugger<'_>,
        vcpu: u32,
        address: u64,
    ) -> Result<Option<&Access>, Cause> {
        let behind = debugger.position(vcpu)?;
        let Some(member) = self.members.get_mut(&address) else {
            return Ok(None);
        };
        let place = member.place;
        let before = member.value;
        let view = View(debugger.paused()?.ram());
        let after = field_value(&view, &place)?;
        let order = self.mailbox.order(&view)?;
        member.value = after;
        let open = member.open;
        let known = self.instruction(debugger, vcpu, behind)?;
        let ours = known.by.is_relay() || known.by.symbol.starts_with(MODULE);
        if !ours && !open {
            // The buffer was given back, and its memory is somebody else's.
            let gone = (place.channel, place.cpu);
            let of = |(at, member): (&u64, &Member)| {
                let same = (member.place.channel, member.place.cpu) == gone && !member.open;
                same.then_some(*at)
            };
            for at in self.members.iter().filter_map(of).collect::<Vec<_>>() {
                self.forget(debugger, at)?;
            }
            return Ok(None);
        }
        let unsaid = |by: Code, why| {
            Cause::Unsaid(Unsaid {
                field: place.field.word(),
                channel: place.channel,
                cpu: place.cpu,
                by,
                why,
            })
        };
        let memory = known.instruction.and_then(|one| one.memory);
        let kind = match (memory, before == after) {
            (Some(Memory::Store), _) => AccessKind::Store,
            (Some(Memory::LoadAndStore), _) => AccessKind::LoadAndStore,
            (Some(Memory::Load), true) => AccessKind::Load,
            (Some(Memory::Load), false) => {
                return Err(unsaid(known.by, "it loads, and the value has changed"));
            }
            (None, _) if ours => {
                return Err(unsaid(known.by, "the instruction is unknown"));
            }
            (None, true) => AccessKind::Load,
            (None, false) => AccessKind::Store,
        };
        let access = Access {
            channel: place.channel,
            cpu: place.cpu,
            field: place.field,
            slot: place.slot,
            kind,
            before,
            after,
            by: known.by,
        };
        let repeats = known.instruction.is_some_and(|one| one.repeats);
        let accessed = Accessed {
            before: 0,
            vcpu,
            access,
            order,
        };
        Ok(self.log(accessed, repeats))
    }

    /// What an instruction that repeats itself does to one member, a few bytes at a time, is one access.
    fn log(&mut self, accessed: Accessed, repeats: bool) -> Option<&Access> {
        let access = &accessed.access;
        if repeats
            && let Some(Accessed {
                vcpu, access: last, ..
            }) = self.log.last_mut()
        {
            let so_far = Access {
                before: access.before,
                after: access.after,
                ..last.clone()
            };
            if *vcpu == accessed.vcpu && last.after == access.before && so_far == *access {
                last.after = access.after;
                return None;
            }
        }
        self.log.push(accessed);
        self.log.last().map(|accessed| &accessed.access)
    }

    /// The instruction that a vCPU at `behind` has just executed.
    fn instruction(
        &mut self,
        debugger: &mut Debugger<'_>,
        vcpu: u32,
        behind: u64,
    ) -> Result<Known, Cause> {
        if let Some(known) = self.known.get(&behind) {
            return Ok(known.clone());
        }
        let last = behind.wrapping_sub(1);
        let Some((symbol, offset)) = self.symbols.at(last) else {
            return self.called(debugger, vcpu, None);
        };
        let start = last - offset;
        let len = usize::try_from(behind - start).unwrap_or(0);
        let text = debugger.read(vcpu, start, len + instruction::LEN_MAX)?;
        let found = before(&text, len);
        let by = Code {
            symbol: symbol.to_owned(),
            offset: found.map_or(offset, |(at, _)| at as u64),
        };
        let instruction = found.map(|(_, instruction)| instruction);
        if !by.is_relay() && !by.symbol.starts_with(MODULE) {
            return self.called(debugger, vcpu, Some(Known { by, instruction }));
        }
        let known = Known { by, instruction };
        self.known.insert(behind, known.clone());
        Ok(known)
    }

    /// A helper without a frame of its own is named by its caller, if that is relay's code or ours.
    fn called(
        &mut self,
        debugger: &mut Debugger<'_>,
        vcpu: u32,
        helper: Option<Known>,
    ) -> Result<Known, Cause> {
        let stack = debugger.registers(vcpu)?.stack();
        let back = debugger.read(vcpu, stack, 8)?;
        let back = back.try_into().map_or(0, u64::from_le_bytes);
        let instruction = helper.as_ref().and_then(|helper| helper.instruction);
        if let Some((symbol, offset)) = self.symbols.at(back) {
            let by = Code {
                symbol: symbol.to_owned(),
                offset,
            };
            if by.is_relay() || by.symbol.starts_with(MODULE) {
                return Ok(Known { by, instruction });
            }
        }
        Ok(helper.unwrap_or(Known {
            by: Code {
                symbol: String::new(),
                offset: back,
            },
            instruction: None,
        }))
    }
}

/// The instruction of a function's text that ends at `end`, and where it starts. One that repeats itself stays
/// at its own start until it is done.
fn before(text: &[u8], end: usize) -> Option<(usize, Instruction)> {
    let mut at = 0;
    let mut last = None;
    while at < end {
        let one = instruction::decode(text.get(at..)?)?;
        last = Some((at, one));
        at += one.len;
    }
    if at != end {
        return None;
    }
    let here = instruction::decode(text.get(end..)?);
    match (last, here) {
        (Some((_, one)), Some(here)) if one.memory.is_none() && here.repeats => Some((end, here)),
        (last, _) => last,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_instruction_before_an_address_is_found_from_the_functions_start() {
        // push %rbx; mov 0x18(%rdi),%rax; add %rsi,0x20(%rdi); mov %rdx,%rcx; rep stos; ret
        let text = b"\x53\x48\x8b\x47\x18\x48\x01\x77\x20\x48\x89\xd1\xf3\xaa\xc3";
        let at = |end| before(text, end).map(|(at, one)| (at, one.memory));
        assert_eq!(at(5), Some((1, Some(Memory::Load))));
        assert_eq!(at(9), Some((5, Some(Memory::LoadAndStore))));
        // It is at the store that repeats itself, or after it.
        assert_eq!(at(12), Some((12, Some(Memory::Store))));
        assert_eq!(at(14), Some((12, Some(Memory::Store))));
        assert_eq!(at(7), None, "inside an instruction");
        assert_eq!(before(b"\x06\x90", 1), None, "not of this instruction set");
    }
}
