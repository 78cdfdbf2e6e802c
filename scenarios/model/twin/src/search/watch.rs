//! What is seen of an order of steps, and whether it keeps the contract.

use std::fmt;

use relaybed_contract::Fate;

use super::small::{Name, Small, name};
use super::{Promise, Scene};
use crate::{Around, Effect, Frame, Member, Memory, Op, Outcome, Setting, Step};

/// Bytes that can be accepted in a scene.
const BYTES: usize = 48;
/// Numbers of the records that are written once all is quiet.
const AFTER: u32 = 900;

/// How an order of steps breaks the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Broken {
    /// Bytes were written outside the ring.
    WrittenOutside,
    /// A read gave bytes from outside the ring.
    ReadOutside,
    /// A read gave a byte that was never written.
    NeverWritten,
    /// A read gave bytes again.
    Again,
    /// A read passed over bytes.
    Skipped,
    /// A read gave bytes that an earlier lap had left.
    Stale,
    /// A read gave less than there was when it began.
    Short,
    /// Accepted bytes come to no reader.
    Lost,
    /// In overwrite mode, once all is quiet, a read does not give the newest bytes in their order.
    NotNewest,
    /// A count or a place is out of its range once all is quiet.
    Range(Member),
    /// Once all is quiet and read, the buffer does not take a record though it has room.
    Refuses,
    /// Once all is quiet and read, records written and read then do not come as they were written.
    Garbles,
    /// A poll waits though the file is readable, or closed.
    Asleep,
    /// A poll that began behind a close does not report it.
    NotReported,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::WrittenOutside => "bytes were written outside the ring",
            Self::ReadOutside => "a read gave bytes from outside the ring",
            Self::NeverWritten => "a read gave a byte that was never written",
            Self::Again => "a read gave bytes again",
            Self::Skipped => "a read passed over bytes",
            Self::Stale => "a read gave bytes that an earlier lap had left",
            Self::Short => "a read gave less than there was when it began",
            Self::Lost => "accepted bytes come to no reader",
            Self::NotNewest => "a read does not give the newest bytes in their order",
            Self::Range(member) => return write!(f, "{} is out of its range", member.word()),
            Self::Refuses => "the buffer takes no record though it has room",
            Self::Garbles => "records written afterwards do not come as they were written",
            Self::Asleep => "a poll waits though there is something to report",
            Self::NotReported => "a poll behind a close does not report it",
        };
        f.write_str(text)
    }
}

/// What has been seen so far: as little as the checks need, since it is part of a search's states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Watch {
    promise: Promise,
    /// Accepted bytes in their order.
    accepted: [Name; BYTES],
    len: u8,
    /// How many of them readers have.
    delivered: u8,
    /// How many were accepted by writes that are over.
    settled: u8,
    /// The channel was closed.
    closed: bool,
    /// A poll waits.
    asleep: bool,
}

impl Watch {
    pub(crate) const fn new(promise: Promise) -> Self {
        Self {
            promise,
            accepted: [0; BYTES],
            len: 0,
            delivered: 0,
            settled: 0,
            closed: false,
            asleep: false,
        }
    }

    /// What a poll that begins now must say: that the channel is closed.
    pub(crate) fn needed(&self, op: Op) -> u8 {
        match op {
            Op::Poll { .. } => self.closed.into(),
            _ => 0,
        }
    }

    /// What a read must give that has the lock now, with no other reader in its way.
    pub(crate) fn needed_locked(&self, op: Op) -> u8 {
        match op {
            Op::Read { size, .. } if self.promise.delivers => {
                let there = self.settled.saturating_sub(self.delivered);
                there.min(u8::try_from(size).unwrap_or(u8::MAX))
            }
            _ => 0,
        }
    }

    /// Takes note of a step.
    pub(crate) fn note(&mut self, step: &Step, mem: &Small) -> Result<(), Broken> {
        match *step {
            Step::Effect(Effect::CopiedIn { bytes, .. }) => {
                if mem.is_overrun {
                    return Err(Broken::WrittenOutside);
                }
                for i in 0..bytes.len {
                    self.accept(name(bytes.source, bytes.from + i));
                }
            }
            Step::Effect(Effect::CopiedOut { at, len, .. }) => {
                for i in 0..len {
                    let byte = mem.byte(at.wrapping_add(i)).ok_or(Broken::ReadOutside)?;
                    self.deliver(byte)?;
                }
            }
            Step::Effect(Effect::Queued) => self.asleep = true,
            Step::Effect(Effect::WakeQueued) => self.asleep = false,
            _ => {}
        }
        Ok(())
    }

    fn accept(&mut self, byte: Name) {
        if let Some(place) = self.accepted.get_mut(usize::from(self.len)) {
            *place = byte;
            self.len += 1;
        }
    }

    fn deliver(&mut self, byte: Name) -> Result<(), Broken> {
        if byte == 0 {
            return Err(Broken::NeverWritten);
        }
        if !self.promise.delivers {
            return Ok(());
        }
        let at = usize::from(self.delivered);
        let accepted = &self.accepted[..usize::from(self.len)];
        if accepted.get(at) == Some(&byte) {
            self.delivered += 1;
            return Ok(());
        }
        Err(match accepted.iter().position(|other| *other == byte) {
            Some(place) if place < at => Broken::Again,
            Some(_) => Broken::Skipped,
            None => Broken::Stale,
        })
    }

    /// Takes note of the end of an operation; `needed` is what it had to give.
    pub(crate) fn over(&mut self, op: Op, outcome: Outcome, needed: u8) -> Result<(), Broken> {
        match (op, outcome) {
            (Op::Write { .. } | Op::Reserve { .. }, _) => self.settled = self.len,
            (Op::Close, _) => self.closed = true,
            (_, Outcome::Read { bytes }) if bytes < needed.into() => return Err(Broken::Short),
            (Op::Poll { .. }, Outcome::Polled { mask }) => {
                if mask != 0 {
                    self.asleep = false;
                }
                if needed != 0 && mask != 0x8 {
                    return Err(Broken::NotReported);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// All is quiet: what must hold now.
    pub(crate) fn end(mut self, mut mem: Small, set: &Setting) -> Result<(), Broken> {
        in_range(&mem, set)?;
        let is_readable =
            mem.load(Member::Produced, 0) != mem.load(Member::Consumed, 0) || self.closed;
        if self.asleep && is_readable {
            return Err(Broken::Asleep);
        }
        // Readers that come now get the rest.
        if self.promise.keeps_newest {
            self.newest(mem, set)?;
        }
        self.run(super::read(64), &mut mem, set)?;
        if self.promise.delivers && self.delivered != self.len {
            return Err(Broken::Lost);
        }
        if self.promise.works_after {
            self.works(mem, set)?;
        }
        Ok(())
    }

    /// Whether a read gives the last bytes that were accepted.
    fn newest(&self, mut mem: Small, set: &Setting) -> Result<(), Broken> {
        let mut around = Around::default();
        let mut frame = Frame::new(super::read(64));
        let mut given = Vec::new();
        while frame.outcome().is_none() {
            let step = frame.step(&mut mem, &mut around, set);
            if let Step::Effect(Effect::CopiedOut { at, len, .. }) = step {
                let bytes = (0..len).map(|i| mem.byte(at.wrapping_add(i)));
                given.extend(bytes.map(Option::unwrap_or_default));
            }
        }
        let accepted = &self.accepted[..usize::from(self.len)];
        if accepted.ends_with(&given) {
            Ok(())
        } else {
            Err(Broken::NotNewest)
        }
    }

    /// Whether records that are written now, as many as there is room for, are taken and given.
    fn works(self, mut mem: Small, set: &Setting) -> Result<(), Broken> {
        let delivers = Promise {
            delivers: true,
            keeps_newest: false,
            works_after: false,
        };
        let mut fresh = Self::new(delivers);
        let len = set.size() - set.geometry.header_bytes;
        let mut numbers = (0..set.n() - 1).zip(AFTER..);
        let len = u32::try_from(len).unwrap_or(u32::MAX);
        let taken = numbers.try_for_each(|(_, seq)| {
            let source = relaybed_contract::Source::Record {
                actor: 0,
                op: 0,
                seq,
            };
            match fresh.run(Op::Write { source, len }, &mut mem, set)? {
                Outcome::Written {
                    fate: Fate::Accepted,
                } => Ok(()),
                _ => Err(Broken::Refuses),
            }
        });
        taken?;
        let read = fresh.run(super::read(64), &mut mem, set);
        if read.is_err() || fresh.delivered != fresh.len {
            return Err(Broken::Garbles);
        }
        Ok(())
    }

    /// Runs an operation alone.
    fn run(&mut self, op: Op, mem: &mut Small, set: &Setting) -> Result<Outcome, Broken> {
        let mut around = Around::default();
        let mut frame = Frame::new(op);
        // No operation on so small a buffer has as many steps.
        for _ in 0..4000 {
            let step = frame.step(mem, &mut around, set);
            self.note(&step, mem)?;
            if let Some(outcome) = frame.outcome() {
                self.over(op, outcome, 0)?;
                return Ok(outcome);
            }
        }
        Err(Broken::Garbles)
    }

    /// Runs what comes before the threads.
    pub(crate) fn prepare(&mut self, scene: &Scene, mem: &mut Small) -> Result<(), Broken> {
        self.run(Op::Reset, mem, &scene.set)?;
        for op in &scene.before {
            self.run(*op, mem, &scene.set)?;
        }
        Ok(())
    }
}

/// Counts and places, once all is quiet.
fn in_range(mem: &Small, set: &Setting) -> Result<(), Broken> {
    let load = |member| mem.load(member, 0);
    let ready = load(Member::Produced).wrapping_sub(load(Member::Consumed));
    let too_many = if set.geometry.overwrite {
        ready > u64::MAX / 2
    } else {
        ready > set.n()
    };
    let padding = mem.padding().iter().any(|padding| *padding > set.size());
    let wrong = [
        (Member::Consumed, too_many),
        (Member::Offset, load(Member::Offset) > set.size() + 1),
        (
            Member::BytesConsumed,
            load(Member::BytesConsumed) > set.size(),
        ),
        (Member::Data, load(Member::Data) >= set.n()),
        (Member::Padding, padding),
    ];
    match wrong.iter().find(|(_, wrong)| *wrong) {
        Some((member, _)) => Err(Broken::Range(*member)),
        None => Ok(()),
    }
}
