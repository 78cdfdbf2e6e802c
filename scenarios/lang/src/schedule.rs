//! The schedule of a scenario: whose turn it is, and until where.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::{Problem, suggestion};
use super::form::{Num, Sp, Span};
use super::resolve::{Resolver, Scope, narrow};
use super::table::{PLACE, TURN};
use super::walk::{Fields, Walker};
use super::words::{END, fields};
use relaybed_case::{Actor, ActorIndex, ChannelIndex, Turn, Until};

type Value<'t> = Spanned<DeValue<'t>>;

/// Most times that a turn may come by its place.
const HITS_MAX: u64 = 100_000;
/// Most instructions that are counted one by one.
const INSTRUCTIONS_MAX: u64 = 100_000;
/// Longest function.
const OFFSET_MAX: u64 = 1 << 20;
/// Most turns of one scenario.
const TURNS_MAX: usize = 1000;

/// One entry of the schedule.
#[derive(Debug)]
pub(super) struct TurnForm {
    actor: Sp<String>,
    until: UntilForm,
    hit: Option<Num>,
}

#[derive(Debug)]
enum UntilForm {
    End,
    Before(Num),
    Code {
        symbol: Sp<String>,
        offset: Option<Num>,
        instruction: Option<Num>,
    },
    Access {
        field: Sp<String>,
        write: bool,
        channel: Option<Sp<String>>,
        cpu: Option<Num>,
        span: Span,
    },
}

impl<'t> Walker<'t> {
    pub(super) fn turn(&mut self, table: &DeTable<'t>, span: Span) -> Option<TurnForm> {
        let fields = self.fields(table, span, "a turn of the schedule", &TURN.names());
        let actor = self.required(&fields, "run").and_then(|v| self.string(v));
        let until = self.required(&fields, "until").and_then(|v| self.until(v));
        let hit = self.optional_num(&fields, "hit");
        Some(TurnForm {
            actor: actor?,
            until: until?,
            hit,
        })
    }

    fn until(&mut self, value: &Value<'t>) -> Option<UntilForm> {
        let span = value.span();
        if let DeValue::String(word) = value.get_ref() {
            if word.as_ref() == END {
                return Some(UntilForm::End);
            }
            let problem = Problem::new(
                format!("a turn cannot end at `{word}`"),
                span,
                "unknown word",
            );
            self.report(problem.help("\"end\", or a table such as { writes = \"produced\" }"));
            return None;
        }
        let table = self.table(
            value,
            "\"end\", or a place such as { writes = \"produced\" }",
        )?;
        let fields = self.fields(table, span, "the end of a turn", &PLACE.names());
        self.place(&fields)
    }

    fn place(&mut self, fields: &Fields<'_, 't>) -> Option<UntilForm> {
        const KINDS: [(&str, &[&str]); 4] = [
            ("before", &[]),
            ("symbol", &["offset", "instruction"]),
            ("writes", &["channel", "cpu"]),
            ("reads", &["channel", "cpu"]),
        ];
        let kinds = KINDS.iter().filter(|(key, _)| fields.get(key).is_some());
        let kinds: Vec<_> = kinds.collect();
        let [(kind, with)] = kinds.as_slice() else {
            let problem = Problem::new(
                "a turn ends at one place",
                fields.span.clone(),
                "names no place, or several",
            );
            self.report(problem.help("give one of `before`, `symbol`, `writes`, `reads`"));
            return None;
        };
        for (key, _) in fields.iter() {
            if key.value != *kind
                && !with.contains(&key.value)
                && PLACE.names().contains(&key.value)
            {
                self.report(Problem::new(
                    format!("`{}` does not go with `{kind}`", key.value),
                    key.span.clone(),
                    "one too many",
                ));
            }
        }
        match *kind {
            "before" => self.optional_num(fields, "before").map(UntilForm::Before),
            "symbol" => Some(UntilForm::Code {
                symbol: self.optional_string(fields, "symbol")?,
                offset: self.optional_num(fields, "offset"),
                instruction: self.optional_num(fields, "instruction"),
            }),
            key => Some(UntilForm::Access {
                field: self.optional_string(fields, key)?,
                write: key == "writes",
                channel: self.optional_string(fields, "channel"),
                cpu: self.optional_num(fields, "cpu"),
                span: fields.span.clone(),
            }),
        }
    }
}

impl Resolver<'_> {
    pub(super) fn schedule(&mut self) {
        let file = self.file;
        for (number, form) in file.schedule.iter().enumerate() {
            let span = &form.actor.span;
            if number == TURNS_MAX {
                let message = format!("a schedule has at most {TURNS_MAX} turns");
                let problem = Problem::new(message, span.clone(), "one too many");
                self.problems.push(problem);
                return;
            }
            let Some(actor) = self.scheduled(&form.actor) else {
                continue;
            };
            let until = self.end_of_turn(actor, &form.until);
            let hit = form.hit.as_ref().map_or(Some(1), |num| {
                self.number(num, Scope::default(), "the count", 1..=HITS_MAX)
            });
            if let Some((until, hit)) = until.zip(hit) {
                let hit = narrow(hit);
                self.case.schedule.push(Turn { actor, until, hit });
            }
        }
    }

    /// The actor of that name, which must have a CPU to itself.
    fn scheduled(&mut self, name: &Sp<String>) -> Option<ActorIndex> {
        let known: Vec<String> = self.case.actors.iter().map(|a| a.name.clone()).collect();
        let Some(index) = known.iter().position(|known| *known == name.value) else {
            if !self.file.broken {
                let near: Vec<&str> = known.iter().map(String::as_str).collect();
                let help = suggestion(&name.value, &near);
                let message = format!("there is no actor `{}`", name.value);
                let problem = Problem::new(message, name.span.clone(), "unknown actor");
                self.problems.push(problem.help(help));
            }
            return None;
        };
        let actor = &self.case.actors[index];
        let mut wrong = |message: String, help: &str| {
            let problem = Problem::new(message, name.span.clone(), "cannot have a turn");
            self.problems.push(problem.help(help));
            None
        };
        if actor.is_nested() {
            return wrong(
                format!("`{}` is nested in another actor's write", name.value),
                "give the turn to the outer actor, whose write it interrupts",
            );
        }
        let Some(cpu) = actor.cpu() else {
            return wrong(
                format!("`{}` is not bound to a CPU", name.value),
                "a schedule says which CPU runs: give the actor a `cpu`",
            );
        };
        let shares = |(at, other): (usize, &Actor)| {
            at != index && !other.is_nested() && other.cpu().is_none_or(|its| its == cpu)
        };
        let mut others = self.case.actors.iter().enumerate();
        if let Some((_, other)) = others.find(|other| shares(*other)) {
            let message = format!("`{}` may share CPU {cpu} with `{}`", name.value, other.name);
            return wrong(
                message,
                "a schedule says which CPU runs: give both actors CPUs of their own",
            );
        }
        Some(index)
    }

    fn end_of_turn(&mut self, actor: ActorIndex, form: &UntilForm) -> Option<Until> {
        let count = self.case.actors[actor].ops.len() as u64;
        let own = self.case.actors[actor].cpu();
        let scope = Scope {
            own,
            ..Scope::default()
        };
        match form {
            UntilForm::End => Some(Until::Before { op: narrow(count) }),
            UntilForm::Before(num) => {
                let op = self.number(num, scope, "the operation's number", 0..=count)?;
                Some(Until::Before { op: narrow(op) })
            }
            UntilForm::Code {
                symbol,
                offset,
                instruction,
            } => {
                let offset = offset.as_ref().map_or(Some(0), |num| {
                    self.number(num, scope, "the offset", 0..=OFFSET_MAX)
                });
                let instructions = instruction.as_ref().map_or(Some(0), |num| {
                    self.number(num, scope, "the instruction", 0..=INSTRUCTIONS_MAX)
                });
                Some(Until::Code {
                    symbol: self.symbol(symbol)?,
                    offset: offset?,
                    instructions: narrow(instructions?),
                })
            }
            UntilForm::Access {
                field,
                write,
                channel,
                cpu,
                span,
            } => {
                let field = self.word(Some(field), &fields());
                let channel = self.accessed(channel.as_ref(), span);
                let cpu = match cpu {
                    Some(num) => self.cpu(num, scope),
                    None => own,
                };
                Some(Until::Access {
                    channel: channel?,
                    cpu: cpu?,
                    field,
                    write: *write,
                })
            }
        }
    }

    fn symbol(&mut self, symbol: &Sp<String>) -> Option<String> {
        let name = &symbol.value;
        if !name.is_empty() && name.chars().all(|c| c.is_ascii_graphic()) {
            return Some(name.clone());
        }
        let message = "this is not the name of a function".to_owned();
        let problem = Problem::new(message, symbol.span.clone(), "letters, digits, _ and .");
        self.problems.push(problem);
        None
    }

    /// The channel named, or the only one.
    fn accessed(&mut self, name: Option<&Sp<String>>, span: &Span) -> Option<ChannelIndex> {
        match name {
            Some(name) => self.channel_index(name),
            None if self.case.channels.len() == 1 => Some(0),
            None => {
                let message = "the scenario has several channels".to_owned();
                let problem = Problem::new(message, span.clone(), "of which one?");
                self.problems.push(problem.help("add `channel = \"NAME\"`"));
                None
            }
        }
    }
}
