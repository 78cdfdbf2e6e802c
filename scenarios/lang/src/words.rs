//! The words of the language, each with what it stands for. Of those that may be left out, the first is the
//! default.

use relaybed_case::field::Field;
use relaybed_case::{
    Access, Answer, Callbacks, Context, Files, Mode, NestPoint, Source, Via, Whence,
};

pub(super) static FAILURES: [(&str, bool); 2] = [("claimed", false), ("any", true)];

pub(super) static MODES: [(&str, Mode); 3] = [
    ("no-overwrite", Mode::NoOverwrite),
    ("overwrite", Mode::Overwrite),
    ("default", Mode::Default),
];

pub(super) static FILES: [(&str, Files); 3] = [
    ("direct", Files::Direct),
    ("proxy", Files::Proxy),
    ("none", Files::None),
];

/// Whether a channel is open from the start.
pub(super) static OPEN: [(&str, bool); 2] = [("start", true), ("scripted", false)];

/// Whether all CPUs share one buffer.
pub(super) static BUFFERS: [(&str, bool); 2] = [("per-cpu", false), ("global", true)];

/// Whether the directory is debugfs's root.
pub(super) static PARENT: [(&str, bool); 2] = [("own", false), ("none", true)];

pub(super) static CALLBACKS: [(&str, Callbacks); 4] = [
    ("all", Callbacks::All),
    ("none", Callbacks::None),
    ("no-create", Callbacks::NoCreate),
    ("no-remove", Callbacks::NoRemove),
];

/// Whether a call that waits has decided.
pub(super) static STALL_AFTER: [(&str, bool); 2] = [("nothing", false), ("header", true)];

pub(super) static ANSWERS: [(&str, Answer); 2] = [("null", Answer::Null), ("error", Answer::Error)];

/// `None`: in user space.
pub(super) static CONTEXTS: [(&str, Option<Context>); 5] = [
    ("task", Some(Context::Task)),
    ("softirq", Some(Context::Softirq)),
    ("hardirq", Some(Context::Hardirq)),
    ("nmi", Some(Context::Nmi)),
    ("user", None),
];

/// What brings an actor's CPU into which context.
pub(super) static SOURCES: [(&str, (Context, Option<Source>)); 5] = [
    ("irq-work", (Context::Hardirq, None)),
    ("hrtimer", (Context::Hardirq, Some(Source::Hrtimer))),
    ("ipi", (Context::Hardirq, Some(Source::Ipi))),
    ("self", (Context::Nmi, None)),
    ("host", (Context::Nmi, Some(Source::Host))),
];

pub(super) static NEST_AT: [(&str, NestPoint); 2] =
    [("callback", NestPoint::Callback), ("fill", NestPoint::Fill)];

/// Whether `__relay_write()` is called with interrupts kept out.
pub(super) static IRQS: [(&str, Via); 2] = [("off", Via::RawWrite), ("on", Via::RawWriteIrqsOn)];

/// What a file is opened for.
pub(super) static ACCESS: [(&str, Access); 3] = [
    ("read", Access::Read),
    ("write", Access::Write),
    ("read-write", Access::Both),
];

/// Whether a mapping may be written to, and whether nothing of it may be touched.
pub(super) static MAP_ACCESS: [(&str, (bool, bool)); 3] = [
    ("read", (false, false)),
    ("read-write", (true, false)),
    ("none", (false, true)),
];

/// Whether a mapping is private.
pub(super) static SHARING: [(&str, bool); 2] = [("shared", false), ("private", true)];

/// What `lseek` counts from.
pub(super) static WHENCE: [(&str, Whence); 5] = [
    ("set", Whence::Set),
    ("current", Whence::Current),
    ("end", Whence::End),
    ("data", Whence::Data),
    ("hole", Whence::Hole),
];

/// Where a `read` goes that must not arrive.
pub(super) static INTO: [(&str, ()); 1] = [("nowhere", ())];

/// How many calls that is: 0 stands for as many as it takes.
pub(super) static UNTIL: [(&str, u32); 1] = [("empty", 0)];

/// Whether a call must not wait.
pub(super) static BLOCK: [(&str, bool); 2] = [("yes", false), ("no", true)];

/// Whether a pipe is emptied only after the last call.
pub(super) static DRAIN: [(&str, bool); 2] = [("each", false), ("late", true)];

/// The word of a list that stands for a value.
pub(super) fn word_of<T: PartialEq>(known: &[(&'static str, T)], value: &T) -> &'static str {
    let named = known.iter().find(|(_, known)| known == value);
    named.map_or("", |(word, _)| word)
}

/// The one word that a turn's `until` may be: behind the actor's last operation.
pub(super) const END: &str = "end";

/// What `writes` and `reads` may name. Who waits in poll is a list, not a word that is watched.
pub(super) fn fields() -> Vec<(&'static str, Field)> {
    let watched = Field::ALL.iter().filter(|field| **field != Field::ReadWait);
    watched.map(|field| (field.word(), *field)).collect()
}
