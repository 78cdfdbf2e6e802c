//! The module's device and the mailbox it maps.
//!
//! The mailbox is shared with the module and, while the machine is stopped, with the host. Words
//! that several parties count in are atomics; the request is copied out whole; a result belongs to
//! the one actor that runs its operation.

use std::fs::File;
use std::io;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, Ordering};

use relaybed_abi::{
    CheckpointArg, Event, FillArg, GateArg, Header, HoldArg, Op, OpResult, RB_DATA_SIZE,
    RB_IOC_BEGIN, RB_IOC_CHECKPOINT, RB_IOC_CONSUMED, RB_IOC_DONE, RB_IOC_FILL, RB_IOC_GATE,
    RB_IOC_HOLD, RB_IOC_READY, RB_IOC_RELEASE, RB_IOC_RUN, RB_IOC_SIGNAL, RB_IOC_STEP,
    RB_IOC_SUBBUFS, RB_IOC_TRANSPORT, RB_IOC_WAIT, RB_MAILBOX_SIZE, RB_MAX_BLOB, RB_MAX_EVENTS,
    RB_MAX_OPS, RB_NONE32, RB_OFF_BLOB, RB_OFF_DATA, RB_OFF_EVENTS, RB_OFF_OPS, RB_OFF_REQUEST,
    RB_OFF_RESULTS, Request, StepArg, SubbufsArg, TransportArg,
};
use rustix::io::Errno;
use rustix::ioctl::{Getter, IntegerSetter, NoArg, Setter, Updater, ioctl};
use rustix::mm::{MapFlags, ProtFlags, mmap};

/// The module's device.
const DEVICE: &str = "/dev/relaybed";

/// Why the mailbox could not be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MailboxError {
    /// The device could not be opened.
    #[error("cannot open {DEVICE}, though the module is loaded")]
    Open(#[source] io::Error),
    /// The mailbox could not be mapped.
    #[error("cannot map {RB_MAILBOX_SIZE} bytes of {DEVICE}")]
    Map(#[source] Errno),
}

/// The open device and its mapping, which lasts as long as the agent.
pub(crate) struct Mailbox {
    device: File,
    base: NonNull<u8>,
}

// SAFETY: why: actors are threads and all of them report here. Sound: the mapping is never taken
// away, and every access below is atomic, volatile to a slot with one owner, or of immutable bytes.
unsafe impl Send for Mailbox {}
// SAFETY: as for `Send`: nothing below needs `&mut self` to be sound.
unsafe impl Sync for Mailbox {}

impl Mailbox {
    /// Opens the device and maps the mailbox.
    ///
    /// # Errors
    /// When the device is missing or in use, or the mapping is refused.
    pub(crate) fn open() -> Result<Self, MailboxError> {
        let device = File::options()
            .read(true)
            .write(true)
            .open(DEVICE)
            .map_err(MailboxError::Open)?;
        // SAFETY: why: mmap has no safe form. Sound: the kernel chooses an unused place, so no
        // existing memory of ours changes.
        let base = unsafe {
            mmap(
                ptr::null_mut(),
                RB_MAILBOX_SIZE,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::SHARED,
                &device,
                0,
            )
        }
        .map_err(MailboxError::Map)?;
        let base = NonNull::new(base.cast()).ok_or(MailboxError::Map(Errno::NOMEM))?;
        Ok(Self { device, base })
    }

    /// Address of byte `offset` of the mailbox, which callers keep below its size.
    fn at<T>(&self, offset: usize) -> *mut T {
        debug_assert!(offset + size_of::<T>() <= RB_MAILBOX_SIZE);
        // SAFETY: why: sections are found by offset. Sound: `offset` lies inside the mapping, by
        // the ABI's asserted layout and the bounds that callers check.
        unsafe { self.base.as_ptr().add(offset).cast() }
    }

    fn counter(&self, offset: usize) -> &AtomicU32 {
        // SAFETY: why: the module counts in the same word. Sound: aligned by the ABI, mapped for as
        // long as `self`, and every party uses atomic instructions on it.
        unsafe { AtomicU32::from_ptr(self.at(offset)) }
    }

    /// The next number of the machine-wide order.
    pub(crate) fn order(&self) -> u32 {
        let last = self.counter(std::mem::offset_of!(Header, order));
        last.fetch_add(1, Ordering::SeqCst).wrapping_add(1)
    }

    /// The last number of the machine-wide order that was given out.
    pub(crate) fn order_now(&self) -> u32 {
        self.counter(std::mem::offset_of!(Header, order))
            .load(Ordering::SeqCst)
    }

    /// Copies the request out. Its content is what BEGIN checked, since the host writes it only
    /// before it asks.
    pub(crate) fn request(&self) -> Request {
        // SAFETY: why: the request lies in shared memory. Sound: inside the mapping, aligned, any
        // bytes are a valid `Request`; volatile since the host wrote it behind the compiler's back.
        unsafe { self.at::<Request>(RB_OFF_REQUEST).read_volatile() }
    }

    /// Copies operation `index` out; `None` beyond the area.
    pub(crate) fn op(&self, index: u32) -> Option<Op> {
        let index = usize::try_from(index).ok().filter(|i| *i < RB_MAX_OPS)?;
        let at = self.at::<Op>(RB_OFF_OPS + index * size_of::<Op>());
        // SAFETY: as in `request`; `index` was checked.
        Some(unsafe { at.read_volatile() })
    }

    /// Copies `len` literal bytes out of the blob area; `None` beyond it.
    pub(crate) fn blob(&self, start: u32, len: u32) -> Option<Vec<u8>> {
        let (start, len) = (start as usize, len as usize);
        if start > RB_MAX_BLOB || len > RB_MAX_BLOB - start {
            return None;
        }
        let from = self.at::<u8>(RB_OFF_BLOB + start);
        // SAFETY: as in `request`; `start + len` ends inside the blob area.
        Some(
            (0..len)
                .map(|i| unsafe { from.add(i).read_volatile() })
                .collect(),
        )
    }

    /// How far operation `index` is; `None` beyond the area.
    pub(crate) fn state(&self, index: u32) -> Option<u32> {
        let index = usize::try_from(index).ok().filter(|i| *i < RB_MAX_OPS)?;
        let offset = RB_OFF_RESULTS + index * size_of::<OpResult>();
        let state = self.counter(offset + std::mem::offset_of!(OpResult, state));
        Some(state.load(Ordering::Acquire))
    }

    /// Writes the result of operation `index`, its state last.
    pub(crate) fn set_result(&self, index: u32, result: &OpResult) {
        let Some(index) = usize::try_from(index).ok().filter(|i| *i < RB_MAX_OPS) else {
            return;
        };
        let offset = RB_OFF_RESULTS + index * size_of::<OpResult>();
        let state = self.counter(offset + std::mem::offset_of!(OpResult, state));
        let before = OpResult {
            state: state.load(Ordering::Relaxed),
            ..*result
        };
        // SAFETY: why: results lie in shared memory. Sound: inside the mapping, aligned, and only
        // the actor that owns the operation writes its result.
        unsafe { self.at::<OpResult>(offset).write_volatile(before) };
        state.store(result.state, Ordering::Release);
    }

    /// Takes the next slot of the event log; `None` when it is full, which the count tells.
    pub(crate) fn take_event(&self) -> Option<usize> {
        let count = self.counter(std::mem::offset_of!(Header, n_events));
        let slot = usize::try_from(count.fetch_add(1, Ordering::SeqCst)).ok()?;
        (slot < RB_MAX_EVENTS).then_some(slot)
    }

    /// Writes an event into a slot that [`Self::take_event`] gave, its kind last.
    pub(crate) fn put_event(&self, slot: usize, event: &Event) {
        let offset = RB_OFF_EVENTS + slot.min(RB_MAX_EVENTS - 1) * size_of::<Event>();
        let before = Event { kind: 0, ..*event };
        // SAFETY: as in `set_result`: the slot was taken by us and by nobody else.
        unsafe { self.at::<Event>(offset).write_volatile(before) };
        self.counter(offset + std::mem::offset_of!(Event, kind))
            .store(event.kind, Ordering::Release);
    }

    /// Appends to the data area: where the bytes are, and how many of them found room.
    pub(crate) fn append(&self, bytes: &[u8]) -> (u32, u32) {
        let size = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let count = self.counter(std::mem::offset_of!(Header, n_data));
        let offset = count.fetch_add(size, Ordering::SeqCst);
        let start = RB_DATA_SIZE.min(offset as usize);
        let room = bytes.len().min(RB_DATA_SIZE - start);
        // SAFETY: why: the data area is shared memory. Sound: `start + room` ends inside it, and
        // the addition gave these bytes to this caller alone.
        unsafe {
            ptr::copy_nonoverlapping(bytes.as_ptr(), self.at::<u8>(RB_OFF_DATA + start), room);
        }
        (offset, u32::try_from(room).unwrap_or(u32::MAX))
    }

    /// Announces the mailbox on the doorbell.
    pub(crate) fn ready(&self) -> Result<(), Errno> {
        self.call::<RB_IOC_READY>()
    }

    /// Sleeps until the host has asked for something new.
    pub(crate) fn wait(&self) -> Result<(), Errno> {
        self.call::<RB_IOC_WAIT>()
    }

    /// Has the module let go what the last request left.
    pub(crate) fn release(&self) -> Result<(), Errno> {
        self.call::<RB_IOC_RELEASE>()
    }

    /// Has the next way up of a CPU held half way, between two gates.
    pub(crate) fn hold(&self, cpu: u32, reached: u32, until: u32) -> Result<(), Errno> {
        self.call_with::<RB_IOC_HOLD, _>(HoldArg {
            cpu,
            reached,
            until,
            reserved: 0,
        })
    }

    /// Has the module take the request; an error is a refusal, which the module has noted.
    pub(crate) fn begin(&self) -> Result<(), Errno> {
        self.call::<RB_IOC_BEGIN>()
    }

    /// Lets the kernel actors go; returns when all are through.
    pub(crate) fn run(&self) -> Result<(), Errno> {
        self.call::<RB_IOC_RUN>()
    }

    /// Publishes the end of the request.
    pub(crate) fn done(&self) -> Result<(), Errno> {
        self.call::<RB_IOC_DONE>()
    }

    /// Raises a gate.
    pub(crate) fn signal(&self, gate: u32) -> Result<(), Errno> {
        self.call_with::<RB_IOC_SIGNAL, _>(GateArg { gate, count: 0 })
    }

    /// Waits at a gate.
    pub(crate) fn gate(&self, gate: u32, count: u32) -> Result<(), Errno> {
        self.call_with::<RB_IOC_GATE, _>(GateArg { gate, count })
    }

    /// Shows a debugger of the machine that the actor is before its operation `op`.
    pub(crate) fn step(&self, actor: u32, op: u32) -> Result<(), Errno> {
        self.call_with::<RB_IOC_STEP, _>(StepArg { actor, op })
    }

    /// Reaches a checkpoint; returns when the host has looked.
    pub(crate) fn checkpoint(&self, label: u32, op: u32) -> Result<(), Errno> {
        self.call_with::<RB_IOC_CHECKPOINT, _>(CheckpointArg { label, op })
    }

    /// Opens a transport for records of `len` bytes.
    pub(crate) fn transport(&self, transport: u32, len: u32) -> Result<(), Errno> {
        self.call_with::<RB_IOC_TRANSPORT, _>(TransportArg { transport, len })
    }

    /// Closes the open transport.
    pub(crate) fn close_transport(&self) -> Result<(), Errno> {
        self.transport(RB_NONE32, 0)
    }

    /// Puts `count` records, numbered from `seq` on, into the open transport.
    pub(crate) fn fill(&self, seq: u32, count: u32) -> Result<FillArg, Errno> {
        let mut fill = FillArg {
            seq,
            count,
            done: 0,
            reserved: 0,
            ns: 0,
        };
        // SAFETY: why: ioctl is untyped. Sound: the code's number encodes this structure, which the
        // module reads and writes.
        unsafe { ioctl(&self.device, Updater::<RB_IOC_FILL, _>::new(&mut fill)) }?;
        Ok(fill)
    }

    /// Which of relay's sub-buffers are ready, of this CPU.
    pub(crate) fn subbufs(&self) -> Result<SubbufsArg, Errno> {
        // SAFETY: why: ioctl is untyped. Sound: the code's number encodes this structure, which the
        // module writes, and any bytes are a valid one.
        unsafe { ioctl(&self.device, Getter::<RB_IOC_SUBBUFS, SubbufsArg>::new()) }
    }

    /// Counts `n` sub-buffers of this CPU as consumed.
    pub(crate) fn consumed(&self, n: u64) -> Result<(), Errno> {
        let n = usize::try_from(n).map_err(|_| Errno::OVERFLOW)?;
        // SAFETY: why: ioctl is untyped. Sound: the code takes a number.
        unsafe { ioctl(&self.device, IntegerSetter::<RB_IOC_CONSUMED>::new_usize(n)) }
    }

    fn call<const CODE: u32>(&self) -> Result<(), Errno> {
        // SAFETY: why: ioctl is untyped. Sound: these codes of our device take no argument.
        unsafe { ioctl(&self.device, NoArg::<CODE>::new()) }
    }

    fn call_with<const CODE: u32, T>(&self, argument: T) -> Result<(), Errno> {
        // SAFETY: why: ioctl is untyped. Sound: each code is named above with the structure that
        // its number encodes, and the module only reads it.
        unsafe { ioctl(&self.device, Setter::<CODE, T>::new(argument)) }
    }
}
