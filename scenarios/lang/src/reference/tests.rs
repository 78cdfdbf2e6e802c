//! The reference has everything, and is the one that is published.

use super::*;

/// Where it is published.
const PUBLISHED: &str = include_str!("../../../LANGUAGE.md");

#[test]
fn the_published_reference_is_that_of_the_tables() {
    let hint = "relaybed help language > scenarios/LANGUAGE.md";
    assert!(reference().trim_end() == PUBLISHED.trim_end(), "{hint}");
}

#[test]
fn every_table_is_in_it() {
    fn within(of: &'static Table, all: &mut Vec<&'static str>) {
        all.push(of.name);
        for key in of.keys {
            match key.takes {
                Takes::Table(of) | Takes::WordOr(_, of) | Takes::Named(of) => within(of, all),
                Takes::List(of) => of.iter().for_each(|of| within(of, all)),
                _ => {}
            }
        }
    }
    let mut all = vec![RANGE.name, NESTING.name];
    within(&SCENARIO, &mut all);
    for name in all {
        assert!(TABLES.iter().any(|table| table.name == name), "{name}");
    }
}

#[test]
fn every_example_is_of_the_language() {
    for table in TABLES {
        let value: toml::Table = table.example.parse().expect(table.name);
        let shown = |key: &Key| table.example.contains(key.name);
        assert!(table.keys.iter().any(shown), "{}", table.name);
        assert!(!value.is_empty(), "{}", table.name);
    }
}

#[test]
fn a_word_finds_its_operation_its_table_or_its_keys() {
    let found = |word: &str| section(word).expect(word);
    assert!(found("splice").starts_with("### splice\n"));
    assert!(found("stall").contains("signals a gate"));
    assert!(found("expect").contains("open_refused"));
    assert!(found("timeout_ms").contains("poll() for POLLIN"));
    assert!(found("no-overwrite").contains("subbuf_start"));
    let error = section("splise").unwrap_err();
    assert!(error.contains("did you mean `splice`?"), "{error}");
    for form in operations() {
        assert!(found(form.name).contains(form.means), "{}", form.name);
    }
}
