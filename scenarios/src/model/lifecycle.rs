//! Channels that are opened, closed and looked at while a case is simulated.

use relaybed_abi::ChanState;

use crate::case::{Access, Callbacks, Channel, Files, Op};

use super::buffer::{Buffer, Geometry};
use super::order::{At, operations};
use super::predict::Key;
use super::prediction::{ChannelMoment, Moment, OpPrediction};
use super::simulate::{Descriptor, Simulation, Slot, record_calls};

/// No such file or directory.
pub(super) const ENOENT: u32 = 2;
/// The channel has files already.
const EEXIST: u32 = 17;
/// A file could not be made.
const EINVAL: u32 = 22;
/// No name of a file.
const ENAMETOOLONG: u32 = 36;
/// The kernel has no such function.
const ENOSYS: u32 = 38;

/// Longest name of a file in bytes.
const NAME_MAX: usize = 255;

impl Simulation<'_> {
    /// Opens the channel; whether relay accepts.
    pub(super) fn open(&mut self, channel: usize) -> bool {
        let spec = &self.case.channels[channel];
        let buffers = spec.buffers(self.done.online_cpus) as usize;
        let made = if self.done.behaviour.accepts_channel(spec) {
            self.make_files(channel, false)
        } else {
            0
        };
        let live = &mut self.live[channel];
        live.buffers.clear();
        for cpu in 0..made as usize {
            let mut log = Vec::new();
            live.buffers
                .push(Buffer::open(Geometry::of(spec), &mut log));
            record_calls(&mut self.done, spec.mode, (channel, cpu), log);
        }
        if live.buffers.len() < buffers {
            live.buffers.clear();
            live.state = ChanState::Refused;
            return false;
        }
        live.state = ChanState::Open;
        live.generation += 1;
        live.late = false;
        live.toobig.clear();
        true
    }

    /// Has the client make every buffer's file, or for buffers without files asks it whether they shall
    /// be: for how many CPUs it does. Unless it does for all, what was made is removed again.
    fn make_files(&mut self, channel: usize, late: bool) -> u32 {
        let spec = &self.case.channels[channel];
        let named = late || spec.files != Files::None;
        let buffers = spec.buffers(self.done.online_cpus);
        let refused = (0..buffers).position(|cpu| {
            let too_long = named && spec.file_name_len(cpu) > NAME_MAX;
            too_long || denies(spec, cpu, &mut self.live[channel].asked)
        });
        let made = refused.map_or(buffers, |cpu| u32::try_from(cpu).unwrap_or(buffers));
        if named && let Some(files) = &mut self.done.files[channel] {
            for file in files.iter_mut().take(made as usize) {
                file.made += 1;
                file.removed += u64::from(refused.is_some());
            }
        }
        made
    }

    fn remove_files(&mut self, channel: usize) {
        let spec = &self.case.channels[channel];
        let has_files = self.live[channel].late || spec.files != Files::None;
        let can = spec.client.callbacks != Callbacks::NoRemove;
        if has_files
            && can
            && let Some(files) = &mut self.done.files[channel]
        {
            let buffers = spec.buffers(self.done.online_cpus) as usize;
            for file in files.iter_mut().take(buffers) {
                file.removed += 1;
            }
        }
    }

    pub(super) fn op_open(&mut self, channel: usize, keys: &[Key], at: At) -> OpPrediction {
        let certain = self.all_certain(keys, at);
        if !certain {
            self.done.files[channel] = None;
        }
        if self.live[channel].state == ChanState::Open {
            return OpPrediction::default();
        }
        let accepted = self.open(channel);
        if certain {
            OpPrediction::ok(Some(u64::from(accepted)))
        } else {
            OpPrediction::default()
        }
    }

    pub(super) fn op_late_setup(&mut self, channel: usize, keys: &[Key], at: At) -> OpPrediction {
        if !self.all_certain(keys, at) {
            self.done.files[channel] = None;
            return OpPrediction::default();
        }
        if self.live[channel].state != ChanState::Open {
            return OpPrediction::default();
        }
        if !self.done.behaviour.late_setup {
            return OpPrediction::failed(ENOSYS);
        }
        if self.live[channel].late || self.case.channels[channel].files != Files::None {
            return OpPrediction::failed(EEXIST);
        }
        let buffers = self.case.channels[channel].buffers(self.done.online_cpus);
        if self.make_files(channel, true) < buffers {
            return OpPrediction::failed(EINVAL);
        }
        let live = &mut self.live[channel];
        live.late = true;
        for buffer in &mut live.buffers {
            buffer.geometry.has_file = true;
        }
        OpPrediction::ok(None)
    }

    pub(super) fn op_close(&mut self, channel: usize, keys: &[Key], at: At) -> OpPrediction {
        let certain = self.all_certain(keys, at);
        if !certain {
            self.done.files[channel] = None;
        }
        if self.live[channel].state != ChanState::Open {
            return OpPrediction::default();
        }
        self.remove_files(channel);
        let live = &mut self.live[channel];
        live.state = ChanState::Closed;
        if self.klog == Some(channel) {
            self.klog = None;
        }
        let mut buffers = std::mem::take(&mut live.buffers);
        for buffer in &mut buffers {
            buffer.finalized = true;
        }
        live.closed.push((live.generation, buffers));
        if certain {
            OpPrediction::ok(None)
        } else {
            OpPrediction::default()
        }
    }

    pub(super) fn op_file_open(
        &mut self,
        at: At,
        file: usize,
        place: (usize, u32),
        access: Access,
    ) -> OpPrediction {
        let (channel, cpu) = place;
        let key = (channel, cpu as usize);
        let spec = &self.case.channels[channel];
        if !self.lifecycle_certain(channel, at) {
            self.slots.insert(file, Slot::Unknown);
            return OpPrediction::default();
        }
        let live = &self.live[channel];
        if spec.file_name_len(cpu) > NAME_MAX {
            self.slots.insert(file, Slot::Failed);
            return OpPrediction::failed(ENAMETOOLONG);
        }
        let there = live.state == ChanState::Open
            && (live.late || spec.files != Files::None)
            && cpu < spec.buffers(self.done.online_cpus);
        if !there {
            self.slots.insert(file, Slot::Failed);
            return OpPrediction::failed(ENOENT);
        }
        let generation = live.generation;
        self.slots.insert(
            file,
            Slot::Open(Descriptor {
                key,
                generation,
                access,
            }),
        );
        OpPrediction::ok(None)
    }

    /// Whether openings and closings of the channel are ordered with respect to `at`.
    pub(super) fn lifecycle_certain(&self, of: usize, at: At) -> bool {
        if self.touch.is_assumed() {
            return true;
        }
        operations(self.case)
            .filter(|other| {
                matches!(
                    self.case.actors[other.actor].ops[other.op],
                    Op::Open { channel } | Op::Close { channel } if channel == of
                )
            })
            .all(|other| self.done.order.is_ordered(other, at))
    }

    pub(super) fn moment(&mut self, at: Option<At>) {
        let order = &self.done.order;
        let channels = self
            .live
            .iter()
            .enumerate()
            .map(|(channel, live)| {
                let steady = at.is_none_or(|at| self.lifecycle_certain(channel, at));
                let steady_end = at.is_some() || self.lifecycle_settled(channel);
                let buffers: Vec<Option<Buffer>> = live
                    .buffers
                    .iter()
                    .enumerate()
                    .map(|(cpu, buffer)| {
                        self.touch
                            .is_seen_certainly(order, (channel, cpu), at)
                            .then(|| buffer.clone())
                    })
                    .collect();
                let still = (0..live.buffers.len())
                    .map(|cpu| at.is_none_or(|at| self.races.is_still(order, (channel, cpu), at)))
                    .collect();
                let last = live.toobig.first().map_or(0, |(_, len)| *len);
                let toobig = self.done.behaviour.last_toobig
                    && live.toobig.iter().all(|(_, len)| *len == last)
                    && buffers.iter().all(Option::is_some);
                ChannelMoment {
                    state: (steady && steady_end).then_some(live.state),
                    last_toobig: toobig.then_some(last),
                    buffers,
                    still,
                }
            })
            .collect();
        self.done.moments.push(Moment { at, channels });
    }

    /// Whether the channel's last opening or closing is known.
    fn lifecycle_settled(&self, channel: usize) -> bool {
        if self.touch.is_assumed() {
            return true;
        }
        let life: Vec<At> = operations(self.case)
            .filter(|at| {
                matches!(
                    self.case.actors[at.actor].ops[at.op],
                    Op::Open { channel: of } | Op::Close { channel: of } if of == channel
                )
            })
            .collect();
        life.iter().enumerate().all(|(i, a)| {
            life[i + 1..]
                .iter()
                .all(|b| self.done.order.is_ordered(*a, *b))
        })
    }
}

/// Whether the client does not make this CPU's file; counts how often it was asked for it.
fn denies(spec: &Channel, cpu: u32, asked: &mut u32) -> bool {
    let Some(create) = spec.client.create.filter(|create| create.cpu == cpu) else {
        return false;
    };
    let call = *asked;
    *asked += 1;
    call.checked_sub(create.skip)
        .is_some_and(|call| call < create.times)
}
