//! The operations a script can name: one table that reader, checks and schema test share.

/// Who may do an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    Kernel,
    User,
    Anyone,
}

/// What stands behind the operation's own key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SubjectKind {
    Channel,
    File,
    Gate,
    Label,
    Number,
}

/// Kind of value behind another key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ArgKind {
    Num,
    Text,
    Len,
    Nest,
    Steps,
}

/// One operation of the language.
#[derive(Debug)]
pub(super) struct OpForm {
    pub(super) name: &'static str,
    pub(super) who: Who,
    pub(super) subject: SubjectKind,
    pub(super) required: &'static [(&'static str, ArgKind)],
    pub(super) optional: &'static [(&'static str, ArgKind)],
    /// Whether `gives` and `fails` may claim its result.
    pub(super) has_result: bool,
}

impl OpForm {
    /// Kind of value that `key` takes, if the operation has that key.
    pub(super) fn arg(&self, key: &str) -> Option<(&'static str, ArgKind)> {
        let result: &[_] = if self.has_result { &RESULT } else { &[] };
        self.required
            .iter()
            .chain(self.optional)
            .chain(result)
            .find(|(name, _)| *name == key)
            .copied()
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

    /// All its keys, its own first.
    pub(super) fn keys(&self) -> Vec<&'static str> {
        let result: &[_] = if self.has_result { &RESULT } else { &[] };
        let args = self.required.iter().chain(self.optional).chain(result);
        std::iter::once(self.name)
            .chain(args.map(|(name, _)| *name))
            .collect()
    }
}

/// Claims about an operation's result.
const RESULT: [(&str, ArgKind); 2] = [("gives", ArgKind::Num), ("fails", ArgKind::Text)];

const fn op(
    name: &'static str,
    who: Who,
    subject: SubjectKind,
    required: &'static [(&'static str, ArgKind)],
    optional: &'static [(&'static str, ArgKind)],
) -> OpForm {
    let has_result = matches!(
        (who, subject),
        (Who::User, _) | (Who::Kernel, SubjectKind::Channel | SubjectKind::Label)
    );
    OpForm {
        name,
        who,
        subject,
        required,
        optional,
        has_result,
    }
}

/// An operation of a user actor on a descriptor.
const fn file(
    name: &'static str,
    required: &'static [(&'static str, ArgKind)],
    optional: &'static [(&'static str, ArgKind)],
) -> OpForm {
    op(name, Who::User, SubjectKind::File, required, optional)
}

const SIZE: &[(&str, ArgKind)] = &[("size", ArgKind::Num)];

const PAYLOAD: &[(&str, ArgKind)] = &[
    ("len", ArgKind::Len),
    ("text", ArgKind::Text),
    ("count", ArgKind::Num),
    ("nest", ArgKind::Nest),
];

const RAW_PAYLOAD: &[(&str, ArgKind)] = &[
    ("len", ArgKind::Len),
    ("text", ArgKind::Text),
    ("count", ArgKind::Num),
    ("nest", ArgKind::Nest),
    ("irqs", ArgKind::Text),
];

const HELD_PAYLOAD: &[(&str, ArgKind)] = &[
    ("len", ArgKind::Len),
    ("text", ArgKind::Text),
    ("count", ArgKind::Num),
    ("nest", ArgKind::Nest),
    ("reached", ArgKind::Text),
    ("until", ArgKind::Text),
];

/// All operations.
pub(super) static OPS: [OpForm; 44] = [
    op("write", Who::Kernel, SubjectKind::Channel, &[], PAYLOAD),
    op(
        "raw_write",
        Who::Kernel,
        SubjectKind::Channel,
        &[],
        RAW_PAYLOAD,
    ),
    op(
        "reserve",
        Who::Kernel,
        SubjectKind::Channel,
        &[],
        HELD_PAYLOAD,
    ),
    op("klog_register", Who::Kernel, SubjectKind::Channel, &[], &[]),
    op(
        "klog_unregister",
        Who::Kernel,
        SubjectKind::Channel,
        &[],
        &[],
    ),
    op(
        "klog",
        Who::Kernel,
        SubjectKind::Label,
        &[],
        &[("count", ArgKind::Num)],
    ),
    op(
        "klog_raw",
        Who::Kernel,
        SubjectKind::Label,
        &[],
        &[("count", ArgKind::Num)],
    ),
    op("flush", Who::Kernel, SubjectKind::Channel, &[], &[]),
    op("reset", Who::Kernel, SubjectKind::Channel, &[], &[]),
    op(
        "switch",
        Who::Kernel,
        SubjectKind::Channel,
        &[("len", ArgKind::Num)],
        &[],
    ),
    op("null", Who::Kernel, SubjectKind::Label, &[], &[]),
    op("late_setup", Who::Kernel, SubjectKind::Channel, &[], &[]),
    op(
        "consumed",
        Who::Kernel,
        SubjectKind::Channel,
        &[("cpu", ArgKind::Num), ("n", ArgKind::Num)],
        &[],
    ),
    op(
        "buf_full",
        Who::Kernel,
        SubjectKind::Channel,
        &[("cpu", ArgKind::Num)],
        &[],
    ),
    op("open", Who::Kernel, SubjectKind::Channel, &[], &[]),
    op("close", Who::Kernel, SubjectKind::Channel, &[], &[]),
    op(
        "open_file",
        Who::User,
        SubjectKind::Channel,
        &[("cpu", ArgKind::Num), ("as", ArgKind::Text)],
        &[("access", ArgKind::Text)],
    ),
    op(
        "stat",
        Who::User,
        SubjectKind::Channel,
        &[("cpu", ArgKind::Num)],
        &[],
    ),
    op("list", Who::User, SubjectKind::Channel, &[], &[]),
    file("close_file", &[], &[]),
    file("dup", &[("as", ArgKind::Text)], &[]),
    file(
        "read",
        SIZE,
        &[
            ("times", ArgKind::Num),
            ("until", ArgKind::Text),
            ("into", ArgKind::Text),
        ],
    ),
    file(
        "pread",
        &[("size", ArgKind::Num), ("offset", ArgKind::Num)],
        &[],
    ),
    file(
        "readv",
        &[("size", ArgKind::Num), ("parts", ArgKind::Num)],
        &[],
    ),
    file("write_file", SIZE, &[]),
    file("truncate", &[("len", ArgKind::Num)], &[]),
    file("poll", &[], &[("timeout_ms", ArgKind::Num)]),
    file(
        "mmap",
        &[("len", ArgKind::Num)],
        &[
            ("offset", ArgKind::Num),
            ("access", ArgKind::Text),
            ("sharing", ArgKind::Text),
        ],
    ),
    file("munmap", &[], &[("keep", ArgKind::Num)]),
    file("mremap", &[("len", ArgKind::Num)], &[]),
    file("copy", &[], &[]),
    file(
        "store",
        &[("at", ArgKind::Num), ("text", ArgKind::Text)],
        &[],
    ),
    file("fstat", &[], &[]),
    file(
        "lseek",
        &[],
        &[("whence", ArgKind::Text), ("offset", ArgKind::Num)],
    ),
    file(
        "splice",
        SIZE,
        &[
            ("times", ArgKind::Num),
            ("until", ArgKind::Text),
            ("block", ArgKind::Text),
            ("drain", ArgKind::Text),
        ],
    ),
    file("sendfile", SIZE, &[]),
    op("signal", Who::Anyone, SubjectKind::Gate, &[], &[]),
    op(
        "wait",
        Who::Anyone,
        SubjectKind::Gate,
        &[],
        &[("count", ArgKind::Num)],
    ),
    op("checkpoint", Who::Anyone, SubjectKind::Label, &[], &[]),
    op("sysrq", Who::User, SubjectKind::Label, &[], &[]),
    op("cpu_off", Who::User, SubjectKind::Number, &[], &[]),
    op(
        "cpu_on",
        Who::User,
        SubjectKind::Number,
        &[],
        &[("reached", ArgKind::Text), ("until", ArgKind::Text)],
    ),
    op("delay_us", Who::Anyone, SubjectKind::Number, &[], &[]),
    op(
        "repeat",
        Who::Anyone,
        SubjectKind::Number,
        &[("steps", ArgKind::Steps)],
        &[],
    ),
];
