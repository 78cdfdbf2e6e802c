//! Drawing operations of user actors on their descriptors.

use super::kernel_ops::any_cpu;
use super::lengths;
use super::random::Random;
use super::shadow::Shadow;
use crate::case::{ChannelIndex, Cpu, FileCall, FileSlot, Map, Op, Whence};

/// A descriptor that a script has by now.
#[derive(Clone, Copy, Debug)]
struct Descriptor {
    file: FileSlot,
    channel: ChannelIndex,
    cpu: Cpu,
    open: bool,
    mapped: bool,
}

/// The descriptors of one user actor.
#[derive(Debug, Default)]
pub(super) struct Desk {
    descriptors: Vec<Descriptor>,
}

/// The kinds, before their arguments are drawn.
#[derive(Clone, Copy)]
enum Kind {
    Open,
    Close,
    Read,
    Poll,
    Map,
    Copy,
    Unmap,
    Seek,
}

const KINDS: [(u64, Kind); 8] = [
    (8, Kind::Open),
    (6, Kind::Close),
    (52, Kind::Read),
    (12, Kind::Poll),
    (7, Kind::Map),
    (8, Kind::Copy),
    (4, Kind::Unmap),
    (3, Kind::Seek),
];

impl Desk {
    /// One operation; slots are numbered on from `slots`.
    pub(super) fn draw(
        &mut self,
        random: &mut Random,
        shadows: &mut [Shadow],
        slots: &mut FileSlot,
    ) -> Op {
        if !self.descriptors.iter().any(|descriptor| descriptor.open) {
            return self.open(random, shadows, slots);
        }
        let at = random.index(self.descriptors.len());
        let Descriptor {
            file, open, mapped, ..
        } = self.descriptors[at];
        match random.weighted(&KINDS) {
            Kind::Copy if mapped => Op::FileCopy { file },
            Kind::Unmap if mapped => {
                self.descriptors[at].mapped = false;
                Op::FileMunmap { file }
            }
            Kind::Close if open => {
                self.descriptors[at].open = false;
                Op::FileClose { file }
            }
            Kind::Map if open && !mapped => self.map(random, shadows, at),
            Kind::Seek if open => Op::File {
                file,
                call: FileCall::Seek {
                    whence: Whence::Set,
                    offset: 0,
                },
            },
            Kind::Poll if open => Op::FilePoll {
                file,
                timeout_ms: Some(random.weighted(&[(95, 0), (5, 1)])),
            },
            Kind::Read if open => self.read(random, shadows, at),
            _ => self.open(random, shadows, slots),
        }
    }

    /// Opens a file of a channel that has some, most times.
    fn open(&mut self, random: &mut Random, shadows: &[Shadow], slots: &mut FileSlot) -> Op {
        let mut channel = random.index(shadows.len());
        let good = |channel: usize| shadows[channel].open && shadows[channel].has_files;
        if !good(channel) && !random.chance(10) {
            channel = (0..shadows.len()).find(|at| good(*at)).unwrap_or(channel);
        }
        self.open_on(random, shadows, channel, slots)
    }

    /// Opens a file of this channel.
    pub(super) fn open_on(
        &mut self,
        random: &mut Random,
        shadows: &[Shadow],
        channel: ChannelIndex,
        slots: &mut FileSlot,
    ) -> Op {
        let cpu = any_cpu(random, &shadows[channel]);
        let descriptor = |file| Descriptor {
            file,
            channel,
            cpu,
            open: true,
            mapped: false,
        };
        // A slot whose descriptor was closed is used again, perhaps for another channel.
        let free = self.descriptors.iter_mut().find(|d| !d.open && !d.mapped);
        let file = match free {
            Some(free) => {
                *free = descriptor(free.file);
                free.file
            }
            None => {
                self.descriptors.push(descriptor(*slots));
                *slots += 1;
                *slots - 1
            }
        };
        Op::FileOpen { file, channel, cpu }
    }

    fn map(&mut self, random: &mut Random, shadows: &[Shadow], at: usize) -> Op {
        let descriptor = &mut self.descriptors[at];
        let shadow = &shadows[descriptor.channel];
        let whole = shadow.subbuf_size.saturating_mul(shadow.n_subbufs);
        let pages = whole.clamp(1, 1 << 20).next_multiple_of(4096);
        let len = match random.below(8) {
            0 => 0,
            1 => 1,
            2 => pages + 4096,
            3 => pages - 4095,
            4 => whole.clamp(1, 1 << 20),
            5 => pages - 4096,
            _ => pages,
        };
        // Where that fails there is no mapping; the language cannot know, and the slot gets no second.
        descriptor.mapped = true;
        Op::File {
            file: descriptor.file,
            call: FileCall::Map(Map {
                len,
                offset: 0,
                writable: false,
                private: false,
            }),
        }
    }

    fn read(&mut self, random: &mut Random, shadows: &mut [Shadow], at: usize) -> Op {
        let Descriptor {
            file, channel, cpu, ..
        } = self.descriptors[at];
        let shadow = &mut shadows[channel];
        let (size, times) = lengths::read(random, shadow, cpu);
        let calls = if times == 0 { 64 } else { times };
        shadow.read(cpu, u64::from(size) * u64::from(calls));
        Op::FileRead { file, size, times }
    }
}
