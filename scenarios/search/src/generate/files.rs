//! Drawing operations of user actors on their descriptors.

use super::kernel_ops::any_cpu;
use super::lengths;
use super::random::Random;
use super::shadow::Shadow;
use super::{Limits, calls};
use relaybed_case::{Access, ChannelIndex, Cpu, FileCall, FileSlot, Map, Op};

/// A descriptor that a script has by now.
#[derive(Clone, Copy, Debug)]
struct Descriptor {
    file: FileSlot,
    channel: ChannelIndex,
    cpu: Cpu,
    open: bool,
    mapped: bool,
    /// Open for reading and writing.
    is_both: bool,
    /// Bytes that may be stored through the mapping.
    storable: u64,
}

/// The descriptors of one user actor.
#[derive(Debug)]
pub(super) struct Desk {
    descriptors: Vec<Descriptor>,
    linux_version: u32,
    /// All operations are in one order: what users write has a place in it.
    in_order: bool,
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
    Store,
    Call,
    Dup,
    Path,
}

const KINDS: [(u64, Kind); 11] = [
    (8, Kind::Open),
    (6, Kind::Close),
    (52, Kind::Read),
    (12, Kind::Poll),
    (7, Kind::Map),
    (8, Kind::Copy),
    (4, Kind::Unmap),
    (8, Kind::Store),
    (12, Kind::Call),
    (3, Kind::Dup),
    (3, Kind::Path),
];

impl Desk {
    /// Nothing open yet.
    pub(super) fn new(limits: &Limits, in_order: bool) -> Self {
        Self {
            descriptors: Vec::new(),
            linux_version: limits.linux_version,
            in_order,
        }
    }

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
            file,
            channel,
            cpu,
            open,
            mapped,
            storable,
            ..
        } = self.descriptors[at];
        match random.weighted(&KINDS) {
            Kind::Copy if mapped => Op::FileCopy { file },
            Kind::Unmap if mapped => {
                self.descriptors[at].mapped = false;
                self.descriptors[at].storable = 0;
                Op::FileMunmap { file }
            }
            Kind::Close if open => {
                self.descriptors[at].open = false;
                Op::FileClose { file }
            }
            Kind::Map if open && !mapped => self.map(random, shadows, at),
            Kind::Store if storable > 0 => store(random, file, storable),
            Kind::Call if open => {
                let of = (&mut shadows[channel], cpu);
                let call = calls::draw(random, of, self.linux_version, self.in_order);
                Op::File { file, call }
            }
            Kind::Dup if open => {
                let to = self.place(channel, cpu, slots);
                Op::File {
                    file,
                    call: FileCall::Dup { to },
                }
            }
            Kind::Path if random.chance(50) => Op::List { channel },
            Kind::Path => Op::Stat { channel, cpu },
            Kind::Poll if open => Op::FilePoll {
                file,
                timeout_ms: Some(random.weighted(&[(95, 0), (5, 1)])),
            },
            Kind::Read | Kind::Copy | Kind::Unmap | Kind::Store if open => {
                self.read(random, shadows, at)
            }
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
        let file = self.place(channel, cpu, slots);
        match random.below(30) {
            0 => opened_for(file, channel, cpu, Access::Write),
            1..=6 => {
                if let Some(new) = self.descriptors.iter_mut().find(|d| d.file == file) {
                    new.is_both = true;
                }
                opened_for(file, channel, cpu, Access::Both)
            }
            _ => Op::FileOpen { file, channel, cpu },
        }
    }

    /// A slot for a new descriptor.
    fn place(&mut self, channel: ChannelIndex, cpu: Cpu, slots: &mut FileSlot) -> FileSlot {
        let descriptor = |file| Descriptor {
            file,
            channel,
            cpu,
            open: true,
            mapped: false,
            is_both: false,
            storable: 0,
        };
        // A slot whose descriptor was closed is used again, perhaps for another channel.
        let free = self.descriptors.iter_mut().find(|d| !d.open && !d.mapped);
        match free {
            Some(free) => {
                *free = descriptor(free.file);
                free.file
            }
            None => {
                self.descriptors.push(descriptor(*slots));
                *slots += 1;
                *slots - 1
            }
        }
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
        let writable = self.in_order && descriptor.is_both && random.chance(60);
        let private = random.chance(8);
        if writable {
            descriptor.storable = len.min(whole);
        }
        Op::File {
            file: descriptor.file,
            call: FileCall::Map(Map {
                len,
                offset: 0,
                writable,
                private,
                hidden: false,
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

fn opened_for(file: FileSlot, channel: ChannelIndex, cpu: Cpu, access: Access) -> Op {
    Op::File {
        file,
        call: FileCall::Open {
            channel,
            cpu,
            access,
        },
    }
}

/// Up to eight bytes through a mapping of so many.
fn store(random: &mut Random, file: FileSlot, storable: u64) -> Op {
    let len = random.between(1, storable.min(8));
    let at = random.between(0, storable - len);
    let bytes = (0..len).map(|_| b'A' + u8::try_from(random.below(26)).unwrap_or(0));
    Op::File {
        file,
        call: FileCall::Store {
            at,
            bytes: bytes.collect(),
        },
    }
}
