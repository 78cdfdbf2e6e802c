//! `[[actor]]`, and the operations of any actor.

use super::Takes::{Choice, Cpu, Number, Script, Text, Word};
use super::{Key, Table, key, needed, words};
use crate::ops::{OpForm, SubjectKind, Who};
use crate::words::{CONTEXTS, SOURCES};

pub(crate) static ACTOR: Table = Table {
    name: "actor",
    means: "One actor: an ordered list of operations. All actors run at once; gates order them.",
    example: "[[actor]]\nname = \"writer\"\ncpu = \"each\"\nscript = [{ write = \"cpu\", len = 48 }]",
    keys: &[
        needed(
            "name",
            Text,
            "Its name; `NAME@CPU` for each one where `cpu` is \"each\".",
        ),
        key(
            "cpu",
            Cpu,
            "The CPU it is bound to, or \"each\" for one actor on every CPU. Needed in the kernel.",
        ),
        key(
            "context",
            Word(|| words(&CONTEXTS)),
            "Where it runs. In `softirq`, `hardirq` and `nmi` it writes records, each by an interrupt of its own; \
             gates, checkpoints and delays between them are those of its thread. Whatever may sleep is for `task`.",
        ),
        key(
            "by",
            Choice(|| words(&SOURCES)),
            "What brings its CPU there: into `hardirq` an irq_work (if left out), an hrtimer, or an IPI, which CPU 0 \
             sends, and CPU 1 to CPU 0; into `nmi` its own (if left out), or the host, to CPU 0 only.",
        ),
        needed("script", Script, "What it does, in order."),
    ],
};

pub(crate) static OPERATIONS: [OpForm; 5] = [
    any(
        "signal",
        SubjectKind::Gate,
        "The gate's count grows by one.",
        &[],
    ),
    any(
        "wait",
        SubjectKind::Gate,
        "Goes on when the gate's count has reached `count`.",
        WAIT,
    ),
    any(
        "checkpoint",
        SubjectKind::Label,
        "The machine stops and all buffers are observed. The label is unique in the case.",
        &[],
    ),
    any(
        "delay_us",
        SubjectKind::Number,
        "Does nothing for so many microseconds.",
        &[],
    ),
    any(
        "repeat",
        SubjectKind::Number,
        "The steps so many times. `S` and `N` have a meaning in the number where the file has one channel.",
        REPEAT,
    ),
];

const fn any(
    name: &'static str,
    subject: SubjectKind,
    means: &'static str,
    args: &'static [Key],
) -> OpForm {
    OpForm::new(Who::Anyone, name, subject, means, args)
}

const WAIT: &[Key] = &[key("count", Number, "1 if left out.")];

const REPEAT: &[Key] = &[needed("steps", Script, "The steps.")];
