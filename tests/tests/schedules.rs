//! Runs under control on a real kernel: the same machine to the bit, turns that are taken, and turns that
//! cannot be.

#![expect(
    clippy::unwrap_used,
    reason = "a test's helper fails the test by panicking"
)]

use relaybed::run::{Controlled, Driven, Plan, Stops, Wish};
use relaybed_case::Case;
use relaybed_case::place::Place;
use relaybed_case::verdict::Verdict;
use relaybed_guest::{Cache, Terminal};
use relaybed_judge::judge;
use relaybed_lang as lang;
use relaybed_search::schedule::{InTurn, Script, Strategy};
use relaybed_tests::call;
use relaybed_vmm::Clock;
use relaybed_wire::store;

const RELAYBED: &str = env!("CARGO_BIN_EXE_relaybed-under-test");

fn plan() -> Plan {
    let wish = Wish {
        vcpus: None,
        clock: Clock::Instructions,
        debug: true,
        ..relaybed_tests::wish()
    };
    Plan::make(wish, &Cache::open(None).unwrap(), &Terminal::new()).unwrap()
}

fn embedded(name: &str) -> Case {
    let text = lang::embedded()
        .find(|(known, _)| *known == name)
        .unwrap()
        .1;
    lang::load(name, text).unwrap().remove(0)
}

fn run(guest: &Controlled<'_>, case: &Case, strategy: &mut dyn Strategy) -> Driven {
    let outcome = guest.run(case, None, (&Stops::of(case), true), strategy);
    outcome
        .unwrap()
        .unwrap_or_else(|undriven| panic!("{}: {}", case.name, undriven.ended.cause))
}

/// Keeps both cores busy until it is dropped.
struct Load(Vec<std::process::Child>);

impl Load {
    fn new() -> Self {
        let busy = || {
            std::process::Command::new("sh")
                .args(["-c", "while :; do :; done"])
                .spawn()
                .unwrap()
        };
        Self((0..2).map(|_| busy()).collect())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[test]
fn one_seed_gives_one_machine_whatever_the_host_does() {
    let plan = plan();
    let mut case = embedded("ordering/all-cpus");
    let guest = Controlled::obtain(&plan, 2, &Terminal::new()).unwrap();
    let once = |case: &Case, seed| {
        let driven = run(&guest, case, &mut InTurn::new(seed));
        assert_eq!(judge(case, &driven.evidence).0, Verdict::Passed);
        (driven.digest.unwrap(), driven.trace, driven.evidence)
    };
    let first = once(&case, 1);
    for number in 0..2 {
        assert_eq!(once(&case, 1), first, "idle, {number}");
    }
    let load = Load::new();
    for number in 0..2 {
        assert_eq!(once(&case, 1), first, "loaded, {number}");
    }
    drop(load);
    // The digest can tell machines apart.
    case.seed = 2;
    assert_ne!(once(&case, 2).0, first.0);
}

/// What the report says of the machine stays with the evidence.
#[test]
fn the_word_for_the_machine_is_kept() {
    let out = tempfile::tempdir().unwrap();
    let name = "schedules/switch-begun";
    let folder = out.path().to_str().unwrap();
    let run = ["run", name, "--format", "json", "--out", folder];
    let row = call(RELAYBED, &run).expect_code(0).rows().remove(0);
    let (_, _, extra) = store::load(&out.path().join(name)).unwrap();
    let word = row["machine_sha256"].as_str().unwrap();
    assert_eq!(extra.notes[store::MACHINE_NOTE], word);
}

#[test]
fn a_schedule_shows_a_race_in_every_run() {
    let plan = plan();
    let case = embedded("schedules/reader-in-the-switch");
    let guest = Controlled::obtain(&plan, 2, &Terminal::new()).unwrap();
    let mut digests = Vec::new();
    for _ in 0..3 {
        let mut script = Script::new(&case);
        let driven = run(&guest, &case, &mut script);
        assert_eq!(script.not_reached(), None);
        let verdict = judge(&case, &driven.evidence).0;
        assert!(
            matches!(&verdict, Verdict::Known { id, .. } if id == "K2"),
            "{verdict:?}"
        );
        digests.push(driven.digest);
    }
    digests.dedup();
    assert_eq!(digests.len(), 1);
}

#[test]
fn a_turn_that_cannot_end_is_told_and_does_not_hang() {
    let plan = plan();
    let text = r#"
summary = "The writer waits for a reader that stands."
vcpus = 2
[channel.cpu]
subbuf_size = 64
n_subbufs = 4
[[actor]]
name = "writer"
cpu = 0
script = [{ wait = "go" }, { write = "cpu", len = 8 }]
[[actor]]
name = "reader"
cpu = 1
context = "user"
script = [{ signal = "go" }]
[[schedule]]
run = "writer"
until = "end"
"#;
    let case = lang::load("schedules/waits", text).unwrap().remove(0);
    let guest = Controlled::obtain(&plan, 2, &Terminal::new()).unwrap();
    let mut script = Script::new(&case);
    let driven = run(&guest, &case, &mut script);
    let missed = script.not_reached().unwrap();
    assert_eq!(missed.turn, 0);
    assert!(missed.text.contains("vCPU 0 at idle"), "{}", missed.text);
    // Behind it the program comes to its end by itself.
    assert_eq!(judge(&case, &driven.evidence).0, Verdict::Passed);
}

/// The one place in the kernel's code that a run came to, and its verdict.
fn place_in_code(guest: &Controlled<'_>, case: &Case) -> (Place, Verdict) {
    assert_eq!(guest.lacks(&Stops::of(case)), None, "{}", case.name);
    let mut script = Script::new(case);
    let driven = run(guest, case, &mut script);
    assert_eq!(script.not_reached(), None, "{}", case.name);
    let places = driven.trace.steps.into_iter().map(|step| step.stop.place);
    let in_code = |place: &Place| matches!(place, Place::Code { .. } | Place::Instruction { .. });
    let place = places.into_iter().find(in_code).unwrap();
    (place, judge(case, &driven.evidence).0)
}

#[test]
fn turns_end_at_an_offset_in_a_function_and_at_its_nth_instruction() {
    let plan = plan();
    let guest = Controlled::obtain(&plan, 2, &Terminal::new()).unwrap();
    let (place, verdict) = place_in_code(&guest, &embedded("schedules/before-the-step"));
    let symbol = "relay_file_read_consume".to_owned();
    assert_eq!(place, Place::Code { symbol, offset: 5 });
    // Shown only if the reader stood there while the writer went on.
    assert!(
        matches!(&verdict, Verdict::Known { id, .. } if id == "K31"),
        "{verdict:?}"
    );
    let (place, verdict) = place_in_code(&guest, &embedded("schedules/switch-begun"));
    let symbol = "relay_switch_subbuf".to_owned();
    assert_eq!(place, Place::Instruction { symbol, nth: 6 });
    assert_eq!(verdict, Verdict::Passed);
}

#[test]
fn places_that_are_not_in_the_kernel_are_told_before_the_run() {
    let plan = plan();
    let guest = Controlled::obtain(&plan, 2, &Terminal::new()).unwrap();
    let lacking = |symbol: &str, offset| {
        let mut case = embedded("schedules/before-the-step");
        let until = relaybed_case::Until::Code {
            symbol: symbol.to_owned(),
            offset,
            instructions: 0,
        };
        case.schedule[2].until = until;
        guest.lacks(&Stops::of(&case))
    };
    assert_eq!(
        lacking("relay_no_such_function", 0).as_deref(),
        Some("this kernel has no function relay_no_such_function")
    );
    assert_eq!(
        lacking("relay_switch_subbuf", 0x10000).as_deref(),
        Some("relay_switch_subbuf of this kernel has no instruction at 0x10000")
    );
}
