//! Simulating the operations of user actors on their descriptors.

use relaybed_case::errno::{EBADF, EIO};
use relaybed_case::pollbits::{POLLERR, POLLHUP, POLLIN, POLLRDNORM};
use relaybed_case::{Access, Files, Op};

use super::buffer::{Buffer, Piece};
use super::order::At;
use super::predict::bound;
use super::prediction::{OpPrediction, ReadPrediction};
use super::simulate::Simulation;
use super::world::{Descriptor, Slot};

/// Calls of one read operation that are simulated.
const READS_MAX: usize = 1 << 16;

impl Simulation<'_> {
    pub(super) fn on_file(&mut self, at: At, op: &Op) -> OpPrediction {
        let Some(file) = op.file() else {
            return OpPrediction::default();
        };
        if bound(self.case, at).is_none() {
            return OpPrediction::default();
        }
        match op {
            Op::FileMunmap { .. } => {
                return match self.mappings.remove(&file) {
                    Some(mapped) => {
                        self.release(mapped.of);
                        OpPrediction::ok(None)
                    }
                    None => OpPrediction::default(),
                };
            }
            Op::FileCopy { .. } => return self.op_copy(at, file),
            _ => {}
        }
        let Some(descriptor) = self.descriptor(file) else {
            return self.refused_by_module(EBADF);
        };
        match op {
            Op::FileClose { .. } => {
                self.slots.insert(file, Slot::Failed);
                self.release(descriptor);
                OpPrediction::ok(None)
            }
            Op::FileRead { size, times, .. } => self.op_read(descriptor, (*size, *times)),
            Op::FilePoll { timeout_ms, .. } => self.op_poll(at, descriptor, *timeout_ms),
            _ => OpPrediction::default(),
        }
    }

    /// The descriptor in a slot, if it is open for sure.
    pub(super) fn descriptor(&self, file: usize) -> Option<Descriptor> {
        match self.slots.get(&file) {
            Some(Slot::Open(descriptor)) => Some(*descriptor),
            _ => None,
        }
    }

    /// Operations that opened files which a descriptor or mapping still holds, with their buffers.
    pub fn held_files(&self) -> impl Iterator<Item = Descriptor> + '_ {
        let slots = self.slots.values().filter_map(|slot| match slot {
            Slot::Open(descriptor) => Some(*descriptor),
            _ => None,
        });
        slots.chain(self.mappings.values().map(|mapped| mapped.of))
    }

    /// A descriptor or mapping is gone: if it was the last of its file, the file is released.
    pub(super) fn release(&mut self, of: Descriptor) {
        if !self.held_files().any(|held| held.file == of.file) {
            self.relay.released(self, of);
        }
    }

    /// Whether debugfs stands between the descriptor and relay.
    pub(super) fn is_proxied(&self, descriptor: Descriptor) -> bool {
        self.case.channels[descriptor.key.0].files == Files::Proxy
    }

    pub(super) fn buffer_of(&mut self, descriptor: Descriptor) -> Option<&mut Buffer> {
        self.live
            .get_mut(descriptor.key.0)?
            .buffer_mut(descriptor.of())
    }

    /// The buffer that a read of a descriptor comes to, or the error that it is answered
    /// with before it does; `None` where nothing is said of it.
    pub(super) fn read_from(&mut self, descriptor: Descriptor) -> Result<&mut Buffer, Option<u32>> {
        let proxy = self.is_proxied(descriptor);
        let buffer = self.buffer_of(descriptor).ok_or(None)?;
        if descriptor.access == Access::Write {
            return Err(Some(EBADF));
        }
        if proxy && buffer.finalized {
            return Err(Some(EIO));
        }
        Ok(buffer)
    }

    /// The calls of one operation that take bytes out of a buffer.
    pub(super) fn op_read(
        &mut self,
        descriptor: Descriptor,
        (size, times): (u32, u32),
    ) -> OpPrediction {
        let (relay, spec) = (self.relay, &self.case.channels[descriptor.key.0]);
        let mut position = self.positions.get(&descriptor.file).copied().unwrap_or(0);
        let buffer = match self.read_from(descriptor) {
            Ok(buffer) => buffer,
            Err(error) => return error.map_or_else(OpPrediction::default, OpPrediction::failed),
        };
        if !relay.knows_position(buffer) && size > 0 {
            // Where it starts is documented nowhere, and what it leaves decides what writers find.
            self.touch.lose(descriptor.key);
            return OpPrediction::ok(None);
        }
        let mut reads = Vec::new();
        let calls = if times == 0 {
            READS_MAX
        } else {
            (times as usize).min(READS_MAX)
        };
        for _ in 0..calls {
            let read = relay.read(spec, buffer, &mut position, size);
            let got = read.bytes;
            reads.push(read);
            if times == 0 && got == 0 {
                break;
            }
        }
        if position != 0 {
            self.positions.insert(descriptor.file, position);
        }
        let sum = reads.iter().map(|read| u64::from(read.bytes)).sum();
        OpPrediction {
            reads: Some(reads),
            ..OpPrediction::ok(Some(sum))
        }
    }

    fn op_poll(&mut self, at: At, descriptor: Descriptor, timeout_ms: Option<u32>) -> OpPrediction {
        let proxy = self.is_proxied(descriptor);
        if timeout_ms.is_none() && self.is_ended_by_close(at, descriptor) {
            return OpPrediction::ok(Some(if proxy { POLLHUP } else { POLLERR }));
        }
        let certain = self
            .touch
            .is_seen_certainly(&self.done.order, descriptor.key, Some(at));
        let Some(buffer) = self.buffer_of(descriptor) else {
            return OpPrediction::default();
        };
        if !certain || !buffer.position_known {
            return OpPrediction::default();
        }
        let readable = buffer.is_readable() && descriptor.access != Access::Write;
        let mask = match (buffer.finalized, readable) {
            (true, _) if proxy => POLLHUP,
            (true, _) => POLLERR,
            (false, true) => POLLIN | POLLRDNORM,
            (false, false) => 0,
        };
        if mask == 0 && timeout_ms.is_none() {
            return OpPrediction::default();
        }
        OpPrediction::ok(Some(mask))
    }

    /// Whether a poll without a timeout finds nothing when it begins, and the one operation beside it
    /// that changes the buffer is the end of its channel: whichever comes first, that end must end it.
    fn is_ended_by_close(&mut self, at: At, descriptor: Descriptor) -> bool {
        let beside = self.touch.beside(&self.done.order, descriptor.key, at);
        let [close] = beside[..] else {
            return false;
        };
        let is_close = matches!(
            self.case.actors[close.actor].ops[close.op],
            Op::Close { .. }
        );
        is_close
            && self
                .buffer_of(descriptor)
                .is_some_and(|buffer| !buffer.is_readable() && buffer.position_known)
    }
}

impl ReadPrediction {
    /// A call that gives nothing.
    #[must_use]
    pub const fn nothing() -> Self {
        Self {
            pieces: Vec::new(),
            bytes: 0,
        }
    }

    /// A call that gives these pieces.
    pub(super) fn of(pieces: Vec<Piece>) -> Self {
        let bytes = pieces.last().map_or(0, Piece::end);
        Self { pieces, bytes }
    }
}
