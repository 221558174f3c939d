//! `FILAMENTBOX_SECTION__KEY` in the environment: the key in capitals, `.` as `__`.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use filamentbox_core::config::{ConfigError, Layer, Registry, Source};

/// A name and its value, as the operating system has them.
pub type Variable = (OsString, OsString);

const PREFIX: &str = "FILAMENTBOX_";
/// The one variable that holds many settings: tags as a JSON object, with names as written.
const TAGS: &str = "data_collection.tags";

/// Variables that say how the store is opened.
const NOT_SETTINGS: [&str; 2] = ["FILAMENTBOX_CONFIG_KEY", "FILAMENTBOX_ALLOW_DEFAULT_KEY"];

/// Secrets that are no settings.
const SECRETS: [&str; 5] =
    ["CONFIG_ENCRYPTION_KEY", "VAULT_TOKEN", "VAULT_ROLE_ID", "VAULT_SECRET_ID", "VAULT_SECRET_ID_WRAPPED"];

pub(super) struct Environment {
    pub(super) layer: Layer,
    pub(super) errors: Vec<ConfigError>,
    pub(super) warnings: Vec<String>,
}

/// Picks the settings out of `variables`.
pub(super) fn layer(registry: &Registry, variables: Vec<Variable>) -> Environment {
    let mut values = Vec::new();
    let mut errors = Vec::new();
    let mut warnings = Vec::new();
    for (name, value) in variables {
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else { continue };
        let mut refuse = |problem: String| errors.push(ConfigError { key: name.to_owned(), problem });
        let Some(value) = value.to_str() else {
            refuse("the value is not valid UTF-8; set it again as UTF-8 text".to_owned());
            continue;
        };
        if NOT_SETTINGS.contains(&name) {
            continue;
        }
        let key = name[PREFIX.len()..].to_ascii_lowercase().replace("__", ".");
        if key == TAGS {
            match serde_json::from_str::<BTreeMap<String, String>>(value) {
                Ok(tags) => values.extend(tags.into_iter().map(|(tag, text)| (format!("{TAGS}.{tag}"), text))),
                Err(error) => {
                    refuse(format!("{error}; allowed: a JSON object of texts, such as {{\"location\":\"shelf 2\"}}"))
                }
            }
        } else if key.contains('.') {
            values.push((key, value.to_owned()));
        } else if let Some(meant) = registry.specs().iter().find(|spec| spec.key.replace('.', "_") == key) {
            refuse(format!("unknown name; did you mean {}?", variable_name(meant.key)));
        } else {
            warnings.push(format!("{name} in the environment is not a setting and is ignored"));
        }
    }
    Environment { layer: Layer { source: Source::Environment, values }, errors, warnings }
}

/// The value of the variable `name`, if it is set and not empty.
pub(super) fn variable(variables: &[Variable], name: &str) -> Option<String> {
    let (_, value) = variables.iter().find(|(known, _)| known == name)?;
    value.to_str().filter(|value| !value.is_empty()).map(str::to_owned)
}

/// Whether the value of the variable `name` is nobody's business: it sets a secret, or is no setting and may be a misspelt one.
pub(super) fn is_secret(registry: &Registry, name: &OsStr) -> bool {
    let Some(name) = name.to_str() else { return false };
    let Some(setting) = name.strip_prefix(PREFIX) else { return SECRETS.contains(&name) };
    let key = setting.to_ascii_lowercase().replace("__", ".");
    key != TAGS && registry.find(&key).is_none_or(|spec| spec.is_secret())
}

/// The name of the variable that sets `key`.
pub fn variable_name(key: &str) -> String {
    format!("{PREFIX}{}", key.to_ascii_uppercase().replace('.', "__"))
}

#[cfg(test)]
mod tests {
    use super::super::{Layers, load, registry};
    use super::*;

    #[track_caller]
    fn check(variables: &[(&str, &str)], expected: Result<&[(&str, &str)], &[&str]>) {
        let variables = variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        match (load(&registry(), Layers { variables, ..Layers::default() }), expected) {
            (Ok(loaded), Ok(values)) => {
                for (key, text) in values {
                    assert_eq!(
                        loaded.settings.get(key).map(|s| (s.text.expose(), s.source)),
                        Some((*text, Source::Environment))
                    );
                }
            }
            (Err(errors), Err(words)) => {
                let text: String = errors.iter().map(|error| format!("{error}\n")).collect();
                for word in words {
                    assert!(text.contains(word), "{word:?} is not in:\n{text}");
                }
            }
            (Ok(_), Err(words)) => panic!("accepted, though {words:?} was to be refused"),
            (Err(errors), Ok(_)) => panic!("refused: {errors:?}"),
        }
    }

    #[test]
    fn names_map_to_keys_and_tags_keep_theirs() {
        check(&[("FILAMENTBOX_SENSOR__TYPE", "simulated")], Ok(&[("sensor.type", "simulated")]));
        check(&[("FILAMENTBOX_DATA_COLLECTION__TAGS__Shelf", "2")], Ok(&[("data_collection.tags.shelf", "2")]));
        let json = r#"{"Shelf":"oben, links","b":"c=d"}"#;
        let tags: &[(&str, &str)] = &[("data_collection.tags.Shelf", "oben, links"), ("data_collection.tags.b", "c=d")];
        check(&[("FILAMENTBOX_DATA_COLLECTION__TAGS", json)], Ok(tags));
    }

    #[test]
    fn every_problem_is_named_at_once() {
        let variables = [
            ("FILAMENTBOX_SENSOR__TIPE", "simulated"),
            ("FILAMENTBOX_SENSOR_TYPE", "simulated"),
            ("FILAMENTBOX_DATA_COLLECTION__READ_INTERVAL", "0"),
            ("FILAMENTBOX_DATA_COLLECTION__TAGS", "[1]"),
            ("FILAMENTBOX_QUEUE__MAX_SIZE", "-1"),
            ("FILAMENTBOX_HEATING_CONTROL__MIN_TEMP_C", "30"),
        ];
        let words: &[&str] = &[
            "did you mean sensor.type",
            "did you mean FILAMENTBOX_SENSOR__TYPE",
            "\"0\" is not allowed; allowed: a number from 0.25 to 3600 s",
            "a JSON object of texts",
            "\"-1\" is not allowed; allowed: a whole number from 100",
            "30 and 22 are not allowed together",
        ];
        check(&variables, Err(words));
    }

    #[test]
    fn every_variable_that_may_hold_a_secret_is_known() {
        let registry = registry();
        let secret = |name: &str| is_secret(&registry, OsStr::new(name));
        for spec in registry.specs() {
            assert_eq!(secret(&variable_name(spec.key)), spec.is_secret(), "{}", spec.key);
        }
        for name in ["CONFIG_ENCRYPTION_KEY", "FILAMENTBOX_CONFIG_KEY", "VAULT_TOKEN", "FILAMENTBOX_DATABASE_TOKEN"] {
            assert!(secret(name), "{name}");
        }
        for name in ["PATH", "HTTP_PROXY", "VAULT_ADDR", "FILAMENTBOX_DATA_COLLECTION__TAGS", "config_encryption_key"] {
            assert!(!secret(name), "{name}");
        }
    }

    #[test]
    fn other_names_are_left_alone() {
        let variables = vec![("FILAMENTBOX_SIM_SEED".into(), "1".into()), ("PATH".into(), "/bin".into())];
        let loaded = load(&registry(), Layers { variables, ..Layers::default() }).expect("accepted");
        assert_eq!(loaded.warnings.len(), 1, "{:?}", loaded.warnings);
    }
}
