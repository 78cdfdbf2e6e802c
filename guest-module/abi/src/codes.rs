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
    /// Mirror of `enum rb_phase`.
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
    /// Mirror of `enum rb_mode`.
    Mode {
        /// Subbuf_start is our callback: !full.
        NoOverwrite = 0,
        /// It always accepts.
        Overwrite = 1,
        /// Subbuf_start left NULL (>= 5.11).
        Default = 2,
    }
}

coded! {
    /// Mirror of `enum rb_files`.
    Files {
        /// Debugfs_create_file_unsafe().
        Direct = 0,
        /// Debugfs_create_file().
        Proxy = 1,
    }
}

coded! {
    /// Mirror of `enum rb_context`.
    Context {
        /// Kernel thread bound to its CPU.
        Task = 0,
        /// Tasklet on that CPU.
        Softirq = 1,
        /// Irq_work on that CPU.
        Hardirq = 2,
        /// Reserved.
        Nmi = 3,
        /// Thread of the agent.
        User = 4,
    }
}

coded! {
    /// Mirror of `enum rb_op_code`.
    OpCode {
        /// `RB_OP_NOP`.
        Nop = 0,
        /// Relay_open(); value: 1 opened, 0 refused.
        Open = 1,
        /// Relay_close().
        Close = 2,
        /// Relay_write(): len, count, payload.
        Write = 3,
        /// `__relay_write()`, interrupts kept out.
        RawWrite = 4,
        /// Relay_reserve() and fill.
        Reserve = 5,
        /// Relay_flush().
        Flush = 6,
        /// Relay_reset().
        Reset = 7,
        /// Relay_subbufs_consumed(arg0 = cpu, arg1 = n).
        Consumed = 8,
        /// Value: `relay_buf_full()` of arg0 = cpu.
        BufFull = 9,
        /// Gate arg0 += 1.
        Signal = 16,
        /// Until gate arg0 >= arg1.
        Wait = 17,
        /// Doorbell, then until the host has looked.
        Checkpoint = 18,
        /// Arg0 microseconds.
        Delay = 19,
        /// Open the file of CPU arg0 into slot file.
        FileOpen = 32,
        /// `RB_OP_FILE_CLOSE`.
        FileClose = 33,
        /// Arg0 = bytes a call, arg1 = calls, 0: until 0.
        FileRead = 34,
        /// Arg0 = timeout in ms, NONE32: none; value: revents.
        FilePoll = 35,
        /// Len64 bytes; keeps it; value: 1 mapped.
        FileMmap = 36,
        /// `RB_OP_FILE_MUNMAP`.
        FileMunmap = 37,
        /// Copies the mapping to the data area.
        FileCopy = 38,
        /// Lseek(0, SEEK_SET); error tells.
        FileLseek = 39,
    }
}

coded! {
    /// The planted defects: the module spoils its own output on purpose. The defect strikes once, at the record (plant_actor, plant_seq). /
    Plant {
        /// `RB_PLANT_NONE`.
        None = 0,
        /// Second half of the record is not written.
        Torn = 1,
        /// The record is not written at all.
        Lost = 2,
        /// It is written twice.
        Repeat = 3,
        /// It changes places with the next one.
        Reorder = 4,
        /// It lands 8 bytes behind its place.
        Misplace = 5,
        /// After it, padding of the sub-buffer before + 1.
        Padding = 6,
        /// Its slot keeps what was there before.
        Stale = 7,
        /// It goes to another CPU's buffer.
        WrongCpu = 8,
    }
}

coded! {
    /// Mirror of `enum rb_state`.
    State {
        /// `RB_STATE_IDLE`.
        Idle = 0,
        /// `RB_STATE_RUNNING`.
        Running = 1,
        /// `RB_STATE_DONE`.
        Done = 2,
    }
}

coded! {
    /// Mirror of `enum rb_event_kind`.
    EventKind {
        /// Slot taken, not yet written.
        None = 0,
        /// Our callback was called.
        SubbufStart = 1,
        /// Relay_reserve() gave NULL.
        ReserveNull = 2,
        /// One read(): produced = result or -errno, consumed = data offset.
        Read = 3,
        /// Create_buf_file: cpu.
        CreateFile = 4,
        /// `RB_EVENT_REMOVE_FILE`.
        RemoveFile = 5,
        /// Relay_open() at start refused.
        OpenFailed = 6,
    }
}

coded! {
    /// Mirror of `enum rb_chan_state`.
    ChanState {
        /// `RB_CHAN_NEVER`.
        Never = 0,
        /// `RB_CHAN_OPEN`.
        Open = 1,
        /// Relay_close() was called: do not follow.
        Closed = 2,
        /// Relay_open() gave NULL.
        Refused = 3,
    }
}
