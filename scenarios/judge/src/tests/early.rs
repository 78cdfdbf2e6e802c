//! A file that is opened before relay has begun with its buffer, and what the kernel says of it.

use super::cases::OLD;
use crate::forge::as_built;
use crate::judge;
use relaybed_case::Case;
use relaybed_case::evidence::Evidence;
use relaybed_case::verdict::Verdict;
use relaybed_lang as lang;
use relaybed_twin::{Defect, defects_of};

fn scenario(name: &str) -> Case {
    let (path, text) = lang::embedded()
        .find(|(path, _)| path.contains(name))
        .expect("the suite has it");
    lang::load(path, text).expect(path).remove(0)
}

fn left(case: &Case) -> Evidence {
    as_built(case, OLD, case.vcpus, defects_of(OLD))
}

fn is_failed(case: &Case, evidence: &Evidence) -> bool {
    matches!(judge(case, evidence).0, Verdict::Failed { .. })
}

#[test]
fn what_the_kernel_says_of_a_count_must_be_just_that() {
    let case = scenario("known/opened-before-its-start");
    let evidence = left(&case);
    assert!(evidence.console.contains("refcount_t: addition on 0"));
    assert!(matches!(judge(&case, &evidence).0, Verdict::Known { id, .. } if id == "K45"));
    let changes: [(&str, &str); 7] = [
        ("relay_file_open+", "relay_file_read+"),
        ("relay_file_release+", "? relay_file_release+"),
        ("addition on 0", "decrement hit 0"),
        ("underflow; use-after-free.", "saturated; leaking memory."),
        ("refcount_warn_saturate+", "relay_open+"),
        (
            "Call Trace:",
            "BUG: unable to handle page fault\nCall Trace:",
        ),
        ("WARNING: CPU", "Warning: CPU"),
    ];
    for (from, to) in changes {
        let mut other = evidence.clone();
        other.console = evidence.console.replacen(from, to, 1);
        assert_ne!(other, evidence, "{from}");
        assert!(is_failed(&case, &other), "{to} for {from}");
    }
    type Change = fn(&mut Evidence);
    let whole: [(&str, Change); 5] = [
        ("nothing", |evidence| evidence.console.clear()),
        ("all twice", |evidence| {
            evidence.console = evidence.console.repeat(2);
        }),
        ("no taint", |evidence| evidence.taint_after = 0),
        ("another taint", |evidence| evidence.taint_after |= 0x80),
        ("a warning more", |evidence| {
            evidence.console += "WARNING: CPU: 0 PID: 1 at kernel/relay.c:1 relay_open+0x1/0x2\n";
        }),
    ];
    for (what, change) in whole {
        let mut other = evidence.clone();
        change(&mut other);
        assert!(is_failed(&case, &other), "{what}");
    }
}

#[test]
fn a_count_that_is_right_says_nothing_and_a_warning_then_is_new() {
    let case = scenario("known/opened-before-its-start");
    let right = as_built(&case, OLD, 2, defects_of(OLD).without(Defect::K45));
    assert!(right.console.is_empty() && right.taint_after == 0);
    assert!(matches!(judge(&case, &right).0, Verdict::Fixed { id } if id == "K45"));
    // The same warning where nobody opened the file too early.
    let (path, text) = (
        "my/late.toml",
        r#"
        summary = "The file is opened behind the opening."
        vcpus = 2
        channel.cpu = { subbuf_size = 64, n_subbufs = 4, open = "scripted" }
        [[actor]]
        name = "client"
        cpu = 0
        script = [{ open = "cpu" }, { signal = "open" }]
        [[actor]]
        name = "program"
        context = "user"
        script = [{ wait = "open" }, { open_file = "cpu", cpu = 0, as = "f" }]
    "#,
    );
    let late = lang::load(path, text).expect(path).remove(0);
    let mut evidence = left(&late);
    assert_eq!(judge(&late, &evidence).0, Verdict::Passed);
    let warned = left(&case);
    (evidence.console, evidence.taint_after) = (warned.console, warned.taint_after);
    assert!(is_failed(&late, &evidence));
}

/// A program that keeps its file beyond the end of the channel uses memory that was freed: nothing explains that.
#[test]
fn what_comes_of_freed_memory_is_never_known() {
    let (path, text) = lang::embedded()
        .find(|(path, _)| path.contains("known/opened-and-kept"))
        .expect("the suite has it");
    let kept = text.replace("{ close_file = \"f\" },", "");
    assert_ne!(kept, text);
    let case = lang::load(path, &kept).expect(path).remove(0);
    assert!(is_failed(&case, &left(&case)));
}
