//! Simulating the system calls that are neither plain reads nor polls.

use relaybed_abi::ChanState;

use relaybed_case::errno::{EAGAIN, EBADF, EFAULT, EINVAL, EIO, ENAMETOOLONG, ENOENT, ESPIPE};
use relaybed_case::{Access, FileCall};

use super::buffer::Piece;
use super::descriptors::Taking;
use super::lifecycle::NAME_MAX;
use super::order::At;
use super::predict::bound;
use super::prediction::{OpPrediction, ReadPrediction, StatPrediction};
use super::simulate::{Descriptor, Simulation, Slot};

/// Sizes of files beyond this meet the file system's limits.
const SIZE_CERTAIN: u64 = 1 << 40;

impl Simulation<'_> {
    pub(super) fn call(&mut self, at: At, file: usize, call: &FileCall) -> OpPrediction {
        if let FileCall::Open {
            channel,
            cpu,
            access,
        } = call
        {
            return self.op_file_open(at, file, (*channel, *cpu), *access);
        }
        match call {
            FileCall::Keep { len } => return self.op_keep(file, *len),
            FileCall::Store { at: place, bytes } => {
                return self.op_store(at, file, *place, bytes.len());
            }
            _ => {}
        }
        if bound(self.case, at).is_none() {
            return OpPrediction::default();
        }
        let Some(descriptor) = self.descriptor(file) else {
            return OpPrediction::default();
        };
        match call {
            FileCall::Dup { to } => {
                self.slots.insert(*to, Slot::Open(descriptor));
                OpPrediction::ok(Some(1))
            }
            FileCall::Map(map) => self.op_map(file, descriptor, *map),
            FileCall::ReadNowhere { size } => self.op_read_nowhere(at, descriptor, *size),
            // Neither has a position that could be moved.
            FileCall::Pread { .. } | FileCall::Seek { .. } => OpPrediction::failed(ESPIPE),
            FileCall::Readv { size, parts } => self.op_readv(descriptor, *size, *parts),
            FileCall::Write { .. } => OpPrediction::failed(match descriptor.access {
                Access::Read => EBADF,
                Access::Write | Access::Both => EINVAL,
            }),
            FileCall::Truncate { len } => self.op_truncate(descriptor, *len),
            FileCall::Stat => self.op_fstat(at, descriptor),
            FileCall::Splice {
                size,
                times,
                nonblock,
                late,
            } => self.op_splice(descriptor, (*size, *times), *nonblock, *late),
            FileCall::Sendfile { size } => self.op_sendfile(descriptor, *size),
            FileCall::Open { .. } | FileCall::Keep { .. } | FileCall::Store { .. } => {
                OpPrediction::default()
            }
        }
    }

    /// Only a read that has something to give comes to touch the memory.
    fn op_read_nowhere(&mut self, at: At, descriptor: Descriptor, size: u32) -> OpPrediction {
        let proxy = self.is_proxied(descriptor);
        let as_found = self.done.behaviour.reads_as_found;
        let certain = self
            .touch
            .is_seen_certainly(&self.done.order, descriptor.key, Some(at));
        let Some(buffer) = self.buffer_of(descriptor) else {
            return OpPrediction::default();
        };
        if descriptor.access == Access::Write {
            return OpPrediction::failed(EBADF);
        }
        if proxy && buffer.finalized {
            return OpPrediction::failed(EIO);
        }
        if !certain || !buffer.position_known {
            return OpPrediction::default();
        }
        if size > 0 && as_found {
            buffer.look_as_found();
        } else if size > 0 {
            buffer.look();
        }
        // What it would have given is still there.
        if buffer.clone().read(size).is_empty() {
            OpPrediction::ok(Some(0))
        } else {
            OpPrediction::failed(EFAULT)
        }
    }

    /// A read a part, until one gives less than it might.
    fn op_readv(&mut self, descriptor: Descriptor, size: u32, parts: u32) -> OpPrediction {
        if size == 0 && descriptor.access != Access::Write {
            // readv(2) of no bytes is over before it reaches the file.
            let nothing = ReadPrediction {
                pieces: Vec::new(),
                bytes: 0,
            };
            return OpPrediction {
                reads: Some(vec![nothing]),
                ..OpPrediction::ok(Some(0))
            };
        }
        let mut whole: Vec<Piece> = Vec::new();
        let mut at = 0;
        for _ in 0..parts {
            let part = self.op_read(descriptor, (size, 1), Taking::Read);
            let Some([read]) = part.reads.as_deref() else {
                return part;
            };
            whole.extend(read.pieces.iter().map(|piece| Piece {
                start: piece.start + at,
                ..*piece
            }));
            at += read.bytes;
            if read.bytes < size {
                break;
            }
        }
        OpPrediction {
            reads: Some(vec![ReadPrediction {
                pieces: whole,
                bytes: at,
            }]),
            ..OpPrediction::ok(Some(u64::from(at)))
        }
    }

    /// debugfs lets whoever may write to a file set its size; relay is not asked.
    fn op_truncate(&mut self, descriptor: Descriptor, len: u64) -> OpPrediction {
        if descriptor.access == Access::Read {
            return OpPrediction::failed(EINVAL);
        }
        if len > SIZE_CERTAIN {
            return OpPrediction::default();
        }
        if let Some(buffer) = self.buffer_of(descriptor) {
            buffer.completed_bytes = len;
        }
        OpPrediction::ok(None)
    }

    fn op_splice(
        &mut self,
        descriptor: Descriptor,
        (size, times): (u32, u32),
        nonblock: bool,
        late: bool,
    ) -> OpPrediction {
        if size == 0 {
            // splice(2) of no bytes is over before it looks at the file.
            let nothing = ReadPrediction {
                pieces: Vec::new(),
                bytes: 0,
            };
            let calls = if late { 1 } else { times.max(1) };
            return OpPrediction {
                reads: Some(vec![nothing; calls as usize]),
                ..OpPrediction::ok(Some(0))
            };
        }
        if let Some(refused) = self.splice_refused(descriptor) {
            return refused;
        }
        let calls = self.op_read(descriptor, (size, times), Taking::Splice);
        let Some(mut reads) = calls.reads.clone() else {
            return calls;
        };
        // Where there is nothing, a call that must not block says so, and that is the last.
        let dry = reads.iter().position(|read| read.bytes == 0);
        let error = match dry.filter(|_| nonblock && size > 0) {
            Some(dry) => {
                reads.truncate(dry + 1);
                EAGAIN
            }
            None => 0,
        };
        if late {
            reads = vec![joined(&reads)];
        }
        let sum = reads.iter().map(|read| u64::from(read.bytes)).sum();
        OpPrediction {
            error: Some(error),
            value: Some(sum),
            reads: Some(reads),
            ..calls
        }
    }

    fn op_sendfile(&mut self, descriptor: Descriptor, size: u32) -> OpPrediction {
        if let Some(refused) = self.splice_refused(descriptor) {
            return refused;
        }
        let mut reads = Vec::new();
        let mut rest = size;
        loop {
            let one = self.op_read(descriptor, (rest, 1), Taking::Splice);
            let Some([read]) = one.reads.as_deref() else {
                return one;
            };
            rest -= read.bytes;
            let over = read.bytes == 0 || rest == 0;
            reads.push(read.clone());
            if over {
                break;
            }
        }
        OpPrediction {
            reads: Some(vec![joined(&reads)]),
            ..OpPrediction::ok(Some(u64::from(size - rest)))
        }
    }

    fn splice_refused(&self, descriptor: Descriptor) -> Option<OpPrediction> {
        if descriptor.access == Access::Write {
            return Some(OpPrediction::failed(EBADF));
        }
        let can = self.done.behaviour.splice && !self.is_proxied(descriptor);
        (!can).then(|| OpPrediction::failed(EINVAL))
    }

    fn op_fstat(&mut self, at: At, descriptor: Descriptor) -> OpPrediction {
        let certain = self
            .touch
            .is_seen_certainly(&self.done.order, descriptor.key, Some(at));
        match self.buffer_of(descriptor) {
            Some(buffer) if certain => told(Some(buffer.completed_bytes), !buffer.finalized),
            _ => OpPrediction::default(),
        }
    }

    pub(super) fn op_stat(&self, at: At, channel: usize, cpu: u32) -> OpPrediction {
        if !self.lifecycle_certain(channel, at) || !self.hotplug_certain(cpu, at) {
            return OpPrediction::default();
        }
        if self.case.channels[channel].file_name_len(cpu) > NAME_MAX {
            return OpPrediction::failed(ENAMETOOLONG);
        }
        let key = (channel, cpu as usize);
        let live = &self.live[channel];
        let Some(buffer) = live.buffers.get(key.1).filter(|_| live.has_file(key.1)) else {
            return OpPrediction::failed(ENOENT);
        };
        let certain = self
            .touch
            .is_seen_certainly(&self.done.order, key, Some(at));
        told(certain.then_some(buffer.completed_bytes), true)
    }

    /// The files of a channel's directory, which is made when the channel is first to be opened.
    pub(super) fn op_list(&self, at: At, channel: usize) -> OpPrediction {
        let mut cpus = 0..self.done.online_cpus;
        if !self.lifecycle_certain(channel, at) || !cpus.all(|cpu| self.hotplug_certain(cpu, at)) {
            return OpPrediction::default();
        }
        let live = &self.live[channel];
        let spec = &self.case.channels[channel];
        if spec.client.root {
            // The file system's root, where others have files too.
            return OpPrediction::default();
        }
        let mut names = Vec::new();
        match live.state {
            ChanState::Never => return OpPrediction::failed(ENOENT),
            ChanState::Open => {
                let cpus = (0..live.buffers.len()).filter(|cpu| live.has_file(*cpu));
                names.extend(cpus.map(|cpu| format!("{}{cpu}", spec.base())));
            }
            _ => {}
        }
        names.sort();
        OpPrediction {
            value: Some(names.len() as u64),
            names: Some(names),
            ..OpPrediction::ok(None)
        }
    }
}

fn told(size: Option<u64>, is_named: bool) -> OpPrediction {
    OpPrediction {
        stat: Some(StatPrediction { size, is_named }),
        ..OpPrediction::ok(size)
    }
}

/// Several calls whose bytes are told as one.
fn joined(reads: &[ReadPrediction]) -> ReadPrediction {
    let mut at = 0;
    let mut pieces = Vec::new();
    for read in reads {
        pieces.extend(read.pieces.iter().map(|piece| Piece {
            start: piece.start + at,
            ..*piece
        }));
        at += read.bytes;
    }
    ReadPrediction::of(pieces)
}
