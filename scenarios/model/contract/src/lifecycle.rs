//! Channels that are opened, closed and looked at while a case is simulated.

use relaybed_abi::ChanState;

use relaybed_case::errno::{EBUSY, EEXIST, EINVAL, ENAMETOOLONG, ENODEV, ENOENT, ENOSYS};
use relaybed_case::{Access, Callbacks, Channel, FileCall, Files, NoMemory, NullCall, Op};

use super::buffer::{Buffer, Geometry};
use super::order::{At, operations};
use super::predict::Key;
use super::prediction::{ChannelMoment, Moment, OpPrediction};
use super::relay::NAME_MAX;
use super::simulate::{Simulation, record_calls};
use super::world::{Descriptor, FileOf, Slot};

impl Simulation<'_> {
    /// `relay_open()` as documented: a buffer and a file for every CPU that is online, or nothing.
    pub(super) fn open_as_documented(&mut self, channel: usize) -> bool {
        let spec = &self.case.channels[channel];
        let online = self.online_buffers(channel);
        let named = spec.files != Files::None;
        self.begin_opening(channel);
        let lack = self.lacks_memory(channel);
        let accepted = self.done.behaviour.accepts_channel(spec)
            && lack.is_none_or(|lack| lack.wanted.is_of_buffer())
            && online.iter().all(|cpu| {
                lack.is_none_or(|lack| lack.cpu as usize != *cpu)
                    && self.make_buffer(channel, *cpu, named)
            });
        if !accepted {
            self.remove_files(channel);
            self.end_opening(channel, ChanState::Refused);
            return false;
        }
        self.end_opening(channel, ChanState::Open);
        true
    }

    /// A new generation of the channel, without a buffer yet.
    pub fn begin_opening(&mut self, channel: usize) {
        let buffers = self.case.channels[channel].buffers(self.done.online_cpus) as usize;
        let live = &mut self.live[channel];
        live.generation += 1;
        live.openings += 1;
        live.opening = true;
        live.late = false;
        live.toobig.clear();
        live.there = vec![false; buffers];
        let geometry = Geometry::of(&self.case.channels[channel]);
        live.buffers = (0..buffers)
            .map(|_| Buffer::open(geometry, &mut Vec::new()))
            .collect();
    }

    /// What the opening that has begun finds no memory for.
    #[must_use]
    pub fn lacks_memory(&self, channel: usize) -> Option<NoMemory> {
        let lack = self.case.channels[channel].client.no_memory;
        lack.filter(|lack| self.live[channel].openings <= lack.times)
    }

    /// Ends an opening: a channel that is refused has no buffers.
    pub fn end_opening(&mut self, channel: usize, state: ChanState) {
        let newest = self.live.iter().map(|live| live.opened).max();
        let live = &mut self.live[channel];
        live.state = state;
        live.opening = false;
        live.unready = None;
        live.opened = newest.unwrap_or(0) + 1;
        if state == ChanState::Refused {
            let buffers = std::mem::take(&mut live.buffers);
            live.closed.push((live.generation, buffers));
            live.there.clear();
        }
    }

    /// Gives the channel its buffer for a CPU, with its file where it is `named`; whether the client made
    /// the file.
    pub fn make_buffer(&mut self, channel: usize, cpu: usize, named: bool) -> bool {
        let is_made = self.make_file(channel, cpu, named);
        if is_made {
            self.begin_buffer(channel, cpu, named);
        }
        is_made
    }

    /// Relay begins with a buffer whose file is made, and gives it to the channel.
    pub fn begin_buffer(&mut self, channel: usize, cpu: usize, named: bool) {
        let spec = &self.case.channels[channel];
        let mut log = Vec::new();
        let mut buffer = self.relay.new_buffer(spec, &mut log);
        buffer.geometry.has_file = named;
        let live = &mut self.live[channel];
        live.buffers[cpu] = buffer;
        live.there[cpu] = true;
        live.unready = None;
        record_calls(&mut self.done, spec.mode, (channel, cpu), log);
    }

    /// Has the client make a buffer's file, or for a buffer without one asks it whether it shall be.
    pub fn make_file(&mut self, channel: usize, cpu: usize, named: bool) -> bool {
        let spec = &self.case.channels[channel];
        let number = u32::try_from(cpu).unwrap_or(u32::MAX);
        let Some(name) = self.relay.file_name(spec, number).filter(|_| named) else {
            return !named && !denies(spec, number, &mut self.live[channel].asked);
        };
        let live = &mut self.live[channel];
        let is_made = !denies(spec, number, &mut live.asked)
            && name.len() <= NAME_MAX
            && !live.names.contains_key(&name);
        let length = name.len();
        if is_made {
            let generation = live.generation;
            live.names.insert(name, FileOf { cpu, generation });
        }
        if let Some(file) = self.done.file(channel, cpu) {
            if is_made {
                file.made += 1;
                file.name_bytes = length;
            } else {
                file.denied += 1;
            }
        }
        is_made
    }

    /// Buffers that the channel gets when it is opened now: of the CPUs that are online.
    #[must_use]
    pub fn online_buffers(&self, channel: usize) -> Vec<usize> {
        let buffers = self.case.channels[channel].buffers(self.done.online_cpus) as usize;
        (0..buffers).filter(|cpu| self.online[*cpu]).collect()
    }

    /// The files of the buffers that the channel has are removed. A client without the callback keeps them.
    pub fn remove_files(&mut self, channel: usize) {
        let can = self.case.channels[channel].client.callbacks != Callbacks::NoRemove;
        let live = &mut self.live[channel];
        let (generation, there) = (live.generation, live.there.clone());
        let goes = |file: &FileOf| {
            file.generation == generation && there.get(file.cpu).is_some_and(|there| *there)
        };
        let gone: Vec<FileOf> = live
            .names
            .values()
            .copied()
            .filter(|file| can && goes(file))
            .collect();
        live.names.retain(|_, file| !gone.contains(file));
        for file in gone {
            if let Some(file) = self.done.file(channel, file.cpu) {
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
            return self.refused_by_module(EBUSY);
        }
        let accepted = self.relay.open(self, channel);
        if certain {
            OpPrediction::ok(Some(u64::from(accepted)))
        } else {
            OpPrediction::default()
        }
    }

    /// Without a channel, or a name for its files, there is nothing to do.
    pub(super) fn op_null(&self, call: NullCall) -> OpPrediction {
        if !call.is_late_setup() {
            OpPrediction::ok(None)
        } else if self.done.behaviour.late_setup {
            OpPrediction::failed(EINVAL)
        } else {
            OpPrediction::failed(ENOSYS)
        }
    }

    pub(super) fn op_late_setup(&mut self, channel: usize, at: At) -> OpPrediction {
        // Whether there are files does not depend on what writers and readers have done by then.
        if !self.lifecycle_certain(channel, at) {
            self.done.files[channel] = None;
            return OpPrediction::default();
        }
        if self.live[channel].state != ChanState::Open {
            return self.refused_by_module(ENODEV);
        }
        if !self.done.behaviour.late_setup {
            return OpPrediction::failed(ENOSYS);
        }
        match self.relay.late_setup(self, channel) {
            0 => OpPrediction::ok(None),
            errno => OpPrediction::failed(errno),
        }
    }

    /// `relay_late_setup_files()` as documented: a file for every buffer, or none.
    pub(super) fn late_setup_as_documented(&mut self, channel: usize) -> u32 {
        if self.live[channel].late || self.case.channels[channel].files != Files::None {
            return EEXIST;
        }
        // A CPU that went offline has left its buffer, with what is in it.
        let there = &self.live[channel].there;
        let buffers: Vec<usize> = (0..there.len()).filter(|cpu| there[*cpu]).collect();
        let all = buffers
            .iter()
            .all(|cpu| self.make_file(channel, *cpu, true));
        if !all {
            self.remove_files(channel);
            return EINVAL;
        }
        let live = &mut self.live[channel];
        live.late = true;
        for cpu in buffers {
            live.buffers[cpu].geometry.has_file = true;
        }
        0
    }

    pub(super) fn op_close(&mut self, channel: usize, keys: &[Key], at: At) -> OpPrediction {
        let certain = self.all_certain(keys, at);
        if !certain {
            self.done.files[channel] = None;
        }
        if self.live[channel].state != ChanState::Open {
            return self.refused_by_module(ENODEV);
        }
        self.remove_files(channel);
        self.relay.closes(self, channel);
        let live = &mut self.live[channel];
        live.state = ChanState::Closed;
        if self.klog == Some(channel) {
            self.klog = None;
        }
        let mut buffers = std::mem::take(&mut live.buffers);
        let there = std::mem::take(&mut live.there);
        for (buffer, there) in buffers.iter_mut().zip(there) {
            buffer.finalized |= there;
        }
        live.closed.push((live.generation, buffers));
        if certain {
            OpPrediction::ok(None)
        } else {
            OpPrediction::default()
        }
    }

    /// Whether the channel's directory is there to look into: it is made when the channel is first to be
    /// opened.
    pub(super) fn has_directory(&self, channel: usize) -> bool {
        self.case.channels[channel].client.root || self.live[channel].state != ChanState::Never
    }

    pub(super) fn op_file_open(
        &mut self,
        at: At,
        file: usize,
        place: (usize, u32),
        access: Access,
    ) -> OpPrediction {
        let (channel, cpu) = place;
        let spec = &self.case.channels[channel];
        if !self.lifecycle_certain(channel, at) || !self.hotplug_certain(cpu, at) {
            self.slots.insert(file, Slot::Unknown);
            return OpPrediction::default();
        }
        let failed = |run: &mut Self, errno| {
            // A descriptor that the slot holds already stays.
            run.slots.entry(file).or_insert(Slot::Failed);
            OpPrediction::failed(errno)
        };
        if self.has_directory(channel) && spec.file_name_len(cpu) > NAME_MAX {
            return failed(self, ENAMETOOLONG);
        }
        let name = format!("{}{cpu}", spec.base());
        let Some(of) = self.live[channel].names.get(&name) else {
            return failed(self, ENOENT);
        };
        let descriptor = Descriptor {
            key: (channel, of.cpu),
            generation: of.generation,
            access,
            file: at,
        };
        let opened = self.take_slot(file, descriptor, OpPrediction::ok(None));
        self.relay.opened(self, descriptor);
        // The agent closes what the slot has no room for.
        self.release(descriptor);
        opened
    }

    /// The agent puts a new descriptor into a slot that is free, and closes it where the slot is not.
    pub(super) fn take_slot(
        &mut self,
        file: usize,
        descriptor: Descriptor,
        taken: OpPrediction,
    ) -> OpPrediction {
        match self.slots.get(&file) {
            Some(Slot::Open(_)) => self.refused_by_module(EBUSY),
            Some(Slot::Unknown) => OpPrediction::default(),
            Some(Slot::Failed) | None => {
                self.slots.insert(file, Slot::Open(descriptor));
                taken
            }
        }
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
                    held: (steady && steady_end && at.is_none() && !self.is_in_use(channel))
                        .then_some(live.lost_pieces)
                        .filter(|lost| *lost == 0 || has_small_list(&self.case.channels[channel])),
                    buffers,
                    still,
                    there,
                }
            })
            .collect();
        self.done.moments.push(Moment { at, channels });
    }

    /// Whether it is open, or a descriptor or mapping may keep a buffer of it.
    fn is_in_use(&self, channel: usize) -> bool {
        let has_descriptor = self.slots.values().any(|slot| match slot {
            Slot::Open(descriptor) => descriptor.key.0 == channel,
            Slot::Failed => false,
            Slot::Unknown => true,
        });
        let maps = |at: &At| {
            matches!(
                self.case.actors[at.actor].ops[at.op],
                Op::File {
                    call: FileCall::Map(_),
                    ..
                }
            )
        };
        let is_unknown = |at: At| self.done.ops[at.actor][at.op] == OpPrediction::default();
        self.live[channel].state == ChanState::Open
            || has_descriptor
            || self.mappings.values().any(|map| map.of.key.0 == channel)
            || operations(self.case).filter(maps).any(is_unknown)
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

/// Whether the list of a buffer's pages is one piece of the slab: a longer one is vmalloc()'s in some releases.
fn has_small_list(spec: &Channel) -> bool {
    let page = relaybed_abi::RB_PAGE_SIZE as u64;
    Geometry::of(spec).alloc_size() / page * 8 <= page
}
