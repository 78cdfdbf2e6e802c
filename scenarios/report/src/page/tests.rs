//! Pages of forged runs: whole, self-contained, and safe whatever the evidence says.

use super::*;
use relaybed_judge::{forge, judge};
use relaybed_lang as lang;

/// LINUX_VERSION_CODE of 6.1.
const V6_1: u32 = 6 << 16 | 1 << 8;

fn embedded(name: &str) -> Case {
    let (_, text) = lang::embedded().find(|(of, _)| *of == name).unwrap();
    lang::load(name, text).unwrap().remove(0)
}

fn of(case: &Case, evidence: &Evidence) -> String {
    let (verdict, amount) = judge(case, evidence);
    let text = lang::write(case).unwrap_or_default();
    page(&Shown {
        loaded: &Loaded {
            source: text.into(),
            path: "my.toml".into(),
            origin: case.name.clone(),
            case: case.clone(),
        },
        evidence,
        extra: &Extra::default(),
        verdict: &verdict,
        amount,
    })
}

/// Elements that have no end.
const VOID: [&str; 4] = ["meta", "br", "hr", "input"];

/// Fails unless the page's elements are closed in the reverse order of their opening, and nothing in it loads,
/// runs or leaves the page.
fn is_whole(page: &str) {
    // The one script is known to the policy by its hash, and by that alone.
    let script = format!("<script>{}</script>", copy::SCRIPT);
    let page = &page.replacen(&script, "", 1);
    let mut open: Vec<&str> = Vec::new();
    let mut rest = page.strip_prefix("<!DOCTYPE html>\n").unwrap();
    while let Some(at) = rest.find('<') {
        let tag = &rest[at + 1..];
        let end = tag.find('>').expect("a tag that ends");
        let (tag, behind) = (&tag[..end], &tag[end + 1..]);
        assert!(!tag.contains('<'), "a tag within {tag:?}");
        let name = tag.split([' ', '/']).next().unwrap();
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "closed in the wrong place");
        } else if !tag.ends_with('/') && !VOID.contains(&name) {
            open.push(name);
        }
        for word in ["src=", "xlink", "javascript:", " on", "url=", "@import"] {
            assert!(!tag.contains(word), "{word} in {tag:?}");
        }
        assert!(
            !["script", "link", "iframe", "img", "object", "base"].contains(&name),
            "{tag:?}"
        );
        if let Some((_, target)) = tag.split_once("href=\"") {
            let inside = target.starts_with("#f") || target.starts_with("#L");
            assert!(
                inside || target.contains("/report.html"),
                "{tag:?} leaves the run"
            );
        }
        rest = behind;
    }
    assert!(open.is_empty(), "never closed: {open:?}");
    assert!(!page.contains("://"), "an address");
}

#[test]
fn every_embedded_case_gives_a_whole_page() {
    for (name, text) in lang::embedded() {
        for case in lang::load(name, text).unwrap() {
            let page = of(&case, &forge::synthesize(&case, V6_1, case.vcpus));
            is_whole(&page);
            assert!(page.len() < 4 << 20, "{}: {} bytes", case.name, page.len());
        }
    }
}

#[test]
fn a_page_shows_verdict_lanes_buffers_readers_and_table() {
    let case = embedded("hello/hello");
    let evidence = forge::synthesize(&case, V6_1, 2);
    insta::assert_snapshot!("page", of(&case, &evidence));
}

#[test]
fn a_failure_stands_on_top_and_is_marked_below() {
    let case = embedded("padding/exact-fit");
    let kind = relaybed_abi::Plant::Torn;
    let (actor, seq) = relaybed_judge::pick_plant(&case, kind, V6_1, 2).unwrap();
    let spoil = forge::Spoil {
        kind,
        actor: u16::try_from(actor).unwrap(),
        seq,
    };
    let page = of(&case, &forge::plant(&case, V6_1, 2, spoil));
    is_whole(&page);
    let top = page.find("id=\"f1\"").unwrap();
    assert!(top < page.find("Who did what").unwrap());
    assert!(
        page.matches("✗1").count() >= 4,
        "lane, buffer, sub-buffer and table"
    );
}

#[test]
fn hostile_texts_stay_texts() {
    let evil = "</style></title><script>alert(1)</script>\"'><img src=x onerror=1>";
    let mut case = embedded("hello/hello");
    case.name = evil.to_owned();
    case.summary = evil.to_owned();
    case.channels[0].name = evil.to_owned();
    for actor in &mut case.actors {
        actor.name = evil.to_owned();
    }
    let mut evidence = forge::synthesize(&case, V6_1, 2);
    evidence.setting.release = evil.to_owned();
    evidence.console = format!("{evil}\n\u{1b}[31m");
    for observation in &mut evidence.observations {
        observation.label = Some(evil.to_owned());
    }
    let page = of(&case, &evidence);
    is_whole(&page);
    assert_eq!(page.matches("<script").count(), 1, "our own");
    assert!(!page.contains('\u{1b}'));
}

#[test]
fn hostile_numbers_give_a_page_all_the_same() {
    let case = embedded("hello/hello");
    let mut evidence = forge::synthesize(&case, V6_1, 2);
    evidence.setting.vcpus = u32::MAX;
    for channel in evidence
        .observations
        .iter_mut()
        .flat_map(|o| &mut o.channels)
    {
        for buffer in &mut channel.buffers {
            (buffer.produced, buffer.consumed) = (u64::MAX, u64::MAX - 1);
            (buffer.offset, buffer.bytes_consumed) = (u64::MAX, u64::MAX);
            buffer.padding.fill(u64::MAX);
        }
    }
    for event in &mut evidence.events {
        (event.actor, event.op, event.order) = (u16::MAX, u32::MAX, u32::MAX);
        (event.produced, event.consumed) = (u64::MAX >> 1, u64::MAX);
    }
    is_whole(&of(&case, &evidence));
}

/// A page must stay one that a browser opens, whatever was written.
#[test]
fn a_page_is_whole_with_one_hundred_and_a_hundred_thousand_records() {
    for count in [1, 100, 100_000] {
        let text = format!(
            "summary = \"Many.\"\nvcpus = 1\n[channel.cpu]\nsubbuf_size = 65536\nn_subbufs = 64\n\
             [[actor]]\nname = \"w\"\ncpu = 0\nscript = [{{ write = \"cpu\", len = 32, count = {count} }}]\n"
        );
        let case = lang::load("t", &text).unwrap().remove(0);
        let page = of(&case, &forge::synthesize(&case, V6_1, 1));
        is_whole(&page);
        assert!(page.contains(&format!("{count} records")));
        assert!(page.len() < 1 << 20, "{count}: {} bytes", page.len());
    }
}

#[test]
fn the_source_stands_beside_the_table_with_the_failing_step_marked() {
    let case = embedded("padding/exact-fit");
    let (_, text) = lang::embedded()
        .find(|(of, _)| *of == "padding/exact-fit")
        .unwrap();
    let kind = relaybed_abi::Plant::Torn;
    let (actor, seq) = relaybed_judge::pick_plant(&case, kind, V6_1, 2).unwrap();
    let actor = u16::try_from(actor).unwrap();
    let evidence = forge::plant(&case, V6_1, 2, forge::Spoil { kind, actor, seq });
    let (verdict, amount) = judge(&case, &evidence);
    let repeat = "relaybed run padding/exact-fit --plant torn".to_owned();
    let page = page(&Shown {
        loaded: &Loaded {
            source: text.into(),
            path: "my.toml".into(),
            origin: case.name.clone(),
            case: case.clone(),
        },
        evidence: &evidence,
        extra: &Extra {
            repeat,
            ..Extra::default()
        },
        verdict: &verdict,
        amount,
    });
    is_whole(&page);
    let written = text
        .lines()
        .position(|line| line.contains("write = "))
        .unwrap()
        + 1;
    assert!(
        page.contains(&format!("<span id=\"L{written}\" class=\"step\">")),
        "{page}"
    );
    assert!(page.contains(&format!("<a href=\"#L{written}\">")));
    assert!(page.contains("--plant torn</code> <button class=\"copy\""));
}

#[test]
fn the_index_of_a_run_counts_and_filters() {
    let entry = |name: &str, verdict| Entry {
        name: name.to_owned(),
        page: format!("{name}/report.html"),
        verdict,
        amount: Amount::default(),
        kernel: "6.1.0".to_owned(),
        duration_ms: 1250,
    };
    let skipped = Verdict::Skipped {
        reason: "no <CPU>".to_owned(),
    };
    let failed = Verdict::Failed {
        findings: Vec::new(),
    };
    let all = [
        entry("a/one", Verdict::Passed),
        entry("a/two", skipped),
        entry("b/three", failed),
    ];
    let page = index(&all, &[("x".to_owned(), "no evidence.json".to_owned())]);
    is_whole(&page);
    assert!(page.contains("3 scenarios") && page.contains("3.7 s") && page.contains("1 failed"));
    assert!(page.contains("id=\"suite-1\"") && page.contains("tr.outcome-0 { display: none; }"));
    let at = |name: &str| {
        page.find(&format!("<a href=\"{name}/report.html\">"))
            .unwrap()
    };
    assert!(
        at("b/three") < at("a/two") && at("a/two") < at("a/one"),
        "the worst first"
    );
}
