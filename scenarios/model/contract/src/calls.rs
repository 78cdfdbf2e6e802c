//! Simulating the system calls that are neither plain reads nor polls.

use relaybed_abi::ChanState;

use relaybed_case::errno::{EBADF, EINVAL, ENAMETOOLONG, ENOENT, ESPIPE};
use relaybed_case::{Access, FileCall};

use super::buffer::{Buffer, Piece};
use super::order::At;
use super::predict::bound;
use super::prediction::{OpPrediction, ReadPrediction, StatPrediction};
use super::relay::{NAME_MAX, Relay, Spliced, Splicing, joined};
use super::simulate::Simulation;
use super::world::Descriptor;

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
            FileCall::Mremap { len } => return self.op_mremap(file, *len),
            FileCall::Store { at: place, bytes } => {
                return self.op_store(at, file, *place, bytes.len());
            }
            _ => {}
        }
        if bound(self.case, at).is_none() {
            return OpPrediction::default();
        }
        let Some(descriptor) = self.descriptor(file) else {
            return self.refused_by_module(EBADF);
        };
        match call {
            FileCall::Dup { to } => self.take_slot(*to, descriptor, OpPrediction::ok(Some(1))),
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
            FileCall::Open { .. }
            | FileCall::Keep { .. }
            | FileCall::Mremap { .. }
            | FileCall::Store { .. } => OpPrediction::default(),
        }
    }

    fn op_read_nowhere(&mut self, at: At, descriptor: Descriptor, size: u32) -> OpPrediction {
        let (relay, spec) = (self.relay, &self.case.channels[descriptor.key.0]);
        let certain = self
            .touch
            .is_seen_certainly(&self.done.order, descriptor.key, Some(at));
        let buffer = match self.read_from(descriptor) {
            Ok(buffer) => buffer,
            Err(error) => return error.map_or_else(OpPrediction::default, OpPrediction::failed),
        };
        if !certain || !relay.knows_position(buffer) {
            return OpPrediction::default();
        }
        relay.read_nowhere(spec, buffer, size)
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
            let part = self.op_read(descriptor, (size, 1));
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
        let how = Splicing {
            size,
            times,
            nonblock,
            late,
        };
        let spliced = self.taking(descriptor, |relay, buffer, position| {
            relay.splice(buffer, position, how)
        });
        match spliced {
            Ok(spliced) if late => Spliced {
                reads: vec![joined(&spliced.reads)],
                ..spliced
            }
            .prediction(),
            Ok(spliced) => spliced.prediction(),
            Err(none) => none,
        }
    }

    fn op_sendfile(&mut self, descriptor: Descriptor, size: u32) -> OpPrediction {
        if let Some(refused) = self.splice_refused(descriptor) {
            return refused;
        }
        let spliced = self.taking(descriptor, |relay, buffer, position| {
            relay.sendfile(buffer, position, size)
        });
        match spliced {
            // A call that fails has moved nothing.
            Ok(spliced) if spliced.error != 0 => spliced.prediction(),
            Ok(spliced) => Spliced {
                reads: vec![joined(&spliced.reads)],
                ..spliced
            }
            .prediction(),
            Err(none) => none,
        }
    }

    /// Has bytes moved out of a descriptor's buffer by the open file's position, if what that gives is
    /// determined.
    #[expect(
        clippy::result_large_err,
        reason = "the error is the answer, and one a call is no burden"
    )]
    fn taking(
        &mut self,
        descriptor: Descriptor,
        take: impl FnOnce(&dyn Relay, &mut Buffer, &mut u64) -> Spliced,
    ) -> Result<Spliced, OpPrediction> {
        let relay = self.relay;
        let mut position = self.positions.get(&descriptor.file).copied().unwrap_or(0);
        let Some(buffer) = self.buffer_of(descriptor) else {
            return Err(OpPrediction::default());
        };
        if !relay.knows_position(buffer) {
            self.touch.lose(descriptor.key);
            return Err(OpPrediction::ok(None));
        }
        let spliced = take(relay, buffer, &mut position);
        self.positions.insert(descriptor.file, position);
        Ok(spliced)
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
        let spec = &self.case.channels[channel];
        if self.has_directory(channel) && spec.file_name_len(cpu) > NAME_MAX {
            return OpPrediction::failed(ENAMETOOLONG);
        }
        let live = &self.live[channel];
        let file = live.names.get(&format!("{}{cpu}", spec.base()));
        let Some((file, buffer)) = file.and_then(|of| Some((*of, live.buffer(*of)?))) else {
            return OpPrediction::failed(ENOENT);
        };
        let certain = self
            .touch
            .is_seen_certainly(&self.done.order, (channel, file.cpu), Some(at));
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
        if live.state == ChanState::Never {
            return OpPrediction::failed(ENOENT);
        }
        let names: Vec<String> = live.names.keys().cloned().collect();
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

impl Spliced {
    /// What the operation returns.
    fn prediction(self) -> OpPrediction {
        OpPrediction {
            error: Some(self.error),
            value: Some(self.value),
            reads: Some(self.reads),
            ..OpPrediction::default()
        }
    }
}
