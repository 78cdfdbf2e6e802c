//! The numbered choices of the ABI as enums that refuse unknown numbers.

/// A number from the other side that names no choice of this ABI version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{value} is no {what} of ABI version {}",
    crate::consts::RB_ABI_VERSION
)]
pub struct UnknownCode {
    /// The enum it should have been of.
    pub what: &'static str,
    /// The number found.
    pub value: u32,
}

macro_rules! coded {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $value:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u32)]
        pub enum $name { $($(#[$vmeta])* $variant = $value,)+ }

        impl $name {
            /// Every choice, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The number that stands for it in the mailbox.
            #[must_use]
            pub const fn code(self) -> u32 {
                self as u32
            }
        }

        impl TryFrom<u32> for $name {
            type Error = UnknownCode;

            fn try_from(value: u32) -> Result<Self, UnknownCode> {
                match value {
                    $($value => Ok(Self::$variant),)+
                    _ => Err(UnknownCode { what: stringify!($name), value }),
                }
            }
        }
    };
}

coded! {
    /// How far the request is: `enum rb_phase`.
    Phase {
        /// Nothing asked for yet.
        Idle = 0,
        /// Actors are at work.
        Running = 1,
        /// Results, directory and buffers may be read.
        Done = 2,
        /// The request was malformed: see refusal.
        Refused = 3,
    }
}

coded! {
    /// When a channel takes a new sub-buffer: `enum rb_mode`.
    Mode {
        /// `subbuf_start` is the module's: it accepts unless the buffer is full.
        NoOverwrite = 0,
        /// `subbuf_start` is the module's: it always accepts.
        Overwrite = 1,
        /// `subbuf_start` is left NULL: relay's own default.
        Default = 2,
    }
}

coded! {
    /// What is called with NULL in place of the channel: `enum rb_null`.
    NullCall {
        /// `relay_close()`.
        Close = 0,
        /// `relay_flush()`.
        Flush = 1,
        /// `relay_reset()`.
        Reset = 2,
        /// `relay_subbufs_consumed()` of one sub-buffer of CPU 0.
        Consumed = 3,
        /// `relay_late_setup_files()`.
        LateSetup = 4,
        /// The same of a channel that it may not look at, without a name.
        LateName = 5,
    }
}

coded! {
    /// For what an opening finds no memory: `enum rb_no_memory`.
    NoMemory {
        /// It finds all.
        Never = 0,
        /// `struct rchan`.
        Channel = 1,
        /// Its per-CPU pointers.
        Pointers = 2,
        /// `struct rchan_buf`.
        Buffer = 3,
        /// The padding array.
        Padding = 4,
        /// The list of pages.
        PageList = 5,
        /// The last page.
        Page = 6,
        /// The mapping of the pages.
        Mapping = 7,
        /// The file's name.
        Name = 8,
    }
}

coded! {
    /// How the files of a channel are made: `enum rb_files`.
    Files {
        /// `debugfs_create_file_unsafe()`: relay's own file operations.
        Direct = 0,
        /// `debugfs_create_file()`: read and poll only.
        Proxy = 1,
    }
}

coded! {
    /// What `create_buf_file` answers: `enum rb_create`.
    Create {
        /// It makes the file.
        File = 0,
        /// NULL.
        Null = 1,
        /// An error pointer.
        Error = 2,
    }
}

coded! {
    /// Where an actor writes: `enum rb_context`.
    Context {
        /// A kernel thread bound to its CPU.
        Task = 0,
        /// A tasklet on that CPU.
        Softirq = 1,
        /// An interrupt of that CPU.
        Hardirq = 2,
        /// An NMI of that CPU.
        Nmi = 3,
        /// A thread of the agent.
        User = 4,
    }
}

coded! {
    /// What brings an actor's CPU into its context: `enum rb_source`.
    Source {
        /// The CPU itself: hardirq by `irq_work`, NMI by its local APIC.
        Own = 0,
        /// Hardirq: a timer that is due at once.
        Hrtimer = 1,
        /// Hardirq: a function call from CPU 0, to CPU 0 from CPU 1.
        Ipi = 2,
        /// NMI of CPU 0: the module asks the host for it.
        Host = 3,
    }
}

coded! {
    /// What an operation does: `enum rb_op_code`.
    OpCode {
        /// Nothing.
        Nop = 0,
        /// `relay_open()`; value: 1 opened, 0 refused.
        Open = 1,
        /// `relay_close()`.
        Close = 2,
        /// `relay_write()` of `count` records.
        Write = 3,
        /// `__relay_write()`, interrupts kept out.
        RawWrite = 4,
        /// `relay_reserve()`, then the slot is filled.
        Reserve = 5,
        /// `relay_flush()`.
        Flush = 6,
        /// `relay_reset()`.
        Reset = 7,
        /// `relay_subbufs_consumed()` of CPU `arg0`, `arg1` sub-buffers.
        Consumed = 8,
        /// Value: `relay_buf_full()` of CPU `arg0`.
        BufFull = 9,
        /// `relay_switch_subbuf()` of the own buffer for `len64` bytes; value: what it returns.
        Switch = 10,
        /// `relay_late_setup_files()`; `ENOSYS` where the kernel has none.
        LateSetup = 11,
        /// A function of relay's without a channel: `arg0`, a [`NullCall`].
        Null = 12,
        /// Gate `arg0` is raised by one.
        Signal = 16,
        /// Until gate `arg0` stands at `arg1` or above.
        Wait = 17,
        /// Rings the doorbell and waits until the host has looked.
        Checkpoint = 18,
        /// `arg0` microseconds.
        Delay = 19,
        /// Opens the file of CPU `arg0` into slot `file` for `arg1`, an [`Access`].
        FileOpen = 32,
        /// Closes the descriptor of slot `file`.
        FileClose = 33,
        /// Reads `arg0` bytes a call, `arg1` calls or, if 0, until a call gives 0.
        FileRead = 34,
        /// Polls for `arg0` ms, `RB_NONE32`: without end; value: revents.
        FilePoll = 35,
        /// Maps `len64` bytes from `arg0 | arg1 << 32` and keeps the mapping; value: 1 mapped.
        FileMmap = 36,
        /// Takes the mapping of slot `file` away, all but the first `len64` bytes.
        FileMunmap = 37,
        /// Copies the mapping of slot `file` to the data area.
        FileCopy = 38,
        /// `lseek()` to `len64` by whence `arg0`; the error tells.
        FileLseek = 39,
        /// Writes the character `arg0` to `/proc/sysrq-trigger`.
        Sysrq = 40,
        /// `dup()` of the descriptor into slot `arg0`.
        FileDup = 41,
        /// `pread()` of `arg0` bytes at `len64`.
        FilePread = 42,
        /// `readv()` of `arg1` parts of `arg0` bytes.
        FileReadv = 43,
        /// `write()` of `arg0` zero bytes.
        FileWrite = 44,
        /// `ftruncate()` to `len64` bytes.
        FileTruncate = 45,
        /// Writes the payload to byte `len64` of the mapping.
        FileStore = 46,
        /// `fstat()`; a [`Stat`](crate::Stat) in the data area; value: size.
        FileStat = 47,
        /// CPU `arg0` goes offline.
        CpuOff = 48,
        /// CPU `arg0` comes online; see `RB_OP_HOLD`.
        CpuOn = 49,
        /// `mremap()` of the mapping of slot `file` to `len64` bytes.
        FileMremap = 50,
        /// The same of the file of CPU `arg0`, by its path.
        Stat = 56,
        /// Names in the channel's directory, a line each; value: how many.
        List = 57,
        /// `splice()` to a pipe that is drained; as `FileRead`; value: sum of the results.
        FileSplice = 58,
        /// `sendfile()` of `arg0` bytes to a file of the agent's; value: its result.
        FileSendfile = 59,
        /// The kernel's text symbols, lines of "address name": up to `arg1` bytes from byte `arg0` on;
        /// value: bytes of all.
        Symbols = 60,
        /// From now on klog goes to this channel.
        KlogRegister = 64,
        /// If klog goes to this channel: no longer.
        KlogUnregister = 65,
        /// `count` formatted records of the literal payload; value: those that were taken.
        Klog = 66,
        /// The literal payload as it is, `count` times; value: those that were taken.
        KlogRaw = 67,
        /// Moves records through transport `arg0`, a [`Transport`].
        Transfer = 68,
    }
}

coded! {
    /// What a file is opened for: `enum rb_access`.
    Access {
        /// `O_RDONLY`.
        Read = 0,
        /// `O_WRONLY`.
        Write = 1,
        /// `O_RDWR`.
        Both = 2,
    }
}

coded! {
    /// The planted defects: `enum rb_plant`. The module spoils its own output on purpose, once, at the
    /// record (`plant_actor`, `plant_seq`).
    Plant {
        /// No defect.
        None = 0,
        /// The second half of the record is not written.
        Torn = 1,
        /// The record is not written at all.
        Lost = 2,
        /// It is written twice.
        Repeat = 3,
        /// It changes places with the next one.
        Reorder = 4,
        /// It lands 8 bytes behind its place.
        Misplace = 5,
        /// After it, the padding entry of the last complete sub-buffer grows by one.
        Padding = 6,
        /// Its slot keeps what was there before.
        Stale = 7,
        /// It goes to another CPU's buffer.
        WrongCpu = 8,
    }
}

coded! {
    /// How far an operation is: `enum rb_state`.
    State {
        /// Not begun.
        Idle = 0,
        /// Begun, not through.
        Running = 1,
        /// Through.
        Done = 2,
    }
}

coded! {
    /// What the event log tells of: `enum rb_event_kind`.
    EventKind {
        /// The slot is taken and not yet written.
        None = 0,
        /// The module's `subbuf_start` was called.
        SubbufStart = 1,
        /// `relay_reserve()` gave NULL.
        ReserveNull = 2,
        /// One `read()` of a user actor: `produced` is its result or -errno, `consumed` the place of its bytes;
        /// of a `splice()` or `sendfile()`, `produced` is what came out.
        Read = 3,
        /// `create_buf_file` was called for the file of `buf_cpu`.
        CreateFile = 4,
        /// `remove_buf_file` was called for the file of `buf_cpu`.
        RemoveFile = 5,
        /// `relay_open()` of a channel to be opened at start gave NULL.
        OpenFailed = 6,
        /// A callback, or a reserved slot before it was filled, waited at a gate; `verdict`: the gate opened in
        /// time.
        Stall = 7,
        /// `buf_mapped` was called, until 5.10.
        Mapped = 8,
        /// `buf_unmapped` was called, until 5.10.
        Unmapped = 9,
        /// A TRANSFER: `produced` and `consumed` are the nanoseconds that its sides took.
        Transfer = 16,
    }
}

coded! {
    /// What the directory says of a channel: `enum rb_chan_state`.
    ChanState {
        /// Not opened in this request.
        Never = 0,
        /// Open: its addresses may be followed.
        Open = 1,
        /// `relay_close()` was called: no address may be followed.
        Closed = 2,
        /// `relay_open()` gave NULL.
        Refused = 3,
    }
}

coded! {
    /// A way out of the kernel: `enum rb_transport`.
    Transport {
        /// relay, `read()`.
        RelayRead = 0,
        /// relay, `mmap()`.
        RelayMmap = 1,
        /// `read()` of a character device.
        Char = 2,
        /// One `ioctl()` a record.
        Ioctl = 3,
        /// `read()` of a file in `/proc`.
        Proc = 4,
        /// `read()` of a `seq_file` in debugfs.
        Seq = 5,
        /// A ring mapped by both sides.
        Map = 6,
    }
}
