//! Channels that are opened, closed and looked at while a case is simulated.

use relaybed_abi::ChanState;

use relaybed_case::errno::{EEXIST, EINVAL, ENAMETOOLONG, ENOENT, ENOSYS};
use relaybed_case::{Access, Callbacks, Channel, Files, Op};

use super::buffer::{Buffer, Geometry};
use super::order::{At, operations};
use super::predict::Key;
use super::prediction::{ChannelMoment, Moment, OpPrediction};
use super::simulate::{Descriptor, Live, Simulation, Slot, record_calls};

/// Longest name of a file in bytes.
pub(super) const NAME_MAX: usize = 255;

impl Live {
    /// Whether a file of the CPU's buffer is there.
    pub(super) fn has_file(&self, cpu: usize) -> bool {
        self.state == ChanState::Open
            && self.there.get(cpu) == Some(&true)
            && self.buffers[cpu].geometry.has_file
    }
}

impl Simulation<'_> {
    /// Opens the channel; whether relay accepts.
    pub(super) fn open(&mut self, channel: usize) -> bool {
        let spec = &self.case.channels[channel];
        let buffers = spec.buffers(self.done.online_cpus) as usize;
        let online = self.online_buffers(channel);
        let made = if self.done.behaviour.accepts_channel(spec) {
            self.make_files(channel, &online, false)
        } else {
            0
        };
        let live = &mut self.live[channel];
        live.buffers.clear();
        live.there = vec![false; buffers];
        for cpu in 0..buffers {
            let mut log = Vec::new();
            live.buffers
                .push(Buffer::open(Geometry::of(spec), &mut log));
            if online[..made].contains(&cpu) {
                live.there[cpu] = true;
                record_calls(&mut self.done, spec.mode, (channel, cpu), log);
            }
        }
        if made < online.len() {
            live.buffers.clear();
            live.there.clear();
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
    fn make_files(&mut self, channel: usize, cpus: &[usize], late: bool) -> usize {
        let spec = &self.case.channels[channel];
        let named = late || spec.files != Files::None;
        let refused = cpus
            .iter()
            .position(|cpu| self.refuses_file(channel, *cpu, named));
        let made = refused.unwrap_or(cpus.len());
        if named && let Some(files) = &mut self.done.files[channel] {
            for cpu in &cpus[..made] {
                files[*cpu].made += 1;
                files[*cpu].removed += u64::from(refused.is_some());
            }
        }
        made
    }

    /// Whether the client does not make the buffer's file, or may not.
    pub(super) fn refuses_file(&mut self, channel: usize, cpu: usize, named: bool) -> bool {
        let spec = &self.case.channels[channel];
        let cpu = u32::try_from(cpu).unwrap_or(u32::MAX);
        let too_long = named && spec.file_name_len(cpu) > NAME_MAX;
        too_long || denies(spec, cpu, &mut self.live[channel].asked)
    }

    /// Buffers that the channel gets when it is opened now: of the CPUs that are online.
    fn online_buffers(&self, channel: usize) -> Vec<usize> {
        let buffers = self.case.channels[channel].buffers(self.done.online_cpus) as usize;
        (0..buffers).filter(|cpu| self.online[*cpu]).collect()
    }

    fn remove_files(&mut self, channel: usize) {
        let spec = &self.case.channels[channel];
        let has_files = self.live[channel].late || spec.files != Files::None;
        let can = spec.client.callbacks != Callbacks::NoRemove;
        if has_files
            && can
            && let Some(files) = &mut self.done.files[channel]
        {
            let there = self.live[channel].there.iter();
            for (file, there) in files.iter_mut().zip(there) {
                file.removed += u64::from(*there);
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

    pub(super) fn op_late_setup(&mut self, channel: usize, at: At) -> OpPrediction {
        // Whether there are files does not depend on what writers and readers have done by then.
        if !self.lifecycle_certain(channel, at) {
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
        // A CPU that went offline has left its buffer, with what is in it.
        let there = &self.live[channel].there;
        let buffers: Vec<usize> = (0..there.len()).filter(|cpu| there[*cpu]).collect();
        if self.make_files(channel, &buffers, true) < buffers.len() {
            return OpPrediction::failed(EINVAL);
        }
        let live = &mut self.live[channel];
        live.late = true;
        for cpu in buffers {
            live.buffers[cpu].geometry.has_file = true;
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
        live.there.clear();
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
        if !self.lifecycle_certain(channel, at) || !self.hotplug_certain(cpu, at) {
            self.slots.insert(file, Slot::Unknown);
            return OpPrediction::default();
        }
        let live = &self.live[channel];
        if spec.file_name_len(cpu) > NAME_MAX {
            self.slots.insert(file, Slot::Failed);
            return OpPrediction::failed(ENAMETOOLONG);
        }
        if !live.has_file(cpu as usize) {
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
                    Op::Open { channel } | Op::Close { channel } | Op::LateSetup { channel }
                        if channel == of
                )
            })
            .all(|other| other == at || self.done.order.is_ordered(other, at))
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
                        let seen = self.touch.is_seen_certainly(order, (channel, cpu), at);
                        (live.there[cpu] && seen).then(|| buffer.clone())
                    })
                    .collect();
                let there: Vec<Option<bool>> = (0..live.buffers.len())
                    .map(|cpu| self.is_there(channel, cpu, at))
                    .collect();
                let still = (0..live.buffers.len())
                    .map(|cpu| at.is_none_or(|at| self.races.is_still(order, (channel, cpu), at)))
                    .collect();
                let last = live.toobig.first().map_or(0, |(_, len)| *len);
                let toobig = self.done.behaviour.last_toobig
                    && live.toobig.iter().all(|(_, len)| *len == last)
                    && buffers
                        .iter()
                        .zip(&there)
                        .all(|(buffer, there)| buffer.is_some() || *there == Some(false));
                ChannelMoment {
                    state: (steady && steady_end).then_some(live.state),
                    last_toobig: toobig.then_some(last),
                    buffers,
                    still,
                    there,
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
