//! What each operator makes of small functions.

use crate::{Mutant, NoSource, Operator, Source};

/// All mutants of a function with this body.
fn mutants(body: &str) -> (String, Vec<Mutant>) {
    let text = format!("static int __user *f(struct s *s, int n)\n{{\n{body}\n}}\n");
    let source = Source::parse(text.clone().into_bytes(), "f").unwrap();
    (text, source.mutants())
}

/// The changed bodies that one operator makes, spaces made one.
fn made(operator: Operator, body: &str) -> Vec<String> {
    let (text, mutants) = mutants(body);
    let of = |mutant: &Mutant| {
        let changed = mutant.apply(&text);
        assert_eq!(changed.lines().count(), text.lines().count(), "{changed}");
        let inner = changed.split_once("\n{\n").unwrap().1;
        let inner = inner.rsplit_once("\n}\n").unwrap().0;
        inner.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let ours = mutants.iter().filter(|m| m.operator == operator);
    ours.map(of).collect()
}

#[test]
fn comparisons_and_arithmetic() {
    assert_eq!(
        made(Operator::Comparison, "return n < 3;"),
        ["return n <= 3;", "return n >= 3;"]
    );
    assert_eq!(
        made(Operator::Arithmetic, "n = n % 5;"),
        ["n = (5) % (n);", "n = (n);", "n = n / 5;"]
    );
    assert_eq!(
        made(Operator::OffByOne, "n = n * 2 - 1;"),
        ["n = ((n * 2 - 1) + 1);"]
    );
    assert_eq!(made(Operator::OffByOne, "n -= m;"), ["n -= (m + 1);"]);
}

#[test]
fn conditions_keep_what_they_do() {
    assert_eq!(
        made(Operator::Negate, "if ((n = f(s)))\n\tg(n);"),
        ["if (!((n = f(s)))) g(n);"]
    );
    assert_eq!(
        made(Operator::Condition, "if (n)\n\tg(n);"),
        ["if ((n) || 1) g(n);", "if ((n) && 0) g(n);"]
    );
    assert_eq!(
        made(Operator::Condition, "n = s ? 1 : 0;"),
        ["n = (1);", "n = (0);"]
    );
    assert_eq!(
        made(Operator::Logic, "n = s && n;"),
        ["n = (s);", "n = (n);", "n = s || n;"]
    );
}

#[test]
fn returned_values() {
    assert_eq!(made(Operator::Return, "return 0;"), ["return 1;"]);
    assert_eq!(made(Operator::Return, "return -EINVAL;"), ["return 0;"]);
    assert!(made(Operator::Return, "return NULL;").is_empty());
    assert!(made(Operator::Return, "return;").is_empty());
}

#[test]
fn statements_are_left_out_by_what_they_do() {
    let body = "mutex_lock(&m);\nkref_get(&s->kref);\nsmp_mb();\nwake_up(&s->q);\nkfree(s);\ng(s);\n\
                mutex_unlock(&m);";
    let count = |operator| made(operator, body).len();
    // Each alone, and both.
    assert_eq!(count(Operator::Lock), 3);
    for operator in [
        Operator::Reference,
        Operator::Barrier,
        Operator::Wake,
        Operator::Free,
        Operator::Drop,
    ] {
        assert_eq!(count(operator), 1, "{operator}");
    }
    let neither = made(Operator::Lock, body);
    let neither = neither.iter().filter(|text| !text.contains("mutex"));
    assert_eq!(neither.count(), 1);
}

#[test]
fn statements_are_doubled_where_that_differs() {
    assert_eq!(
        made(Operator::Double, "n++;\nn = 1;\nn +=\n\t2;"),
        [
            "{ n++; n++; } n = 1; n += 2;",
            "n++; n = 1; { n += 2; n += 2; }"
        ]
    );
}

#[test]
fn neighbours_change_places() {
    assert_eq!(
        made(Operator::Order, "s->a = 1;\ns->b = 2;\ng(s);"),
        ["s->b = 2; s->a = 1; g(s);", "s->a = 1; g(s); s->b = 2;"]
    );
}

#[test]
fn loops_of_macros_are_loops() {
    let body = "for_each_possible_cpu(n)\n\tif ((s = *per_cpu_ptr(s->buf, n)))\n\t\tg(s);";
    assert_eq!(
        made(Operator::Loop, body),
        [
            "for_each_possible_cpu(n) { if ((s = *per_cpu_ptr(s->buf, n))) g(s); break; }",
            "for_each_possible_cpu(n) if ((s = *per_cpu_ptr(s->buf, n))) g(s); else break;"
        ]
    );
    assert_eq!(
        made(Operator::Cpu, body),
        ["for_each_possible_cpu(n) if ((s = *per_cpu_ptr(s->buf, 0))) g(s);"]
    );
    // Its turns are no condition.
    assert_eq!(made(Operator::Negate, body).len(), 1);
}

#[test]
fn a_member_is_taken_for_another() {
    assert_eq!(
        made(Operator::Member, "n = s->subbufs_produced;"),
        ["n = s->subbufs_consumed;"]
    );
}

#[test]
fn names_are_of_their_own_and_stay() {
    let body = "if (n < 3)\n\tn++;\nif (n < 3)\n\tn++;\nreturn n;";
    let (_, all) = mutants(body);
    let mut ids: Vec<&String> = all.iter().map(|mutant| &mutant.id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), all.len());
    // Another function in front changes places and nothing else.
    let text = format!("int other(void)\n{{\n\treturn 7;\n}}\n\nint f(int n)\n{{\n{body}\n}}\n");
    let source = Source::parse(text.into_bytes(), "f").unwrap();
    let later = source.mutants();
    let of_f: Vec<&Mutant> = later.iter().filter(|m| m.function == "f").collect();
    assert_eq!(of_f.len(), all.len());
    for (was, is) in all.iter().zip(of_f) {
        assert_eq!((&was.id, was.line + 5), (&is.id, is.line));
    }
}

#[test]
fn places_and_lines_are_those_of_the_text() {
    let (text, all) = mutants("\tn = 1;\n\tif (n > 2)\n\t\tg(n);");
    let more = all.iter().find(|m| m.operator == Operator::Comparison);
    let more = more.unwrap();
    assert_eq!((more.line, more.column), (4, 8));
    assert_eq!(more.diff(&text), ["-if (n > 2)", "+if (n >= 2)"]);
    assert_eq!((&*more.before, &*more.after), ("n > 2", "n >= 2"));
}

#[test]
fn what_is_no_relay_is_refused() {
    let parse = |text: &str| Source::parse(text.as_bytes().to_vec(), "relay_open").unwrap_err();
    assert_eq!(parse(" \n"), NoSource::Empty);
    assert!(matches!(
        parse("int f(void) { return 0; }\n"),
        NoSource::NoRelay { .. }
    ));
    let prose =
        "Once upon a time, there was a (small) file; it had no C in it at all!\n".repeat(20);
    assert!(
        matches!(parse(&prose), NoSource::NoC { .. }),
        "{:?}",
        parse(&prose)
    );
    let bytes = Source::parse(vec![b'a', 0xff], "f").unwrap_err();
    assert_eq!(bytes, NoSource::NoText { at: 1 });
}

proptest::proptest! {
    #[test]
    fn any_text_is_answered(text in "\\PC{0,80}") {
        if let Ok(source) = Source::parse(text.into_bytes(), "f") {
            let _ = source.mutants();
        }
    }

    #[test]
    fn every_mutant_can_be_applied(
        lines in proptest::collection::vec(
            proptest::sample::select(vec![
                "n = n + 1;", "if (n)", "{", "}", "for_each_cpu(n)", "g(n - 1, s->a);", "return 0;",
                "else", "while (n > 0)", "n++;", "break;", ";", "/* é */", "do", "(", "s->offset = n;",
            ]),
            0..12,
        )
    ) {
        let body = lines.join("\n");
        let text = format!("int f(int n)\n{{\n{body}\n}}\n");
        if let Ok(source) = Source::parse(text.into_bytes(), "f") {
            for mutant in source.mutants() {
                let changed = mutant.apply(source.text());
                proptest::prop_assert_ne!(&changed, source.text());
            }
        }
    }
}
