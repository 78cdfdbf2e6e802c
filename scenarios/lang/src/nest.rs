//! Actors nested on another actor's write.

use super::diagnostic::{Problem, suggestion};
use super::form::{Sp, Span, Step, Word};
use super::resolve::Resolver;
use super::words::{IRQS, NEST_AT};
use relaybed_case::{ActorIndex, Context, Mode, NestPoint, Op, Place, Via};

/// A write that names an actor to be nested on it.
pub(super) struct NestWish {
    host: ActorIndex,
    op: usize,
    actor: Sp<String>,
    at: Word,
}

/// What is wrong with a nesting: message, and what to do.
type Wrong = (String, &'static str);

impl Resolver<'_> {
    /// `__relay_write()` with interrupts kept out, or as they are.
    pub(super) fn raw_via(&mut self, step: &Step) -> Via {
        self.word(step.text("irqs"), &IRQS)
    }

    /// Keeps the `nest` of a write until all actors are known.
    pub(super) fn note_nest(&mut self, (host, op): (ActorIndex, usize), step: &Step) {
        if let Some((actor, at)) = step.nest() {
            self.nests.push(NestWish {
                host,
                op,
                actor: actor.clone(),
                at: at.clone(),
            });
        }
    }

    /// Gives the actors named by `nest` their places on their hosts.
    pub(super) fn seat_nested(&mut self) {
        let wishes = std::mem::take(&mut self.nests);
        for wish in &wishes {
            let at = self.word(Some(&wish.at), &NEST_AT);
            match self.seat(wish, at) {
                Ok((guest, place)) => self.case.actors[guest].place = place,
                Err((message, help)) => self.nest_problem(&wish.actor.span, message, help),
            }
        }
        for wish in &wishes {
            if self.case.actors[wish.host].is_nested() {
                let message = "what is nested cannot have another actor nested on it".to_owned();
                let help = "let the outer write carry this `nest`";
                self.nest_problem(&wish.actor.span, message, help);
            }
        }
    }

    fn nest_problem(&mut self, span: &Span, message: String, help: &str) {
        let problem = Problem::new(message, span.clone(), "cannot be nested here");
        self.problems.push(problem.help(help));
    }

    fn seat(&self, wish: &NestWish, at: NestPoint) -> Result<(ActorIndex, Place), Wrong> {
        let name = &wish.actor.value;
        let host = &self.case.actors[wish.host];
        let (cpu, outer) = host.producer().unwrap_or((0, Context::Task));
        let Some(Op::Write { channel, via, .. }) = host.ops.get(wish.op) else {
            return Err(("only a write has a `nest`".to_owned(), ""));
        };
        let named = |(guest, family): (usize, &&str)| (**family == *name).then_some(guest);
        let mut family = self.families.iter().enumerate().filter_map(named);
        let Some(guest) = family.find(|guest| self.case.actors[*guest].cpu() == Some(cpu)) else {
            if self.families.contains(&name.as_str()) {
                let message = format!("`{name}` is not on CPU {cpu}, where this write is");
                return Err((message, "a nested actor runs on its host's CPU"));
            }
            let near = suggestion(name, &self.families);
            let message = format!("there is no actor `{name}`; {near}");
            return Err((message, "give the name of another actor"));
        };
        let script = &self.case.actors[guest];
        let Place::Kernel { context, .. } = script.place else {
            let message = format!("`{name}` is nested already, or is not an actor in the kernel");
            return Err((
                message,
                "each nesting takes an actor of its own, of a context above the write's",
            ));
        };
        if context <= outer {
            let message = format!("`{name}` does not interrupt this write");
            return Err((message, "contexts rise: task, softirq, hardirq, nmi"));
        }
        let writes = |op: &Op| matches!(op, Op::Write { channel: to, .. } if to == channel);
        if script.ops.is_empty() || !script.ops.iter().all(writes) {
            let message = format!("`{name}` does more than write to this channel");
            return Err((
                message,
                "a nested actor only writes, to the channel it is nested in",
            ));
        }
        if at == NestPoint::Fill && !via.is_reserve() {
            let message = "relay fills what it writes by itself".to_owned();
            return Err((message, "`at = \"fill\"` goes with `reserve`"));
        }
        if at == NestPoint::Callback && self.case.channels[*channel].mode == Mode::Default {
            let message = "a channel of mode `default` has no callback".to_owned();
            return Err((message, "choose mode `no-overwrite` or `overwrite`"));
        }
        let place = Place::Nested {
            cpu,
            context,
            host: wish.host,
            op: wish.op,
            at,
        };
        Ok((guest, place))
    }
}
