//! Operations that put CPUs offline and online.

use super::diagnostic::Problem;
use super::form::{Num, Step};
use super::resolve::{Resolver, Scope};
use relaybed_case::{Cpu, Hold, Op};

impl Resolver<'_> {
    pub(super) fn hotplug(&mut self, own: Option<Cpu>, step: &Step, num: &Num) -> Option<Op> {
        let cpu = self.cpu(num, Scope { own, sizes: None })?;
        if cpu == 0 {
            let problem = Problem::new(
                "CPU 0 always stays online: most kernels cannot put it offline",
                num.span.clone(),
                "choose another CPU",
            );
            self.problems.push(problem);
            return None;
        }
        if step.form.name == "cpu_off" {
            return Some(Op::CpuOff { cpu });
        }
        let hold = self.hold(step);
        Some(Op::CpuOn { cpu, hold })
    }

    /// Where an operation stands half way.
    pub(super) fn hold(&mut self, step: &Step) -> Option<Hold> {
        match (step.text("reached"), step.text("until")) {
            (Some(reached), Some(until)) => Some(Hold {
                reached: self.gate(reached),
                until: self.gate(until),
            }),
            (None, None) => None,
            (Some(one), None) | (None, Some(one)) => {
                let problem = Problem::new(
                    "`reached` and `until` go together",
                    one.span.clone(),
                    "the other one is missing",
                );
                let help = "half way it raises the gate `reached`, and waits there for `until`";
                self.problems.push(problem.help(help));
                None
            }
        }
    }
}
