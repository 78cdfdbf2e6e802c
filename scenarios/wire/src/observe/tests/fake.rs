//! A guest memory of 8 MiB with a mailbox, two channels and their buffers in it, byte by byte.
//!
//! It is memory, not a kernel: nothing in it moves. The layout of the structures is made up, with
//! gaps, so that nothing works by the offsets of a real kernel.

use std::cell::Cell;

use relaybed_abi::{
    BufMembers, ChanMembers, ChanState, DirBuf, DirChannel, Event, EventKind, Header, Member,
    OpResult, Phase, RB_ABI_VERSION, RB_MAGIC, RB_MAILBOX_SIZE, RB_NONE16, RB_NONE32, RB_OFF_DATA,
    RB_OFF_DIRECTORY, RB_OFF_EVENTS, RB_OFF_PFNS, RB_OFF_RESULTS, State,
};
use zerocopy::{FromZeros, IntoBytes};

use crate::observe::{OutOfRam, Ram};
use relaybed_case::{Actor, Case, Channel, Context, Files, Mode, Op, Place};

pub(super) const RAM_BYTES: usize = 8 << 20;
pub(super) const MAILBOX: u64 = 0x10_0000;
/// Structures of channel `c` and CPU `k` lie from here on, a page each.
const STRUCTURES: u64 = 0x60_0000;
/// Pages of the buffers lie from here on, in falling order.
const PAGES_END: u64 = 0x80_0000;

/// Guest memory, and how many bytes were asked of it.
pub(super) struct FakeRam {
    pub(super) bytes: Vec<u8>,
    pub(super) asked: Cell<usize>,
}

impl Ram for FakeRam {
    fn read(&self, address: u64, into: &mut [u8]) -> Result<(), OutOfRam> {
        self.asked.set(self.asked.get() + into.len());
        let out = OutOfRam {
            address,
            len: into.len() as u64,
        };
        let start = usize::try_from(address).map_err(|_| out)?;
        let end = start.checked_add(into.len()).ok_or(out)?;
        into.copy_from_slice(self.bytes.get(start..end).ok_or(out)?);
        Ok(())
    }

    fn size_bytes(&self) -> u64 {
        self.bytes.len() as u64
    }
}

impl FakeRam {
    pub(super) fn put(&mut self, address: u64, bytes: &[u8]) {
        let at = usize::try_from(address).unwrap();
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }

    pub(super) fn header(&mut self, change: impl FnOnce(&mut Header)) {
        let mut value = header();
        change(&mut value);
        self.put(MAILBOX, value.as_bytes());
    }

    pub(super) fn entry(&mut self, channel: usize, change: impl FnOnce(&mut DirChannel)) {
        let mut value = entry(channel);
        change(&mut value);
        let at = RB_OFF_DIRECTORY + channel * size_of::<DirChannel>();
        self.put(MAILBOX + at as u64, value.as_bytes());
    }
}

fn member(offset: u16, size: u16) -> Member {
    Member { offset, size }
}

fn header() -> Header {
    let mut header = Header::new_zeroed();
    header.magic = RB_MAGIC;
    header.abi_version = RB_ABI_VERSION;
    header.mailbox_size = u32::try_from(RB_MAILBOX_SIZE).unwrap();
    header.mailbox_pa = MAILBOX;
    header.linux_version = 0x0006_0100;
    header.page_size = 4096;
    (header.cpus_possible, header.cpus_online) = (2, 2);
    header.release[..5].copy_from_slice(b"6.1.0");
    header.buf = BufMembers {
        start: member(8, 8),
        data: member(16, 8),
        offset: member(24, 8),
        subbufs_produced: member(32, 8),
        subbufs_consumed: member(48, 8),
        page_count: member(56, 4),
        finalized: member(60, 4),
        padding: member(64, 8),
        prev_padding: member(72, 8),
        bytes_consumed: member(80, 8),
        early_bytes: member(88, 8),
        cpu: member(100, 4),
        full_count: member(104, 4),
        big_count: member(108, 4),
        kref: member(112, 4),
        size: 128,
        reserved: 0,
    };
    header.chan = ChanMembers {
        version: member(0, 4),
        subbuf_size: member(8, 8),
        n_subbufs: member(16, 8),
        alloc_size: member(24, 8),
        last_toobig: member(RB_NONE16, 0),
        is_global: member(40, 4),
        has_base_filename: member(44, 4),
        size: 64,
        reserved: 0,
    };
    header.request_seq = 4;
    header.done_seq = 4;
    header.phase = Phase::Done.code();
    header.refusal_op = RB_NONE32;
    header.checkpoint_seq = 9;
    header.n_events = 2;
    header.n_data = 11;
    header.n_pfns = 10;
    (header.taint_ready, header.taint_now) = (0x1000, 0x1200);
    header
}

/// Sizes of the two channels: four sub-buffers of 3000 bytes (3 pages), two of 4096 (2 pages).
const SIZES: [(u64, u64, u32); 2] = [(3000, 4, 3), (4096, 2, 2)];

fn structure(channel: u64, slot: u64) -> u64 {
    STRUCTURES + (channel * 8 + slot) * 4096
}

fn entry(channel: usize) -> DirChannel {
    let (subbuf_size, n_subbufs, page_count) = SIZES[channel];
    let mut entry = DirChannel::new_zeroed();
    entry.state = ChanState::Open.code();
    entry.chan_pa = structure(channel as u64, 0);
    (entry.subbuf_size, entry.n_subbufs) = (subbuf_size, n_subbufs);
    for cpu in 0..2u32 {
        entry.bufs[cpu as usize] = DirBuf {
            buf_pa: structure(channel as u64, 1 + u64::from(cpu)) + 64,
            padding_pa: structure(channel as u64, 3 + u64::from(cpu)) + 8,
            file_size_pa: if channel == 0 {
                structure(0, 5) + 8 * u64::from(cpu)
            } else {
                0
            },
            first_pfn: if channel == 0 { 3 * cpu } else { 6 + 2 * cpu },
            page_count,
        };
    }
    entry
}

/// Address of the n-th page of the table.
pub(super) fn page(index: u64) -> u64 {
    PAGES_END - 4096 * (index + 1)
}

fn put_buffer(ram: &mut FakeRam, channel: u64, cpu: u32) {
    let (_, n_subbufs, page_count) = SIZES[usize::try_from(channel).unwrap()];
    let at = structure(channel, 1 + u64::from(cpu)) + 64;
    let start = 0xffff_c900_0000_0000u64;
    let words = [
        (8, start),
        (16, start + 3000),
        (24, 17),
        (32, 5 + u64::from(cpu)),
        (48, 2),
        (64, 0xdead),
        (72, 7),
        (80, 123),
        (88, 6),
    ];
    for (offset, word) in words {
        ram.put(at + offset, &word.to_le_bytes());
    }
    for (offset, word) in [(56, page_count), (60, 1), (100, cpu), (104, 8), (108, 9)] {
        ram.put(at + offset, &word.to_le_bytes());
    }
    for k in 0..n_subbufs {
        let padding = 100 * channel + 10 * u64::from(cpu) + k;
        ram.put(
            structure(channel, 3 + u64::from(cpu)) + 8 + 8 * k,
            &padding.to_le_bytes(),
        );
    }
}

fn put_channels(ram: &mut FakeRam) {
    for (channel, (subbuf_size, n_subbufs, pages)) in SIZES.into_iter().enumerate() {
        ram.entry(channel, |_| {});
        let at = structure(channel as u64, 0);
        ram.put(at, &7u32.to_le_bytes());
        let words = [
            (8, subbuf_size),
            (16, n_subbufs),
            (24, u64::from(pages) * 4096),
        ];
        for (offset, word) in words {
            ram.put(at + offset, &word.to_le_bytes());
        }
        put_buffer(ram, channel as u64, 0);
        put_buffer(ram, channel as u64, 1);
    }
    for cpu in 0..2u64 {
        ram.put(structure(0, 5) + 8 * cpu, &(4000 + cpu).to_le_bytes());
    }
    for index in 0..10u64 {
        let frame = page(index) / 4096;
        ram.put(
            MAILBOX + RB_OFF_PFNS as u64 + 8 * index,
            &frame.to_le_bytes(),
        );
        let fill = u8::try_from(index).unwrap() + 1;
        ram.put(page(index), &[fill; 4096]);
    }
}

/// The whole image.
pub(super) fn ram() -> FakeRam {
    let mut ram = FakeRam {
        bytes: vec![0; RAM_BYTES],
        asked: Cell::new(0),
    };
    ram.header(|_| {});
    put_channels(&mut ram);
    for index in 0..3u32 {
        let mut result = OpResult::new_zeroed();
        result.state = State::Done.code();
        result.value = 40 + u64::from(index);
        let at = RB_OFF_RESULTS + index as usize * 64;
        (result.data_offset, result.data_bytes) = if index == 2 { (4, 7) } else { (0, 0) };
        ram.put(MAILBOX + at as u64, result.as_bytes());
    }
    for slot in 0..2u32 {
        let mut event = Event::new_zeroed();
        event.kind = EventKind::SubbufStart.code();
        event.produced = slot.into();
        let at = RB_OFF_EVENTS + slot as usize * 64;
        ram.put(MAILBOX + at as u64, event.as_bytes());
    }
    ram.put(MAILBOX + RB_OFF_DATA as u64, b"Hello world");
    ram
}

/// The case the image is of.
pub(super) fn case() -> Case {
    let channel = |index: usize| Channel {
        name: format!("cpu{index}-"),
        subbuf_size: SIZES[index].0,
        n_subbufs: SIZES[index].1,
        mode: Mode::NoOverwrite,
        header_bytes: 0,
        files: Files::Direct,
        open_at_start: true,
        client: relaybed_case::Client::default(),
    };
    let kernel = Place::Kernel {
        cpu: 0,
        context: Context::Task,
    };
    let flushes = vec![Op::Flush { channel: 0 }, Op::Flush { channel: 1 }];
    let copy = vec![Op::FileCopy { file: 0 }];
    Case {
        name: "suite/fake".to_owned(),
        summary: "A memory by hand.".to_owned(),
        vcpus: 2,
        seed: 1,
        needs: Vec::new(),
        channels: vec![channel(0), channel(1)],
        actors: vec![
            Actor {
                name: "writer".to_owned(),
                place: kernel,
                source: None,
                ops: flushes,
            },
            Actor {
                name: "reader".to_owned(),
                place: Place::User { cpu: None },
                source: None,
                ops: copy,
            },
        ],
        gates: Vec::new(),
        expect: Vec::new(),
        may_fail: true,
        schedule: Vec::new(),
    }
}

/// Where the structures of channel 0 are: `struct rchan`, then `struct rchan_buf` of each CPU.
pub(super) fn structures() -> [u64; 3] {
    [structure(0, 0), structure(0, 1) + 64, structure(0, 2) + 64]
}
