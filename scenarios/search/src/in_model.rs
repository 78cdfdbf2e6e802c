//! Small cases as scenes of the twin, where all orders of their accesses can be tried without a machine.
//!
//! Buffers of a channel share nothing, so each that several actors use is a [`Modelled`] scene of its own: an
//! actor is a thread, and what gates order is ordered there, too. Sizes are divided by what divides them all, which
//! changes nothing that relay computes but the mark of a full buffer, one byte behind its sub-buffer. An order that
//! breaks what relay promises becomes a case with a schedule, which the real kernel can confirm.

mod clocks;
mod lacking;
mod script;
mod sizes;

use std::cmp::Reverse;

use relaybed_case::{ActorIndex, Case, ChannelIndex, Cpu, FileSlot, Op};
use relaybed_twin::search::{Found, Scene, THREADS, ThreadTurn, Wait, play, turn_lists};
use relaybed_twin::{AsBuilt, Defect, Defects, Site, Sites};

use clocks::Clocks;
pub use lacking::NotModelled;
use sizes::Sizes;

/// Schedules that are tried for one order.
const WAYS_MAX: usize = 8;
/// Operations that a thread can have.
const OPS_MAX: usize = 64;

/// What several actors do to one buffer, as the twin's search has it.
#[derive(Clone, Debug)]
pub struct Modelled {
    /// The case with one operation for each record and each read, without schedule and without its author's claims.
    pub case: Case,
    /// The channel.
    pub channel: ChannelIndex,
    /// Whose buffer.
    pub cpu: Cpu,
    /// Bytes of the case that are one byte of the scene.
    pub unit: u64,
    /// The scene.
    pub scene: Scene,
    threads: Vec<Thread>,
}

/// An actor that uses the buffer.
#[derive(Clone, Debug)]
struct Thread {
    actor: ActorIndex,
    /// Of each of the thread's operations, the actor's operation that makes it.
    made_by: Vec<usize>,
}

/// The scenes of a case, on this relay: one for each buffer that several actors use.
///
/// # Errors
/// [`NotModelled`]: what of the case the search does not know, or what makes it too large.
pub fn scenes(case: &Case, built: &AsBuilt) -> Result<Vec<Modelled>, NotModelled> {
    lacking::look(case)?;
    let case = unrolled(case);
    let clocks = Clocks::of(&case)?;
    let mut scenes = Vec::new();
    for (channel, cpu) in buffers(&case) {
        scenes.extend(modelled(&case, &clocks, (channel, cpu), built)?);
    }
    if scenes.is_empty() {
        return Err(NotModelled::Alone);
    }
    Ok(scenes)
}

/// The case with an operation for each record, and for each read of those that are counted.
fn unrolled(case: &Case) -> Case {
    let mut case = case.clone();
    case.schedule.clear();
    case.expect.clear();
    case.may_fail = true;
    for actor in &mut case.actors {
        let ops = std::mem::take(&mut actor.ops);
        for mut op in ops {
            let (Op::Write { count: times, .. } | Op::FileRead { times, .. }) = &mut op else {
                actor.ops.push(op);
                continue;
            };
            let copies = (*times).max(1);
            *times = (*times).min(1);
            actor.ops.extend((0..copies).map(|_| op.clone()));
        }
    }
    case
}

/// All buffers that operations name.
fn buffers(case: &Case) -> Vec<(ChannelIndex, Cpu)> {
    let mut all = Vec::new();
    for (number, channel) in case.channels.iter().enumerate() {
        let mut cpus: Vec<Cpu> = (0..case.vcpus).map(|cpu| channel.buffer_cpu(cpu)).collect();
        cpus.dedup();
        all.extend(cpus.into_iter().map(|cpu| (number, cpu)));
    }
    all
}

/// Whose buffer a descriptor is of.
fn opened(case: &Case, wanted: FileSlot) -> Option<(ChannelIndex, Cpu)> {
    let ops = case.actors.iter().flat_map(|actor| &actor.ops);
    ops.clone().find_map(|op| match op {
        Op::FileOpen { file, channel, cpu } if *file == wanted => {
            Some((*channel, case.channels.get(*channel)?.buffer_cpu(*cpu)))
        }
        _ => None,
    })
}

/// Whether the operation is one on this buffer.
fn is_on(case: &Case, actor: ActorIndex, op: &Op, (channel, cpu): (ChannelIndex, Cpu)) -> bool {
    let buffer_cpu = |cpu| case.channels[channel].buffer_cpu(cpu);
    match op {
        Op::Write { channel: of, .. } | Op::Switch { channel: of, .. } => {
            *of == channel && case.actors[actor].cpu().map(buffer_cpu) == Some(cpu)
        }
        Op::Flush { channel: of } | Op::Reset { channel: of } | Op::Close { channel: of } => {
            *of == channel
        }
        Op::Consumed {
            channel: of,
            cpu: on,
            ..
        }
        | Op::BufFull {
            channel: of,
            cpu: on,
        } => (*of, buffer_cpu(*on)) == (channel, cpu),
        Op::FileRead { file, .. } | Op::FilePoll { file, .. } => {
            opened(case, *file) == Some((channel, cpu))
        }
        _ => false,
    }
}

/// The scene of one buffer; none where one actor alone uses it.
fn modelled(
    case: &Case,
    clocks: &Clocks,
    buffer: (ChannelIndex, Cpu),
    built: &AsBuilt,
) -> Result<Option<Modelled>, NotModelled> {
    let mut threads: Vec<Thread> = Vec::new();
    for (actor, script) in case.actors.iter().enumerate() {
        let ops = script.ops.iter().enumerate();
        let made_by: Vec<usize> = ops
            .filter(|(_, op)| is_on(case, actor, op, buffer))
            .map(|(op, _)| op)
            .collect();
        if !made_by.is_empty() {
            threads.push(Thread { actor, made_by });
        }
    }
    without_last_reads(case, clocks, &mut threads);
    let writers = threads.iter().filter(|thread| {
        let ops = &case.actors[thread.actor].ops;
        let writes = |op: &usize| matches!(ops[*op], Op::Write { .. } | Op::Switch { .. });
        thread.made_by.iter().any(writes)
    });
    if writers.count() > 1 {
        return Err(NotModelled::Writers);
    }
    if threads.len() < 2 {
        return Ok(None);
    }
    let endless = threads.iter().find(|thread| {
        let ops = &case.actors[thread.actor].ops;
        let is_endless = |op: &usize| matches!(ops[*op], Op::FileRead { times: 0, .. });
        thread.made_by.iter().any(is_endless)
    });
    if let Some(thread) = endless {
        let actor = case.actors[thread.actor].name.clone();
        return Err(NotModelled::Endless { actor });
    }
    let longest = threads.iter().map(|thread| thread.made_by.len()).max();
    if threads.len() > THREADS || longest > Some(OPS_MAX) {
        return Err(NotModelled::Many {
            actors: threads.len(),
            operations: longest.unwrap_or_default(),
        });
    }
    let sizes = Sizes::of(case, buffer.0, &threads)?;
    let waits = waits(clocks, &threads);
    let mut set = built.setting(&case.channels[buffer.0]);
    sizes.scale(&mut set.geometry);
    let frames = Defects::of(&Defect::OF_FRAMES);
    set.defects = frames.minus(frames.minus(built.defects));
    set.merged = Sites::COMPILED;
    Ok(Some(Modelled {
        case: case.clone(),
        channel: buffer.0,
        cpu: buffer.1,
        unit: sizes.unit,
        scene: Scene {
            set,
            before: Vec::new(),
            threads: sizes.ops(case, &threads),
            waits,
            is_parallel: false,
        },
        threads,
    }))
}

/// Leaves out reads up to the end of the file that come when all else is over: a scene ends with one.
fn without_last_reads(case: &Case, clocks: &Clocks, threads: &mut Vec<Thread>) {
    let ends: Vec<(ActorIndex, usize)> = threads
        .iter()
        .filter_map(|thread| Some((thread.actor, *thread.made_by.last()?)))
        .collect();
    for thread in threads.iter_mut() {
        let is_last = |op: usize| {
            let read = matches!(
                case.actors[thread.actor].ops[op],
                Op::FileRead { times: 0, .. }
            );
            let mut others = ends.iter().filter(|(actor, _)| *actor != thread.actor);
            read && others.all(|(actor, end)| clocks.knows((thread.actor, op), (*actor, *end)))
        };
        while thread.made_by.last().is_some_and(|op| is_last(*op)) {
            thread.made_by.pop();
        }
    }
    threads.retain(|thread| !thread.made_by.is_empty());
}

/// What gates order, in the threads' own numbers.
fn waits(clocks: &Clocks, threads: &[Thread]) -> Vec<Wait> {
    let number = |n: usize| u8::try_from(n).unwrap_or(u8::MAX);
    let mut waits = Vec::new();
    for (t, thread) in threads.iter().enumerate() {
        for (on, other) in threads.iter().enumerate().filter(|(on, _)| *on != t) {
            let mut known = 0;
            for (op, made_by) in thread.made_by.iter().enumerate() {
                let by_then = other
                    .made_by
                    .iter()
                    .filter(|made| clocks.knows((thread.actor, *made_by), (other.actor, **made)))
                    .count();
                if by_then > known {
                    known = by_then;
                    waits.push(Wait {
                        thread: number(t),
                        op: number(op),
                        on: number(on),
                        done: number(by_then),
                    });
                }
            }
        }
    }
    waits
}

impl Modelled {
    /// The actors of its threads.
    pub fn actors(&self) -> impl Iterator<Item = &str> {
        let actors = self.threads.iter();
        actors.map(|thread| self.case.actors[thread.actor].name.as_str())
    }

    /// The case with schedules that go through an order, as this binary may have it; those first that do so whatever
    /// loads a compiler leaves out.
    #[must_use]
    pub fn schedules(&self, found: &Found) -> Vec<Case> {
        let ways = [
            Sites::COMPILED,
            Sites::ALL.without(Site::CallbackEvent),
            Sites::SOURCE,
        ];
        let ways = ways.map(|merged| {
            let mut scene = self.scene.clone();
            scene.set.merged = merged;
            scene
        });
        let mut lists: Vec<Vec<ThreadTurn>> = Vec::new();
        for scene in &ways {
            let more = turn_lists(scene, &found.path, found.broken, WAYS_MAX);
            lists.extend(more);
        }
        let shown_by = |turns: &Vec<ThreadTurn>| {
            let shows = |scene: &&Scene| {
                play(scene, turns).is_some_and(|played| played.broken == Some(found.broken))
            };
            ways.iter().filter(shows).count()
        };
        lists.sort_by_cached_key(|turns| (Reverse(shown_by(turns)), turns.len()));
        let mut cases: Vec<Case> = Vec::new();
        for case in lists.iter().filter_map(|turns| self.scheduled(turns)) {
            if !cases.contains(&case) {
                cases.push(case);
            }
        }
        cases.truncate(WAYS_MAX);
        cases
    }

    /// The case with a schedule that goes through these turns; `None` where an operation's end is not to be said.
    #[must_use]
    pub fn scheduled(&self, turns: &[ThreadTurn]) -> Option<Case> {
        let schedule = script::of(self, turns)?;
        Some(Case {
            schedule,
            ..self.case.clone()
        })
    }
}

#[cfg(test)]
mod tests;
