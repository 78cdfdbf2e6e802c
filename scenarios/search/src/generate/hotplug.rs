//! CPUs that go off and on, in the one order of a sequential case.

use super::random::Random;
use relaybed_case::{Cpu, Op};

/// Which CPUs are online by now.
#[derive(Debug)]
pub(super) struct Cpus {
    online: Vec<bool>,
}

impl Cpus {
    /// All of them.
    pub(super) fn all(vcpus: u32) -> Self {
        Self {
            online: vec![true; vcpus as usize],
        }
    }

    /// A CPU goes off that is on, or on that is off; seldom what is so already. CPU 0 always stays.
    pub(super) fn draw(&mut self, random: &mut Random) -> Op {
        let index = 1 + random.index(self.online.len().saturating_sub(1));
        let cpu = Cpu::try_from(index).unwrap_or(1);
        let goes_off = self.online.get(index) == Some(&true);
        if let Some(online) = self.online.get_mut(index) {
            *online = !goes_off;
        }
        if goes_off {
            Op::CpuOff { cpu }
        } else {
            Op::CpuOn { cpu, hold: None }
        }
    }
}
