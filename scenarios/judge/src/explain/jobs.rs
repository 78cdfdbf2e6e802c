//! What an operation is made of: frames on buffers, one after another.

use std::collections::VecDeque;

use relaybed_case::{Access, FileCall, Files, Op};
use relaybed_contract::order::At;
use relaybed_contract::predict::bound;
use relaybed_contract::world::{FileOf, Slot};
use relaybed_contract::{Simulation, Source};
use relaybed_twin as twin;

/// Records of one operation and calls of one read that are run in single accesses.
const JOBS_MAX: usize = 1 << 16;

/// One frame's work.
#[derive(Clone, Copy, Debug)]
pub(super) struct Job {
    pub(super) channel: usize,
    pub(super) of: FileOf,
    pub(super) op: twin::Op,
}

/// The frames of an operation that it has not begun.
#[derive(Clone, Debug)]
pub(super) struct Jobs {
    pub(super) left: VecDeque<Job>,
    /// Another call of `read()` follows one that gave something.
    pub(super) until_empty: bool,
    /// The size of a part, where its reads are parts of one call.
    pub(super) part: Option<u32>,
}

impl Jobs {
    /// Those of an operation; `None` where it is refused before it comes to relay.
    pub(super) fn of(run: &Simulation<'_>, at: At) -> Option<Self> {
        let mut jobs = Self {
            left: VecDeque::new(),
            until_empty: false,
            part: None,
        };
        jobs.plan(run, at)?;
        Some(jobs)
    }

    fn plan(&mut self, run: &Simulation<'_>, at: At) -> Option<()> {
        let (case, op) = (run.case, &run.case.actors[at.actor].ops[at.op]);
        match op {
            Op::Write { channel, .. } => self.plan_writes(run, at, *channel)?,
            Op::Switch { channel, len } => {
                let of = own(run, *channel, case.actors[at.actor].cpu()?)?;
                self.push(*channel, of, twin::Op::Switch { len: *len });
            }
            Op::Flush { channel } => self.push_each(run, *channel, twin::Op::Flush),
            Op::Reset { channel } => self.push_each(run, *channel, twin::Op::Reset),
            Op::Consumed { channel, cpu, n } => {
                let of = own(run, *channel, *cpu)?;
                self.push(*channel, of, twin::Op::Consumed { n: u64::from(*n) });
            }
            Op::BufFull { channel, cpu } => {
                let of = own(run, *channel, *cpu)?;
                self.push(*channel, of, twin::Op::BufFull);
            }
            Op::FileRead { size, times, .. } => {
                self.until_empty = *times == 0;
                self.plan_reads(run, at, (*size, *times))?;
            }
            // readv(2) of no bytes is over before it reaches the file.
            Op::File {
                call: FileCall::Readv { size, parts },
                ..
            } if *size > 0 => {
                self.part = Some(*size);
                self.plan_reads(run, at, (*size, *parts))?;
            }
            _ => return None,
        }
        Some(())
    }

    /// A frame a record.
    fn plan_writes(&mut self, run: &Simulation<'_>, at: At, channel: usize) -> Option<()> {
        let actor = &run.case.actors[at.actor];
        let Op::Write {
            via,
            payload,
            count,
            ..
        } = &actor.ops[at.op]
        else {
            return None;
        };
        let of = own(run, channel, actor.cpu()?)?;
        let first = actor.first_record(at.op);
        for seq in (first..first.saturating_add(*count)).take(JOBS_MAX) {
            let source = Source::Record {
                actor: u16::try_from(at.actor).unwrap_or(u16::MAX),
                op: u16::try_from(at.op).unwrap_or(u16::MAX),
                seq,
            };
            let len = payload.len(run.case.seed, at.actor, seq);
            let op = match via {
                via if via.is_reserve() => twin::Op::Reserve {
                    source,
                    len,
                    in_halves: false,
                },
                _ => twin::Op::Write { source, len },
            };
            self.push(channel, of, op);
        }
        Some(())
    }

    /// A frame a call of `relay_file_read()`.
    fn plan_reads(
        &mut self,
        run: &Simulation<'_>,
        at: At,
        (size, times): (u32, u32),
    ) -> Option<()> {
        let (channel, ..) = bound(run.case, at)?;
        let file = run.case.actors[at.actor].ops[at.op].file()?;
        let Some(Slot::Open(descriptor)) = run.slots.get(&file) else {
            return None;
        };
        // debugfs's proxy answers for relay once the file is gone.
        let is_proxy = run.case.channels[channel].files == Files::Proxy;
        let buffer = run.live[channel].buffer(descriptor.of())?;
        if descriptor.access == Access::Write || is_proxy && buffer.finalized {
            return None;
        }
        for _ in 0..(times as usize).clamp(1, JOBS_MAX) {
            let op = twin::Op::Read {
                size,
                is_nowhere: false,
            };
            self.push(channel, descriptor.of(), op);
        }
        Some(())
    }

    fn push(&mut self, channel: usize, of: FileOf, op: twin::Op) {
        self.left.push_back(Job { channel, of, op });
    }

    fn push_each(&mut self, run: &Simulation<'_>, channel: usize, op: twin::Op) {
        let live = &run.live[channel];
        for (cpu, _) in live.there.iter().enumerate().filter(|(_, there)| **there) {
            let generation = live.generation;
            self.push(channel, FileOf { cpu, generation }, op);
        }
    }
}

/// The open channel's buffer for a CPU, if it has one.
fn own(run: &Simulation<'_>, channel: usize, cpu: u32) -> Option<FileOf> {
    let live = &run.live[channel];
    let cpu = run.case.channels[channel].buffer_cpu(cpu) as usize;
    (live.there.get(cpu) == Some(&true)).then_some(FileOf {
        cpu,
        generation: live.generation,
    })
}
