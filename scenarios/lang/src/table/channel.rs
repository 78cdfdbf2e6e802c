//! `[channel.NAME]` and what stands in it.

use relaybed_case::Wanted;

use super::Takes::{Name, Number, Table as One, Word};
use super::{Table, key, needed, words};
use crate::words::{ANSWERS, BUFFERS, CALLBACKS, FILES, MODES, OPEN, PARENT, STALL_AFTER};

pub(crate) static CHANNEL: Table = Table {
    name: "channel",
    means: "One channel, as given to relay_open(). NAME is the base filename; its files are NAME and the CPU.",
    example: "[channel.cpu]\nsubbuf_size = 4096\nn_subbufs = 4\nmode = \"overwrite\"",
    keys: &[
        needed(
            "subbuf_size",
            Number,
            "Bytes of a sub-buffer. Sizes that relay must refuse are allowed.",
        ),
        needed("n_subbufs", Number, "Sub-buffers of each channel buffer."),
        key(
            "mode",
            Word(|| words(&MODES)),
            "What the callback subbuf_start answers; `default`: there is no callback.",
        ),
        key(
            "header_bytes",
            Number,
            "Bytes that the callback reserves at the start of each sub-buffer; none if left out.",
        ),
        key(
            "files",
            Word(|| words(&FILES)),
            "How files are made; `proxy`: through debugfs's proxy, `none`: buffering only.",
        ),
        key(
            "open",
            Word(|| words(&OPEN)),
            "When it is opened: before any actor starts, or by an actor's `open`.",
        ),
        key(
            "buffers",
            Word(|| words(&BUFFERS)),
            "`global`: create_buf_file declares one buffer, CPU 0's, for all CPUs, and the client locks.",
        ),
        key(
            "parent",
            Word(|| words(&PARENT)),
            "The directory given to relay_open(); `none`: debugfs's root.",
        ),
        key(
            "callbacks",
            Word(|| words(&CALLBACKS)),
            "What relay_open() is given; `none`: a NULL pointer.",
        ),
        key(
            "base_bytes",
            Number,
            "Bytes of the base filename: NAME, drawn out with `x`.",
        ),
        key(
            "refuse",
            One(&REFUSE),
            "Calls of subbuf_start that refuse whatever the mode says.",
        ),
        key(
            "stall",
            One(&STALL),
            "A call of subbuf_start that waits at a gate.",
        ),
        key(
            "create",
            One(&CREATE),
            "Files that create_buf_file does not make.",
        ),
        key(
            "created",
            One(&CREATED),
            "Files behind whose making create_buf_file waits at a gate.",
        ),
        key(
            "no_memory",
            One(&NO_MEMORY),
            "Openings that find no memory, and are refused.",
        ),
    ],
};

pub(crate) static REFUSE: Table = Table {
    name: "refuse",
    means: "Calls of subbuf_start that refuse whatever the mode says. They are counted by buffer from 1, from the \
            opening on, without those that opening and resetting make.",
    example: "refuse = { from = 2, count = 1 }",
    keys: &[
        needed("from", Number, "The first call that refuses."),
        key("count", Number, "How many in a row do; 1 if left out."),
    ],
};

pub(crate) static STALL: Table = Table {
    name: "stall",
    means: "A call of subbuf_start, counted as for `refuse`, that signals a gate and waits for another, for 3 s at \
            most.",
    example: "stall = { cpu = 0, at = 1, signal = \"inside\", wait = \"go\" }",
    keys: &[
        needed("cpu", Number, "CPU of the buffer."),
        needed("at", Number, "The call."),
        needed("signal", Name("gate"), "The gate that it signals."),
        needed("wait", Name("gate"), "The gate that it then waits for."),
        key(
            "after",
            Word(|| words(&STALL_AFTER)),
            "When it waits: before it decides, or once it has accepted and reserved its header.",
        ),
    ],
};

pub(crate) static CREATE: Table = Table {
    name: "create",
    means: "What create_buf_file answers in place of a file.",
    example: "create = { cpu = 1, answer = \"null\" }",
    keys: &[
        needed("cpu", Number, "The CPU whose file is not made."),
        needed(
            "answer",
            Word(|| words(&ANSWERS)),
            "NULL, or an error pointer.",
        ),
        key(
            "skip",
            Number,
            "How many calls for that CPU make it before; none if left out.",
        ),
        key(
            "times",
            Number,
            "How many calls for that CPU then do not make it; all of them if left out.",
        ),
    ],
};

pub(crate) static CREATED: Table = Table {
    name: "created",
    means: "A call of create_buf_file that has made the file signals a gate, and waits for another before it returns: \
            everybody can open the file, and relay has not gone on.",
    example: "created = { cpu = 0, signal = \"made\", wait = \"opened\" }",
    keys: &[
        key(
            "cpu",
            Number,
            "CPU of the file; that of every CPU if left out.",
        ),
        needed("signal", Name("gate"), "The gate that it signals."),
        needed("wait", Name("gate"), "The gate that it then waits for."),
    ],
};

pub(crate) static NO_MEMORY: Table = Table {
    name: "no_memory",
    means: "One allocation of relay_open() fails, and so does the opening.",
    example: "no_memory = { for = \"padding\", cpu = 1 }",
    keys: &[
        needed(
            "for",
            Word(|| words(Wanted::ALL)),
            "The channel or its pointers, or of one CPU's buffer: the buffer itself, its array of padding, its list \
             of pages, the last page, the mapping of its pages, its file's name.",
        ),
        key("cpu", Number, "CPU of the buffer; 0 if left out."),
        key(
            "times",
            Number,
            "How many openings fail so, from the first on; all of them if left out.",
        ),
    ],
};
