//! Calls whose results are judged, by their names.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! calls {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal,)+) => {
        /// A call of the kernel, or of a program.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Call {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Call {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),+];
        }

        impl fmt::Display for Call {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$name => $text,)+
                })
            }
        }
    };
}

calls! {
    /// Writing records, by whichever function.
    Write = "writing records",
    /// Records printed through klog's handler.
    Klog = "klog's handler",
    /// `klog` registers or unregisters.
    KlogRegister = "registering klog's handler",
    /// `relay_open()`.
    Open = "relay_open()",
    /// `relay_close()`.
    Close = "relay_close()",
    /// `relay_flush()`.
    Flush = "relay_flush()",
    /// `relay_reset()`.
    Reset = "relay_reset()",
    /// `relay_subbufs_consumed()`.
    Consumed = "relay_subbufs_consumed()",
    /// `relay_buf_full()`.
    BufFull = "relay_buf_full()",
    /// `relay_switch_subbuf()`.
    Switch = "relay_switch_subbuf()",
    /// A function of relay's with NULL in place of the channel.
    Null = "the call without a channel",
    /// `relay_late_setup_files()`.
    LateSetup = "relay_late_setup_files()",
    /// A CPU goes offline.
    CpuOff = "taking the CPU offline",
    /// A CPU comes online.
    CpuOn = "bringing the CPU online",
    /// `open()`.
    FileOpen = "open() of the file",
    /// `close()`.
    FileClose = "close() of the file",
    /// `dup()`.
    Dup = "dup() of the file",
    /// `read()`.
    Read = "read() of the file",
    /// `readv()`.
    Readv = "readv() of the file",
    /// `splice()`.
    Splice = "splice() of the file",
    /// `sendfile()`.
    Sendfile = "sendfile() of the file",
    /// `read()` with a bad address.
    ReadNowhere = "read() into unmapped memory",
    /// `pread()`.
    Pread = "pread() of the file",
    /// `write()`.
    FileWrite = "write() to the file",
    /// `ftruncate()`.
    Truncate = "ftruncate() of the file",
    /// `lseek()`.
    Seek = "lseek() in the file",
    /// `mmap()`.
    Map = "mmap() of the file",
    /// `munmap()`.
    Unmap = "munmap() of the file",
    /// `mremap()`.
    Remap = "mremap() of the mapping",
    /// Reading a mapping.
    Copy = "reading the mapping",
    /// Storing through a mapping.
    Store = "storing through a mapping",
    /// `fstat()` or `stat()`.
    Stat = "stat() of the file",
    /// Listing the channel's directory.
    List = "listing the channel's directory",
}
