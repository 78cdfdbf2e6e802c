//! Simulating the operations of user actors on their descriptors.

use relaybed_abi::ChanState;

use crate::case::{Files, Op};

use super::buffer::Buffer;
use super::order::At;
use super::predict::bound;
use super::prediction::{Copied, OpPrediction, ReadPrediction};
use super::simulate::{Descriptor, Simulation, Slot};

const EIO: u32 = 5;
const ENODEV: u32 = 19;
const EINVAL: u32 = 22;
const ESPIPE: u32 = 29;
const POLLIN: u64 = 0x1;
const POLLERR: u64 = 0x8;
const POLLHUP: u64 = 0x10;
const POLLRDNORM: u64 = 0x40;

/// Lengths of mappings beyond this meet limits of address space before relay's.
const MMAP_CERTAIN: u64 = 1 << 40;
/// Calls of one read operation that are simulated.
const READS_MAX: usize = 1 << 16;

impl Simulation<'_> {
    pub(super) fn on_file(&mut self, at: At, op: &Op) -> OpPrediction {
        let Some(file) = super::predict::file_slot(op) else {
            return OpPrediction::default();
        };
        if bound(self.case, at).is_none() {
            return OpPrediction::default();
        }
        let descriptor = match self.slots.get(&file) {
            Some(Slot::Open(descriptor)) => *descriptor,
            _ => return OpPrediction::default(),
        };
        let proxy = self.case.channels[descriptor.key.0].files == Files::Proxy;
        let result = match op {
            Op::FileClose { .. } => {
                self.slots.insert(file, Slot::Failed);
                OpPrediction::ok(None)
            }
            Op::FileRead { size, times, .. } => self.op_read(descriptor, proxy, *size, *times),
            Op::FilePoll { timeout_ms, .. } => self.op_poll(at, descriptor, proxy, *timeout_ms),
            Op::FileMmap { len, .. } => self.op_mmap(descriptor, proxy, *len),
            Op::FileMunmap { .. } if descriptor.mapped.is_some() => OpPrediction::ok(None),
            Op::FileCopy { .. } => match descriptor.mapped {
                Some(len) => self.op_copy(at, descriptor, len),
                None => OpPrediction::default(),
            },
            Op::FileLseek { .. } => OpPrediction::failed(ESPIPE),
            _ => OpPrediction::default(),
        };
        if let Some(Slot::Open(now)) = self.slots.get_mut(&file) {
            match op {
                Op::FileMmap { len, .. } if result.error == Some(0) => now.mapped = Some(*len),
                Op::FileMunmap { .. } => now.mapped = None,
                _ => {}
            }
        }
        result
    }

    fn buffer_of(&mut self, descriptor: Descriptor) -> Option<&mut Buffer> {
        let (channel, cpu) = descriptor.key;
        let live = self.live.get_mut(channel)?;
        if live.generation == descriptor.generation && live.state == ChanState::Open {
            return live.buffers.get_mut(cpu);
        }
        live.closed
            .iter_mut()
            .find(|(generation, _)| *generation == descriptor.generation)
            .and_then(|(_, buffers)| buffers.get_mut(cpu))
    }

    fn op_read(
        &mut self,
        descriptor: Descriptor,
        proxy: bool,
        size: u32,
        times: u32,
    ) -> OpPrediction {
        let as_found = self.done.behaviour.reads_as_found;
        let Some(buffer) = self.buffer_of(descriptor) else {
            return OpPrediction::default();
        };
        if proxy && buffer.finalized {
            return OpPrediction::failed(EIO);
        }
        if !buffer.position_known && size > 0 {
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
            let (pieces, got) = if as_found {
                buffer.read_as_found(size)
            } else {
                let pieces = buffer.read(size);
                let got = pieces.last().map_or(0, super::buffer::Piece::end);
                (pieces, got)
            };
            reads.push(ReadPrediction { pieces, bytes: got });
            if times == 0 && got == 0 {
                break;
            }
        }
        OpPrediction {
            reads: Some(reads),
            ..OpPrediction::ok(None)
        }
    }

    fn op_poll(
        &mut self,
        at: At,
        descriptor: Descriptor,
        proxy: bool,
        timeout_ms: Option<u32>,
    ) -> OpPrediction {
        let certain = self
            .touch
            .is_seen_certainly(&self.done.order, descriptor.key, Some(at));
        let Some(buffer) = self.buffer_of(descriptor) else {
            return OpPrediction::default();
        };
        if !certain || !buffer.position_known {
            return OpPrediction::default();
        }
        let mask = match (buffer.finalized, buffer.is_readable()) {
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

    fn op_mmap(&mut self, descriptor: Descriptor, proxy: bool, len: u64) -> OpPrediction {
        let Some(buffer) = self.buffer_of(descriptor) else {
            return OpPrediction::default();
        };
        let page = relaybed_abi::RB_PAGE_SIZE as u64;
        if len > MMAP_CERTAIN || descriptor.mapped.is_some() {
            return OpPrediction::default();
        }
        if len == 0 {
            return OpPrediction::failed(EINVAL);
        }
        if proxy {
            return OpPrediction::failed(ENODEV);
        }
        if len.div_ceil(page) * page == buffer.geometry.alloc_size() {
            OpPrediction::ok(Some(1))
        } else {
            OpPrediction::failed(EINVAL)
        }
    }

    fn op_copy(&mut self, at: At, descriptor: Descriptor, len: u64) -> OpPrediction {
        let certain = self
            .touch
            .is_seen_certainly(&self.done.order, descriptor.key, Some(at));
        let buffer = self.buffer_of(descriptor).map(|buffer| buffer.clone());
        OpPrediction {
            copied: buffer.filter(|_| certain).map(|buffer| Copied {
                buffer: Box::new(buffer),
                len,
            }),
            ..OpPrediction::ok(None)
        }
    }
}
