//! The schema and the parser agree, on what is right and on what is wrong.

use std::collections::BTreeSet;

use super::*;
use crate::load;

fn validator() -> jsonschema::Validator {
    jsonschema::validator_for(&schema()).expect("a schema")
}

fn json_of(text: &str) -> Value {
    let table: toml::Table = text.parse().expect("TOML");
    serde_json::to_value(table).expect("JSON")
}

#[test]
fn every_suite_file_fits_the_schema() {
    let validator = validator();
    for (name, text) in crate::embedded() {
        if let Err(error) = validator.validate(&json_of(text)) {
            panic!("{name}: {error}");
        }
    }
}

#[test]
fn no_definition_takes_the_place_of_another() {
    let schema = schema();
    let defs = schema["$defs"].as_object().expect("definitions");
    let names: BTreeSet<&str> = operations().map(|form| form.name).collect();
    assert_eq!(names.len(), operations().count());
    for name in &names {
        let means = defs[*name]["properties"][*name]["description"].as_str();
        assert!(means.is_some(), "{name}");
    }
}

/// Files that are wrong in one place each: a key of every table and operation of the suites left out, of another
/// type, a word that is none, and a key that is unknown.
fn wrong_files() -> Vec<(String, Value)> {
    let mut seen = BTreeSet::new();
    let mut wrong = Vec::new();
    for (name, text) in crate::embedded() {
        let whole = json_of(text);
        let mut places = Vec::new();
        objects(&whole, &mut String::new(), &mut places);
        for place in places {
            let kind: String = place.chars().filter(|c| !c.is_ascii_digit()).collect();
            let Some(object) = whole.pointer(&place).and_then(Value::as_object) else {
                continue;
            };
            let sort: Vec<&str> = object.keys().map(String::as_str).collect();
            for key in object.keys() {
                if !seen.insert((kind.clone(), sort.join(" "), key.clone())) {
                    continue;
                }
                for (what, changed) in changes(object, key) {
                    let mut file = whole.clone();
                    *file.pointer_mut(&place).expect("the place") = Value::Object(changed);
                    wrong.push((format!("{name}{place}/{key} {what}"), file));
                }
            }
        }
    }
    wrong
}

fn changes(object: &Map<String, Value>, key: &str) -> Vec<(&'static str, Map<String, Value>)> {
    let with = |value: Option<Value>, also: Option<&str>| {
        let mut object = object.clone();
        object.remove(key);
        object.extend(value.map(|value| (key.to_owned(), value)));
        object.extend(also.map(|name| (name.to_owned(), json!(1))));
        object
    };
    let kept = || Some(object[key].clone());
    vec![
        ("left out", with(None, None)),
        ("a boolean", with(Some(json!(true)), None)),
        ("a list of lists", with(Some(json!([[]])), None)),
        ("not a word", with(Some(json!("not a word")), None)),
        (
            "beside a key that is unknown",
            with(kept(), Some("nonesuch")),
        ),
    ]
}

/// The places of all objects that have keys of the language.
fn objects(value: &Value, at: &mut String, places: &mut Vec<String>) {
    let mut inner: Vec<(String, &Value)> = Vec::new();
    match value {
        Value::Object(object) => {
            // The names of channels and parameters are the author's.
            if at != "/channel" && at != "/params" {
                places.push(at.clone());
            }
            inner.extend(object.iter().map(|(key, value)| (key.clone(), value)));
        }
        Value::Array(items) => {
            let items = items.iter().enumerate();
            inner.extend(items.map(|(at, value)| (at.to_string(), value)));
        }
        _ => {}
    }
    for (key, value) in inner {
        let len = at.len();
        at.push('/');
        at.push_str(&key);
        objects(value, at, places);
        at.truncate(len);
    }
}

#[test]
fn what_the_schema_refuses_is_refused_and_a_wrong_shape_is_refused_by_both() {
    let validator = validator();
    let wrong = wrong_files();
    let (mut refused, mut of_shape) = (0, 0);
    for (what, file) in &wrong {
        let text = toml::to_string(file).expect("TOML");
        let taken = load("wrong.toml", &text).is_ok();
        let fits = validator.is_valid(file);
        assert!(fits || !taken, "the schema alone refuses {what}:\n{text}");
        let always = what.ends_with("unknown") || what.ends_with("a boolean");
        assert!(!always || !fits, "the schema takes {what}:\n{text}");
        assert!(!always || !taken, "the parser takes {what}:\n{text}");
        refused += usize::from(!taken);
        of_shape += usize::from(!fits);
    }
    assert!(of_shape >= 100, "{of_shape} of {}", wrong.len());
    // What the schema cannot know: names, sizes, and what must be there for something else.
    assert!(of_shape * 10 >= refused * 7, "{of_shape} of {refused}");
}
