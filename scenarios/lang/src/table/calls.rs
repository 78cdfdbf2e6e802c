//! The operations of actors in user space.

use super::Takes::{Choice, Name, Number, Text, Word};
use super::{Key, key, needed, words};
use crate::ops::{OpForm, SubjectKind, Who};
use crate::words::{ACCESS, BLOCK, DRAIN, INTO, MAP_ACCESS, SHARING, UNTIL, WHENCE};

const SIZE: Key = needed("size", Number, "Bytes at most.");
const TIMES: Key = key("times", Number, "How many calls; 1 if left out.");
const UNTIL_EMPTY: Key = key("until", Choice(|| words(&UNTIL)), "Call until one gives 0.");
const CPU: Key = needed("cpu", Number, "CPU of the file.");
const AS: Key = needed(
    "as",
    Name("descriptor"),
    "What the descriptor is called from then on.",
);
/// At most one of the two.
const TIMES_OR_UNTIL: (&str, &str, bool) = ("times", "until", false);

pub(crate) static FILES: [OpForm; 20] = [
    by_path("open_file", "open() of the file of `cpu`.", OPEN_FILE),
    by_path(
        "stat",
        "stat() of the file of `cpu`, by its path: gives its size.",
        STAT,
    ),
    by_path(
        "list",
        "The names in the channel's directory: gives how many.",
        &[],
    ),
    call("close_file", "close() of a descriptor.", &[]),
    call(
        "dup",
        "dup() of a descriptor: another one of the same open file.",
        DUP,
    ),
    OpForm {
        apart: &[
            TIMES_OR_UNTIL,
            ("into", "until", false),
            ("times", "into", false),
        ],
        ..call("read", "read(): gives all bytes got.", READ)
    },
    call("pread", "pread() at an offset.", PREAD),
    call("readv", "readv() of several parts.", READV),
    call("write_file", "write() of so many zero bytes.", SIZED),
    call("truncate", "ftruncate().", TRUNCATE),
    call("poll", "poll() for POLLIN: gives revents.", POLL),
    call("mmap", "mmap(): gives 1.", MMAP),
    call("munmap", "munmap() of the descriptor's mapping.", MUNMAP),
    call(
        "mremap",
        "mremap() of the descriptor's mapping, which relay does not allow.",
        MREMAP,
    ),
    call(
        "copy",
        "Takes the bytes of the mapping as a reader with mmap would.",
        &[],
    ),
    call("store", "Writes into the mapping.", STORE),
    call(
        "fstat",
        "fstat() of a descriptor: gives the file's size.",
        &[],
    ),
    call("lseek", "lseek().", LSEEK),
    OpForm {
        apart: &[TIMES_OR_UNTIL],
        ..call(
            "splice",
            "splice() to a pipe: gives the sum of what the calls returned.",
            SPLICE,
        )
    },
    call(
        "sendfile",
        "sendfile() to a file in memory: gives how many bytes.",
        SIZED,
    ),
];

pub(crate) static MACHINE: [OpForm; 3] = [
    user(
        "cpu_off",
        SubjectKind::Number,
        "That CPU, not 0, goes offline.",
        &[],
    ),
    user(
        "cpu_on",
        SubjectKind::Number,
        "That CPU comes online; with `reached` and `until` it stands half way between the two gates.",
        CPU_ON,
    ),
    user(
        "sysrq",
        SubjectKind::Text,
        "That key to /proc/sysrq-trigger: \"c\" panics, \"b\" resets the machine.",
        &[],
    ),
];

const fn user(
    name: &'static str,
    subject: SubjectKind,
    means: &'static str,
    args: &'static [Key],
) -> OpForm {
    OpForm::new(Who::User, name, subject, means, args)
}

const fn by_path(name: &'static str, means: &'static str, args: &'static [Key]) -> OpForm {
    user(name, SubjectKind::Channel, means, args)
}

const fn call(name: &'static str, means: &'static str, args: &'static [Key]) -> OpForm {
    user(name, SubjectKind::File, means, args)
}

const SIZED: &[Key] = &[SIZE];

const OPEN_FILE: &[Key] = &[
    CPU,
    AS,
    key("access", Word(|| words(&ACCESS)), "What it is opened for."),
];

const STAT: &[Key] = &[CPU];

const DUP: &[Key] = &[AS];

const READ: &[Key] = &[
    SIZE,
    TIMES,
    UNTIL_EMPTY,
    key(
        "into",
        Choice(|| words(&INTO)),
        "Into memory that must not be touched, in one call.",
    ),
];

const PREAD: &[Key] = &[
    SIZE,
    needed("offset", Number, "From which byte of the file on."),
];

const READV: &[Key] = &[
    needed("size", Number, "Bytes of each part."),
    needed("parts", Number, "How many parts."),
];

const TRUNCATE: &[Key] = &[needed("len", Number, "The new length.")];

const POLL: &[Key] = &[key(
    "timeout_ms",
    Number,
    "Longest wait in milliseconds; until something comes if left out.",
)];

const MMAP: &[Key] = &[
    needed("len", Number, "Bytes."),
    key(
        "offset",
        Number,
        "From which byte of the file on; the first if left out.",
    ),
    key(
        "access",
        Word(|| words(&MAP_ACCESS)),
        "What it is mapped for; `none`: nothing of it may be touched.",
    ),
    key(
        "sharing",
        Word(|| words(&SHARING)),
        "Whether stores go to the file.",
    ),
];

const MUNMAP: &[Key] = &[key(
    "keep",
    Number,
    "So many bytes stay mapped, in whole pages; none if left out.",
)];

const MREMAP: &[Key] = &[needed("len", Number, "The new length.")];

const STORE: &[Key] = &[
    needed("at", Number, "The first byte."),
    needed("text", Text, "What is written."),
];

const LSEEK: &[Key] = &[
    key(
        "whence",
        Word(|| words(&WHENCE)),
        "What the offset counts from.",
    ),
    key("offset", Number, "0 if left out."),
];

const SPLICE: &[Key] = &[
    SIZE,
    TIMES,
    UNTIL_EMPTY,
    key(
        "block",
        Word(|| words(&BLOCK)),
        "`no`: with SPLICE_F_NONBLOCK.",
    ),
    key(
        "drain",
        Word(|| words(&DRAIN)),
        "When the pipe is emptied: after each call, or after the last.",
    ),
];

const CPU_ON: &[Key] = &[
    key(
        "reached",
        Name("gate"),
        "The gate that it signals half way: prepared by relay, and not running.",
    ),
    key("until", Name("gate"), "The gate that it waits for there."),
];
