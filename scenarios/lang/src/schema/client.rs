//! What a channel's client does beyond its mode, for the schema.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Number;

/// Calls of subbuf_start are counted by buffer from 1, from the opening on, without those of opening and
/// resetting.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "describes the shape for the schema")]
pub(super) struct Refuse {
    /// The first call that refuses.
    from: Number,
    /// How many in a row do; 1 if left out.
    count: Option<Number>,
}

/// A call of subbuf_start, counted as for `refuse`, that signals a gate and waits for another.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "describes the shape for the schema")]
pub(super) struct Stall {
    /// CPU of the buffer.
    cpu: Number,
    /// The call.
    at: Number,
    /// Gate that it signals.
    signal: String,
    /// Gate that it then waits for.
    wait: String,
    /// When it waits: `nothing` (the default): before it decides; `header`: once it has accepted and reserved its header.
    #[schemars(example = &"header")]
    after: Option<String>,
}

/// What create_buf_file answers in place of a file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "describes the shape for the schema")]
pub(super) struct Create {
    /// CPU whose file is not made.
    cpu: Number,
    /// `null`, or `error` for an error pointer.
    #[schemars(example = &"null")]
    answer: String,
    /// How many calls for that CPU make it before; none if left out.
    skip: Option<Number>,
    /// How many calls for that CPU then do not make it; all of them if left out.
    times: Option<Number>,
}

/// A call of create_buf_file that has made the file signals a gate, and waits for another before it returns.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "describes the shape for the schema")]
pub(super) struct Created {
    /// CPU of the file; that of every CPU if left out.
    cpu: Option<Number>,
    /// Gate that it signals.
    signal: String,
    /// Gate that it then waits for.
    wait: String,
}

/// One allocation of relay_open() fails, and so does the opening.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "describes the shape for the schema")]
pub(super) struct NoMemory {
    /// `channel` or its `pointers`, or of one CPU's buffer: the `buffer` itself, its `padding`, `page-list`,
    /// last `page`, the `mapping` of its pages, its file's `name`.
    #[serde(rename = "for")]
    #[schemars(example = &"padding")]
    wanted: String,
    /// CPU of the buffer; 0 if left out.
    cpu: Option<Number>,
    /// How many openings fail so, from the first on; all of them if left out.
    times: Option<Number>,
}
