//! The author's claims.

use super::diagnostic::{Problem, suggestion};
use super::form::{BufferForm, CpuForm, ExpectForm, Num, Sp};
use super::places::ClaimPlaces;
use super::resolve::{Resolver, Scope};
use relaybed_case::{ActorIndex, Cpu, Expect, FlowPart, Op};

impl Resolver<'_> {
    pub(super) fn expectations(&mut self) {
        let file = self.file;
        for form in &file.expects {
            match form {
                ExpectForm::Buffer(form) => {
                    for cpu in self.cpus(&form.cpu) {
                        self.buffer(form, cpu);
                    }
                }
                ExpectForm::Flow {
                    channel,
                    cpu,
                    parts,
                } => {
                    for cpu in self.cpus(cpu) {
                        self.flow(channel, cpu, parts);
                    }
                }
                ExpectForm::Actor {
                    actor,
                    refused,
                    text,
                } => self.of_actor(actor, refused.as_ref(), text.as_ref()),
                ExpectForm::OpenRefused { channel: name } => {
                    if let Some(channel) = self.channel_index(name) {
                        let places = vec![("open_refused", name.span.clone())];
                        self.claim(Expect::OpenRefused { channel }, places);
                    }
                }
            }
        }
    }

    /// The CPUs of a claim.
    fn cpus(&mut self, cpu: &CpuForm) -> std::ops::Range<Cpu> {
        match cpu {
            CpuForm::Each => 0..self.case.vcpus,
            CpuForm::One(num) => match self.cpu(num, Scope::default()) {
                Some(cpu) => cpu..cpu + 1,
                None => 0..0,
            },
        }
    }

    fn flow(&mut self, name: &Sp<String>, cpu: Cpu, parts: &[(FlowPart, Num)]) {
        let Some(channel) = self.channel_index(name) else {
            return;
        };
        let scope = self.scope(channel, Some(cpu));
        let mut places = vec![("buffer", name.span.clone())];
        let mut claimed = Vec::new();
        for (part, num) in parts {
            places.push((part.word(), num.span.clone()));
            if let Some(records) = self.number(num, scope, "the number of records", 0..=u64::MAX) {
                claimed.push((*part, records));
            }
        }
        let parts = claimed;
        self.claim(
            Expect::Flow {
                channel,
                cpu,
                parts,
            },
            places,
        );
    }

    fn buffer(&mut self, form: &BufferForm, cpu: Cpu) {
        let BufferForm {
            channel,
            at,
            produced,
            consumed,
            offset,
            padding,
            ..
        } = form;
        if let Some(label) = at {
            self.check_label(label);
        }
        let Some(index) = self.channel_index(channel) else {
            return;
        };
        let scope = self.scope(index, Some(cpu));
        let mut claimed = |num: &Option<Num>, what| {
            let num = num.as_ref()?;
            self.number(num, scope, what, 0..=u64::MAX)
        };
        let produced = claimed(produced, "produced");
        let consumed = claimed(consumed, "consumed");
        let offset = claimed(offset, "the offset");
        let padding = padding
            .as_ref()
            .map(|items| self.padding(items, scope, channel));
        let claim = Expect::Buffer {
            at: at.as_ref().map(|label| label.value.clone()),
            channel: index,
            cpu,
            produced,
            consumed,
            offset,
            padding,
        };
        self.claim(claim, places_of(form));
    }

    fn padding(&mut self, items: &[Num], scope: Scope, channel: &Sp<String>) -> Vec<u64> {
        let values: Vec<u64> = items
            .iter()
            .filter_map(|num| self.number(num, scope, "the padding", 0..=u64::MAX))
            .collect();
        let count = scope.sizes.map_or(0, |(_, count)| count);
        if values.len() == items.len()
            && values.len() as u64 != count
            && let (Some(first), Some(last)) = (items.first(), items.last())
        {
            self.problems.push(Problem::new(
                format!(
                    "channel `{}` has {count} sub-buffers, but {} paddings are listed",
                    channel.value,
                    values.len()
                ),
                first.span.start..last.span.end,
                "one is needed for each sub-buffer",
            ));
        }
        values
    }

    fn check_label(&mut self, label: &Sp<String>) {
        let labels: Vec<&str> = self
            .case
            .actors
            .iter()
            .flat_map(|actor| &actor.ops)
            .filter_map(|op| match op {
                Op::Checkpoint { label } => Some(label.as_str()),
                _ => None,
            })
            .collect();
        if !labels.contains(&label.value.as_str()) && !self.file.broken {
            let problem = Problem::new(
                format!("there is no checkpoint `{}`", label.value),
                label.span.clone(),
                "unknown checkpoint",
            );
            let help = suggestion(&label.value, &labels);
            self.problems.push(problem.help(help));
        }
    }

    /// Claims about an actor, or about each of those that `cpu = "each"` made of it.
    fn of_actor(&mut self, name: &Sp<String>, refused: Option<&Num>, text: Option<&Sp<String>>) {
        let actors: Vec<ActorIndex> = (0..self.case.actors.len())
            .filter(|index| {
                self.families[*index] == name.value || self.case.actors[*index].name == name.value
            })
            .collect();
        if actors.is_empty() && !self.file.broken {
            let known: Vec<&str> = self.families.clone();
            let problem = Problem::new(
                format!("there is no actor `{}`", name.value),
                name.span.clone(),
                "unknown actor",
            );
            self.problems
                .push(problem.help(suggestion(&name.value, &known)));
        }
        for actor in actors {
            let scope = Scope {
                own: self.case.actors[actor].cpu(),
                sizes: None,
            };
            if let Some(num) = refused
                && let Some(records) = self.number(num, scope, "the number", 0..=u64::MAX)
            {
                let places = vec![("refused", num.span.clone())];
                self.claim(Expect::Refused { actor, records }, places);
            }
            if let Some(text) = text {
                let places = vec![("text", text.span.clone())];
                let text = text.value.clone();
                self.claim(Expect::Text { actor, text }, places);
            }
        }
    }
}

/// Where the values of a claim about a buffer stand.
fn places_of(form: &BufferForm) -> ClaimPlaces {
    let nums = [
        ("produced", &form.produced),
        ("consumed", &form.consumed),
        ("offset", &form.offset),
    ];
    let nums = nums
        .into_iter()
        .filter_map(|(key, num)| Some((key, num.as_ref()?.span.clone())));
    let padding = form.padding.as_deref().and_then(|items| {
        let (first, last) = (items.first()?, items.last()?);
        Some(("padding", first.span.start..last.span.end))
    });
    std::iter::once(("buffer", form.channel.span.clone()))
        .chain(nums)
        .chain(padding)
        .collect()
}
