//! The emptying side of the ways out of the kernel that are compared.

use std::ffi::c_void;
use std::fs::File;
use std::os::fd::AsFd;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU64, Ordering};

use relaybed_abi::{
    Event, EventKind, Op, RB_IOC_FETCH, RB_PAGE_SIZE, RB_TRANSPORT_BYTES, RB_TRANSPORT_SUBBUF,
    RB_TRANSPORT_SUBBUFS, RingHead, Transport,
};
use rustix::io::{Errno, read};
use rustix::ioctl::{IntegerSetter, ioctl};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use rustix::thread::sched_getcpu;

use crate::actor::{UserActor, now_ns};
use crate::mailbox::Mailbox;
use crate::ops::Outcome;

/// The module's device for reads, one ioctl a record, and the mapped ring.
const DEVICE: &str = "/dev/relaybed-transport";
const PROC: &str = "/proc/relaybed-transport";
const SEQ: &str = "/sys/kernel/debug/relaybed/transport-seq";
/// relay's file of the CPU whose number follows.
const RELAY: &str = "/sys/kernel/debug/relaybed/transport";

impl UserActor {
    /// Moves records through a transport; an event tells how long its sides took.
    ///
    /// # Errors
    /// What the first system call that failed gave.
    pub(crate) fn transfer(&self, index: u32, op: &Op) -> Result<Outcome, Errno> {
        let cpu = u32::try_from(sched_getcpu()).unwrap_or(0);
        let moved = transfer(&self.mailbox, op, cpu)?;
        let event = Event {
            produced: moved.fill_ns,
            consumed: moved.drain_ns,
            ..self.event(EventKind::Transfer, index, op)
        };
        if let Some(slot) = self.mailbox.take_event() {
            self.mailbox.put_event(slot, &event);
        }
        let (data_offset, data_bytes) = self.mailbox.append(&moved.bytes);
        Ok(Outcome {
            value: moved.bytes.len() as u64,
            error: 0,
            data_offset,
            data_bytes,
        })
    }
}

/// What a transfer came to.
struct Transferred {
    /// All bytes that came out.
    bytes: Vec<u8>,
    /// How long putting them in took.
    fill_ns: u64,
    /// How long taking them out took.
    drain_ns: u64,
}

/// Moves the records of `op` through its transport, batch by batch, on CPU `cpu`.
///
/// # Errors
/// What the first system call that failed gave.
fn transfer(mailbox: &Mailbox, op: &Op, cpu: u32) -> Result<Transferred, Errno> {
    let transport = Transport::try_from(op.arg0).map_err(|_| Errno::INVAL)?;
    let len = op.len_min.max(1);
    mailbox.transport(transport.code(), len)?;
    let moved = Way::open(transport, len, cpu).and_then(|mut way| through(mailbox, op, &mut way));
    let closed = mailbox.close_transport();
    let moved = moved?;
    closed.map(|()| moved)
}

fn through(mailbox: &Mailbox, op: &Op, way: &mut Way) -> Result<Transferred, Errno> {
    let len = op.len_min.max(1) as usize;
    // Not zero: these pages are there before the clock runs.
    let mut bytes = vec![0xff; len * op.count as usize];
    // What relay surely takes: an exactly full sub-buffer counts as read only once the next was begun.
    let subbufs = RB_TRANSPORT_SUBBUFS - 1;
    let batch = u32::try_from(RB_TRANSPORT_SUBBUF / len * subbufs).unwrap_or(0);
    let (mut done, mut at) = (0, 0);
    let (mut fill_ns, mut drain_ns) = (0, 0);
    while done < op.count {
        let count = batch.min(op.count - done);
        let filled = mailbox.fill(op.seq_first + done, count)?;
        let end = bytes.len().min(at + count as usize * len);
        let begun = now_ns();
        let got = way.drain(mailbox, &mut bytes[at..end])?;
        drain_ns += now_ns() - begun;
        fill_ns += filled.ns;
        done += filled.done;
        at += got;
        if got == 0 || filled.done == 0 {
            break;
        }
    }
    bytes.truncate(at);
    Ok(Transferred {
        bytes,
        fill_ns,
        drain_ns,
    })
}

/// How a transport is emptied.
enum Way {
    Read(File),
    Fetch(File, usize),
    Ring(Mapping),
    Subbufs(Mapping),
}

impl Way {
    fn open(transport: Transport, len: u32, cpu: u32) -> Result<Self, Errno> {
        let file = |path: &str, writable: bool| {
            let file = File::options().read(true).write(writable).open(path);
            file.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
        };
        Ok(match transport {
            Transport::RelayRead => Self::Read(file(&format!("{RELAY}{cpu}"), false)?),
            Transport::RelayMmap => {
                let file = file(&format!("{RELAY}{cpu}"), false)?;
                Self::Subbufs(Mapping::new(&file, RB_TRANSPORT_BYTES, ProtFlags::READ)?)
            }
            Transport::Char => Self::Read(file(DEVICE, false)?),
            Transport::Ioctl => Self::Fetch(file(DEVICE, false)?, len as usize),
            Transport::Proc => Self::Read(file(PROC, false)?),
            Transport::Seq => Self::Read(file(SEQ, false)?),
            Transport::Map => {
                let both = ProtFlags::READ | ProtFlags::WRITE;
                let bytes = RB_PAGE_SIZE + RB_TRANSPORT_BYTES;
                Self::Ring(Mapping::new(&file(DEVICE, true)?, bytes, both)?)
            }
        })
    }

    /// Takes out what there is, at most as much as `into` holds.
    fn drain(&mut self, mailbox: &Mailbox, into: &mut [u8]) -> Result<usize, Errno> {
        let mut at = 0;
        match self {
            Self::Read(file) => {
                while at < into.len() {
                    let got = read(&*file, &mut into[at..])?;
                    if got == 0 {
                        break;
                    }
                    at += got;
                }
                Ok(at)
            }
            Self::Fetch(file, len) => {
                while at + *len <= into.len() && fetch(file, &mut into[at..at + *len])? {
                    at += *len;
                }
                Ok(at)
            }
            Self::Ring(mapping) => Ok(mapping.drain_ring(into)),
            Self::Subbufs(mapping) => mapping.drain_subbufs(mailbox, into),
        }
    }
}

/// One record into `into`, whose length the module knows; false: there is none.
fn fetch(file: &File, into: &mut [u8]) -> Result<bool, Errno> {
    let to = into.as_mut_ptr().cast::<c_void>();
    // SAFETY: why: ioctl is untyped. Sound: the module writes one record to the address, and `into`
    // has just its length.
    unsafe { ioctl(file, IntegerSetter::<RB_IOC_FETCH>::new_pointer(to)) }.map_or_else(
        |error| match error {
            Errno::NODATA => Ok(false),
            other => Err(other),
        },
        |()| Ok(true),
    )
}

/// A mapping of a transport, taken away on drop.
struct Mapping {
    base: NonNull<u8>,
    bytes: usize,
}

impl Mapping {
    fn new(file: impl AsFd, bytes: usize, protection: ProtFlags) -> Result<Self, Errno> {
        // SAFETY: why: mmap has no safe form. Sound: the kernel chooses an unused place.
        let base = unsafe {
            mmap(
                ptr::null_mut(),
                bytes,
                protection,
                MapFlags::SHARED,
                file,
                0,
            )
        }?;
        let base = NonNull::new(base.cast()).ok_or(Errno::NOMEM)?;
        Ok(Self { base, bytes })
    }

    /// Copies `into.len()` bytes from `offset` on, which nobody writes meanwhile: they are ours until
    /// they are given back.
    fn copy(&self, offset: usize, into: &mut [u8]) {
        assert!(offset + into.len() <= self.bytes, "inside the mapping");
        // SAFETY: why: the mapping is memory that the kernel writes. Sound: the range was checked,
        // and the producer stands still between FILL and the next.
        unsafe {
            ptr::copy_nonoverlapping(
                self.base.as_ptr().add(offset),
                into.as_mut_ptr(),
                into.len(),
            );
        }
    }

    fn counter(&self, offset: usize) -> &AtomicU64 {
        // SAFETY: why: the kernel counts in the same word. Sound: aligned in the first page, mapped
        // for as long as `self`, and both sides use atomic accesses.
        unsafe { AtomicU64::from_ptr(self.base.as_ptr().add(offset).cast()) }
    }

    fn drain_ring(&self, into: &mut [u8]) -> usize {
        let head = self.counter(std::mem::offset_of!(RingHead, head));
        let tail = self.counter(std::mem::offset_of!(RingHead, tail));
        let from = tail.load(Ordering::Relaxed);
        let ready = head.load(Ordering::Acquire).saturating_sub(from);
        let take = into
            .len()
            .min(usize::try_from(ready).unwrap_or(0))
            .min(RB_TRANSPORT_BYTES);
        let at = usize::try_from(from).unwrap_or(0) % RB_TRANSPORT_BYTES;
        let first = take.min(RB_TRANSPORT_BYTES - at);
        self.copy(RB_PAGE_SIZE + at, &mut into[..first]);
        self.copy(RB_PAGE_SIZE, &mut into[first..take]);
        tail.store(from + take as u64, Ordering::Release);
        take
    }

    /// Copies complete sub-buffers without their padding, then counts them as consumed.
    fn drain_subbufs(&self, mailbox: &Mailbox, into: &mut [u8]) -> Result<usize, Errno> {
        let ready = mailbox.subbufs()?;
        let mut at = 0;
        let count = ready.produced.saturating_sub(ready.consumed);
        for number in ready.consumed..ready.consumed + count.min(RB_TRANSPORT_SUBBUFS as u64) {
            let slot = usize::try_from(number % RB_TRANSPORT_SUBBUFS as u64).unwrap_or(0);
            let padding = usize::try_from(ready.padding[slot]).unwrap_or(RB_TRANSPORT_SUBBUF);
            let used = RB_TRANSPORT_SUBBUF
                .saturating_sub(padding)
                .min(into.len() - at);
            self.copy(slot * RB_TRANSPORT_SUBBUF, &mut into[at..at + used]);
            at += used;
        }
        mailbox.consumed(count)?;
        Ok(at)
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: why: munmap has no safe form. Sound: exactly what mmap gave, and nobody refers
        // to it any more.
        let _ = unsafe { munmap(self.base.as_ptr().cast(), self.bytes) };
    }
}
