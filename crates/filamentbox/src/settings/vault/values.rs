//! The settings in a secret of Vault: JSON, by dotted key or nested as people like it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{VALUES_PATH, VaultError};

/// The keys whose last part is any name, and which may be given as one JSON object in a text (`bao kv put` makes texts of everything).
const FAMILY: &str = "data_collection.tags";

/// The settings in the secret's `fields`, by dotted key. Numbers and switches become texts, lists texts with commas; `null` is not set.
///
/// # Errors
/// A key that is given twice, and what no setting can be.
pub(super) fn settings(fields: Map<String, Value>) -> Result<Vec<(String, String)>, VaultError> {
    let mut found = BTreeMap::new();
    for (name, value) in fields {
        add(&mut found, name, value)?;
    }
    Ok(found.into_iter().collect())
}

fn add(found: &mut BTreeMap<String, String>, key: String, value: Value) -> Result<(), VaultError> {
    let text = match value {
        Value::Null => return Ok(()),
        Value::Object(fields) => {
            for (name, value) in fields {
                add(found, format!("{key}.{name}"), value)?;
            }
            return Ok(());
        }
        Value::Array(items) => {
            let items: Option<Vec<String>> = items.into_iter().map(plain).collect();
            items.map(|items| items.join(",")).ok_or_else(|| refused(&key, "a list may hold texts and numbers only"))?
        }
        Value::String(text) if key == FAMILY => {
            let tags: Map<String, Value> = serde_json::from_str(&text)
                .map_err(|_| refused(&key, "allowed: a JSON object of texts, such as {\"location\":\"shelf 2\"}"))?;
            return add(found, key, Value::Object(tags));
        }
        other => plain(other).unwrap_or_default(),
    };
    match found.insert(key.clone(), text) {
        None => Ok(()),
        Some(_) => Err(refused(&key, "it is there twice, as a dotted key and nested; keep one")),
    }
}

/// A text, a number or a switch.
fn plain(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(switch) => Some(switch.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn refused(key: &str, why: &str) -> VaultError {
    VaultError::Malformed { path: VALUES_PATH, reason: format!("{key}: {why}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, expected: Result<&[(&str, &str)], &str>) {
        let fields = serde_json::from_str(json).expect("JSON");
        match (settings(fields), expected) {
            (Ok(found), Ok(expected)) => {
                let found: Vec<_> = found.iter().map(|(key, text)| (key.as_str(), text.as_str())).collect();
                assert_eq!(found, expected);
            }
            (Err(error), Err(word)) => assert!(error.to_string().contains(word), "{error}"),
            (Ok(found), Err(word)) => panic!("{found:?} instead of {word}"),
            (Err(error), Ok(_)) => panic!("{error}"),
        }
    }

    #[test]
    fn every_way_to_write_a_setting_is_taken() {
        check("{}", Ok(&[]));
        check(
            r#"{"sensor.type":"dht22","sensor.gpio_pin":4}"#,
            Ok(&[("sensor.gpio_pin", "4"), ("sensor.type", "dht22")]),
        );
        check(r#"{"a.b":20.5,"a.c":true,"a.d":null}"#, Ok(&[("a.b", "20.5"), ("a.c", "true")]));
        check(
            r#"{"database":{"type":["influxdb_v1","prometheus"]}}"#,
            Ok(&[("database.type", "influxdb_v1,prometheus")]),
        );
        let tags: &[(&str, &str)] = &[("data_collection.tags.Room", "a, b"), ("data_collection.tags.x.y", "1")];
        check(r#"{"data_collection.tags":{"Room":"a, b","x.y":1}}"#, Ok(tags));
        check(r#"{"data_collection":{"tags":{"Room":"a, b","x.y":"1"}}}"#, Ok(tags));
        check(r#"{"data_collection.tags":"{\"Room\":\"a, b\",\"x.y\":\"1\"}"}"#, Ok(tags));
    }

    #[test]
    fn what_no_setting_can_be_is_refused() {
        check(r#"{"a.b":"1","a":{"b":"2"}}"#, Err("a.b: it is there twice"));
        check(r#"{"a.b":[{"c":1}]}"#, Err("a.b: a list may hold"));
        check(r#"{"data_collection.tags":"room"}"#, Err("a JSON object of texts"));
    }
}
