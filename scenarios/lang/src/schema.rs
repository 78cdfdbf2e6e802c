//! The language's JSON Schema, for editors that check and complete TOML.

#[cfg(test)]
mod tests;

use serde_json::{Map, Value, json};

use crate::ops::OpForm;
use crate::table::{Key, RANGE, SCENARIO, Table, Takes, operations};

/// The JSON Schema of a scenario file.
///
/// Written to a file, an editor finds it by a first line `#:schema PATH` in the scenario. What it refuses,
/// [`load`](crate::load) refuses; that also checks what no schema can say.
#[must_use]
pub fn schema() -> Value {
    let mut defs = Map::new();
    let mut root = table(&SCENARIO, &mut defs);
    let forms: Vec<&OpForm> = operations().collect();
    for form in &forms {
        let described = operation(form, &mut defs);
        defs.insert(form.name.to_owned(), described);
    }
    let each = forms.iter().map(|form| reference(form.name));
    defs.insert(
        "operation".to_owned(),
        json!({
            "description": "One operation of a script.",
            "anyOf": each.collect::<Vec<_>>(),
        }),
    );
    defs.insert("number".to_owned(), number());
    define(&RANGE, &mut defs);
    root["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    root["title"] = json!("relaybed scenario");
    root["$defs"] = Value::Object(defs);
    root
}

fn number() -> Value {
    json!({
        "description":
            "An integer, or an expression in a string: numbers, + - * / % ( ), and the names of parameters, S and N \
             (sub-buffer size and count of the channel concerned), cpus, own, POLLIN …",
        "examples": [4096, "S * N - 1"],
        "type": ["integer", "string"],
    })
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{name}") })
}

/// Name of a table's definition.
fn id(table: &Table) -> String {
    table.name.replace(' ', "-")
}

/// The reference to a table, which is defined where it was not.
fn define(of: &'static Table, defs: &mut Map<String, Value>) -> Value {
    let id = id(of);
    if !defs.contains_key(&id) {
        let described = table(of, defs);
        defs.insert(id.clone(), described);
    }
    reference(&id)
}

fn table(of: &'static Table, defs: &mut Map<String, Value>) -> Value {
    let keys = of.keys.iter();
    object(of.means, keys.copied(), defs)
}

fn operation(form: &OpForm, defs: &mut Map<String, Value>) -> Value {
    let own = Key {
        name: form.name,
        takes: form.subject.takes(),
        needed: true,
        means: form.means,
    };
    let keys = std::iter::once(own).chain(form.args().copied());
    let mut described = object(form.means, keys, defs);
    let mut rules = Vec::new();
    let result: &[_] = if form.has_result() {
        &[("gives", "fails", false)]
    } else {
        &[]
    };
    for (one, other, needed) in form.apart.iter().chain(result) {
        rules.push(if *needed {
            json!({ "oneOf": [{ "required": [one] }, { "required": [other] }] })
        } else {
            json!({ "not": { "required": [one, other] } })
        });
    }
    if !rules.is_empty() {
        described["allOf"] = Value::Array(rules);
    }
    described
}

fn object(means: &str, keys: impl Iterator<Item = Key>, defs: &mut Map<String, Value>) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for key in keys {
        let mut described = value(key.takes, defs);
        described["description"] = json!(key.means);
        properties.insert(key.name.to_owned(), described);
        if key.needed {
            required.push(key.name);
        }
    }
    json!({
        "type": "object",
        "description": means,
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

fn value(takes: Takes, defs: &mut Map<String, Value>) -> Value {
    match takes {
        Takes::Number | Takes::Cpu => reference("number"),
        Takes::Numbers => json!({ "type": "array", "items": reference("number") }),
        Takes::Text | Takes::Name(_) => json!({ "type": "string" }),
        Takes::Word(words) | Takes::Choice(words) => json!({
            "anyOf": [{ "enum": words() }, { "type": "string", "pattern": "^\\$" }]
        }),
        Takes::Words(words) => json!({ "type": "array", "items": { "enum": words() } }),
        Takes::Length => json!({ "anyOf": [reference("number"), reference(&id(&RANGE))] }),
        Takes::Script => json!({ "type": "array", "items": reference("operation") }),
        Takes::Table(of) => json!({ "allOf": [define(of, defs)] }),
        Takes::WordOr(word, of) => json!({ "anyOf": [{ "const": word }, define(of, defs)] }),
        Takes::Named(of) => json!({ "type": "object", "additionalProperties": define(of, defs) }),
        Takes::List(of) => {
            let each: Vec<Value> = of.iter().map(|of| define(of, defs)).collect();
            json!({ "type": "array", "items": { "anyOf": each } })
        }
        Takes::Parameters => json!({
            "type": "object",
            "additionalProperties": {
                "type": "array",
                "items": { "type": ["integer", "string"] },
                "minItems": 1,
            },
        }),
    }
}
