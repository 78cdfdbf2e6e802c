//! From text to [`File`]: everything that can be said without choosing parameters.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::Problem;
use super::form::{
    ActorForm, BufferForm, ChannelForm, CpuForm, ExpectForm, File, Num, Param, ParamValue, Sp,
};
use super::walk::{Fields, Walker};
use relaybed_case::{FlowPart, pollbits};

type Value<'t> = Spanned<DeValue<'t>>;

pub(super) const FILE_KEYS: [&str; 10] = [
    "summary", "vcpus", "seed", "needs", "failures", "params", "channel", "actor", "expect",
    "schedule",
];
pub(super) const CHANNEL_KEYS: [&str; 15] = [
    "subbuf_size",
    "n_subbufs",
    "mode",
    "header_bytes",
    "files",
    "open",
    "buffers",
    "parent",
    "callbacks",
    "base_bytes",
    "refuse",
    "stall",
    "created",
    "create",
    "no_memory",
];
pub(super) const ACTOR_KEYS: [&str; 5] = ["name", "cpu", "context", "by", "script"];
pub(super) const BUFFER_KEYS: [&str; 7] = [
    "buffer", "cpu", "at", "produced", "consumed", "offset", "padding",
];
pub(super) const CLAIM_KEYS: [&str; 3] = ["actor", "refused", "text"];
pub(super) const FLOW_KEYS: [&str; 8] = [
    "flow",
    "cpu",
    "written",
    "kept",
    "refused",
    "overwritten",
    "lost",
    "read",
];
pub(super) const OPEN_REFUSED_KEYS: [&str; 1] = ["open_refused"];

/// Longest summary in bytes: it is printed on one line.
const MAX_SUMMARY: usize = 200;

/// Parses `text`. Without a value there is at least one problem; with one there may be some.
pub(super) fn parse(text: &str) -> (Option<File>, Vec<Problem>) {
    let (document, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        let problems = errors.iter().map(|error| {
            let span = error.span().unwrap_or(0..0);
            Problem::new(error.message(), span, "not TOML")
        });
        return (None, problems.collect());
    }
    let mut walker = Walker::new(text);
    let file = walker.file(&document);
    (file, walker.problems)
}

impl<'t> Walker<'t> {
    fn file(&mut self, document: &Spanned<DeTable<'t>>) -> Option<File> {
        let top = self.fields(document.get_ref(), 0..0, "a scenario", &FILE_KEYS);
        let summary = self.required(&top, "summary").and_then(|v| self.summary(v));
        let vcpus = self.optional_num(&top, "vcpus");
        let seed = self.optional_num(&top, "seed");
        let needs = top.get("needs").map_or_else(Vec::new, |v| self.needs(v));
        let failures = self.optional_string(&top, "failures");
        let machine = self.problems.len();
        let params = top.get("params").map_or_else(Vec::new, |v| self.params(v));
        let guessing =
            self.problems.len() > machine || (top.get("vcpus").is_some() && vcpus.is_none());
        let (channels, broken_channels) = self
            .required(&top, "channel")
            .map_or_else(Default::default, |v| self.channels(v));
        let actors = self.tables(&top, "actor", Self::actor);
        let expects = self.tables(&top, "expect", Self::expect);
        let schedule = self.tables(&top, "schedule", Self::turn);
        // Without the parameters and the CPUs, what follows would be guesses.
        (!guessing).then(|| File {
            summary: summary.unwrap_or_default(),
            vcpus,
            seed,
            needs,
            failures,
            params,
            channels,
            actors,
            expects,
            schedule,
            broken_channels,
            broken: !self.problems.is_empty(),
        })
    }

    fn summary(&mut self, value: &Value<'t>) -> Option<String> {
        let summary = self.string(value)?;
        let text = summary.value.trim();
        if text.is_empty() || text.contains('\n') || text.len() > MAX_SUMMARY {
            self.report(
                Problem::new(
                    "the summary must be one sentence",
                    summary.span,
                    "not one line of text",
                )
                .help(format!(
                    "say what the scenario shows in at most {MAX_SUMMARY} bytes"
                )),
            );
            return None;
        }
        Some(text.to_owned())
    }

    pub(super) fn optional_num(&mut self, fields: &Fields<'_, 't>, key: &str) -> Option<Num> {
        fields.get(key).and_then(|value| self.num(value))
    }

    pub(super) fn optional_string(
        &mut self,
        fields: &Fields<'_, 't>,
        key: &str,
    ) -> Option<Sp<String>> {
        fields.get(key).and_then(|value| self.string(value))
    }

    /// Entries of an array of tables, each made by `make`.
    fn tables<T>(
        &mut self,
        top: &Fields<'_, 't>,
        key: &str,
        make: fn(&mut Self, &DeTable<'t>, std::ops::Range<usize>) -> Option<T>,
    ) -> Vec<T> {
        let Some(value) = top.get(key) else {
            return Vec::new();
        };
        let wanted = format!("an array of tables ([[{key}]])");
        let items = self.array(value, &wanted).unwrap_or_default();
        let mut made = Vec::new();
        for item in items {
            if let Some(table) = self.table(item, "a table") {
                made.extend(make(self, table, item.span()));
            }
        }
        made
    }

    fn params(&mut self, value: &Value<'t>) -> Vec<Param> {
        let Some(table) = self.table(value, "a table ([params])") else {
            return Vec::new();
        };
        let entries = self.entries(table, value.span(), "the parameters");
        let mut params = Vec::new();
        for (name, value) in entries.iter() {
            self.check_param_name(name);
            let items = self
                .array(value, "a list of integers or strings")
                .unwrap_or_default();
            let mut values = Vec::new();
            for item in &items {
                values.extend(self.param_value(item, &values));
            }
            if items.is_empty() {
                self.report(Problem::new(
                    format!("parameter `{}` has no values", name.value),
                    value.span(),
                    "at least one is needed",
                ));
            }
            params.push(Param {
                name: Sp {
                    value: name.value.to_owned(),
                    span: name.span.clone(),
                },
                values,
            });
        }
        params
    }

    fn check_param_name(&mut self, name: &Sp<&str>) {
        const TAKEN: [&str; 4] = ["S", "N", "cpus", "own"];
        let mut chars = name.value.chars();
        let is_name = chars.next().is_some_and(|c| c.is_ascii_alphabetic())
            && chars.all(|c| c.is_ascii_alphanumeric() || c == '_');
        if TAKEN.contains(&name.value) || pollbits::named(name.value).is_some() {
            self.report(Problem::new(
                format!("`{}` has a meaning of its own in expressions", name.value),
                name.span.clone(),
                "choose another name",
            ));
        } else if !is_name {
            self.report(Problem::new(
                format!("`{}` cannot stand in an expression", name.value),
                name.span.clone(),
                "a letter, then letters, digits and _",
            ));
        }
    }

    fn param_value(&mut self, item: &Value<'t>, before: &[ParamValue]) -> Option<ParamValue> {
        let value = match item.get_ref() {
            DeValue::String(text) => ParamValue::Word(text.to_string()),
            DeValue::Integer(_) => ParamValue::Int(self.integer(item)?),
            _ => {
                self.report(Problem::new(
                    "a parameter's values are integers or strings",
                    item.span(),
                    "neither",
                ));
                return None;
            }
        };
        let shown = value.to_string();
        let odd = |c: char| c.is_whitespace() || c.is_control() || "[],=/".contains(c);
        if shown.is_empty() || shown.contains(odd) {
            self.report(Problem::new(
                "the value becomes part of the case's name, so some characters are not allowed",
                item.span(),
                "no blanks and none of [ ] , = /",
            ));
            return None;
        }
        if before.iter().any(|other| other.to_string() == shown) {
            self.report(Problem::new(
                format!("`{shown}` is listed twice"),
                item.span(),
                "gives two cases the same name",
            ));
            return None;
        }
        Some(value)
    }

    fn channels(&mut self, value: &Value<'t>) -> (Vec<ChannelForm>, Vec<String>) {
        let Some(table) = self.table(value, "tables named [channel.NAME]") else {
            return Default::default();
        };
        let entries = self.entries(table, value.span(), "the channels");
        let (mut channels, mut broken) = (Vec::new(), Vec::new());
        for (name, value) in entries.iter() {
            self.check_file_name(name);
            let Some(table) = self.table(value, "a table ([channel.NAME])") else {
                broken.push(name.value.to_owned());
                continue;
            };
            let what = format!("channel `{}`", name.value);
            let fields = self.fields(table, name.span.clone(), &what, &CHANNEL_KEYS);
            let subbuf_size = self.required(&fields, "subbuf_size");
            let n_subbufs = self.required(&fields, "n_subbufs");
            let subbuf_size = subbuf_size.and_then(|v| self.num(v));
            let n_subbufs = n_subbufs.and_then(|v| self.num(v));
            let mode = self.optional_string(&fields, "mode");
            let header_bytes = self.optional_num(&fields, "header_bytes");
            let files = self.optional_string(&fields, "files");
            let open = self.optional_string(&fields, "open");
            let client = self.client(&fields);
            if let (Some(subbuf_size), Some(n_subbufs)) = (subbuf_size, n_subbufs) {
                channels.push(ChannelForm {
                    name: Sp {
                        value: name.value.to_owned(),
                        span: name.span.clone(),
                    },
                    subbuf_size,
                    n_subbufs,
                    mode,
                    header_bytes,
                    files,
                    open,
                    client,
                });
            } else {
                broken.push(name.value.to_owned());
            }
        }
        (channels, broken)
    }

    fn check_file_name(&mut self, name: &Sp<&str>) {
        // The CPU number follows the name in the same field of the ABI.
        const LONGEST: usize = relaybed_abi::RB_NAME_SIZE - 4;
        let fine = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let value = name.value;
        let problem = if value.is_empty() || !value.chars().all(fine) {
            "letters, digits, _ and - only"
        } else if value.len() > LONGEST {
            "too long"
        } else if value.ends_with(|c: char| c.is_ascii_digit()) {
            "must not end in a digit: the CPU number follows"
        } else {
            return;
        };
        self.report(Problem::new(
            format!("`{value}` cannot be a channel's base filename"),
            name.span.clone(),
            problem,
        ));
    }

    pub(super) fn cpu(&mut self, value: &Value<'t>) -> Option<CpuForm> {
        match value.get_ref() {
            DeValue::String(text) if text == "each" => Some(CpuForm::Each),
            _ => self.num(value).map(CpuForm::One),
        }
    }

    fn actor(&mut self, table: &DeTable<'t>, span: std::ops::Range<usize>) -> Option<ActorForm> {
        let fields = self.fields(table, span, "an actor", &ACTOR_KEYS);
        let name = self.required(&fields, "name").and_then(|v| self.string(v));
        let cpu = fields.get("cpu").and_then(|v| self.cpu(v));
        let context = self.optional_string(&fields, "context");
        let by = self.optional_string(&fields, "by");
        let script = self.required(&fields, "script");
        let script = script.map_or_else(Vec::new, |v| self.script(v));
        Some(ActorForm {
            name: name?,
            cpu,
            context,
            by,
            script,
        })
    }

    fn expect(&mut self, table: &DeTable<'t>, span: std::ops::Range<usize>) -> Option<ExpectForm> {
        let has = |key: &str| table.iter().any(|(name, _)| name.get_ref() == key);
        if has("buffer") {
            let fields = self.fields(table, span, "an expectation of a buffer", &BUFFER_KEYS);
            return self.expect_buffer(&fields);
        }
        if has("flow") {
            let what = "an expectation of a flow";
            let fields = self.fields(table, span.clone(), what, &FLOW_KEYS);
            return self.expect_flow(&fields, span);
        }
        if has("open_refused") {
            let what = "an expectation of a refused open";
            let fields = self.fields(table, span, what, &OPEN_REFUSED_KEYS);
            let channel = self.optional_string(&fields, "open_refused")?;
            return Some(ExpectForm::OpenRefused { channel });
        }
        if has("actor") {
            let fields = self.fields(
                table,
                span.clone(),
                "an expectation of an actor",
                &CLAIM_KEYS,
            );
            let actor = self.optional_string(&fields, "actor");
            let refused = self.optional_num(&fields, "refused");
            let text = self.optional_string(&fields, "text");
            if refused.is_none() && text.is_none() {
                self.report(Problem::new(
                    "this expectation claims nothing",
                    span,
                    "`refused` or `text` is missing",
                ));
            }
            return Some(ExpectForm::Actor {
                actor: actor?,
                refused,
                text,
            });
        }
        self.report(Problem::new(
            "an expectation is about a buffer, a flow, an actor or a refused open",
            span,
            "`buffer`, `flow`, `actor` or `open_refused` is missing",
        ));
        None
    }

    fn expect_flow(
        &mut self,
        fields: &Fields<'_, 't>,
        span: std::ops::Range<usize>,
    ) -> Option<ExpectForm> {
        let channel = self.optional_string(fields, "flow");
        let cpu = self.required(fields, "cpu").and_then(|v| self.cpu(v));
        let parts: Vec<(FlowPart, Num)> = FlowPart::ALL
            .into_iter()
            .filter_map(|(word, part)| Some((part, self.optional_num(fields, word)?)))
            .collect();
        if parts.is_empty() {
            self.report(Problem::new(
                "this expectation claims nothing",
                span,
                "`written`, `kept`, `refused`, `overwritten`, `lost` or `read` is missing",
            ));
        }
        Some(ExpectForm::Flow {
            channel: channel?,
            cpu: cpu?,
            parts,
        })
    }

    fn expect_buffer(&mut self, fields: &Fields<'_, 't>) -> Option<ExpectForm> {
        let channel = self.optional_string(fields, "buffer");
        let cpu = self.required(fields, "cpu").and_then(|v| self.cpu(v));
        let at = self.optional_string(fields, "at");
        let produced = self.optional_num(fields, "produced");
        let consumed = self.optional_num(fields, "consumed");
        let offset = self.optional_num(fields, "offset");
        let padding = fields
            .get("padding")
            .and_then(|v| self.array(v, "a list of numbers, one a sub-buffer"))
            .map(|items| items.into_iter().filter_map(|v| self.num(v)).collect());
        Some(ExpectForm::Buffer(Box::new(BufferForm {
            channel: channel?,
            cpu: cpu?,
            at,
            produced,
            consumed,
            offset,
            padding,
        })))
    }
}
