//! From what the probe measured to a yes or no with its reason. Pure.

use std::time::Duration;

use super::guest::{LOOPS, SWITCHES, Stage};

/// How many times slower than the host's own the guest's loop may be. Hardware gives 1.
const LOOP_RATIO_MAX: f64 = 8.0;
/// Longest change of the address space. Hardware takes under a microsecond, a hypervisor that
/// must step in some; a kernel makes thousands a second.
const SWITCH_MAX: Duration = Duration::from_micros(50);
/// What a slow host is given instead: this part of what it takes for the loop, which on a host of
/// ordinary speed is about as much.
const SWITCH_MAX_PART_OF_LOOP: u32 = 64;

/// What one vCPU did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    /// CPU time from the start of the vCPU to each stage that was reported, in order.
    pub(super) stages: Vec<Duration>,
    /// Why the vCPU stopped, if not by halting after its last stage.
    pub(super) stopped_by: Option<String>,
    /// The same loop on the host.
    pub(super) host_loop: Duration,
}

/// Why a stock kernel would not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Defect {
    /// Something did not happen.
    Broken(String),
    /// All happened, but slowly: KVM's doing, or a busy host's.
    Slow(String),
}

/// `Ok` with the figures, or `Err` with why a stock kernel would not run.
pub(super) fn judge(cpu: usize, m: &Measured) -> Result<String, Defect> {
    let reached = m.stages.len();
    if let Some(missing) = Stage::ALL.get(reached) {
        let what = match missing {
            Stage::LongMode => "did not execute its first instruction in long mode".to_owned(),
            Stage::Loop => format!("did not finish a loop of {LOOPS} rounds"),
            Stage::Switches => format!("did not finish {SWITCHES} changes of the address space"),
            Stage::Exception => "did not return from an exception".to_owned(),
        };
        let why = m.stopped_by.as_deref().unwrap_or("it halted");
        return Err(Defect::Broken(format!("vCPU {cpu} {what}: {why}")));
    }
    if let Some(why) = &m.stopped_by {
        let why = format!("vCPU {cpu} did not halt at the end: {why}");
        return Err(Defect::Broken(why));
    }
    let between = |from: Stage, to: Stage| {
        let at = |stage: Stage| {
            m.stages
                .get(stage as usize - 1)
                .copied()
                .unwrap_or_default()
        };
        at(to).saturating_sub(at(from))
    };
    let ratio = between(Stage::LongMode, Stage::Loop).as_secs_f64()
        / m.host_loop.as_secs_f64().max(f64::EPSILON);
    if ratio > LOOP_RATIO_MAX {
        return Err(Defect::Slow(format!(
            "vCPU {cpu} runs straight code {ratio:.0} times slower than the host \
             (at most {LOOP_RATIO_MAX:.0} is real execution)"
        )));
    }
    let switch = between(Stage::Loop, Stage::Switches).div_f64(SWITCHES as f64);
    let limit = SWITCH_MAX.max(m.host_loop / SWITCH_MAX_PART_OF_LOOP);
    if switch > limit {
        return Err(Defect::Slow(format!(
            "vCPU {cpu} takes {switch:.1?} to change the address space (at most {limit:.1?})"
        )));
    }
    Ok(format!(
        "vCPU {cpu}: loop {ratio:.1} times the host's, address space changed in {switch:.1?}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Measured {
        let stages = [1, 11, 12, 13].map(Duration::from_millis).to_vec();
        Measured {
            stages,
            stopped_by: None,
            host_loop: Duration::from_millis(9),
        }
    }

    #[test]
    fn real_hardware_passes() {
        judge(0, &good()).unwrap();
    }

    #[test]
    fn each_defect_is_named() {
        let spoiled = |spoil: &dyn Fn(&mut Measured)| {
            let mut m = good();
            spoil(&mut m);
            judge(1, &m).unwrap_err()
        };
        for (stages, word) in [
            (0, "first instruction"),
            (1, "loop"),
            (2, "address space"),
            (3, "exception"),
        ] {
            let error = spoiled(&|m| {
                m.stages.truncate(stages);
                m.stopped_by = Some("internal error".into());
            });
            let Defect::Broken(error) = error else {
                panic!("{error:?}")
            };
            assert!(
                error.contains(word) && error.contains("internal error"),
                "{error}"
            );
        }
        let stopped = spoiled(&|m| m.stopped_by = Some("shutdown".into()));
        assert!(matches!(stopped, Defect::Broken(why) if why.contains("did not halt")));
        let slow = spoiled(&|m| m.host_loop = Duration::from_millis(1));
        assert!(matches!(slow, Defect::Slow(why) if why.contains("10 times slower")));
        let slow = spoiled(&|m| m.stages[2] = Duration::from_millis(1000));
        assert!(matches!(slow, Defect::Slow(why) if why.contains("to change the address space")));
    }

    #[test]
    fn a_slow_host_has_time_in_proportion() {
        let mut slow = good();
        for time in &mut slow.stages {
            *time *= 20;
        }
        slow.stages[2] += Duration::from_millis(200);
        assert!(matches!(judge(0, &slow), Err(Defect::Slow(_))));
        slow.host_loop *= 20;
        judge(0, &slow).unwrap();
    }
}
