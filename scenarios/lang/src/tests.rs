//! Tests of the language as a whole: good files, bad files, and files made bad by chance.

use std::collections::BTreeSet;

use miette::{GraphicalReportHandler, GraphicalTheme};
use proptest::prelude::*;

use super::{Diagnostics, embedded, load, races};
use relaybed_case::{Case, Context, Expect, Mode, Op, Payload, Place, Via};

/// What a user without a terminal sees.
fn render(diagnostics: &Diagnostics) -> String {
    let mut shown = String::new();
    GraphicalReportHandler::new_themed(GraphicalTheme::none())
        .with_width(100)
        .render_report(&mut shown, diagnostics)
        .expect("a string takes all text");
    shown
}

/// One snapshot for each file of fixtures/bad-scenarios.
macro_rules! bad_files {
    ($($test:ident: $file:literal,)*) => {
        $(
            #[test]
            fn $test() {
                let text = include_str!(concat!("../../../fixtures/bad-scenarios/", $file, ".toml"));
                let diagnostics = load(concat!("bad/", $file), text).expect_err("the file is bad");
                assert!(!diagnostics.problems().is_empty());
                insta::assert_snapshot!($file, render(&diagnostics));
            }
        )*
    };
}

bad_files! {
    text_that_is_not_toml: "malformed",
    unknown_keys_words_and_operations: "unknown-keys",
    values_of_the_wrong_type: "wrong-types",
    missing_keys: "missing-keys",
    names_of_nothing: "names",
    sizes_out_of_range: "sizes",
    buffers_without_room: "too-big",
    evidence_without_room: "too-much-evidence",
    waits_that_never_end: "gates",
    malformed_parameters: "parameters",
    parameters_that_fail_for_some_choice: "parameter-use",
    parameters_without_use: "parameter-unused",
    malformed_expressions: "expressions",
    channels_and_checkpoints_out_of_turn: "lifetime",
    paddings_that_do_not_fit: "paddings",
    calls_that_nothing_could_take: "file-calls",
    clients_that_cannot_be: "clients",
    callbacks_that_wait_for_ever: "stalls",
    files_behind_whose_making_nothing_can_wait: "created",
    openings_that_wait_for_ever: "created-for-ever",
    nestings_and_cpus_that_cannot_be: "contexts",
    operations_that_may_sleep_in_an_interrupt: "sleeping",
    contexts_that_nothing_brings_about: "sources",
    interrupts_without_a_sender: "senders",
    nmis_that_may_find_a_lock: "nmi-and-locks",
    nestings_that_lack_something: "nesting",
    a_cpu_that_never_comes_up: "held-cpu",
    schedules_that_cannot_be_kept: "schedule",
}

fn one(text: &str) -> Case {
    let mut cases = load("test/one", text).unwrap_or_else(|error| panic!("{}", render(&error)));
    assert_eq!(cases.len(), 1);
    cases.remove(0)
}

#[test]
fn a_file_becomes_the_case_it_says() {
    let case = one(r#"
        summary = "Everything once."
        vcpus = 2
        seed = 7
        [channel.zeta]
        subbuf_size = 100
        n_subbufs = 3
        mode = "overwrite"
        header_bytes = 8
        [channel.alpha]
        subbuf_size = 0
        n_subbufs = "0xfff" 
    "#
    .replace("\"0xfff\"", "0xfff")
    .as_str());
    assert_eq!(case.seed, 7);
    let names: Vec<_> = case.channels.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["zeta", "alpha"], "the order of the file");
    assert_eq!(case.channels[0].mode, Mode::Overwrite);
    assert_eq!(case.channels[1].mode, Mode::NoOverwrite);
    assert_eq!(case.channels[1].n_subbufs, 0xfff);
}

#[test]
fn each_makes_an_actor_for_every_cpu_and_own_is_its_number() {
    let case = one(r#"
        summary = "Each."
        vcpus = 3
        [channel.c]
        subbuf_size = 64
        n_subbufs = 2
        [[actor]]
        name = "w"
        cpu = "each"
        context = "hardirq"
        script = [ { reserve = "c", len = { min = "own", max = "S - own" }, count = "own + 1" } ]
        [[expect]]
        actor = "w"
        refused = "own"
    "#);
    let names: Vec<_> = case.actors.iter().map(|a| a.name.as_str()).collect();
    assert_eq!(names, ["w@0", "w@1", "w@2"]);
    assert_eq!(
        case.actors[2].place,
        Place::Kernel {
            cpu: 2,
            context: Context::Hardirq
        }
    );
    let payload = Payload::Record {
        len_min: 2,
        len_max: 62,
    };
    let op = Op::Write {
        channel: 0,
        via: Via::Reserve,
        payload,
        count: 3,
    };
    assert_eq!(case.actors[2].ops, [op]);
    assert_eq!(
        case.expect[1],
        Expect::Refused {
            actor: 1,
            records: 1
        }
    );
}

#[test]
fn inline_claims_name_the_operation_after_expansion() {
    let case = one(r#"
        summary = "Claims."
        [channel.c]
        subbuf_size = 64
        n_subbufs = 2
        [[actor]]
        name = "r"
        context = "user"
        script = [
            { repeat = 2, steps = [ { delay_us = 1 } ] },
            { open_file = "c", cpu = 0, as = "f" },
            { mmap = "f", len = "S", fails = "EINVAL" },
            { poll = "f", timeout_ms = 0, gives = "POLLIN + POLLRDNORM" },
        ]
    "#);
    let claims = [
        Expect::Result {
            actor: 0,
            op: 3,
            value: None,
            error: Some(22),
        },
        Expect::Result {
            actor: 0,
            op: 4,
            value: Some(0x41),
            error: None,
        },
    ];
    assert_eq!(case.expect, claims);
}

#[test]
fn parameters_make_a_case_for_every_choice() {
    let text = r#"
        summary = "Choices."
        [params]
        len = [1, 2]
        mode = ["overwrite", "default"]
        [channel.c]
        subbuf_size = "64 * len"
        n_subbufs = 2
        mode = "$mode"
    "#;
    let cases = load("padding/choices", text).expect("a good file");
    let names: Vec<_> = cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "padding/choices[len=1,mode=overwrite]",
            "padding/choices[len=1,mode=default]",
            "padding/choices[len=2,mode=overwrite]",
            "padding/choices[len=2,mode=default]",
        ]
    );
    assert_eq!(cases[3].channels[0].subbuf_size, 128);
    assert_eq!(cases[3].channels[0].mode, Mode::Default);
}

#[test]
fn every_scenario_that_races_is_one_and_in_no_suite() {
    let suites: BTreeSet<_> = embedded().map(|(name, _)| name).collect();
    let all: Vec<_> = races().collect();
    assert!(all.len() >= 11, "{} files", all.len());
    for (name, text) in all {
        let cases = load(name, text).unwrap_or_else(|error| panic!("{}", render(&error)));
        assert!(!cases.is_empty() && !suites.contains(name), "{name}");
    }
}

#[test]
fn every_suite_file_makes_cases_of_names_that_are_unique() {
    let mut names = BTreeSet::new();
    let mut files = 0;
    for (name, text) in embedded() {
        files += 1;
        let cases = load(name, text).unwrap_or_else(|error| panic!("{}", render(&error)));
        for case in cases {
            assert!(
                names.insert(case.name.clone()),
                "{} is there twice",
                case.name
            );
        }
    }
    assert!(files >= 36, "{files} files");
    assert!(
        (files..=600).contains(&names.len()),
        "{} cases",
        names.len()
    );
    for suite in [
        "hello",
        "ordering",
        "padding",
        "overwrite",
        "no-overwrite",
        "readers",
    ] {
        let prefix = format!("{suite}/");
        assert!(
            names.iter().any(|name| name.starts_with(&prefix)),
            "{suite} is empty"
        );
    }
}

/// All suite files as one text each, to be spoiled.
fn suite_text() -> impl Strategy<Value = &'static str> {
    let texts: Vec<&str> = embedded().map(|(_, text)| text).collect();
    (0..texts.len()).prop_map(move |index| texts[index])
}

fn spans_are_inside(text: &str) -> Result<(), TestCaseError> {
    if let Err(diagnostics) = load("test/any", text) {
        for problem in diagnostics.problems() {
            let span = problem.span.offset()..problem.span.offset() + problem.span.len();
            prop_assert!(text.get(span).is_some(), "{problem:?}");
        }
        render(&diagnostics);
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_text_is_answered(text in "[ -~\n\tü]{0,200}") {
        spans_are_inside(&text)?;
    }

    #[test]
    fn any_suite_file_with_a_piece_replaced_is_answered(
        text in suite_text(),
        at in any::<prop::sample::Index>(),
        len in 0..12_usize,
        piece in prop_oneof![
            "[ -~\n]{0,6}",
            Just("\"each\"".to_owned()),
            Just("99999999999999999999".to_owned()),
            Just("-1".to_owned()),
            Just("[]".to_owned()),
            Just("{}".to_owned()),
            Just("9223372036854775807".to_owned()),
        ],
    ) {
        let mut bytes = text.as_bytes().to_vec();
        let start = at.index(bytes.len());
        let end = (start + len).min(bytes.len());
        bytes.splice(start..end, piece.into_bytes());
        spans_are_inside(&String::from_utf8_lossy(&bytes))?;
    }
}
