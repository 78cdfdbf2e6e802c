//! CPUs that go offline and online while a case is simulated.
//!
//! A CPU that comes online gets a buffer in every open channel; one that goes offline keeps its buffer,
//! and everything that reaches all buffers still reaches it.

use relaybed_abi::ChanState;

use relaybed_case::errno::ENOMEM;
use relaybed_case::{Cpu, Files, Op};

use super::order::{At, Order, operations};
use super::prediction::OpPrediction;
use super::simulate::Simulation;
use super::world::Live;

impl Simulation<'_> {
    /// The first half of a CPU's coming online: errno, 0 for success.
    pub fn prepare_cpu(&mut self, at: At) -> u32 {
        match self.case.actors[at.actor].ops[at.op].changed_cpu() {
            Some(cpu) if (cpu as usize) < self.online.len() => {
                self.relay.prepare_cpu(self, cpu as usize)
            }
            _ => 0,
        }
    }

    /// The second half: it is online, unless the first half failed.
    pub fn cpu_came(&mut self, at: At, errno: u32) {
        let cpu = self.case.actors[at.actor].ops[at.op].changed_cpu();
        if let Some(state) = cpu.and_then(|cpu| self.online.get_mut(cpu as usize)) {
            *state = errno == 0;
            self.done.ops[at.actor][at.op] = match errno {
                0 => OpPrediction::ok(None),
                errno => OpPrediction::failed(errno),
            };
        }
    }

    pub(super) fn op_cpu(&mut self, cpu: Cpu, online: bool) -> OpPrediction {
        let cpu = cpu as usize;
        if cpu >= self.online.len() {
            return OpPrediction::default();
        }
        let errno = match online {
            true => self.relay.prepare_cpu(self, cpu),
            false => 0,
        };
        self.online[cpu] = online && errno == 0;
        match errno {
            0 => OpPrediction::ok(None),
            errno => OpPrediction::failed(errno),
        }
    }

    /// Every open channel gets its buffer for a CPU that comes online, or the CPU does not come.
    pub(super) fn prepare_cpu_as_documented(&mut self, cpu: usize) -> u32 {
        let mut all = true;
        for channel in self.lacking(cpu) {
            let named = self.is_named(channel);
            all &= self.make_buffer(channel, cpu, named);
        }
        if all { 0 } else { ENOMEM }
    }

    /// Open channels that have no buffer for the CPU, and would have one if it were online.
    #[must_use]
    pub fn lacking(&self, cpu: usize) -> Vec<usize> {
        let lacks =
            |live: &Live| live.state == ChanState::Open && live.there.get(cpu) == Some(&false);
        (0..self.live.len())
            .filter(|channel| lacks(&self.live[*channel]))
            .collect()
    }

    /// Whether the channel's buffers have files.
    #[must_use]
    pub fn is_named(&self, channel: usize) -> bool {
        self.live[channel].late || self.case.channels[channel].files != Files::None
    }

    /// Whether the actor's CPU is offline now.
    pub(super) fn is_offline(&self, at: At) -> bool {
        let cpu = self.case.actors[at.actor].cpu();
        cpu.is_some_and(|cpu| self.online.get(cpu as usize) == Some(&false))
    }

    /// Whether the CPU's ways off and on are ordered with respect to `at`.
    pub(super) fn hotplug_certain(&self, cpu: Cpu, at: At) -> bool {
        self.touch.is_assumed()
            || self
                .existence((None, cpu))
                .iter()
                .all(|other| self.done.order.is_ordered(*other, at))
    }

    /// Whether the CPU has a buffer in the channel, which is open, at a checkpoint or at the end.
    pub(super) fn is_there(&self, channel: usize, cpu: usize, at: Option<At>) -> Option<bool> {
        let is = self.live[channel].there.get(cpu).copied()?;
        let number = u32::try_from(cpu).unwrap_or(u32::MAX);
        let order = &self.done.order;
        let changes = self.existence((None, number));
        if self.touch.is_assumed() || changes.is_empty() {
            return Some(is);
        }
        let all = self.existence((Some(channel), number));
        if at.is_some_and(|at| !all.iter().all(|other| order.is_ordered(*other, at))) {
            return None;
        }
        if are_ordered(order, &all) {
            return Some(is);
        }
        // Opened before it came or after: a CPU that is online has its buffer.
        (are_ordered(order, &changes) && self.online[cpu]).then_some(true)
    }

    /// Operations that decide whether the CPU has a buffer: of the CPU and, if named, of the channel.
    fn existence(&self, (of, cpu): (Option<usize>, Cpu)) -> Vec<At> {
        operations(self.case)
            .filter(|at| match &self.case.actors[at.actor].ops[at.op] {
                Op::Open { channel } | Op::Close { channel } => Some(*channel) == of,
                op => op.changed_cpu() == Some(cpu),
            })
            .collect()
    }

    /// At the end: counts of files that depend on an open order are not determined.
    pub(super) fn forget_open_files(&mut self) {
        if self.touch.is_assumed() {
            return;
        }
        for channel in 0..self.live.len() {
            let open = (0..self.online.len()).any(|cpu| {
                let number = u32::try_from(cpu).unwrap_or(u32::MAX);
                self.case.changes_cpu(number)
                    && !are_ordered(&self.done.order, &self.existence((Some(channel), number)))
            });
            if open {
                self.done.files[channel] = None;
            }
        }
    }
}

fn are_ordered(order: &Order, ops: &[At]) -> bool {
    ops.iter()
        .enumerate()
        .all(|(i, a)| ops[i + 1..].iter().all(|b| order.is_ordered(*a, *b)))
}

#[cfg(test)]
mod tests {
    use crate::behaviour::version;
    use crate::{Behaviour, Prediction, predict};
    use relaybed_case::Case;
    use relaybed_lang::load;

    fn predicted(actors: &str) -> (Case, Prediction) {
        let head =
            "summary = \"A case of a test.\"\n[channel.cpu]\nsubbuf_size = 64\nn_subbufs = 4\n";
        let text = format!("{head}{actors}");
        let case = load("test/hotplug", &text).expect("a good file").remove(0);
        let prediction = predict(&case, &Behaviour::of(version(6, 1)), 2);
        (case, prediction)
    }

    fn end(prediction: &Prediction) -> Vec<Option<bool>> {
        prediction.moment(None).expect("an end").channels[0]
            .there
            .clone()
    }

    #[test]
    fn a_cpu_that_comes_back_finds_its_buffer_and_its_file() {
        let (_, prediction) = predicted(
            "[[actor]]\nname = \"admin\"\ncontext = \"user\"\nscript = [{ cpu_off = 1 }, { cpu_on = 1 }]\n",
        );
        assert_eq!(end(&prediction), [Some(true), Some(true)]);
        assert_eq!(
            prediction.files[0].as_ref().map(|files| files[1].made),
            Some(1)
        );
    }

    #[test]
    fn a_directory_names_the_files_of_buffers_that_are_there_and_late_files_are_for_all_of_them() {
        let (_, prediction) = predicted(
            "[[actor]]\nname = \"admin\"\ncontext = \"user\"\nscript = [{ cpu_off = 1 }, { signal = \"off\" }, \
             { wait = \"open\" }, { list = \"cpu\" }, { stat = \"cpu\", cpu = 1 }, { cpu_on = 1 }, { list = \"cpu\" }]\n\
             [[actor]]\nname = \"task\"\ncpu = 0\nscript = [{ wait = \"off\" }, { close = \"cpu\" }, { open = \"cpu\" }, \
             { signal = \"open\" }]\n",
        );
        let names = |op| prediction.op(0, op).and_then(|op| op.names.clone());
        assert_eq!(names(3), Some(vec!["cpu0".to_owned()]));
        assert_eq!(prediction.op(0, 4).and_then(|op| op.error), Some(2));
        assert_eq!(names(6), Some(vec!["cpu0".to_owned(), "cpu1".to_owned()]));
    }

    #[test]
    fn the_size_of_a_file_with_a_name_that_is_too_long_cannot_be_asked_for() {
        let text = "summary = \"A case of a test.\"\n[channel.cpu]\nsubbuf_size = 64\nn_subbufs = 4\n\
                    base_bytes = 260\n[[actor]]\nname = \"user\"\ncontext = \"user\"\n\
                    script = [{ stat = \"cpu\", cpu = 0 }]\n";
        let case = load("test/hotplug", text).expect("a good file").remove(0);
        let prediction = predict(&case, &Behaviour::of(version(6, 1)), 2);
        assert_eq!(prediction.op(0, 0).and_then(|op| op.error), Some(36));
    }

    #[test]
    fn opening_beside_a_cpu_that_comes_up_ends_with_a_buffer_and_beside_one_that_goes_off_nobody_knows()
     {
        let opener = "[[actor]]\nname = \"opener\"\ncpu = 0\nscript = [{ close = \"cpu\" }, { open = \"cpu\" }]\n";
        let admin = |script: &str| {
            format!(
                "{opener}[[actor]]\nname = \"admin\"\ncontext = \"user\"\nscript = [{script}]\n"
            )
        };
        let (_, up) = predicted(&admin("{ cpu_off = 1 }, { cpu_on = 1 }"));
        assert_eq!(end(&up), [Some(true), Some(true)]);
        assert_eq!(up.files[0], None);
        let (_, off) = predicted(&admin("{ cpu_off = 1 }"));
        assert_eq!(end(&off), [Some(true), None]);
    }

    #[test]
    fn what_is_done_while_a_cpu_stands_half_way_comes_before_what_its_actor_does_next() {
        let (case, prediction) = predicted(
            "[[actor]]\nname = \"admin\"\ncontext = \"user\"\nscript = [{ cpu_off = 1 }, \
             { cpu_on = 1, reached = \"half\", until = \"go\" }, { delay_us = 1 }]\n\
             [[actor]]\nname = \"task\"\ncpu = 0\nscript = [{ wait = \"half\" }, { flush = \"cpu\" }, { signal = \"go\" }]\n",
        );
        assert!(prediction.order.stuck.is_empty());
        assert_eq!(
            prediction.order.line.len(),
            case.actors.iter().map(|a| a.ops.len()).sum::<usize>()
        );
        let at = |actor, op| super::At { actor, op };
        let (off, on, next, flush) = (at(0, 0), at(0, 1), at(0, 2), at(1, 1));
        assert!(prediction.order.is_before(off, flush));
        assert!(!prediction.order.is_ordered(on, flush));
        assert!(prediction.order.is_before(flush, next));
    }
}
