//! What brings an actor's CPU into its context.

use super::diagnostic::Problem;
use super::form::{ActorForm, Span};
use super::resolve::Resolver;
use super::words::SOURCES;
use relaybed_case::{Context, Cpu, Source};

impl Resolver<'_> {
    /// What is said of an actor in `context` on CPU `own`.
    pub(super) fn source(
        &mut self,
        form: &ActorForm,
        context: Option<Context>,
        own: Option<Cpu>,
    ) -> Option<Source> {
        let word = form.by.as_ref()?;
        let (brings, source) = self.word(Some(word), &SOURCES);
        if context != Some(brings) {
            let problem = Problem::new(
                "`by` does not fit the actor's context",
                word.span.clone(),
                "brings about another context, or none",
            );
            let help = "hardirq comes by irq-work, hrtimer or ipi, nmi by self or host";
            self.problems.push(problem.help(help));
            return None;
        }
        let elsewhere = source == Some(Source::Host) && own.is_some_and(|cpu| cpu != 0);
        if elsewhere {
            let problem = Problem::new(
                "the host's NMI is CPU 0's",
                word.span.clone(),
                "never arrives on another CPU",
            );
            let help = "the line that the host pulls is open on the CPU that booted only";
            self.problems.push(problem.help(help));
        }
        source
    }

    /// The CPU that sends an interrupt must be there, and stay.
    pub(super) fn check_senders(&mut self) {
        let senders = self.case.actors.iter().zip(&self.families);
        let wrong: Vec<Span> = senders
            .filter_map(|(actor, family)| {
                let sender = actor.source?.sender(actor.cpu()?)?;
                let gone = sender >= self.case.vcpus || self.case.changes_cpu(sender);
                let form = self.file.actors.iter();
                let form = form.filter(|form| form.name.value == **family);
                gone.then(|| form.filter_map(|form| form.by.clone()).next())?
            })
            .map(|by| by.span)
            .collect();
        for place in wrong {
            let problem = Problem::new(
                "the CPU that sends this interrupt is not there all the time",
                place,
                "has no sender",
            );
            let help = "CPU 0 sends to the others, CPU 1 to CPU 0: it must exist and stay online";
            self.problems.push(problem.help(help));
        }
    }
}
