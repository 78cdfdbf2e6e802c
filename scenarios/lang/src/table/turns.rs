//! `[[schedule]]`.

use super::Takes::{Name, Number, Text, Word, WordOr};
use super::{Table, key, needed, words};
use crate::words::{END, fields};

pub(crate) static TURN: Table = Table {
    name: "schedule",
    means: "One turn: one actor's CPU runs while all others are stopped. Every actor that has a turn reaches its first \
            operation, then the turns are taken one after the other, and when all are over CPUs take turns by \
            themselves. A turn that can never end is reported at once. Such a scenario runs on QEMU's translator \
            only; elsewhere it is skipped.",
    example: "[[schedule]]\nrun = \"writer\"\nuntil = { symbol = \"relay_switch_subbuf\" }",
    keys: &[
        needed(
            "run",
            Name("actor"),
            "The actor, which has a CPU to itself.",
        ),
        needed(
            "until",
            WordOr(END, &PLACE),
            "Where the turn ends: \"end\", behind its last operation; or a place.",
        ),
        key(
            "hit",
            Number,
            "Stop at the Nth hit in this turn; 1 if left out.",
        ),
    ],
};

pub(crate) static PLACE: Table = Table {
    name: "until",
    means: "Where a turn ends: one of `before`, `symbol`, `writes` and `reads`, with what goes with it.",
    example: "until = { writes = \"produced\", cpu = 0 }",
    keys: &[
        key(
            "before",
            Number,
            "Before its operation of this number, from 0, repetitions counted out.",
        ),
        key(
            "symbol",
            Text,
            "Before the first instruction of this function of the kernel. A kernel without it skips the scenario.",
        ),
        key(
            "offset",
            Number,
            "With `symbol`: this many bytes after its start, where an instruction begins.",
        ),
        key(
            "instruction",
            Number,
            "With `symbol`: so many executed instructions later, callees included.",
        ),
        key(
            "writes",
            Word(|| words(&fields())),
            "Behind an instruction that writes this member of a channel buffer.",
        ),
        key(
            "reads",
            Word(|| words(&fields())),
            "Behind an instruction that reads this member of a channel buffer.",
        ),
        key(
            "channel",
            Name("channel"),
            "With `writes` and `reads`: the channel; the only one if left out.",
        ),
        key(
            "cpu",
            Number,
            "With `writes` and `reads`: whose buffer; the actor's own if left out.",
        ),
    ],
};
