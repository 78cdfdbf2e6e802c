//! Which stop point a halted vCPU has reached.

use std::time::Instant;

use super::{Course, Inside, Seen, TICKS_IN_A_ROW};
use crate::run::drive::{Stuck, TICKS_MAX};
use crate::run::error::Cause;
use crate::run::landmarks::Landmark;
use crate::run::ram::View;
use crate::run::stops::CodeStop;
use relaybed_case::place::Place;
use relaybed_wire::observe::Told;

impl Course<'_, '_> {
    /// Which stop point a vCPU has reached that is about to execute the instruction at this address.
    pub(super) fn landmark(&mut self, vcpu: u32, address: u64) -> Result<Option<Seen>, Cause> {
        let Some(landmark) = self.landmarks.at(address) else {
            return Ok(self.code_place(vcpu, address)?.map(Seen::Place));
        };
        Ok(Some(Seen::Place(match landmark {
            Landmark::Tick => self.tick(vcpu)?,
            Landmark::Stopped => {
                self.state(vcpu).stopped = true;
                Place::Idle
            }
            Landmark::Spin => {
                self.state(vcpu).spins = true;
                Place::Waits
            }
        })))
    }

    /// Which stop point a vCPU has reached, as the module reports it.
    pub(super) fn told(&mut self, vcpu: u32) -> Result<Option<Seen>, Cause> {
        let told = self.mailbox.told(&View(self.debugger.paused()?.ram()))?;
        Ok(match told {
            None => None,
            Some(Told::Bell) => Some(Seen::Bell),
            Some(Told::Operation { actor, op }) => {
                (self.ticks, self.moved) = (0, Instant::now());
                Some(Seen::Place(Place::Operation { actor, op }))
            }
            Some(Told::Idle) => {
                self.state(vcpu).idle = true;
                if self.stops.recorded {
                    // It resumes at a timer interrupt, or because it was woken.
                    self.count_tick(vcpu)?;
                }
                Some(Seen::Place(Place::Idle))
            }
        })
    }

    /// The place of an access to a member of a channel buffer, where it is one.
    pub(super) fn accessed(&mut self, vcpu: u32, address: u64) -> Result<Option<Place>, Cause> {
        let met = self.watched.met(&mut self.debugger, vcpu, address)?;
        let wanted = met.filter(|access| self.stops.wants(access));
        Ok(wanted.map(|access| Place::Data {
            channel: access.channel,
            cpu: access.cpu,
            field: access.field,
            write: access.kind.stores(),
        }))
    }

    /// The place that begins or is this instruction.
    fn code_place(&mut self, vcpu: u32, address: u64) -> Result<Option<Place>, Cause> {
        let Some(stop) = self.code.get(&address).copied() else {
            return Ok(None);
        };
        if stop.instructions == 0 {
            return Ok(Some(Place::Code {
                symbol: stop.symbol.clone(),
                offset: stop.offset,
            }));
        }
        self.state(vcpu).inside = Some(Inside {
            start: address,
            instructions: 0,
        });
        self.further_inside(vcpu)
    }

    /// Steps a vCPU that is inside a function to the next of its places there.
    pub(super) fn further_inside(&mut self, vcpu: u32) -> Result<Option<Place>, Cause> {
        let Some(inside) = self.state(vcpu).inside.take() else {
            return Ok(None);
        };
        let Some(begun) = self.code.get(&inside.start).copied() else {
            return Ok(None);
        };
        let same = |stop: &&CodeStop| (&stop.symbol, stop.offset) == (&begun.symbol, begun.offset);
        let later = |stop: &&CodeStop| stop.instructions > inside.instructions;
        let stops = self.stops.code.iter().filter(same).filter(later);
        let Some(nth) = stops.map(|stop| stop.instructions).min() else {
            return Ok(None);
        };
        for _ in inside.instructions..nth {
            if let Some(address) = self.debugger.step(vcpu)? {
                self.accessed(vcpu, address)?;
            }
        }
        self.state(vcpu).inside = Some(Inside {
            instructions: nth,
            ..inside
        });
        Ok(Some(Place::Instruction {
            symbol: begun.symbol.clone(),
            nth,
        }))
    }

    /// A timer interrupt: of a vCPU that works, or of one that waits in a loop that is not known to.
    fn tick(&mut self, vcpu: u32) -> Result<Place, Cause> {
        self.count_tick(vcpu)?;
        let (of, count) = self.in_a_row;
        let count = if of == vcpu { count + 1 } else { 1 };
        if count < TICKS_IN_A_ROW {
            self.in_a_row = (vcpu, count);
            return Ok(Place::Tick);
        }
        self.in_a_row = (vcpu, 0);
        self.state(vcpu).spins = true;
        Ok(Place::Waits)
    }

    fn count_tick(&mut self, vcpu: u32) -> Result<(), Cause> {
        self.ticks += 1;
        if self.ticks > TICKS_MAX {
            let stands = self.stands();
            return Err(Cause::Stuck(Stuck::Ticks { vcpu, stands }));
        }
        Ok(())
    }
}
