//! What a channel says of its client beyond the mode, and what a scenario needs of the kernel.

use std::ops::Range;

use relaybed_abi::RB_BASE_SIZE;
use toml::Spanned;
use toml::de::DeValue;

use super::diagnostic::{Problem, suggestion};
use super::form::{
    ChannelForm, ClientForm, CreateForm, CreatedForm, NoMemoryForm, Num, Sp, StallForm,
};
use super::resolve::{Resolver, Scope, narrow};
use super::table::{CREATE, CREATED, NO_MEMORY, REFUSE, STALL};
use super::walk::{Fields, Walker};
use super::words::{ANSWERS, BUFFERS, CALLBACKS, PARENT, STALL_AFTER, word_of};
use super::write::{line, quoted, word};
use relaybed_case::{
    Callbacks, Client, Created, Denied, Mode, Need, NoMemory, Refuse, Stall, Wanted,
};

type Value<'t> = Spanned<DeValue<'t>>;

/// Longest base filename in bytes.
const MAX_BASE: u64 = RB_BASE_SIZE as u64 - 1;

impl<'t> Walker<'t> {
    pub(super) fn needs(&mut self, value: &Value<'t>) -> Vec<Sp<String>> {
        let items = self.array(value, "a list of names").unwrap_or_default();
        let names: Vec<Sp<String>> = items
            .into_iter()
            .filter_map(|item| self.string(item))
            .collect();
        for name in &names {
            let known: Vec<&str> = Need::ALL.iter().map(|(known, _)| *known).collect();
            if !known.contains(&name.value.as_str()) {
                let problem = Problem::new(
                    format!("`{}` is not a feature that kernels differ in", name.value),
                    name.span.clone(),
                    "unknown need",
                );
                self.report(problem.help(suggestion(&name.value, &known)));
            }
        }
        names
    }

    pub(super) fn client(&mut self, fields: &Fields<'_, 't>) -> ClientForm {
        ClientForm {
            buffers: self.optional_string(fields, "buffers"),
            parent: self.optional_string(fields, "parent"),
            callbacks: self.optional_string(fields, "callbacks"),
            base_bytes: self.optional_num(fields, "base_bytes"),
            refuse: fields.get("refuse").and_then(|value| self.refuse(value)),
            stall: fields.get("stall").and_then(|value| self.stall(value)),
            create: fields.get("create").and_then(|value| self.denied(value)),
            created: fields.get("created").and_then(|value| self.created(value)),
            no_memory: fields
                .get("no_memory")
                .and_then(|value| self.no_memory(value)),
        }
    }

    fn part<'v>(
        &mut self,
        value: &'v Value<'t>,
        example: &str,
        what: &str,
        keys: &[&str],
    ) -> Option<Fields<'v, 't>> {
        let table = self.table(value, example)?;
        Some(self.fields(table, value.span(), what, keys))
    }

    fn needed_num(&mut self, fields: &Fields<'_, 't>, key: &str) -> Option<Num> {
        self.required(fields, key).and_then(|value| self.num(value))
    }

    fn needed_string(&mut self, fields: &Fields<'_, 't>, key: &str) -> Option<Sp<String>> {
        self.required(fields, key)
            .and_then(|value| self.string(value))
    }

    fn refuse(&mut self, value: &Value<'t>) -> Option<(Num, Option<Num>)> {
        let example = "refused calls such as { from = 2, count = 1 }";
        let fields = self.part(value, example, "`refuse`", &REFUSE.names())?;
        let from = self.needed_num(&fields, "from");
        let count = self.optional_num(&fields, "count");
        Some((from?, count))
    }

    fn stall(&mut self, value: &Value<'t>) -> Option<StallForm> {
        let example =
            "a call that waits such as { cpu = 0, at = 1, signal = \"in\", wait = \"out\" }";
        let fields = self.part(value, example, "`stall`", &STALL.names())?;
        let cpu = self.needed_num(&fields, "cpu");
        let at = self.needed_num(&fields, "at");
        let signal = self.needed_string(&fields, "signal");
        let wait = self.needed_string(&fields, "wait");
        let after = self.optional_string(&fields, "after");
        Some(StallForm {
            cpu: cpu?,
            at: at?,
            signal: signal?,
            wait: wait?,
            after,
        })
    }

    fn denied(&mut self, value: &Value<'t>) -> Option<CreateForm> {
        let example = "a file that is not made such as { cpu = 1, answer = \"null\" }";
        let fields = self.part(value, example, "`create`", &CREATE.names())?;
        let cpu = self.needed_num(&fields, "cpu");
        let answer = self.needed_string(&fields, "answer");
        let skip = self.optional_num(&fields, "skip");
        let times = self.optional_num(&fields, "times");
        Some(CreateForm {
            cpu: cpu?,
            answer: answer?,
            skip,
            times,
        })
    }

    fn created(&mut self, value: &Value<'t>) -> Option<CreatedForm> {
        let example =
            "gates behind the making of a file such as { signal = \"made\", wait = \"go\" }";
        let fields = self.part(value, example, "`created`", &CREATED.names())?;
        let cpu = self.optional_num(&fields, "cpu");
        let signal = self.needed_string(&fields, "signal");
        let wait = self.needed_string(&fields, "wait");
        Some(CreatedForm {
            cpu,
            signal: signal?,
            wait: wait?,
        })
    }

    fn no_memory(&mut self, value: &Value<'t>) -> Option<NoMemoryForm> {
        let example = "openings that find no memory such as { for = \"padding\", cpu = 1 }";
        let fields = self.part(value, example, "`no_memory`", &NO_MEMORY.names())?;
        let wanted = self.needed_string(&fields, "for");
        let cpu = self.optional_num(&fields, "cpu");
        let times = self.optional_num(&fields, "times");
        Some(NoMemoryForm {
            wanted: wanted?,
            cpu,
            times,
        })
    }
}

impl Resolver<'_> {
    /// Bad names were reported when the file was parsed.
    pub(super) fn needs(&mut self) {
        let named = |name: &Sp<String>| {
            Need::ALL
                .iter()
                .find(|(known, _)| *known == name.value)
                .map(|(_, need)| *need)
        };
        self.case.needs = self.file.needs.iter().filter_map(named).collect();
    }

    /// The client of a channel of this mode.
    pub(super) fn client(&mut self, form: &ChannelForm, scope: Scope, mode: Mode) -> Client {
        let client = &form.client;
        let global = self.word(client.buffers.as_ref(), &BUFFERS);
        let root = self.word(client.parent.as_ref(), &PARENT);
        let callbacks = self.word(client.callbacks.as_ref(), &CALLBACKS);
        let shortest = form.name.value.len() as u64;
        let base_bytes = client.base_bytes.as_ref().and_then(|num| {
            let what = "the base filename's length";
            self.number(num, scope, what, shortest..=MAX_BASE)
                .map(narrow)
        });
        let refuse = client
            .refuse
            .as_ref()
            .and_then(|(from, count)| self.refused(from, count.as_ref(), scope));
        let stall = client
            .stall
            .as_ref()
            .and_then(|stall| self.stalled(stall, scope));
        let create = client
            .create
            .as_ref()
            .and_then(|create| self.not_made(create, scope));
        let created = client
            .created
            .as_ref()
            .and_then(|created| self.made(created, (form, callbacks), scope));
        let no_memory = client
            .no_memory
            .as_ref()
            .and_then(|lack| self.starved(lack, form, global, scope));
        if mode == Mode::Default {
            self.without_callback(form, refuse.is_some(), stall.is_some());
        }
        Client {
            global,
            root,
            callbacks,
            base_bytes,
            refuse,
            stall,
            create,
            created,
            no_memory,
        }
    }

    fn refused(&mut self, from: &Num, count: Option<&Num>, scope: Scope) -> Option<Refuse> {
        let most = u64::from(u32::MAX);
        let from = self.number(from, scope, "the first refused call", 1..=most);
        let count = count.map_or(Some(1), |num| {
            self.number(num, scope, "the number of refused calls", 1..=most)
        });
        Some(Refuse {
            from: narrow(from?),
            count: narrow(count?),
        })
    }

    fn stalled(&mut self, form: &StallForm, scope: Scope) -> Option<Stall> {
        let cpu = self.cpu(&form.cpu, scope);
        let most = u64::from(u32::MAX);
        let at = self.number(&form.at, scope, "the call that waits", 1..=most);
        Some(Stall {
            cpu: cpu?,
            at: narrow(at?),
            signal: self.gate(&form.signal),
            wait: self.gate(&form.wait),
            late: self.word(form.after.as_ref(), &STALL_AFTER),
        })
    }

    fn not_made(&mut self, form: &CreateForm, scope: Scope) -> Option<Denied> {
        let cpu = self.cpu(&form.cpu, scope);
        let answer = self.word(Some(&form.answer), &ANSWERS);
        let most = u64::from(u32::MAX);
        let skip = form.skip.as_ref().map_or(Some(0), |num| {
            self.number(num, scope, "the number of files made", 0..=most)
        });
        let times = form.times.as_ref().map_or(Some(most), |num| {
            self.number(num, scope, "the number of files not made", 1..=most)
        });
        Some(Denied {
            cpu: cpu?,
            answer,
            skip: narrow(skip?),
            times: narrow(times?),
        })
    }

    fn made(
        &mut self,
        created: &CreatedForm,
        (form, callbacks): (&ChannelForm, Callbacks),
        scope: Scope,
    ) -> Option<Created> {
        let cpu = match &created.cpu {
            Some(num) => Some(self.cpu(num, scope)?),
            None => None,
        };
        let is = |word: Option<&Sp<String>>, what: &str| word.is_some_and(|is| is.value == what);
        let wrong = if is(form.files.as_ref(), "none") {
            Some(("a channel without files makes none", "needs files"))
        } else if matches!(callbacks, Callbacks::None | Callbacks::NoCreate) {
            Some((
                "a channel without `create_buf_file` makes no file",
                "needs the callback",
            ))
        } else if !is(form.open.as_ref(), "scripted") {
            let message =
                "a channel that is open at the start makes its files before any actor starts";
            Some((message, "needs open = \"scripted\""))
        } else {
            None
        };
        if let Some((message, label)) = wrong {
            let place = created.signal.span.clone();
            self.problems.push(Problem::new(message, place, label));
        }
        Some(Created {
            cpu,
            signal: self.gate(&created.signal),
            wait: self.gate(&created.wait),
        })
    }

    fn starved(
        &mut self,
        lack: &NoMemoryForm,
        form: &ChannelForm,
        global: bool,
        scope: Scope,
    ) -> Option<NoMemory> {
        let wanted = self.word(Some(&lack.wanted), Wanted::ALL);
        let cpu = match &lack.cpu {
            Some(num) => self.cpu(num, scope)?,
            None => 0,
        };
        let most = u64::from(u32::MAX);
        let times = lack.times.as_ref().map_or(Some(most), |num| {
            self.number(
                num,
                scope,
                "the number of openings without memory",
                1..=most,
            )
        });
        let mut report = |message: &str, label: &str, place: &Range<usize>| {
            self.problems
                .push(Problem::new(message, place.clone(), label));
        };
        if let Some(num) = &lack.cpu
            && cpu > 0
            && (global || !wanted.is_of_buffer())
        {
            let message = "a channel has only one of these";
            report(message, "omit `cpu`", &num.span);
        }
        let has_no_files = form
            .files
            .as_ref()
            .is_some_and(|files| files.value == "none");
        if wanted == Wanted::Name && has_no_files {
            let message = "a channel without files has no names to find memory for";
            report(message, "needs files", &lack.wanted.span);
        }
        Some(NoMemory {
            wanted,
            cpu,
            times: narrow(times?),
        })
    }

    fn without_callback(&mut self, form: &ChannelForm, refuse: bool, stall: bool) {
        let mut report = |key: &str, place: Range<usize>| {
            let message = format!("a channel of mode `default` has no callback for `{key}`");
            self.problems.push(Problem::new(
                message,
                place,
                "needs mode `no-overwrite` or `overwrite`",
            ));
        };
        if let (true, Some((from, _))) = (refuse, &form.client.refuse) {
            report("refuse", from.span.clone());
        }
        if let (true, Some(form)) = (stall, &form.client.stall) {
            report("stall", form.at.span.clone());
        }
    }
}

/// What a client does beyond the ordinary, as keys of its channel; gates by their names.
pub(super) fn write_client(text: &mut String, gates: &[String], client: &Client) {
    let Client {
        global,
        root,
        callbacks,
        base_bytes,
        refuse,
        stall,
        create,
        created,
        no_memory,
    } = client;
    word(text, "buffers", &BUFFERS, global);
    word(text, "parent", &PARENT, root);
    word(text, "callbacks", &CALLBACKS, callbacks);
    if let Some(bytes) = base_bytes {
        line(text, format_args!("base_bytes = {bytes}"));
    }
    if let Some(Refuse { from, count }) = refuse {
        line(
            text,
            format_args!("refuse = {{ from = {from}, count = {count} }}"),
        );
    }
    if let Some(Stall {
        cpu,
        at,
        signal,
        wait,
        late,
    }) = stall
    {
        let (signal, wait) = (quoted(&gates[*signal]), quoted(&gates[*wait]));
        let after = if *late { ", after = \"header\"" } else { "" };
        line(
            text,
            format_args!(
                "stall = {{ cpu = {cpu}, at = {at}, signal = {signal}, wait = {wait}{after} }}"
            ),
        );
    }
    if let Some(Created { cpu, signal, wait }) = created {
        let (signal, wait) = (quoted(&gates[*signal]), quoted(&gates[*wait]));
        let cpu = cpu.map_or_else(String::new, |cpu| format!("cpu = {cpu}, "));
        let what = format_args!("created = {{ {cpu}signal = {signal}, wait = {wait} }}");
        line(text, what);
    }
    write_failures(text, create.as_ref(), no_memory.as_ref());
}

/// What an opening does not get.
fn write_failures(text: &mut String, create: Option<&Denied>, no_memory: Option<&NoMemory>) {
    if let Some(Denied {
        cpu,
        answer,
        skip,
        times,
    }) = create
    {
        let answer = word_of(&ANSWERS, answer);
        line(
            text,
            format_args!(
                "create = {{ cpu = {cpu}, answer = \"{answer}\", skip = {skip}, times = {times} }}"
            ),
        );
    }
    if let Some(NoMemory { wanted, cpu, times }) = no_memory {
        let word = word_of(Wanted::ALL, wanted);
        line(
            text,
            format_args!("no_memory = {{ for = \"{word}\", cpu = {cpu}, times = {times} }}"),
        );
    }
}
