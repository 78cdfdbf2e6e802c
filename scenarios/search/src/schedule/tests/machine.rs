//! A machine of a few vCPUs that each run a few steps on shared variables.

use crate::schedule::Strategy;
use relaybed_case::place::{Place, Stop};
use relaybed_case::trace::Choice;
use relaybed_case::trace::{Step, Trace};

/// One atomic step.
#[derive(Clone, Copy, Debug)]
pub(super) enum Op {
    /// Nothing that anybody shares.
    Nop,
    /// Takes a variable into the vCPU's register.
    Load(usize),
    /// Stores the register plus one.
    StoreNext(usize),
    /// Stores a number.
    Set(usize, u32),
    /// Counts a hit if the variable is just this.
    See(usize, u32),
    /// Takes a lock, or waits for it.
    Lock,
    /// Gives it back.
    Unlock,
}

/// What was left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct End {
    pub(super) variables: [u32; 4],
    pub(super) hits: u32,
    /// Nobody could go on, but not all were done.
    pub(super) stuck: bool,
}

struct Machine<'a> {
    programs: &'a [Vec<Op>],
    at: Vec<usize>,
    registers: Vec<u32>,
    holder: Option<usize>,
    end: End,
}

/// Runs the programs, one a vCPU, as the strategy says.
pub(super) fn run(programs: &[Vec<Op>], strategy: &mut dyn Strategy) -> (End, Trace) {
    let mut machine = Machine {
        programs,
        at: vec![0; programs.len()],
        registers: vec![0; programs.len()],
        holder: None,
        end: End::default(),
    };
    let mut trace = Trace::default();
    let mut stop = Stop {
        vcpu: 0,
        place: machine.place(0),
    };
    loop {
        let enabled = machine.enabled();
        if enabled.is_empty() {
            machine.end.stuck =
                (0..programs.len()).any(|vcpu| machine.at[vcpu] < programs[vcpu].len());
            return (machine.end, trace);
        }
        let choice = Choice {
            index: trace.steps.len(),
            stop: &stop,
            enabled: &enabled,
        };
        let next = strategy.choose(&choice);
        assert!(enabled.contains(&next), "{next} of {enabled:?}");
        trace.steps.push(Step::of(&choice, next));
        assert!(trace.steps.len() < 10_000, "this never ends");
        let place = machine.step(next as usize);
        stop = Stop { vcpu: next, place };
    }
}

impl Machine<'_> {
    fn enabled(&self) -> Vec<u32> {
        let runs = |vcpu: &usize| match self.programs[*vcpu].get(self.at[*vcpu]) {
            None => false,
            Some(Op::Lock) => self.holder.is_none(),
            Some(_) => true,
        };
        let all = 0..self.programs.len();
        all.filter(runs)
            .map(|vcpu| u32::try_from(vcpu).unwrap())
            .collect()
    }

    fn place(&self, vcpu: usize) -> Place {
        let op = self.at[vcpu];
        match self.programs[vcpu].get(op) {
            None => Place::Idle,
            Some(Op::Lock) if self.holder.is_some() => Place::Waits,
            Some(_) => Place::Operation {
                actor: u32::try_from(vcpu).unwrap(),
                op: u32::try_from(op).unwrap(),
            },
        }
    }

    fn step(&mut self, vcpu: usize) -> Place {
        let op = self.programs[vcpu][self.at[vcpu]];
        let variables = &mut self.end.variables;
        match op {
            Op::Nop => {}
            Op::Load(of) => self.registers[vcpu] = variables[of],
            Op::StoreNext(to) => variables[to] = self.registers[vcpu] + 1,
            Op::Set(to, value) => variables[to] = value,
            Op::See(of, value) => self.end.hits += u32::from(variables[of] == value),
            Op::Lock => self.holder = Some(vcpu),
            Op::Unlock => self.holder = None,
        }
        self.at[vcpu] += 1;
        self.place(vcpu)
    }
}

/// So many steps that do nothing, and these in the middle of them.
pub(super) fn amid(before: usize, ops: &[Op], after: usize) -> Vec<Op> {
    let nops = |count| std::iter::repeat_n(Op::Nop, count);
    nops(before)
        .chain(ops.iter().copied())
        .chain(nops(after))
        .collect()
}

/// Two vCPUs add one each to a variable: a race of depth 2 loses one of them.
pub(super) fn lost_update() -> Vec<Vec<Op>> {
    let adds = [Op::Load(0), Op::StoreNext(0)];
    vec![amid(9, &adds, 5), amid(4, &adds, 12)]
}

pub(super) fn is_lost(end: &End) -> bool {
    end.variables[0] == 1
}

/// One vCPU sees 1 and then 2, which stand there one after the other: a race of depth 3.
pub(super) fn two_glances() -> Vec<Vec<Op>> {
    let sets = [Op::Set(0, 1), Op::Set(0, 2)];
    let sees = [Op::See(0, 1), Op::Nop, Op::See(0, 2)];
    vec![amid(8, &sets, 6), amid(5, &sees, 5)]
}

pub(super) fn is_seen_twice(end: &End) -> bool {
    end.hits == 2
}
