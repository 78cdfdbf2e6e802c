//! Channels that are opened, closed and looked at while a case is simulated.

use relaybed_abi::ChanState;

use crate::case::{Access, Files, Op};

use super::buffer::{Buffer, Geometry};
use super::order::{At, operations};
use super::predict::Key;
use super::prediction::{ChannelMoment, Moment, OpPrediction};
use super::simulate::{Descriptor, Simulation, Slot, record_calls};

/// No such file or directory.
pub(super) const ENOENT: u32 = 2;

impl Simulation<'_> {
    /// Opens the channel; whether relay accepts.
    pub(super) fn open(&mut self, channel: usize) -> bool {
        let spec = &self.case.channels[channel];
        let sizes = self
            .done
            .behaviour
            .accepts(spec.subbuf_size, spec.n_subbufs);
        let live = &mut self.live[channel];
        if !sizes {
            live.state = ChanState::Refused;
            return false;
        }
        live.state = ChanState::Open;
        live.generation += 1;
        live.toobig.clear();
        live.buffers.clear();
        for cpu in 0..self.done.online_cpus as usize {
            let mut log = Vec::new();
            live.buffers
                .push(Buffer::open(Geometry::of(spec), &mut log));
            record_calls(&mut self.done, spec.mode, (channel, cpu), log);
        }
        true
    }

    pub(super) fn op_open(&mut self, channel: usize, keys: &[Key], at: At) -> OpPrediction {
        if self.live[channel].state == ChanState::Open {
            return OpPrediction::default();
        }
        let certain = self.all_certain(keys, at);
        let accepted = self.open(channel);
        if certain {
            OpPrediction::ok(Some(u64::from(accepted)))
        } else {
            OpPrediction::default()
        }
    }

    pub(super) fn op_close(&mut self, channel: usize, keys: &[Key], at: At) -> OpPrediction {
        let certain = self.all_certain(keys, at);
        let live = &mut self.live[channel];
        if live.state != ChanState::Open {
            return OpPrediction::default();
        }
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
        let there = live.state == ChanState::Open
            && spec.files != Files::None
            && cpu < self.done.online_cpus;
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
