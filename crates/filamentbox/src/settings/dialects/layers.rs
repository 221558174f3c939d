//! Old names in the layers of settings: whoever still has them is understood, and told what they are called now.

use std::collections::HashMap;

use filamentbox_core::config::{ConfigError, Layer, Registry, Source};

use super::{Meaning, meaning};
use crate::settings::environment::variable_name;

/// Puts our names in the place of the original's, in all `layers` (highest first). Says what was found, a line each. Within one layer
/// our own name wins over an old one.
pub(in crate::settings) fn translate(
    registry: &Registry,
    layers: &mut [Layer],
) -> (Vec<String>, Vec<(Source, ConfigError)>) {
    let mut known: HashMap<String, String> = HashMap::new();
    for (key, text) in layers.iter().flat_map(|layer| &layer.values) {
        known.entry(key.clone()).or_insert_with(|| text.clone());
    }
    let others = |key: &str| known.get(key).cloned();
    let (mut notes, mut errors) = (Vec::new(), Vec::new());
    for layer in layers {
        let source = layer.source;
        let name = |key: &str| match source {
            Source::Environment => format!("{} in the environment", variable_name(key)),
            source => format!("{key} in the {source}"),
        };
        let here: Vec<String> = layer.values.iter().map(|(key, _)| key.clone()).collect();
        let mut values = Vec::new();
        for (key, text) in std::mem::take(&mut layer.values) {
            match meaning(&key, &text, &others) {
                None => values.push((key, text)),
                Some(Meaning::Ignored(reason)) => notes.push(format!("{} has no effect: {reason}", name(&key))),
                Some(Meaning::Refused(problem)) => errors.push((source, ConfigError { key, problem })),
                Some(Meaning::Now(now)) => {
                    for (new, text) in now {
                        if new == "database.type" && new != key && here.contains(&new) {
                            // It went into what becomes of that one.
                            notes.push(format!("{} is part of {new} now", name(&key)));
                            continue;
                        }
                        if new != key && here.contains(&new) {
                            notes.push(format!("{} is not used, because {new} is set there too", name(&key)));
                            continue;
                        }
                        let problem = registry.find(&new).and_then(|spec| spec.parse(&text).err());
                        match problem {
                            Some(problem) if new != key => {
                                errors.push((
                                    source,
                                    ConfigError { key: key.clone(), problem: format!("(now {new}) {problem}") },
                                ));
                            }
                            _ => {
                                notes.push(now_called(&name(&key), source, &key, &new, &text));
                                values.push((new, text));
                            }
                        }
                    }
                }
            }
        }
        layer.values = values;
    }
    (notes, errors)
}

fn now_called(name: &str, source: Source, old: &str, new: &str, text: &str) -> String {
    let new_name = if source == Source::Environment { variable_name(new) } else { new.to_owned() };
    // Never a secret: of keys with one, only the name changes.
    if matches!(new, "database.type") {
        format!("{name} is now {new_name} = {text}")
    } else if old == new {
        format!("{name} is now written {text}")
    } else {
        format!("{name} is now called {new_name}")
    }
}

#[cfg(test)]
mod tests {
    use filamentbox_core::config::Source;

    use crate::settings::{Layers, load, registry};

    /// The environment, the store, what holds, and a part of each line that is told.
    #[track_caller]
    fn check(environment: &[(&str, &str)], stored: &[(&str, &str)], holds: &[(&str, &str)], told: &[&str]) {
        let layers = Layers {
            variables: environment.iter().map(|(name, text)| ((*name).into(), (*text).into())).collect(),
            stored: stored.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect(),
            ..Layers::default()
        };
        let loaded = load(&registry(), layers).expect("accepted");
        for (key, text) in holds {
            assert_eq!(loaded.settings.get(key).map(|setting| setting.text.expose()), Some(*text), "{key}");
        }
        for part in told {
            assert!(loaded.warnings.iter().any(|line| line.contains(part)), "{part:?} is not in {:?}", loaded.warnings);
        }
        assert_eq!(loaded.warnings.len(), told.len(), "{:?}", loaded.warnings);
    }

    #[test]
    fn both_dialects_in_the_environment() {
        check(
            &[("FILAMENTBOX_INFLUXDB__HOST", "nas"), ("FILAMENTBOX_INFLUXDB__DATABASE", "air")],
            &[],
            &[
                ("database.type", "influxdb_v1"),
                ("database.influxdb_v1.url", "http://nas:8086"),
                ("database.influxdb_v1.database", "air"),
            ],
            &[
                "FILAMENTBOX_INFLUXDB__HOST in the environment is now called FILAMENTBOX_DATABASE__INFLUXDB_V1__URL",
                "is now called FILAMENTBOX_DATABASE__INFLUXDB_V1__DATABASE",
                "is now FILAMENTBOX_DATABASE__TYPE = influxdb_v1",
            ],
        );
        check(
            &[("FILAMENTBOX_SENSORS__TYPE", "dht22"), ("FILAMENTBOX_DATABASE__INFLUXDB__TAGS", r#"{"Shelf":"2"}"#)],
            &[],
            &[("sensor.type", "dht22"), ("data_collection.tags.Shelf", "2")],
            &["FILAMENTBOX_SENSOR__TYPE", "FILAMENTBOX_DATA_COLLECTION__TAGS__SHELF"],
        );
    }

    #[test]
    fn a_meaning_is_put_together_from_all_layers() {
        check(
            &[("FILAMENTBOX_DATABASE__INFLUXDB__TOKEN", "secret")],
            &[
                ("database.type", "influxdb"),
                ("database.influxdb.version", "1"),
                ("database.influxdb.bucket", "air"),
                ("database.influxdb.org", "home"),
                ("database.influxdb_v1.username", "box"),
            ],
            &[
                ("database.type", "influxdb_v1"),
                ("database.influxdb_v1.password", "secret"),
                ("database.influxdb_v1.database", "air"),
            ],
            &[
                "FILAMENTBOX_DATABASE__INFLUXDB_V1__PASSWORD",
                "database.influxdb.version in the store is part of database.type now",
                "database.type in the store is now database.type = influxdb_v1",
                "database.influxdb.bucket in the store is now called database.influxdb_v1.database",
                "database.influxdb.org in the store has no effect",
            ],
        );
    }

    #[test]
    fn our_own_name_wins_in_the_same_place_and_the_higher_place_wins_anyway() {
        let told = ["sensors.type in the store is not used, because sensor.type is set there too"];
        check(&[], &[("sensors.type", "dht22"), ("sensor.type", "bme280")], &[("sensor.type", "bme280")], &told);
        check(
            &[("FILAMENTBOX_SENSORS__TYPE", "dht22")],
            &[("sensor.type", "bme280")],
            &[("sensor.type", "dht22")],
            &["FILAMENTBOX_SENSORS__TYPE"],
        );
    }

    #[test]
    fn in_vault_too() {
        let vault = vec![("sensors.type".to_owned(), "dht22".to_owned())];
        let loaded = load(&registry(), Layers { vault, ..Layers::default() }).expect("accepted");
        assert_eq!(
            loaded.settings.get("sensor.type").map(|s| (s.text.expose(), s.source)),
            Some(("dht22", Source::Vault))
        );
        assert!(
            loaded.warnings[0].contains("sensors.type in the vault is now called sensor.type"),
            "{:?}",
            loaded.warnings
        );
    }

    #[test]
    fn a_refused_value_is_named_as_it_was_given() {
        let stored = [("sensors.type", "dht44"), ("database.influxdb.tags", "[]")];
        let stored = stored.map(|(key, text)| (key.to_owned(), text.to_owned())).to_vec();
        let errors = load(&registry(), Layers { stored, ..Layers::default() }).expect_err("two problems");
        let text: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(text.len(), 2, "{text:?}");
        assert!(text.iter().any(|line| line.contains("sensors.type: (now sensor.type) \"dht44\"")), "{text:?}");
        assert!(text.iter().any(|line| line.contains("database.influxdb.tags: ")), "{text:?}");
    }
}
