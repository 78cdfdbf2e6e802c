//! Forged evidence: what a correct kernel would leave, and the same with one defect planted.
//!
//! It lets checkers, benchmarks and everything behind the judge be tested without a machine, and it
//! finds the record whose spoiling is sure to be seen. Where a case leaves an order open, one is chosen.

mod results;
mod spoiler;

use relaybed_abi::{ChanState, Event, EventKind, Plant, RB_NONE16, RB_NONE32, RB_NONE64};

use relaybed_case::errno::ENODEV;
use relaybed_case::evidence::{
    BufferSeen, ChannelSeen, Evidence, Held, Observation, Planted, Setting,
};
use relaybed_case::{Case, FileCall, Op, Payload};
use relaybed_contract::content::{Stuff, stuff};
use relaybed_contract::order::At;
use relaybed_contract::{Behaviour, Buffer, Geometry, Moment, Piece, Prediction, Source, one_run};

use relaybed_twin::Defects;

use crate::checks;
use crate::explain::{self, Fired};
use spoiler::{Spoiler, is_target};

/// How far behind its place a misplaced record lands, in bytes.
const MISPLACE_BYTES: u32 = 8;

/// One defect at one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spoil {
    /// Which defect.
    pub kind: Plant,
    /// The record's actor.
    pub actor: u16,
    /// Its number.
    pub seq: u32,
}

/// What a correct kernel of this version leaves of the case.
#[must_use]
pub fn synthesize(case: &Case, linux_version: u32, online_cpus: u32) -> Evidence {
    forge(case, linux_version, online_cpus, None)
}

/// The same with a defect planted, as the module plants it.
#[must_use]
pub fn plant(case: &Case, linux_version: u32, online_cpus: u32, spoil: Spoil) -> Evidence {
    forge(case, linux_version, online_cpus, Some(spoil))
}

/// All bytes that the actor reads, as text, if the model determines them.
pub(super) fn text_read(case: &Case, prediction: &Prediction, actor: usize) -> Option<String> {
    let mut bytes = Vec::new();
    for (index, op) in case.actors.get(actor)?.ops.iter().enumerate() {
        if !op.reads() {
            continue;
        }
        let predicted = prediction.op(actor, index)?;
        if predicted.error.is_some_and(|error| error != 0) {
            continue;
        }
        for read in predicted.reads.as_ref()? {
            let start = bytes.len();
            bytes.resize(start + read.bytes as usize, 0);
            for piece in &read.pieces {
                let content = stuff(case, piece.source, piece.total)?;
                if let Stuff::Pattern {
                    header: Some(_), ..
                } = content
                {
                    return None;
                }
                render(case, piece, None, &mut bytes[start..]);
            }
        }
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn forge(case: &Case, linux_version: u32, online_cpus: u32, spoil: Option<Spoil>) -> Evidence {
    let behaviour = Behaviour::of(linux_version);
    let none = Spoil {
        kind: Plant::None,
        actor: RB_NONE16,
        seq: RB_NONE32,
    };
    let mut spoiler = Spoiler::new(spoil.unwrap_or(none));
    let run = one_run(case, &behaviour, online_cpus, &mut spoiler);
    let planted = spoil.map(|spoil| Planted {
        kind: spoil.kind.code(),
        actor: u32::from(spoil.actor),
        seq: spoil.seq,
        done: spoiler.done,
    });
    let fired: Vec<Fired> = run.order.line.iter().copied().map(Fired::Done).collect();
    let setting = setting(linux_version, online_cpus, planted);
    evidence(case, &fired, &run, &setting, spoil)
}

/// What a run leaves of which everything is predicted.
pub(super) fn leaves(
    case: &Case,
    fired: &[Fired],
    run: &Prediction,
    setting: &Setting,
) -> Evidence {
    evidence(case, fired, run, setting, None)
}

/// What a kernel of this version with these defects leaves of the case.
#[must_use]
pub fn as_built(case: &Case, linux_version: u32, online_cpus: u32, defects: Defects) -> Evidence {
    let (fired, run) = explain::one_run(case, online_cpus, linux_version, defects);
    leaves(
        case,
        &fired,
        &run,
        &setting(linux_version, online_cpus, None),
    )
}

fn setting(linux_version: u32, online_cpus: u32, plant: Option<Planted>) -> Setting {
    Setting {
        release: format!("{}.{}.0", linux_version >> 16, linux_version >> 8 & 0xff),
        linux_version,
        vcpus: online_cpus,
        backend: "forged".to_owned(),
        accel: "none".to_owned(),
        plant,
        relay: None,
    }
}

fn evidence(
    case: &Case,
    fired: &[Fired],
    run: &Prediction,
    setting: &Setting,
    spoil: Option<Spoil>,
) -> Evidence {
    let mut forger = Forger {
        case,
        fired,
        run,
        spoil,
        events: Vec::new(),
        data: Vec::new(),
        order: 0,
    };
    forger.channel_events();
    let results = forger.results();
    let observations = run.moments.iter().map(|m| forger.observation(m)).collect();
    Evidence {
        setting: setting.clone(),
        observations,
        results,
        events: forger.events,
        events_lost: 0,
        data: forger.data,
        data_lost: 0,
        console: checks::warnings::console(&run.warnings),
        taint_before: 0,
        taint_after: checks::warnings::taint(&run.warnings),
        trace: None,
    }
}

struct Forger<'a> {
    case: &'a Case,
    /// What took effect, in its order.
    fired: &'a [Fired],
    run: &'a Prediction,
    spoil: Option<Spoil>,
    events: Vec<Event>,
    data: Vec<u8>,
    order: u32,
}

impl Forger<'_> {
    fn event(&mut self, kind: EventKind, channel: usize, cpu: usize) -> &mut Event {
        self.order += 1;
        self.events.push(Event {
            kind: kind.code(),
            cpu: u16::try_from(cpu).unwrap_or(0),
            actor: RB_NONE16,
            op: RB_NONE32,
            seq: RB_NONE32,
            context: 0,
            channel: u8::try_from(channel).unwrap_or(u8::MAX),
            verdict: 1,
            buf_cpu: u8::try_from(cpu).unwrap_or(u8::MAX),
            order: self.order,
            time_ns: u64::from(self.order),
            new_offset: 0,
            old_offset: RB_NONE32,
            produced: 0,
            consumed: 0,
            prev_padding: RB_NONE64,
        });
        let last = self.events.len() - 1;
        &mut self.events[last]
    }

    fn channel_events(&mut self) {
        for (channel, spec) in self.case.channels.iter().enumerate() {
            let size = spec.subbuf_size;
            for cpu in 0..self.run.online_cpus as usize {
                let files = self.run.files[channel].as_ref();
                let files = files.and_then(|files| files.get(cpu)).copied();
                let files = files.unwrap_or_default();
                // Those of openings that wait come with them.
                let waits = |fired: &&Fired| {
                    let op = |at: At| &self.case.actors[at.actor].ops[at.op];
                    matches!(fired, Fired::Makes(at, of) if *of == cpu && op(*at).channel() == Some(channel))
                };
                let waited = self.fired.iter().filter(waits).count() as u64;
                for _ in waited..files.made {
                    let event = self.event(EventKind::CreateFile, channel, cpu);
                    event.new_offset = u32::try_from(files.name_bytes).unwrap_or(0);
                }
                for _ in 0..files.removed {
                    self.event(EventKind::RemoveFile, channel, cpu);
                }
                self.mapping_events(channel, cpu);
                let calls = self.run.calls[channel][cpu].clone().unwrap_or_default();
                for call in calls {
                    let has_padding = self.run.behaviour.prev_padding;
                    let place = |slot: relaybed_contract::Slot| {
                        u32::try_from(slot.0 as u64 * size).unwrap_or(RB_NONE32)
                    };
                    let event = self.event(EventKind::SubbufStart, channel, cpu);
                    event.verdict = u8::from(call.accepted);
                    event.new_offset = place(call.new);
                    event.old_offset = call.old.map_or(RB_NONE32, place);
                    event.produced = call.produced.0;
                    event.consumed = call.consumed.0;
                    if has_padding {
                        event.prev_padding = call.prev_padding;
                    }
                }
            }
        }
    }

    /// Calls for mappings, on releases that have them.
    fn mapping_events(&mut self, channel: usize, cpu: usize) {
        if !self.run.behaviour.buf_mapped {
            return;
        }
        for at in relaybed_contract::order::operations(self.case) {
            let kind = match self.case.actors[at.actor].ops[at.op] {
                Op::File {
                    call: FileCall::Map(_),
                    ..
                } => EventKind::Mapped,
                Op::FileMunmap { .. } => EventKind::Unmapped,
                Op::File {
                    call: FileCall::Keep { .. },
                    ..
                } if self.run.unmaps_parts => EventKind::Unmapped,
                _ => continue,
            };
            let bound = relaybed_contract::predict::bound(self.case, at);
            let here = bound.is_some_and(|(c, on, _)| (c, on as usize) == (channel, cpu));
            if here && self.run.ops[at.actor][at.op].error == Some(0) {
                self.event(kind, channel, cpu);
            }
        }
    }

    fn bytes(&self, buffer: &Buffer) -> Vec<u8> {
        let size = usize::try_from(buffer.geometry.subbuf_size).unwrap_or(0);
        let mut bytes = vec![0; usize::try_from(buffer.geometry.alloc_size()).unwrap_or(0)];
        for (slot, contents) in buffer.subbufs.iter().enumerate() {
            let own = &mut bytes[slot * size..(slot + 1) * size];
            for piece in &contents.old {
                render(self.case, piece, None, own);
            }
            for piece in &contents.current {
                render(self.case, piece, self.spoil, own);
            }
        }
        let ring = (size * buffer.subbufs.len()).min(bytes.len());
        for piece in &buffer.behind {
            render(self.case, piece, None, &mut bytes[ring..]);
        }
        bytes
    }

    fn observation(&self, moment: &Moment) -> Observation {
        let at = moment.at.map(|at| (at.actor, at.op));
        let label = at.and_then(|(actor, op)| match &self.case.actors[actor].ops[op] {
            Op::Checkpoint { label } => Some(label.clone()),
            _ => None,
        });
        let channels = moment
            .channels
            .iter()
            .zip(&self.case.channels)
            .map(|(seen, spec)| {
                let state = seen.state.unwrap_or(ChanState::Never);
                let open = state == ChanState::Open;
                let geometry = Geometry::of(spec);
                let or_0 = |value: u64| if open { value } else { 0 };
                ChannelSeen {
                    state,
                    version: or_0(7),
                    subbuf_size: or_0(geometry.subbuf_size),
                    n_subbufs: or_0(geometry.n_subbufs),
                    alloc_size: or_0(if open { geometry.alloc_size() } else { 0 }),
                    last_toobig: seen.last_toobig,
                    is_global: open && spec.client.global,
                    held: seen.held.map(|pieces| Held {
                        pieces,
                        ..Held::default()
                    }),
                    buffers: seen
                        .buffers
                        .iter()
                        .enumerate()
                        .filter_map(|(cpu, buffer)| Some(self.buffer(cpu, buffer.as_ref()?)))
                        .collect(),
                }
            })
            .collect();
        Observation {
            label,
            at,
            channels,
        }
    }

    fn buffer(&self, cpu: usize, buffer: &Buffer) -> BufferSeen {
        let behaviour = self.run.behaviour;
        let file = buffer.geometry.has_file;
        BufferSeen {
            cpu: u32::try_from(cpu).unwrap_or(u32::MAX),
            produced: buffer.produced.0,
            consumed: buffer.consumed.0,
            offset: buffer.offset,
            data: buffer.data.0 as u64 * buffer.geometry.subbuf_size,
            padding: buffer.padding.clone(),
            bytes_consumed: buffer.bytes_consumed,
            finalized: u64::from(buffer.finalized),
            prev_padding: behaviour.prev_padding.then_some(buffer.prev_padding),
            early_bytes: if file { 0 } else { buffer.completed_bytes },
            stats: behaviour
                .stats
                .then_some((buffer.full_count, buffer.big_count)),
            file_size: file.then_some(buffer.completed_bytes),
            bytes: self.bytes(buffer),
        }
    }
}

/// Puts the bytes of a piece in their place; those of a spoiled record as the module leaves them.
fn render(case: &Case, piece: &Piece, spoil: Option<Spoil>, out: &mut [u8]) {
    let time_ns = match piece.source {
        Source::Record { seq, .. } => 1_000_000 + u64::from(seq) * 1000,
        Source::Header { .. } | Source::Stored { .. } => 0,
    };
    let Some(place) = out.get_mut(piece.start as usize..piece.end() as usize) else {
        return;
    };
    let struck = spoil.filter(|spoil| is_target(*spoil, piece.source));
    let behind = match struck.map(|spoil| spoil.kind) {
        Some(Plant::Misplace) if is_longer(case, piece) => MISPLACE_BYTES,
        _ => 0,
    };
    let total = piece.total - behind;
    let Some(content) = stuff(case, piece.source, total) else {
        return;
    };
    let mut whole = vec![0; total as usize];
    content.render(0, time_ns, &mut whole);
    let shown = match struck.map(|spoil| spoil.kind) {
        Some(Plant::Torn) => total / 2,
        Some(Plant::Stale) => 0,
        _ => total,
    };
    for (i, byte) in place.iter_mut().enumerate() {
        let at = piece.from as usize + i;
        if let Some(at) = at.checked_sub(behind as usize)
            && at < shown as usize
        {
            *byte = whole[at];
        }
    }
}

/// Whether the slot of the record is longer than the record.
fn is_longer(case: &Case, piece: &Piece) -> bool {
    let Source::Record { actor, op, seq } = piece.source else {
        return false;
    };
    let payload = case
        .actors
        .get(usize::from(actor))
        .and_then(|a| a.ops.get(usize::from(op)));
    match payload {
        Some(Op::Write { payload, .. }) => {
            let payload: &Payload = payload;
            piece.total > payload.len(case.seed, usize::from(actor), seq)
        }
        _ => false,
    }
}
