//! Small traces, made up as compilers would have them: those that binaries have are led, others are not.

use super::cases::{OLD, case, channel, producer, read_after, records};
use crate::forge::synthesize;
use crate::judge;
use relaybed_abi::{Event, EventKind, RB_NONE32};
use relaybed_case::access::{Access, AccessKind, Code};
use relaybed_case::evidence::Evidence;
use relaybed_case::field::Field;
use relaybed_case::place::{Place, Stop};
use relaybed_case::trace::{Accessed, Step, Trace};
use relaybed_case::verdict::{Searched, Verdict};
use relaybed_case::{Case, Mode, Op};

/// One access or stop a line: `op 0.1`, `load offset 0`, `store padding.1 0 8`, `add offset 0 64`.
fn trace(text: &str) -> Trace {
    let mut trace = Trace::default();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |place: usize| words[place].parse::<u64>().unwrap();
        if words[0] == "op" {
            let (actor, op) = words[1].split_once('.').unwrap();
            let place = Place::Operation {
                actor: actor.parse().unwrap(),
                op: op.parse().unwrap(),
            };
            trace.steps.push(Step {
                stop: Stop { vcpu: 0, place },
                enabled: vec![0],
                next: 0,
                order: 0,
            });
            continue;
        }
        let (name, slot) = match words[1].split_once('.') {
            Some((name, slot)) => (name, slot.parse().ok()),
            None => (words[1], None),
        };
        let kind = match words[0] {
            "load" => AccessKind::Load,
            "store" => AccessKind::Store,
            _ => AccessKind::LoadAndStore,
        };
        let mut fields = Field::ALL.into_iter();
        trace.accesses.push(Accessed {
            before: trace.steps.len(),
            vcpu: 0,
            order: 0,
            access: Access {
                channel: 0,
                cpu: 0,
                field: fields.find(|field| field.word() == name).unwrap(),
                slot,
                kind,
                before: number(2),
                after: number(words.len() - 1),
                by: Code {
                    symbol: "relay_made_up".to_owned(),
                    offset: 0,
                },
            },
        });
    }
    trace
}

/// The verdict, or the code of what was found last.
fn judged(case: &Case, evidence: &Evidence, text: &str) -> String {
    let mut evidence = evidence.clone();
    evidence.trace = Some(trace(text));
    match judge(case, &evidence).0 {
        Verdict::Passed => "passed".to_owned(),
        Verdict::Failed { findings } => findings.last().unwrap().code().to_string(),
        other => panic!("{other:#?}"),
    }
}

/// What a kernel leaves, with each callback between begin and end of its operation.
fn left(case: &Case) -> Evidence {
    let mut evidence = synthesize(case, OLD, 2);
    for result in evidence.results.iter_mut().flatten() {
        result.order_start *= 100;
        result.order_end *= 100;
    }
    let is_switch = |event: &&mut Event| {
        event.kind == EventKind::SubbufStart.code() && event.old_offset != RB_NONE32
    };
    let start = evidence.results[0][0].order_start;
    for (number, event) in (1..).zip(evidence.events.iter_mut().filter(is_switch)) {
        (event.actor, event.op, event.order) = (0, 0, start + number);
    }
    evidence
}

/// Two records, each as long as a sub-buffer.
fn two() -> (Case, Evidence) {
    let writer = producer("writer", 0, vec![records(64, 64, 2)]);
    let case = case(channel(64, 4, Mode::NoOverwrite), vec![writer], 0);
    let evidence = left(&case);
    (case, evidence)
}

const FIRST: &str = "op 0.0
load offset 0
load data 0
add offset 0 64
load offset 64
load offset 64
load produced 0
store padding.0 0 0
add produced 0 1
load padding.0 0
";

const NEW: &str = "load produced 1
load data 0
store offset 64 0
";

const CALLED: &str = "load produced 1
load consumed 0
";

const LAST: &str = "store data 0 64
store padding.1 0 0
load offset 0
load offset 0
load data 64
add offset 0 64
";

fn text(parts: [&str; 4]) -> String {
    parts.concat()
}

#[test]
fn a_switch_is_led_in_each_order_that_binaries_have() {
    let (case, evidence) = two();
    let orders = [
        // The source's.
        "load data 0\nload produced 1\nstore offset 64 0\n",
        // gcc 10 and 12: 5.10, 6.1, 6.12.
        NEW,
        // gcc 14: 7.2, 7.3.
        "load produced 1\nstore offset 64 0\nload data 0\n",
    ];
    for order in orders {
        let text = text([FIRST, order, CALLED, LAST]);
        assert_eq!(judged(&case, &evidence, &text), "passed", "{text}");
    }
}

#[test]
fn a_switch_in_any_other_order_is_not() {
    let (case, evidence) = two();
    let swapped = |one: &str, other: &str| {
        let whole = text([FIRST, NEW, CALLED, LAST]);
        let changed = whole.replace(&format!("{one}\n{other}\n"), &format!("{other}\n{one}\n"));
        assert_ne!(whole, changed);
        judged(&case, &evidence, &changed)
    };
    for (one, other) in [
        // The offset behind the counting, the padding behind it, the counting itself.
        ("load offset 64", "load produced 0"),
        ("store padding.0 0 0", "add produced 0 1"),
        ("load produced 0", "store padding.0 0 0"),
        ("add produced 0 1", "load padding.0 0"),
        ("store data 0 64", "store padding.1 0 0"),
        ("store padding.1 0 0", "load offset 0"),
        ("load data 64", "add offset 0 64"),
    ] {
        assert_eq!(swapped(one, other), "R1417", "{one} {other}");
    }
}

/// The lines of `two`'s trace, by number, of which a changed trace still passes.
fn passing(change: impl Fn(&mut Vec<String>, usize)) -> Vec<(usize, String)> {
    let (case, evidence) = two();
    let whole = text([FIRST, NEW, CALLED, LAST]);
    let lines: Vec<String> = whole.lines().map(str::to_owned).collect();
    let passes = |place: &usize| {
        let mut some = lines.clone();
        change(&mut some, *place);
        let code = judged(&case, &evidence, &some.join("\n"));
        assert!(code == "passed" || code.starts_with("R14"), "{code}");
        code == "passed"
    };
    let passing = (1..lines.len()).filter(passes);
    passing.map(|place| (place, lines[place].clone())).collect()
}

#[test]
fn a_load_that_binaries_leave_out_may_be_missing_and_no_other() {
    let passed = passing(|lines, place| drop(lines.remove(place)));
    // `relay_switch_subbuf()`: the padding by which the size grows, after it was stored.
    assert_eq!(passed, [(9, "load padding.0 0".to_owned())]);
}

#[test]
fn an_access_too_much_is_none_of_relays() {
    let passed = passing(|lines, place| {
        let words: Vec<&str> = lines[place].split(' ').collect();
        let again = format!("load {} {}", words[1], words[words.len() - 1]);
        lines.insert(place + 1, again);
    });
    // The source names the offset once more in the address of a write, and in the padding of a switch.
    let again = [
        (1, "load offset 0"),
        (3, "add offset 0 64"),
        (4, "load offset 64"),
        (5, "load offset 64"),
    ];
    assert_eq!(passed, again.map(|(place, line)| (place, line.to_owned())));
}

#[test]
fn an_addition_is_one_instruction_or_two_and_stores_what_it_loaded() {
    let (case, evidence) = two();
    let whole = text([FIRST, NEW, CALLED, LAST]);
    let split = whole.replace("add produced 0 1", "load produced 0\nstore produced 0 1");
    assert_eq!(judged(&case, &evidence, &split), "passed");
    // The count is known from the slot.
    let known = whole.replace("add produced 0 1", "store produced 0 1");
    assert_eq!(judged(&case, &evidence, &known), "passed");
    let wrong = whole.replace("add produced 0 1", "add produced 0 2");
    assert_eq!(judged(&case, &evidence, &wrong), "R1417");
}

#[test]
fn a_buffer_marked_full_is_left_with_a_load_more_on_5_10() {
    let writer = producer("writer", 0, vec![records(64, 64, 4)]);
    let case = case(channel(64, 2, Mode::NoOverwrite), vec![writer], 0);
    let evidence = left(&case);
    let full = "load offset 64
load offset 64
load produced 1
store padding.1 0 0
add produced 1 2
load padding.1 0
load produced 2
load data 64
store offset 64 0
load produced 2
load consumed 0
store offset 0 65
load offset 65
load data 64
add offset 65 65
load offset 65
load offset 65
";
    let rest = "load produced 2
load data 64
store offset 65 0
load produced 2
load consumed 0
store offset 0 65
load offset 65
load data 64
add offset 65 65
";
    let begin = text([FIRST, NEW, CALLED, LAST]);
    let plain = format!("{begin}{full}{rest}");
    assert_eq!(judged(&case, &evidence, &plain), "passed");
    let unused = format!("{begin}{full}load produced 2\n{rest}");
    assert_eq!(judged(&case, &evidence, &unused), "passed");
    let thrice = format!("{begin}{full}load produced 2\nload produced 2\n{rest}");
    assert_eq!(judged(&case, &evidence, &thrice), "R1417");
    // Loaded ahead of the comparison it is behind the offset all the same.
    let swapped = full.replace("add offset 65 65\nload offset 65\nload offset 65\n", "");
    let early = format!(
        "{begin}{swapped}add offset 65 65\nload offset 65\nload produced 2\nload offset 65\n{rest}"
    );
    assert_eq!(judged(&case, &evidence, &early), "R1417");
}

#[test]
fn what_is_consumed_is_counted_as_5_10_does_or_as_others_do() {
    let mut writer = producer("writer", 0, vec![records(64, 64, 2)]);
    writer.ops.push(Op::Consumed {
        channel: 0,
        cpu: 0,
        n: 1,
    });
    let case = case(channel(64, 4, Mode::NoOverwrite), vec![writer], 0);
    let evidence = left(&case);
    let begin = text([FIRST, NEW, CALLED, LAST]);
    for (count, verdict) in [
        ("load consumed 0\nstore consumed 0 1", "passed"),
        ("load consumed 0\nadd consumed 0 1", "passed"),
        // 5.10: what is added to was loaded ahead.
        (
            "load consumed 0\nload consumed 0\nstore consumed 0 1",
            "passed",
        ),
        ("store consumed 0 1", "R1417"),
        (
            "load consumed 0\nload consumed 0\nload consumed 0\nstore consumed 0 1",
            "R1417",
        ),
        (
            "load consumed 0\nstore consumed 0 1\nload consumed 1",
            "R1417",
        ),
        ("load consumed 0", "R1418"),
    ] {
        let text = format!("{begin}op 0.1\nload produced 1\n{count}\n");
        assert_eq!(judged(&case, &evidence, &text), verdict, "{count}");
    }
}

#[test]
fn a_run_without_a_trace_is_not_led() {
    let case = read_after(Mode::NoOverwrite);
    let mut evidence = synthesize(&case, OLD, 2);
    evidence.trace = Some(Trace::default());
    assert_eq!(judge(&case, &evidence).0, Verdict::Passed);
}

#[test]
fn an_operation_keeps_its_vcpu_beside_one_that_makes_no_access() {
    let writer = producer("writer", 0, vec![records(64, 64, 2)]);
    let other = producer("other", 0, vec![Op::Signal { gate: 0 }]);
    let case = case(channel(64, 4, Mode::NoOverwrite), vec![writer, other], 1);
    let evidence = left(&case);
    let text = text([FIRST, "op 1.0\n", NEW, &format!("op 1.1\n{CALLED}{LAST}")]);
    assert_eq!(judged(&case, &evidence, &text), "passed");
}

#[test]
fn a_trace_that_does_not_say_whose_an_access_is_leads_nobody() {
    let writer = |name| producer(name, 0, vec![records(64, 64, 1)]);
    let case = case(
        channel(64, 4, Mode::NoOverwrite),
        vec![writer("a"), writer("b")],
        0,
    );
    let mut evidence = left(&case);
    let wrong = "op 0.0\nop 1.0\nload offset 9\n";
    // One after the other.
    assert_eq!(judged(&case, &evidence, wrong), "R1417");
    let (first, second) = (evidence.results[0][0], evidence.results[1][0]);
    assert!(first.order_end < second.order_start);
    evidence.trace = Some(trace(wrong));
    assert_eq!(judge(&case, &evidence).1.searched, None);
    evidence.results[0][0].order_end = second.order_end + 1;
    assert_eq!(judged(&case, &evidence, wrong), "passed");
    let (_, amount) = judge(&case, &evidence);
    assert_eq!(amount.searched, Some(Searched::Shared));
}
