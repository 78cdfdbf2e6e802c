//! An operation of the language, as the tables have it.

use crate::table::{Key, Takes};
use relaybed_case::errno;

/// Who may do an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    Kernel,
    User,
    Anyone,
}

/// What stands behind the operation's own key.
#[derive(Clone, Copy, Debug)]
pub(super) enum SubjectKind {
    Channel,
    File,
    Gate,
    Label,
    Text,
    Number,
    Word(fn() -> Vec<&'static str>),
}

impl SubjectKind {
    /// The same, as a value behind a key.
    pub(super) fn takes(self) -> Takes {
        match self {
            Self::Channel => Takes::Name("channel"),
            Self::File => Takes::Name("descriptor"),
            Self::Gate => Takes::Name("gate"),
            Self::Label => Takes::Name("checkpoint"),
            Self::Text => Takes::Text,
            Self::Number => Takes::Number,
            Self::Word(words) => Takes::Word(words),
        }
    }
}

/// One operation of the language.
#[derive(Debug)]
pub(super) struct OpForm {
    pub(super) name: &'static str,
    pub(super) who: Who,
    pub(super) subject: SubjectKind,
    pub(super) means: &'static str,
    pub(super) args: &'static [Key],
    /// Keys that exclude each other, and whether one of the two must be there.
    pub(super) apart: &'static [(&'static str, &'static str, bool)],
}

impl OpForm {
    /// An operation none of whose keys exclude each other.
    pub(super) const fn new(
        who: Who,
        name: &'static str,
        subject: SubjectKind,
        means: &'static str,
        args: &'static [Key],
    ) -> Self {
        Self {
            name,
            who,
            subject,
            means,
            args,
            apart: &[],
        }
    }

    /// Whether `gives` and `fails` may claim its result.
    pub(super) fn has_result(&self) -> bool {
        match self.who {
            Who::Kernel | Who::User => true,
            Who::Anyone => false,
        }
    }

    /// Its keys beside its own.
    pub(super) fn args(&self) -> impl Iterator<Item = &'static Key> {
        let result: &[Key] = if self.has_result() { &RESULT } else { &[] };
        self.args.iter().chain(result)
    }

    /// The key of that name, beside its own.
    pub(super) fn arg(&self, key: &str) -> Option<&'static Key> {
        self.args().find(|known| known.name == key)
    }

    /// All its keys, its own first.
    pub(super) fn keys(&self) -> Vec<&'static str> {
        let own = std::iter::once(self.name);
        own.chain(self.args().map(|key| key.name)).collect()
    }

    /// Why relay, or its client, cannot do it in an interrupt; `None`: it can.
    pub(super) fn needs_task(&self) -> Option<&'static str> {
        match self.name {
            "open" | "close" | "late_setup" => {
                Some("allocates or frees, under a mutex, and may sleep")
            }
            "flush" | "reset" => Some("takes a mutex and may sleep"),
            "klog_register" | "klog_unregister" => {
                Some("waits for whatever is logging, and may sleep")
            }
            // Records only, and what has nothing to do with relay, until the module can do more there.
            "write" | "raw_write" | "reserve" | "klog" | "klog_raw" => None,
            _ if self.who != Who::Kernel => None,
            _ => Some("is always called by the actor's thread"),
        }
    }
}

/// Claims about an operation's result.
static RESULT: [Key; 2] = [
    Key {
        name: "gives",
        takes: Takes::Number,
        needed: false,
        means: "The claim that it returns this.",
    },
    Key {
        name: "fails",
        takes: Takes::Choice(|| errno::NAMED.iter().map(|(name, _)| *name).collect()),
        needed: false,
        means: "The claim that it fails with this error.",
    },
];
