//! Actors and their operations.

use std::collections::BTreeMap;

use relaybed_abi::{RB_MAX_OPS, RB_MAX_RECORD};

use super::diagnostic::Problem;
use super::files::FileName;
use super::form::{ActorForm, CpuForm, Sp, Span, Step, Subject};
use super::ops::{SubjectKind, Who};
use super::places::Round;
use super::resolve::{Resolver, Scope, narrow};
use super::words::CONTEXTS;
use relaybed_case::errno;
use relaybed_case::{Actor, Context, Cpu, Expect, GateIndex, NullCall, Op, Payload, Place, Via};

/// Most records one operation may write: a script that wants more is a mistake.
pub(super) const MAX_RECORDS: u64 = 1_000_000;
/// Longest delay in microseconds.
const MAX_DELAY_US: u64 = 1_000_000;
/// One actor while its script is worked through.
pub(super) struct Stage {
    index: usize,
    place: Place,
    pub(super) own: Option<Cpu>,
    pub(super) files: BTreeMap<String, FileName>,
    ops: Vec<Op>,
    places: Vec<Span>,
    /// The rounds that the next operation is in.
    round: Vec<Round>,
    rounds: Vec<Vec<Round>>,
}

impl<'f> Resolver<'f> {
    pub(super) fn actors(&mut self) {
        let file = self.file;
        for (i, form) in file.actors.iter().enumerate() {
            let name = &form.name;
            let fine = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
            if name.value.is_empty() || !name.value.chars().all(fine) {
                let problem = Problem::new(
                    "an actor's name has letters, digits, _ and - only",
                    name.span.clone(),
                    "not a name",
                );
                self.problems.push(problem);
            }
            if file.actors[..i]
                .iter()
                .any(|other| other.name.value == name.value)
            {
                let problem = Problem::new(
                    format!("there are two actors named `{}`", name.value),
                    name.span.clone(),
                    "the second one",
                );
                self.problems.push(problem);
            }
            if matches!(form.cpu, Some(CpuForm::Each)) {
                for cpu in 0..self.case.vcpus {
                    self.actor(form, format!("{}@{cpu}", name.value), Some(cpu));
                }
            } else {
                self.actor(form, name.value.clone(), None);
            }
        }
    }

    fn actor(&mut self, form: &'f ActorForm, name: String, each: Option<Cpu>) {
        let own = match &form.cpu {
            Some(CpuForm::One(num)) => self.cpu(num, Scope::default()),
            _ => each,
        };
        let context = self.word(form.context.as_ref(), &CONTEXTS);
        if context.is_some() && form.cpu.is_none() {
            let problem = Problem::new(
                "an actor in the kernel is bound to a CPU",
                form.name.span.clone(),
                "`cpu` is missing",
            );
            self.problems
                .push(problem.help("name a CPU, or \"each\" for one actor on every CPU"));
        }
        let place = context.map_or(Place::User { cpu: own }, |context| Place::Kernel {
            cpu: own.unwrap_or(0),
            context,
        });
        let source = self.source(form, context, own);
        let mut stage = Stage {
            index: self.case.actors.len(),
            place,
            own,
            files: BTreeMap::new(),
            ops: Vec::new(),
            places: Vec::new(),
            round: Vec::new(),
            rounds: Vec::new(),
        };
        self.steps(&mut stage, &form.script);
        self.case.actors.push(Actor {
            name,
            place,
            source,
            ops: stage.ops,
        });
        self.places.push(stage.places);
        self.rounds.push(stage.rounds);
        self.families.push(&form.name.value);
    }

    fn steps(&mut self, stage: &mut Stage, steps: &[Step]) {
        for step in steps {
            let user = matches!(stage.place, Place::User { .. });
            let (allowed, who) = match step.form.who {
                Who::Kernel => (!user, "kernel actors (task, softirq, hardirq, nmi)"),
                Who::User => (user, "actors with context = \"user\""),
                Who::Anyone => (true, ""),
            };
            if !allowed {
                self.problems.push(Problem::new(
                    format!("`{}` is for {who} only", step.form.name),
                    step.span.clone(),
                    "this actor cannot do it",
                ));
                continue;
            }
            if step.form.name == "repeat" {
                self.repeat(stage, step);
                continue;
            }
            self.check_context(stage.place, step);
            if let Some(op) = self.op(stage, step) {
                self.result_claim(stage, step);
                stage.ops.push(op);
                stage.places.push(step.span.clone());
                stage.rounds.push(stage.round.clone());
            }
        }
    }

    /// An interrupt writes records; it cannot sleep.
    fn check_context(&mut self, place: Place, step: &Step) {
        let context = match place {
            Place::Kernel { context, .. } if context != Context::Task => context.name(),
            _ => return,
        };
        let Some(why) = step.form.needs_task() else {
            return;
        };
        let name = step.form.name;
        let problem = Problem::new(
            format!("`{name}` cannot run in {context} context: it {why}"),
            step.span.clone(),
            "only records are written there",
        );
        self.problems.push(problem.help(format!(
            "let an actor with context = \"task\" do it, ordered by a gate: {{ signal = \"written\" }} here, \
             {{ wait = \"written\" }} before its `{name}`"
        )));
    }

    fn repeat(&mut self, stage: &mut Stage, step: &Step) {
        let Subject::Num(num) = &step.subject else {
            return;
        };
        let scope = Scope {
            own: stage.own,
            // A repetition concerns the channel where there is but one.
            sizes: match self.case.channels.as_slice() {
                [only] => Some((only.subbuf_size, only.n_subbufs)),
                _ => None,
            },
        };
        let most = RB_MAX_OPS as u64;
        let Some(times) = self.number(num, scope, "repeat", 0..=most) else {
            return;
        };
        for number in 1..=times {
            stage.round.push(Round { number, of: times });
            self.steps(stage, step.steps());
            stage.round.pop();
            if stage.ops.len() > RB_MAX_OPS || !self.problems.is_empty() {
                break; // the rest would only say the same again
            }
        }
    }

    /// What `gives` or `fails` say of the operation that comes next.
    fn result_claim(&mut self, stage: &Stage, step: &Step) {
        let (actor, op) = (stage.index, stage.ops.len());
        if let Some(num) = step.num("gives") {
            let scope = self.step_scope(stage, step);
            if let Some(value) = self.number(num, scope, "the result", 0..=u64::MAX) {
                let claim = Expect::Result {
                    actor,
                    op,
                    value: Some(value),
                    error: None,
                };
                self.claim(claim, vec![("gives", num.span.clone())]);
            }
        }
        if let Some(name) = step.text("fails") {
            let error = self.word(Some(name), errno::NAMED);
            let claim = Expect::Result {
                actor,
                op,
                value: None,
                error: Some(error.cast_signed()),
            };
            self.claim(claim, vec![("fails", name.span.clone())]);
        }
    }

    fn step_scope(&mut self, stage: &Stage, step: &Step) -> Scope {
        let Subject::Name(name) = &step.subject else {
            return Scope::default();
        };
        let by_name = |channel: &relaybed_case::Channel| channel.name == name.value;
        let channel = stage
            .files
            .get(&name.value)
            .map(|file| file.channel)
            .or_else(|| self.case.channels.iter().position(by_name));
        channel.map_or_else(Scope::default, |channel| self.scope(channel, stage.own))
    }

    fn op(&mut self, stage: &mut Stage, step: &Step) -> Option<Op> {
        let name = match &step.subject {
            Subject::Name(name) => name,
            Subject::Num(num) if matches!(step.form.name, "cpu_off" | "cpu_on") => {
                return self.hotplug(stage.own, step, num);
            }
            Subject::Num(num) => {
                let scope = Scope {
                    own: stage.own,
                    sizes: None,
                };
                let delay = self.number(num, scope, "the delay", 0..=MAX_DELAY_US)?;
                return Some(Op::Delay {
                    microseconds: narrow(delay),
                });
            }
        };
        match step.form.name {
            "signal" => Some(Op::Signal {
                gate: self.gate(name),
            }),
            "wait" => {
                let gate = self.gate(name);
                let scope = Scope {
                    own: stage.own,
                    sizes: None,
                };
                let count = step.num("count").map_or(Some(1), |num| {
                    self.number(num, scope, "the count", 1..=u64::from(u32::MAX))
                })?;
                Some(Op::Wait {
                    gate,
                    count: narrow(count),
                })
            }
            "checkpoint" => Some(Op::Checkpoint {
                label: name.value.clone(),
            }),
            "sysrq" => self.sysrq(name),
            "null" => Some(Op::Null {
                call: self.word(Some(name), NullCall::ALL),
            }),
            "klog" | "klog_raw" => self.klog(stage, step, name),
            "open_file" => self.open_file(stage, step, name),
            _ if matches!(step.form.subject, SubjectKind::File) => self.file_op(stage, step, name),
            _ => self.channel_op(stage, step, name),
        }
    }

    fn sysrq(&mut self, name: &Sp<String>) -> Option<Op> {
        let mut keys = name.value.chars();
        match (keys.next(), keys.next()) {
            (Some(key), None) if key.is_ascii_alphanumeric() => Some(Op::Sysrq { key }),
            _ => {
                self.problems.push(Problem::new(
                    format!("`{}` is not a sysrq key", name.value),
                    name.span.clone(),
                    "one letter or digit",
                ));
                None
            }
        }
    }

    /// Literal text: formatted, where it must be text to the end, or as it is.
    fn klog(&mut self, stage: &Stage, step: &Step, text: &Sp<String>) -> Option<Op> {
        let scope = Scope {
            own: stage.own,
            sizes: None,
        };
        let count = step.num("count").map_or(Some(1), |num| {
            self.number(num, scope, "the count", 0..=MAX_RECORDS)
        });
        if let Place::Kernel {
            context: Context::Nmi,
            ..
        } = stage.place
        {
            let problem = Problem::new(
                "klog cannot run in an NMI",
                step.span.clone(),
                "its handler may need a lock",
            );
            self.problems.push(problem);
        }
        let raw = step.form.name == "klog_raw";
        let len = text.value.len() as u64;
        let most = RB_MAX_RECORD as u64;
        let wrong = match (raw, text.value.contains('\0')) {
            _ if len > most => Some(format!("a record has at most {most} bytes")),
            (false, true) => Some("formatted text ends at a zero byte; use `klog_raw`".to_owned()),
            _ => None,
        };
        if let Some(wrong) = wrong {
            let problem = Problem::new(wrong, text.span.clone(), "here");
            self.problems.push(problem);
            return None;
        }
        let payload = if raw {
            Payload::Bytes(text.value.clone().into_bytes())
        } else {
            Payload::Formatted(text.value.clone())
        };
        Some(Op::Klog {
            payload,
            count: narrow(count?),
        })
    }

    pub(super) fn gate(&mut self, name: &Sp<String>) -> GateIndex {
        let known = self.case.gates.iter().position(|gate| *gate == name.value);
        known.unwrap_or_else(|| {
            self.case.gates.push(name.value.clone());
            self.case.gates.len() - 1
        })
    }

    fn channel_op(&mut self, stage: &Stage, step: &Step, name: &Sp<String>) -> Option<Op> {
        let channel = self.channel_index(name)?;
        let scope = self.scope(channel, stage.own);
        let via = match step.form.name {
            "stat" => {
                let cpu = self.cpu(step.num("cpu")?, scope)?;
                return Some(Op::Stat { channel, cpu });
            }
            "list" => return Some(Op::List { channel }),
            "klog_register" => return Some(Op::KlogRegister { channel }),
            "klog_unregister" => return Some(Op::KlogUnregister { channel }),
            "flush" => return Some(Op::Flush { channel }),
            "reset" => return Some(Op::Reset { channel }),
            "late_setup" => return Some(Op::LateSetup { channel }),
            "switch" => {
                let most = 0..=u64::MAX;
                let len = self.number(step.num("len")?, scope, "the length", most)?;
                return Some(Op::Switch { channel, len });
            }
            "open" => return Some(Op::Open { channel }),
            "close" => return Some(Op::Close { channel }),
            "buf_full" => {
                let cpu = self.cpu(step.num("cpu")?, scope)?;
                return Some(Op::BufFull { channel, cpu });
            }
            "consumed" => {
                let cpu = self.cpu_or_none(step.num("cpu")?, scope);
                let most = u64::from(u32::MAX);
                let n = self.number(step.num("n")?, scope, "the number", 0..=most)?;
                return Some(Op::Consumed {
                    channel,
                    cpu: cpu?,
                    n: narrow(n),
                });
            }
            "raw_write" => self.raw_via(step),
            "reserve" => self.reserve_via(step),
            _ => Via::Write,
        };
        let count = step.num("count").map_or(Some(1), |num| {
            self.number(num, scope, "the count", 0..=MAX_RECORDS)
        });
        let payload = self.payload(step, scope);
        self.note_nest((stage.index, stage.ops.len()), step);
        Some(Op::Write {
            channel,
            via,
            payload: payload?,
            count: narrow(count?),
        })
    }

    /// `relay_reserve()`, maybe with a gate between it and the filling.
    fn reserve_via(&mut self, step: &Step) -> Via {
        let Some(hold) = self.hold(step) else {
            return Via::Reserve;
        };
        let place = step.text("reached").map(|gate| gate.span.clone());
        let more = step.num("count").is_some() || step.nest().is_some();
        if let (true, Some(place)) = (more, place) {
            let message =
                "only one record, with nothing nested in it, can wait before it is filled";
            let problem = Problem::new(message, place, "omit `count` and `nest`");
            self.problems.push(problem);
        }
        Via::ReserveHeld(hold)
    }

    fn payload(&mut self, step: &Step, scope: Scope) -> Option<Payload> {
        let most = RB_MAX_RECORD as u64;
        if let Some(text) = step.text("text") {
            if text.value.len() as u64 > most {
                self.problems.push(Problem::new(
                    format!("a record has at most {most} bytes"),
                    text.span.clone(),
                    format!("{} bytes", text.value.len()),
                ));
                return None;
            }
            return Some(Payload::Bytes(text.value.clone().into_bytes()));
        }
        let (min, max) = step.len()?;
        let len_min = self.number(min, scope, "the length of a record", 0..=most);
        let len_max = self.number(max, scope, "the length of a record", 0..=most);
        let (len_min, len_max) = (narrow(len_min?), narrow(len_max?));
        if len_min > len_max {
            self.problems.push(Problem::new(
                format!("`min` is {len_min} and `max` only {len_max}"),
                max.span.clone(),
                "less than `min`",
            ));
        }
        Some(Payload::Record { len_min, len_max })
    }
}
