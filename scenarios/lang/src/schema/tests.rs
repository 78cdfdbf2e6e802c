//! The schema, the parser and the suites agree.

use std::collections::BTreeSet;

use super::*;
use crate::ops::OPS;
use crate::{client, parse, schedule};

fn keys(schema: &serde_json::Value, name: &str) -> BTreeSet<String> {
    let properties = if name.is_empty() {
        &schema["properties"]
    } else {
        &schema["$defs"][name]["properties"]
    };
    let object = properties.as_object().expect("an object type");
    object.keys().cloned().collect()
}

fn set(known: &[&str]) -> BTreeSet<String> {
    known.iter().map(|key| (*key).to_owned()).collect()
}

#[test]
fn tables_have_the_keys_that_the_parser_knows() {
    let schema = schema();
    assert_eq!(keys(&schema, ""), set(&parse::FILE_KEYS));
    assert_eq!(keys(&schema, "Channel"), set(&parse::CHANNEL_KEYS));
    assert_eq!(keys(&schema, "Refuse"), set(&client::REFUSE_KEYS));
    assert_eq!(keys(&schema, "Stall"), set(&client::STALL_KEYS));
    assert_eq!(keys(&schema, "Create"), set(&client::CREATE_KEYS));
    assert_eq!(keys(&schema, "Created"), set(&client::CREATED_KEYS));
    assert_eq!(keys(&schema, "NoMemory"), set(&client::NO_MEMORY_KEYS));
    assert_eq!(keys(&schema, "Actor"), set(&parse::ACTOR_KEYS));
    assert_eq!(keys(&schema, "BufferClaim"), set(&parse::BUFFER_KEYS));
    assert_eq!(keys(&schema, "ActorClaim"), set(&parse::CLAIM_KEYS));
    assert_eq!(keys(&schema, "Turn"), set(&schedule::TURN_KEYS));
    assert_eq!(keys(&schema, "UntilPlace"), set(&schedule::UNTIL_KEYS));
    assert_eq!(keys(&schema, "FlowClaim"), set(&parse::FLOW_KEYS));
    assert_eq!(keys(&schema, "OpenRefused"), set(&parse::OPEN_REFUSED_KEYS));
}

#[test]
fn operations_have_the_keys_that_the_parser_knows() {
    let schema = schema();
    let kinds = schema["$defs"]["Operation"]["anyOf"]
        .as_array()
        .expect("a union");
    let described: BTreeSet<_> = kinds
        .iter()
        .map(|kind| {
            let name = kind["$ref"].as_str().expect("a reference");
            keys(&schema, name.trim_start_matches("#/$defs/"))
        })
        .collect();
    let known: BTreeSet<_> = OPS.iter().map(|form| set(&form.keys())).collect();
    assert_eq!(described, known);
}

#[test]
fn every_suite_file_fits_the_schema() {
    for (name, text) in crate::embedded() {
        if let Err(error) = toml::from_str::<Scenario>(text) {
            panic!("{name}: {error}");
        }
    }
}
