//! The shape of a scenario file as values: names unresolved, numbers unevaluated, every place kept.

use std::ops::Range;

use super::expr::Expr;
use super::ops::OpForm;
use super::schedule::TurnForm;
use relaybed_case::FlowPart;

/// Byte range in the file.
pub(super) type Span = Range<usize>;

/// A value with its place.
#[derive(Clone, Debug)]
pub(super) struct Sp<T> {
    pub(super) value: T,
    pub(super) span: Span,
}

/// A number that may depend on parameters.
#[derive(Clone, Debug)]
pub(super) struct Num {
    pub(super) expr: Expr,
    pub(super) span: Span,
    /// Where the expression's own text begins, if spans inside it can be shown.
    pub(super) text_at: Option<usize>,
}

/// Word of a fixed set, or `$name` of a parameter.
pub(super) type Word = Sp<String>;

/// One value of a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ParamValue {
    Int(i64),
    Word(String),
}

impl std::fmt::Display for ParamValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Int(value) => value.fmt(f),
            Self::Word(value) => value.fmt(f),
        }
    }
}

#[derive(Debug)]
pub(super) struct Param {
    pub(super) name: Sp<String>,
    pub(super) values: Vec<ParamValue>,
}

#[derive(Debug)]
pub(super) struct ChannelForm {
    pub(super) name: Sp<String>,
    pub(super) subbuf_size: Num,
    pub(super) n_subbufs: Num,
    pub(super) mode: Option<Word>,
    pub(super) header_bytes: Option<Num>,
    pub(super) files: Option<Word>,
    pub(super) open: Option<Word>,
    pub(super) client: ClientForm,
}

/// What a channel says of its client beyond the mode.
#[derive(Debug, Default)]
pub(super) struct ClientForm {
    pub(super) buffers: Option<Word>,
    pub(super) parent: Option<Word>,
    pub(super) callbacks: Option<Word>,
    pub(super) base_bytes: Option<Num>,
    pub(super) refuse: Option<(Num, Option<Num>)>,
    pub(super) stall: Option<StallForm>,
    pub(super) create: Option<CreateForm>,
    pub(super) created: Option<CreatedForm>,
    pub(super) no_memory: Option<NoMemoryForm>,
}

#[derive(Debug)]
pub(super) struct StallForm {
    pub(super) cpu: Num,
    pub(super) at: Num,
    pub(super) signal: Sp<String>,
    pub(super) wait: Sp<String>,
    pub(super) after: Option<Word>,
}

#[derive(Debug)]
pub(super) struct CreateForm {
    pub(super) cpu: Num,
    pub(super) answer: Word,
    pub(super) skip: Option<Num>,
    pub(super) times: Option<Num>,
}

#[derive(Debug)]
pub(super) struct CreatedForm {
    pub(super) cpu: Option<Num>,
    pub(super) signal: Sp<String>,
    pub(super) wait: Sp<String>,
}

#[derive(Debug)]
pub(super) struct NoMemoryForm {
    pub(super) wanted: Word,
    pub(super) cpu: Option<Num>,
    pub(super) times: Option<Num>,
}

/// CPU of an actor or of an expectation.
#[derive(Clone, Debug)]
pub(super) enum CpuForm {
    Each,
    One(Num),
}

#[derive(Debug)]
pub(super) struct ActorForm {
    pub(super) name: Sp<String>,
    pub(super) cpu: Option<CpuForm>,
    pub(super) context: Option<Word>,
    pub(super) by: Option<Word>,
    pub(super) script: Vec<Step>,
}

/// One entry of a script.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) form: &'static OpForm,
    pub(super) span: Span,
    pub(super) subject: Subject,
    pub(super) args: Vec<(&'static str, Arg)>,
}

/// What stands behind the operation's own key.
#[derive(Debug)]
pub(super) enum Subject {
    Name(Sp<String>),
    Num(Num),
}

/// Value of one of a step's other keys.
#[derive(Debug)]
pub(super) enum Arg {
    Num(Num),
    Text(Sp<String>),
    Len(Num, Num),
    Nest(Sp<String>, Word),
    Steps(Vec<Step>),
}

impl Step {
    fn arg(&self, key: &str) -> Option<&Arg> {
        self.args
            .iter()
            .find(|(name, _)| *name == key)
            .map(|(_, arg)| arg)
    }

    pub(super) fn num(&self, key: &str) -> Option<&Num> {
        match self.arg(key) {
            Some(Arg::Num(num)) => Some(num),
            _ => None,
        }
    }

    pub(super) fn text(&self, key: &str) -> Option<&Sp<String>> {
        match self.arg(key) {
            Some(Arg::Text(text)) => Some(text),
            _ => None,
        }
    }

    pub(super) fn len(&self) -> Option<(&Num, &Num)> {
        match self.arg("len") {
            Some(Arg::Len(min, max)) => Some((min, max)),
            _ => None,
        }
    }

    pub(super) fn nest(&self) -> Option<(&Sp<String>, &Word)> {
        match self.arg("nest") {
            Some(Arg::Nest(actor, at)) => Some((actor, at)),
            _ => None,
        }
    }

    pub(super) fn steps(&self) -> &[Self] {
        match self.arg("steps") {
            Some(Arg::Steps(steps)) => steps,
            _ => &[],
        }
    }
}

/// One claim of the author.
#[derive(Debug)]
pub(super) enum ExpectForm {
    Buffer(Box<BufferForm>),
    Actor {
        actor: Sp<String>,
        refused: Option<Num>,
        text: Option<Sp<String>>,
    },
    Flow {
        channel: Sp<String>,
        cpu: CpuForm,
        parts: Vec<(FlowPart, Num)>,
    },
    OpenRefused {
        channel: Sp<String>,
    },
}

/// A claim about one channel buffer.
#[derive(Debug)]
pub(super) struct BufferForm {
    pub(super) channel: Sp<String>,
    pub(super) cpu: CpuForm,
    pub(super) at: Option<Sp<String>>,
    pub(super) produced: Option<Num>,
    pub(super) consumed: Option<Num>,
    pub(super) offset: Option<Num>,
    pub(super) padding: Option<Vec<Num>>,
}

/// A whole file.
#[derive(Debug)]
pub(super) struct File {
    pub(super) summary: String,
    pub(super) vcpus: Option<Num>,
    pub(super) seed: Option<Num>,
    pub(super) needs: Vec<Sp<String>>,
    pub(super) failures: Option<Word>,
    pub(super) params: Vec<Param>,
    pub(super) channels: Vec<ChannelForm>,
    pub(super) actors: Vec<ActorForm>,
    pub(super) expects: Vec<ExpectForm>,
    pub(super) schedule: Vec<TurnForm>,
    /// Names of channels that are in the file but could not be understood.
    pub(super) broken_channels: Vec<String>,
    /// Something is missing here because it was wrong in the file: what refers to it is not wrong.
    pub(super) broken: bool,
}
