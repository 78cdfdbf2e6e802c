//! A run's schedule in the words of a scenario: whose turn it is, and until where.

use relaybed_case::place::{Place, Stop};
use relaybed_case::trace::Trace;
use relaybed_case::{Case, Turn, Until};

/// The turns that lead a run of the case to where the last preemption was, and through what came behind it. From
/// there on nobody is preempted, which needs no turns.
///
/// `None` where a turn cannot say it: two actors share a vCPU, or control passed where no turn can end.
#[must_use]
pub fn turns(case: &Case, trace: &Trace) -> Option<Vec<Turn>> {
    let last = trace.steps.iter().rposition(|step| step.preempts())?;
    let mut turns = Vec::new();
    let mut stretch: Vec<&Stop> = Vec::new();
    for (index, step) in trace.steps.iter().enumerate() {
        stretch.push(&step.stop);
        let passes = step.next != step.stop.vcpu;
        if !passes && index + 1 < trace.steps.len() {
            continue;
        }
        let over = stretch.iter().all(|stop| !can_end(stop));
        if !over {
            turns.push(turn(case, &stretch)?);
        } else if step.preempts() {
            return None;
        }
        stretch.clear();
        if index > last && !over {
            break;
        }
    }
    Some(turns)
}

/// The turn of one vCPU that ran through these stops. It ends at the last where a turn can: what is behind that, up to
/// where the vCPU went idle, it does when it goes on.
fn turn(case: &Case, stretch: &[&Stop]) -> Option<Turn> {
    let end = stretch.iter().rfind(|stop| can_end(stop))?;
    let mut of_vcpu = (0..).zip(&case.actors);
    let mut alone = of_vcpu
        .by_ref()
        .filter(|(_, actor)| actor.cpu() == Some(end.vcpu));
    let ((actor, _), None) = (alone.next()?, alone.next()) else {
        return None;
    };
    let times = |wanted: &Place| {
        let same = stretch.iter().filter(|stop| stop.place == *wanted).count();
        u32::try_from(same).ok()
    };
    let (until, hit) = match &end.place {
        Place::Operation { op, .. } => (Until::Before { op: *op }, 1),
        Place::Data {
            channel,
            cpu,
            field,
            write,
        } => {
            let until = Until::Access {
                channel: *channel as usize,
                cpu: *cpu,
                field: *field,
                write: *write,
            };
            (until, times(&end.place)?)
        }
        _ => return None,
    };
    Some(Turn { actor, until, hit })
}

/// Whether a turn can end where an explorer's run stopped.
fn can_end(stop: &&Stop) -> bool {
    matches!(stop.place, Place::Operation { .. } | Place::Data { .. })
}

#[cfg(test)]
mod tests {
    use super::*;
    use relaybed_case::field::Field;
    use relaybed_case::trace::Step;
    use relaybed_lang as lang;

    use super::super::script::READER_AND_WRITER as TEXT;

    fn steps(stops: &[(u32, Place, &[u32], u32)]) -> Trace {
        let step = |(vcpu, place, enabled, next): &(u32, Place, &[u32], u32)| Step {
            stop: Stop {
                vcpu: *vcpu,
                place: place.clone(),
            },
            enabled: enabled.to_vec(),
            next: *next,
            order: 0,
        };
        Trace {
            steps: stops.iter().map(step).collect(),
            ..Trace::default()
        }
    }

    fn at(actor: u32, op: u32) -> Place {
        Place::Operation { actor, op }
    }

    fn data(field: Field, write: bool) -> Place {
        Place::Data {
            channel: 0,
            cpu: 0,
            field,
            write,
        }
    }

    #[test]
    fn a_run_is_told_in_turns_up_to_what_follows_the_last_preemption() {
        let mut case = lang::load("t", TEXT).unwrap().remove(0);
        let both: &[u32] = &[0, 1];
        let trace = steps(&[
            (0, at(0, 0), both, 1),
            (1, at(1, 0), both, 1),
            (1, at(1, 1), both, 0),
            (0, data(Field::Offset, false), both, 0),
            (0, data(Field::Data, false), both, 0),
            (0, data(Field::Offset, true), both, 0),
            (0, data(Field::Offset, false), both, 1),
            (1, data(Field::Produced, false), both, 1),
            (1, at(1, 2), both, 1),
            (1, Place::Idle, &[0], 0),
            (0, data(Field::Data, false), &[0], 0),
        ]);
        let turns = turns(&case, &trace).unwrap();
        case.schedule = turns;
        let text = lang::write(&case).unwrap();
        let schedule = text.split_once("[[schedule]]").unwrap().1;
        let lines: Vec<&str> = schedule.lines().filter(|line| line.contains('=')).collect();
        assert_eq!(
            lines,
            [
                "run = \"writer\"",
                "until = { before = 0 }",
                "run = \"reader\"",
                "until = { before = 1 }",
                "run = \"writer\"",
                "until = { reads = \"offset\", channel = \"cpu\", cpu = 0 }",
                "hit = 2",
                "run = \"reader\"",
                "until = { before = 2 }",
            ]
        );
        assert_eq!(lang::load("t", &text).unwrap()[0].schedule, case.schedule);
    }

    #[test]
    fn nothing_is_said_where_nobody_is_preempted_or_two_share_a_cpu() {
        let mut case = lang::load("t", TEXT).unwrap().remove(0);
        let both: &[u32] = &[0, 1];
        let plain = steps(&[(0, at(0, 0), both, 0), (0, Place::Idle, &[1], 1)]);
        assert_eq!(turns(&case, &plain), None);
        let preempted = steps(&[(0, at(0, 0), both, 1), (1, at(1, 0), both, 1)]);
        assert!(turns(&case, &preempted).is_some());
        let twin = case.actors[0].clone();
        case.actors.push(twin);
        assert_eq!(turns(&case, &preempted), None);
    }
}
