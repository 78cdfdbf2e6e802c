//! Running a case on the model, operation by operation.

use relaybed_abi::ChanState;

use relaybed_case::errno::{ENODEV, ENXIO};
use relaybed_case::{Access, Case, Channel, Mode, NestPoint, Op, Payload, Via};

use super::behaviour::Behaviour;
use super::buffer::{Buffer, Fate, Source, SwitchCall};
use super::order::{At, Order};
use super::predict::{Key, Touch, changes, changes_by_file};
use super::prediction::{FileCalls, OpPrediction, Prediction};
use super::races::Races;
use super::relay::Relay;
use super::world::{Live, Mapped, Slot, Uncounted};

/// Who hands records to the buffers: an honest producer, or one that spoils its output for a test.
pub trait Producer {
    /// Writes a record of so many bytes on `cpu` by relay; calls of `subbuf_start` go to that CPU's log.
    fn write(
        &mut self,
        by: (&dyn Relay, &Channel),
        buffers: &mut [Buffer],
        logs: &mut [Vec<SwitchCall>],
        cpu: usize,
        record: (Source, u32, Via),
    ) -> Fate;
}

/// Writes every record once, whole, on its own CPU.
#[derive(Clone, Copy, Debug)]
pub struct Honest;

impl Producer for Honest {
    fn write(
        &mut self,
        (relay, spec): (&dyn Relay, &Channel),
        buffers: &mut [Buffer],
        logs: &mut [Vec<SwitchCall>],
        cpu: usize,
        record: (Source, u32, Via),
    ) -> Fate {
        relay.write(spec, &mut buffers[cpu], record, &mut logs[cpu])
    }
}

/// A run of a case on the model.
#[derive(Clone, Debug)]
pub struct Simulation<'a> {
    /// The case.
    pub case: &'a Case,
    /// What relay does.
    pub(super) relay: &'a dyn Relay,
    pub(super) touch: Touch,
    pub(super) races: Races<'a>,
    /// Channels, by their index in the case.
    pub live: Vec<Live>,
    /// By CPU: it is online.
    pub online: Vec<bool>,
    /// Descriptors, by slot.
    pub slots: std::collections::HashMap<usize, Slot>,
    /// Positions of open files, by the operation that opened them: of those that have moved.
    pub positions: std::collections::HashMap<At, u64>,
    /// The channel that klog goes to.
    pub(super) klog: Option<usize>,
    pub(super) mappings: std::collections::HashMap<usize, Mapped>,
    /// References that relay does not count.
    pub uncounted: Uncounted,
    /// What is predicted so far.
    pub done: Prediction,
}

impl<'a> Simulation<'a> {
    pub(super) fn new(
        case: &'a Case,
        behaviour: Behaviour,
        online_cpus: u32,
        order: Order,
        touch: Touch,
        relay: &'a dyn Relay,
    ) -> Self {
        let cpus = online_cpus as usize;
        let races = Races::of(case, online_cpus);
        let each = |what: &dyn Fn(Key) -> bool| -> Vec<Vec<bool>> {
            (0..case.channels.len())
                .map(|channel| (0..cpus).map(|cpu| what((channel, cpu))).collect())
                .collect()
        };
        let exists =
            |(channel, cpu): Key| cpu < case.channels[channel].buffers(online_cpus) as usize;
        let exact = each(&|key| exists(key) && touch.is_exact(key));
        let unsafe_races = each(&|key| !touch.is_assumed() && races.is_unsafe(&order, key));
        let live = case.channels.iter().map(|_| Live::never()).collect();
        let ops = case
            .actors
            .iter()
            .map(|actor| vec![OpPrediction::default(); actor.ops.len()])
            .collect();
        Self {
            case,
            relay,
            touch,
            races,
            live,
            online: vec![true; cpus],
            slots: std::collections::HashMap::new(),
            positions: std::collections::HashMap::new(),
            klog: None,
            mappings: std::collections::HashMap::new(),
            uncounted: Uncounted::default(),
            done: Prediction {
                behaviour,
                online_cpus,
                order,
                moments: Vec::new(),
                ops,
                calls: vec![vec![Some(Vec::new()); cpus]; case.channels.len()],
                exact,
                unsafe_races,
                unmaps_parts: relay.unmaps_parts(),
                files: vec![Some(vec![FileCalls::default(); cpus]); case.channels.len()],
                warnings: Vec::new(),
                uses_freed: false,
            },
        }
    }

    /// A run in which everything is taken as it comes, on whatever relay is given.
    #[must_use]
    pub fn assumed(
        case: &'a Case,
        behaviour: &Behaviour,
        online_cpus: u32,
        relay: &'a dyn Relay,
    ) -> Self {
        let (order, touch) = (Order::of(case), Touch::default());
        Self::new(case, *behaviour, online_cpus, order, touch, relay)
    }

    pub(super) fn run(mut self, producer: &mut dyn Producer) -> Prediction {
        self.start();
        let line = std::mem::take(&mut self.done.order.line);
        for at in &line {
            self.step(*at, producer);
        }
        self.done.order.line = line;
        self.finish()
    }

    /// Opens the channels that are open before any actor starts.
    pub fn start(&mut self) {
        for channel in 0..self.case.channels.len() {
            if self.case.channels[channel].open_at_start {
                let relay = self.relay;
                relay.open(self, channel);
            }
        }
    }

    /// The prediction, once all operations were done.
    #[must_use]
    pub fn finish(mut self) -> Prediction {
        for at in self.done.order.stuck.clone() {
            self.done.ops[at.actor][at.op].stuck = true;
        }
        self.moment(None);
        self.forget_open_files();
        for (channel, cpus) in self.done.exact.iter_mut().enumerate() {
            for (cpu, exact) in cpus.iter_mut().enumerate() {
                *exact = self.touch.is_exact((channel, cpu));
                if !*exact {
                    self.done.calls[channel][cpu] = None;
                }
            }
        }
        self.done
    }

    /// One operation, wholly, with whatever is nested in it.
    pub fn step(&mut self, at: At, producer: &mut dyn Producer) {
        if self.case.actors[at.actor].is_nested() {
            return; // done with its host's operation
        }
        let op = self.case.actors[at.actor].ops[at.op].clone();
        let keys = changes(self.case, at, self.done.online_cpus);
        // Operations on all buffers go on: some of those may still be certain.
        let local = changes_by_file(&op)
            || matches!(
                op,
                Op::Write { .. } | Op::Switch { .. } | Op::Consumed { .. }
            );
        if local && !self.all_certain(&keys, at) {
            return;
        }
        let result = match op {
            Op::Open { channel } => self.op_open(channel, &keys, at),
            Op::Close { channel } => self.op_close(channel, &keys, at),
            Op::Write {
                channel,
                via,
                payload,
                count,
            } => self.op_write(at, channel, (via, &payload, count), producer),
            Op::KlogRegister { channel } => self.op_klog_register(channel),
            Op::KlogUnregister { channel } => self.op_klog_unregister(channel),
            Op::Klog { payload, count } => self.op_klog(at, &keys, (&payload, count), producer),
            Op::Flush { channel } => {
                self.op_each(channel, &keys, at, |relay, spec, buffer, log| {
                    relay.flush(spec, buffer, log);
                })
            }
            Op::Reset { channel } => {
                self.op_each(channel, &keys, at, |relay, spec, buffer, log| {
                    relay.reset(spec, buffer, log);
                })
            }
            Op::Switch { channel, len } => self.op_switch(at, channel, len),
            Op::Null { call } => self.op_null(call),
            Op::LateSetup { channel } => self.op_late_setup(channel, at),
            Op::Consumed { channel, cpu, n } => {
                let buffer = self.buffer_index(channel, cpu);
                let live = &mut self.live[channel];
                if live.there.get(buffer) == Some(&true)
                    && let Some(buffer) = live.buffers.get_mut(buffer)
                {
                    let spec = &self.case.channels[channel];
                    self.relay.consumed(spec, buffer, u64::from(n));
                }
                self.if_open(channel, OpPrediction::ok(None))
            }
            Op::BufFull { channel, cpu } => self.op_buf_full(at, channel, cpu),
            Op::CpuOff { cpu } => self.op_cpu(cpu, false),
            Op::CpuOn { cpu, .. } => self.op_cpu(cpu, true),
            Op::Checkpoint { .. } => {
                self.moment(Some(at));
                OpPrediction::ok(None)
            }
            Op::Signal { .. } | Op::Wait { .. } | Op::Delay { .. } => OpPrediction::ok(None),
            Op::FileOpen { file, channel, cpu } => {
                self.op_file_open(at, file, (channel, cpu), Access::Read)
            }
            Op::File { file, call } => self.call(at, file, &call),
            Op::Stat { channel, cpu } => self.op_stat(at, channel, cpu),
            Op::List { channel } => self.op_list(at, channel),
            other => self.on_file(at, &other),
        };
        self.done.ops[at.actor][at.op] = result;
    }

    /// Operations on a channel that is not open are refused by the module.
    pub(super) fn if_open(&self, channel: usize, result: OpPrediction) -> OpPrediction {
        if self.live[channel].state == ChanState::Open {
            result
        } else {
            self.refused_by_module(ENODEV)
        }
    }

    /// What the module says without asking relay: determined where everything is.
    pub(super) fn refused_by_module(&self, errno: u32) -> OpPrediction {
        if self.touch.is_assumed() {
            OpPrediction::failed(errno)
        } else {
            OpPrediction::default()
        }
    }

    /// Which of a channel's buffers a CPU's is; beyond them all for a CPU that has none.
    fn buffer_index(&self, channel: usize, cpu: u32) -> usize {
        if cpu < self.done.online_cpus {
            self.case.channels[channel].buffer_cpu(cpu) as usize
        } else {
            usize::MAX
        }
    }

    pub(super) fn all_certain(&self, keys: &[Key], at: At) -> bool {
        keys.iter().all(|key| self.touch.is_certain(*key, at))
    }

    fn op_each(
        &mut self,
        channel: usize,
        keys: &[Key],
        at: At,
        what: fn(&dyn Relay, &Channel, &mut Buffer, &mut Vec<SwitchCall>),
    ) -> OpPrediction {
        let (relay, spec) = (self.relay, &self.case.channels[channel]);
        let live = &mut self.live[channel];
        for (cpu, buffer) in live.buffers.iter_mut().enumerate() {
            if live.there[cpu] && self.touch.is_certain((channel, cpu), at) {
                let mut log = Vec::new();
                what(relay, spec, buffer, &mut log);
                record_calls(&mut self.done, spec.mode, (channel, cpu), log);
            }
        }
        if self.all_certain(keys, at) {
            self.if_open(channel, OpPrediction::ok(None))
        } else {
            OpPrediction::default()
        }
    }

    pub(super) fn op_write(
        &mut self,
        at: At,
        channel: usize,
        (via, payload, count): (Via, &Payload, u32),
        producer: &mut dyn Producer,
    ) -> OpPrediction {
        let actor = &self.case.actors[at.actor];
        let Some(cpu) = actor.cpu().map(|cpu| self.buffer_index(channel, cpu)) else {
            return OpPrediction::default();
        };
        if cpu >= self.live[channel].buffers.len() {
            return self.if_open(channel, OpPrediction::default());
        }
        if self.is_offline(at) {
            return offline(count);
        }
        if !self.live[channel].there[cpu] {
            return OpPrediction::failed(ENODEV);
        }
        let first = actor.first_record(at.op);
        let mode = self.case.channels[channel].mode;
        let mut guest = self.case.guest(at.actor, at.op);
        let mut logs = vec![Vec::new(); self.live[channel].buffers.len()];
        let mut fates = Vec::with_capacity(count as usize);
        for seq in first..first.saturating_add(count) {
            let len = payload.len(self.case.seed, at.actor, seq);
            let source = Source::Record {
                actor: u16::try_from(at.actor).unwrap_or(u16::MAX),
                op: u16::try_from(at.op).unwrap_or(u16::MAX),
                seq,
            };
            let record = (source, len, via);
            let calls = logs[cpu].len();
            let buffers = &mut self.live[channel].buffers;
            let relay = (self.relay, &self.case.channels[channel]);
            let fate = producer.write(relay, buffers, &mut logs, cpu, record);
            let called = logs[cpu].len() > calls;
            fates.push(fate);
            let reached = |(_, point): &(usize, NestPoint)| match point {
                NestPoint::Callback => called,
                NestPoint::Fill => fate == Fate::Accepted,
            };
            if let Some((guest, _)) = guest.take_if(|guest| reached(guest)) {
                self.flush_calls(channel, mode, &mut logs);
                let before = self.live[channel].buffers[cpu].produced;
                self.run_guest(guest, producer);
                self.lapped_its_host((channel, cpu), before.0);
            }
        }
        let buffer = &self.live[channel].buffers[cpu];
        let toobig = fates.contains(&Fate::TooBig).then_some(buffer.last_toobig);
        self.flush_calls(channel, mode, &mut logs);
        if let Some((guest, _)) = guest {
            self.run_guest(guest, producer);
        }
        if let Some(len) = toobig {
            self.note_toobig(channel, at, len);
        }
        OpPrediction {
            value: Some(u64::from(count)),
            refused: Some(refused(&fates, via, mode)),
            fates: Some(fates),
            ..OpPrediction::ok(None)
        }
    }

    /// What is nested may come round to the very slot that its host is filling: whose bytes are where is then
    /// documented nowhere.
    fn lapped_its_host(&mut self, (channel, cpu): Key, before: u64) {
        let buffer = &self.live[channel].buffers[cpu];
        let switches = buffer.produced.0.saturating_sub(before);
        if buffer.geometry.overwrite && switches >= buffer.geometry.n_subbufs {
            self.touch.lose((channel, cpu));
            if !self.touch.is_assumed() {
                self.done.unsafe_races[channel][cpu] = true;
            }
        }
    }

    fn op_switch(&mut self, at: At, channel: usize, len: u64) -> OpPrediction {
        let own = self.case.actors[at.actor].cpu();
        let index = own.map_or(usize::MAX, |cpu| self.buffer_index(channel, cpu));
        let mode = self.case.channels[channel].mode;
        let is_offline = self.is_offline(at);
        let live = &mut self.live[channel];
        let Some(buffer) = live.buffers.get_mut(index) else {
            return self.if_open(channel, OpPrediction::default());
        };
        if is_offline {
            return OpPrediction::failed(ENXIO);
        }
        if !live.there[index] {
            return OpPrediction::failed(ENODEV);
        }
        let mut log = Vec::new();
        let spec = &self.case.channels[channel];
        let (value, fate) = self.relay.switch(spec, buffer, len, &mut log);
        record_calls(&mut self.done, mode, (channel, index), log);
        if fate == Fate::TooBig {
            self.note_toobig(channel, at, len);
        }
        OpPrediction {
            refused: Some(refused(&[fate], Via::Write, mode)),
            ..OpPrediction::ok(Some(value))
        }
    }

    fn flush_calls(&mut self, channel: usize, mode: Mode, logs: &mut [Vec<SwitchCall>]) {
        for (cpu, log) in logs.iter_mut().enumerate() {
            record_calls(&mut self.done, mode, (channel, cpu), std::mem::take(log));
        }
    }

    /// The whole script of a nested actor: writes, to the buffer that its host is writing to.
    fn run_guest(&mut self, actor: usize, producer: &mut dyn Producer) {
        for op in 0..self.case.actors[actor].ops.len() {
            let at = At { actor, op };
            if let Op::Write {
                channel,
                via,
                payload,
                count,
            } = &self.case.actors[actor].ops[op]
            {
                let result = self.op_write(at, *channel, (*via, payload, *count), producer);
                self.done.ops[actor][op] = result;
            }
        }
    }

    /// A record of `len` bytes was too big.
    pub fn note_toobig(&mut self, channel: usize, at: At, len: u64) {
        let order = &self.done.order;
        let toobig = &mut self.live[channel].toobig;
        toobig.retain(|(before, _)| !order.is_before(*before, at));
        toobig.push((at, len));
    }

    fn op_buf_full(&self, at: At, channel: usize, cpu: u32) -> OpPrediction {
        let index = self.buffer_index(channel, cpu);
        let key = (channel, index);
        if !self
            .touch
            .is_seen_certainly(&self.done.order, key, Some(at))
        {
            return OpPrediction::default();
        }
        if self.live[channel].there.get(index) == Some(&false) {
            return OpPrediction::failed(ENODEV);
        }
        let buffer = self.live[channel].buffers.get(index);
        let full = buffer.map(|buffer| OpPrediction::ok(Some(u64::from(buffer.is_full()))));
        full.unwrap_or_else(|| self.if_open(channel, OpPrediction::default()))
    }
}

/// The module writes nothing for a CPU that is offline.
fn offline(count: u32) -> OpPrediction {
    OpPrediction {
        value: Some(0),
        refused: Some(0),
        fates: Some(vec![Fate::Refused; count as usize]),
        ..OpPrediction::failed(ENXIO)
    }
}

/// Records that the module can tell were refused.
#[must_use]
pub fn refused(fates: &[Fate], via: Via, mode: Mode) -> u64 {
    let told = |fate: &&Fate| match fate {
        Fate::Accepted => false,
        Fate::Refused => via.is_reserve() || mode != Mode::Default,
        Fate::TooBig => via.is_reserve(),
    };
    fates.iter().filter(told).count() as u64
}

/// Takes down calls of a buffer's `subbuf_start`; a client without one notes none.
pub fn record_calls(done: &mut Prediction, mode: Mode, key: Key, log: Vec<SwitchCall>) {
    if mode == Mode::Default {
        return;
    }
    if let Some(calls) = done.calls[key.0][key.1].as_mut() {
        calls.extend(log);
    }
}
