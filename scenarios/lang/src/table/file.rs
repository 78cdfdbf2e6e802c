//! The top of a scenario file, and the author's claims.

use relaybed_case::Need;

use super::Takes::{Cpu, List, Name, Named, Number, Numbers, Parameters, Text, Word, Words};
use super::{ACTOR, CHANNEL, TURN, Table, key, needed, words};
use crate::words::FAILURES;

pub(crate) static SCENARIO: Table = Table {
    name: "scenario",
    means: "One scenario of the relay interface: a TOML file.",
    example: "summary = \"An exact fit does not switch.\"\nvcpus = 2",
    keys: &[
        needed(
            "summary",
            Text,
            "One sentence that says what the scenario shows, of at most 200 bytes.",
        ),
        key(
            "vcpus",
            Number,
            "CPUs of the machine it runs on, 1 to 64; 2 if left out.",
        ),
        key(
            "seed",
            Number,
            "Draws record lengths; 1 if left out. `--seed` overrides it.",
        ),
        key(
            "needs",
            Words(|| words(&Need::ALL)),
            "What not every release of relay has and this needs. On a kernel without it, the scenario is skipped.",
        ),
        key(
            "failures",
            Word(|| words(&FAILURES)),
            "`claimed`: an operation that fails, or a channel that is refused, where no claim says so, fails the \
             scenario. `any`: only the model judges.",
        ),
        key(
            "params",
            Parameters,
            "The file becomes one case for every choice, named `suite/file[len=30]`.",
        ),
        needed("channel", Named(&CHANNEL), "Channels by base filename."),
        key(
            "actor",
            List(&[&ACTOR]),
            "Who does what; each actor works through its own script.",
        ),
        key(
            "expect",
            List(&[&BUFFER_CLAIM, &FLOW_CLAIM, &ACTOR_CLAIM, &OPEN_REFUSED]),
            "What the author claims beyond the model.",
        ),
        key(
            "schedule",
            List(&[&TURN]),
            "Whose CPU runs, and up to where; without a schedule all run at once.",
        ),
    ],
};

pub(crate) static BUFFER_CLAIM: Table = Table {
    name: "expect a buffer",
    means: "A claim about one channel buffer, at a checkpoint or at the end.",
    example: "[[expect]]\nbuffer = \"cpu\"\ncpu = 0\nproduced = 1\npadding = [\"S - 62\", 0, 0, 0]",
    keys: &[
        needed("buffer", Name("channel"), "The channel."),
        needed("cpu", Cpu, "The CPU, or \"each\"."),
        key(
            "at",
            Name("checkpoint"),
            "Label of a checkpoint; the end if left out.",
        ),
        key("produced", Number, "Sub-buffers produced."),
        key("consumed", Number, "Sub-buffers consumed."),
        key(
            "offset",
            Number,
            "Offset in the current sub-buffer; `S + 1` marks a full buffer.",
        ),
        key(
            "padding",
            Numbers,
            "Padding of every sub-buffer, in their order in the buffer.",
        ),
    ],
};

pub(crate) static FLOW_CLAIM: Table = Table {
    name: "expect a flow",
    means: "A claim about where the records of one channel buffer went, at the end: written = kept + refused + \
            overwritten + lost.",
    example: "[[expect]]\nflow = \"cpu\"\ncpu = 0\nwritten = 5\nrefused = 1",
    keys: &[
        needed("flow", Name("channel"), "The channel."),
        needed("cpu", Cpu, "The CPU, or \"each\"."),
        key("written", Number, "Records offered by producers."),
        key(
            "kept",
            Number,
            "Records in the buffer at the end, or read before.",
        ),
        key("refused", Number, "Records not accepted."),
        key("overwritten", Number, "Records gone as relay documents it."),
        key("lost", Number, "Records gone otherwise."),
        key("read", Number, "Of the records kept, those that were read."),
    ],
};

pub(crate) static ACTOR_CLAIM: Table = Table {
    name: "expect of an actor",
    means: "A claim about one actor, or each of those that `cpu = \"each\"` made.",
    example: "[[expect]]\nactor = \"reader\"\ntext = \"one two\"",
    keys: &[
        needed("actor", Name("actor"), "The actor."),
        key(
            "refused",
            Number,
            "Records that were not accepted, over all its writes.",
        ),
        key("text", Text, "All bytes that it read, in order, as text."),
    ],
};

pub(crate) static OPEN_REFUSED: Table = Table {
    name: "expect a refusal",
    means: "The claim that relay_open() of the channel is refused.",
    example: "[[expect]]\nopen_refused = \"cpu\"",
    keys: &[needed("open_refused", Name("channel"), "The channel.")],
};
