//! A setting's text as a row's JSON value, and back.
//!
//! The rows are the Python original's: a JSON value, and the name of Python's type for it. Its tags are one row with an object; here each
//! name has a row of its own, and both are read.

use std::collections::BTreeMap;

use filamentbox_core::config::{Kind, Registry, Value};
use serde_json::{Number, Value as Json};

/// A row's value and its type.
pub(super) fn encoded(registry: &Registry, key: &str, text: &str) -> (String, &'static str) {
    let json = json(registry, key, text);
    let python = match &json {
        Json::Bool(_) => "bool",
        Json::Number(number) if number.is_f64() => "float",
        Json::Number(_) => "int",
        _ => "str",
    };
    (json.to_string(), python)
}

fn json(registry: &Registry, key: &str, text: &str) -> Json {
    let as_text = || Json::from(text);
    let Some(spec) = registry.find(key) else { return as_text() };
    // What is not allowed is refused later, with all the rest.
    let Ok(value) = spec.parse(text) else { return as_text() };
    match (spec.kind, value) {
        (Kind::Number { .. } | Kind::Integer { .. }, value) => {
            // As it was written, if JSON can write it so.
            let trimmed = text.trim();
            let same = serde_json::from_str::<Number>(trimmed).ok().filter(|number| number.to_string() == trimmed);
            match (same, value) {
                (Some(number), _) => number.into(),
                (None, Value::Number(number)) => Number::from_f64(number).map_or_else(as_text, Json::from),
                (None, Value::Integer(integer)) => integer.into(),
                _ => as_text(),
            }
        }
        (_, Value::Bool(switch)) => switch.into(),
        _ => as_text(),
    }
}

/// The settings of these rows (key and JSON), by key.
pub(super) fn settings(rows: &[(String, String)]) -> Vec<(String, String)> {
    let mut settings: BTreeMap<String, String> = BTreeMap::new();
    // A name's own row counts more than an object that has the name too.
    for (key, json) in rows {
        settings.extend(members(key, json).unwrap_or_default());
    }
    for (key, json) in rows.iter().filter(|(key, json)| members(key, json).is_none()) {
        match text(json) {
            Some(text) => settings.insert(key.clone(), text),
            None => settings.remove(key),
        };
    }
    settings.into_iter().collect()
}

/// An object's members as settings of their own; nothing for any other value.
pub(super) fn members(key: &str, json: &str) -> Option<Vec<(String, String)>> {
    let Ok(Json::Object(members)) = serde_json::from_str(json) else { return None };
    let texts = members.iter().map(|(name, value)| Some((format!("{key}.{name}"), text(&value.to_string())?)));
    Some(texts.flatten().collect())
}

/// A JSON value's text: a string's content, anything else as it is written; nothing for null, Python's "not set".
fn text(json: &str) -> Option<String> {
    match serde_json::from_str(json) {
        Ok(Json::Null) => None,
        Ok(Json::String(text)) => Some(text),
        _ => Some(json.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::registry;
    use super::*;

    #[test]
    fn values_have_the_types_of_their_keys_and_come_back() {
        #[track_caller]
        fn check(key: &str, given: &str, json: &str, python: &str, back: &str) {
            let (row, row_type) = encoded(&registry(), key, given);
            assert_eq!((row.as_str(), row_type), (json, python), "{key} = {given}");
            assert_eq!(settings(&[(key.into(), row)]), [(key.to_owned(), back.to_owned())], "{key} = {given}");
        }
        check("heating_control.max_temp_c", "22.5", "22.5", "float", "22.5");
        check("heating_control.max_temp_c", "22", "22", "int", "22");
        check("heating_control.max_temp_c", " 22.50", "22.5", "float", "22.5");
        check("heating_control.max_temp_c", "2e1", "20.0", "float", "20.0");
        check("queue.max_size", "1000", "1000", "int", "1000");
        check("queue.max_size", "+1000", "1000", "int", "1000");
        check("queue.max_size", "many", "\"many\"", "str", "many");
        check("heating_control.enabled", "yes", "true", "bool", "true");
        check("sensor.type", "auto", "\"auto\"", "str", "auto");
        check("database.influxdb_v1.password", "1234", "\"1234\"", "str", "1234");
        check("data_collection.tags.shelf", "true \"2\" ä", "\"true \\\"2\\\" ä\"", "str", "true \"2\" ä");
        check("un.known", "5", "\"5\"", "str", "5");
    }

    #[test]
    fn an_object_is_a_setting_a_name_and_a_row_of_its_own_counts_more() {
        let row = |key: &str, json: &str| (key.to_owned(), json.to_owned());
        let tags = row("data_collection.tags", r#"{"a": "1", "b": 2, "c": null, "d": true}"#);
        let rows = [tags, row("data_collection.tags.b", "\"own\""), row("sensor.type", "null"), row("x", "broken {")];
        let setting = |key: &str, text: &str| (key.to_owned(), text.to_owned());
        let expected = [
            setting("data_collection.tags.a", "1"),
            setting("data_collection.tags.b", "own"),
            setting("data_collection.tags.d", "true"),
            setting("x", "broken {"),
        ];
        assert_eq!(settings(&rows), expected);
    }
}
