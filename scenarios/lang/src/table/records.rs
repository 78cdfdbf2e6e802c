//! The operations of actors in the kernel.

use relaybed_case::NullCall;

use super::Takes::{Length, Name, Number, Table as One, Text, Word};
use super::{Key, Table, key, needed, words};
use crate::ops::{OpForm, SubjectKind, Who};
use crate::words::{IRQS, NEST_AT};

pub(crate) static RANGE: Table = Table {
    name: "len",
    means: "Lengths drawn from the seed, both ends included.",
    example: "len = { min = 8, max = \"S - 8\" }",
    keys: &[
        needed("min", Number, "The smallest length."),
        needed("max", Number, "The largest length."),
    ],
};

pub(crate) static NESTING: Table = Table {
    name: "nest",
    means: "An actor whose whole script runs on top of this write.",
    example: "nest = { actor = \"irq\", at = \"fill\" }",
    keys: &[
        needed(
            "actor",
            Name("actor"),
            "The actor: on the same CPU, of a higher context, writing to the same channel.",
        ),
        needed(
            "at",
            Word(|| words(&NEST_AT)),
            "At the first subbuf_start that the write brings about; or with the slot reserved and half filled.",
        ),
    ],
};

const LEN: Key = key("len", Length, "Bytes of each record.");
const TEXT: Key = key("text", Text, "The bytes of each record.");
const COUNT: Key = key("count", Number, "How many records; 1 if left out.");
const NEST: Key = key("nest", One(&NESTING), "An actor that interrupts it.");
/// Exactly one of the two.
const PAYLOAD: &[(&str, &str, bool)] = &[("len", "text", true)];

pub(crate) static OPERATIONS: [OpForm; 16] = [
    write(
        "write",
        "Records by relay_write(), to the buffer of the actor's CPU.",
        RECORDS,
    ),
    write(
        "raw_write",
        "Records by __relay_write(), to the buffer of the actor's CPU.",
        RAW_RECORDS,
    ),
    write(
        "reserve",
        "Records by relay_reserve(), to the buffer of the actor's CPU, then filled. One record may wait between the two \
         gates, for 3 s at most.",
        HELD_RECORDS,
    ),
    on_channel("flush", "relay_flush(): every buffer of the channel.", &[]),
    on_channel("reset", "relay_reset(): every buffer of the channel.", &[]),
    on_channel(
        "switch",
        "relay_switch_subbuf() of the buffer of the actor's CPU, as relay_reserve() calls it: gives what it returns.",
        SWITCH,
    ),
    on_channel(
        "consumed",
        "relay_subbufs_consumed() of `n` for the buffer of `cpu`.",
        CONSUMED,
    ),
    on_channel(
        "buf_full",
        "relay_buf_full() of the buffer of `cpu`: gives 1 or 0.",
        BUFFER,
    ),
    on_channel(
        "open",
        "relay_open(): gives 1 if opened, 0 if refused.",
        &[],
    ),
    on_channel("close", "relay_close().", &[]),
    on_channel("late_setup", "relay_late_setup_files().", &[]),
    OpForm {
        subject: SubjectKind::Word(|| words(NullCall::ALL)),
        ..on_channel(
            "null",
            "That function of relay's with NULL in place of the channel; `late-name`: with NULL in place of the name.",
            &[],
        )
    },
    on_channel(
        "klog_register",
        "From now on klog goes to this channel, until another is registered or this one is unregistered or closed.",
        &[],
    ),
    on_channel(
        "klog_unregister",
        "If klog goes to this channel, it goes nowhere from now on.",
        &[],
    ),
    klog(
        "klog",
        "Formatted logging of that text to whatever channel is registered: gives how many records were taken. The \
         numbers of actor and record stand before it, the end of the line behind it.",
    ),
    klog(
        "klog_raw",
        "Logging of those bytes as they are to whatever channel is registered.",
    ),
];

const fn on_channel(name: &'static str, means: &'static str, args: &'static [Key]) -> OpForm {
    OpForm::new(Who::Kernel, name, SubjectKind::Channel, means, args)
}

const fn write(name: &'static str, means: &'static str, args: &'static [Key]) -> OpForm {
    OpForm {
        apart: PAYLOAD,
        ..on_channel(name, means, args)
    }
}

const fn klog(name: &'static str, means: &'static str) -> OpForm {
    OpForm {
        subject: SubjectKind::Text,
        ..on_channel(name, means, KLOG)
    }
}

const RECORDS: &[Key] = &[LEN, TEXT, COUNT, NEST];

const HELD_RECORDS: &[Key] = &[
    LEN,
    TEXT,
    COUNT,
    NEST,
    key(
        "reached",
        Name("gate"),
        "The gate that it signals with the slot reserved and not filled.",
    ),
    key("until", Name("gate"), "The gate that it waits for there."),
];

const RAW_RECORDS: &[Key] = &[
    LEN,
    TEXT,
    COUNT,
    NEST,
    key(
        "irqs",
        Word(|| words(&IRQS)),
        "`off`: interrupts are kept out.",
    ),
];

const KLOG: &[Key] = &[COUNT];

const SWITCH: &[Key] = &[needed(
    "len",
    Number,
    "Bytes of the record that asks for it.",
)];

const BUFFER: &[Key] = &[needed("cpu", Number, "CPU of the buffer.")];

const CONSUMED: &[Key] = &[
    needed(
        "cpu",
        Number,
        "CPU of the buffer; one of 65536 or more exists nowhere.",
    ),
    needed("n", Number, "How many sub-buffers."),
];
