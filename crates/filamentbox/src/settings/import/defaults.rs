//! Where the original's defaults were others than ours: what a person who never set them should know.

use filamentbox_core::config::{Registry, Settings, Source};

use super::Kind;

/// A default that is another one here, and is in force.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Difference {
    /// Our key.
    pub key: &'static str,
    /// What the original took.
    pub was: &'static str,
    /// What holds here.
    pub is: String,
}

/// Release 1, in our keys.
const FIRST: &[(&str, &str)] = &[
    ("data_collection.read_interval", "0.25"),
    ("data_collection.flush_interval", "2"),
    ("database.influxdb_v1.url", "http://influxdb:8086"),
    ("heating_control.min_temp_c", "18"),
    ("heating_control.max_temp_c", "22"),
    ("humidity_control.min_humidity", "40"),
    ("humidity_control.max_humidity", "60"),
    ("sensor.type", "bme280"),
];
/// Its encrypted store.
const SECOND: &[(&str, &str)] = &[
    ("data_collection.batch_size", "10"),
    ("heating_control.min_temp_c", "18"),
    ("heating_control.max_temp_c", "22"),
    ("humidity_control.min_humidity", "40"),
    ("humidity_control.max_humidity", "60"),
    ("retry.backoff_base", "2"),
    ("sensor.i2c_address", "0x76"),
    ("sensor.type", "bme280"),
];

impl Difference {
    /// Those of the keys that nothing sets. `kinds` are the files that were imported.
    pub fn in_force(registry: &Registry, settings: &Settings, kinds: &[Kind]) -> Vec<Self> {
        let defaults = if kinds.contains(&Kind::Store) {
            SECOND
        } else if kinds.contains(&Kind::Yaml) || kinds.contains(&Kind::EnvFile) {
            FIRST
        } else {
            &[]
        };
        let is_ours = |key: &str| settings.get(key).is_some_and(|setting| setting.source == Source::Default);
        let differs = |key: &str, was: &str| {
            let spec = registry.find(key)?;
            (spec.parse(was) != spec.parse(spec.default)).then(|| spec.default.to_owned())
        };
        let in_force = defaults.iter().filter(|(key, _)| is_ours(key));
        in_force.filter_map(|(key, was)| Some(Self { key, was, is: differs(key, was)? })).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::registry;

    #[test]
    fn only_what_differs_and_is_not_set() {
        let registry = registry();
        let (settings, _) = registry.resolve_allowed(&[filamentbox_core::config::Layer {
            source: Source::Store,
            values: vec![("humidity_control.min_humidity".to_owned(), "30".to_owned())],
        }]);
        let keys = |kinds: &[Kind]| -> Vec<_> {
            Difference::in_force(&registry, &settings, kinds).into_iter().map(|difference| difference.key).collect()
        };
        let first = keys(&[Kind::Yaml, Kind::EnvFile]);
        assert!(first.contains(&"heating_control.min_temp_c") && first.contains(&"humidity_control.max_humidity"));
        assert!(!first.contains(&"heating_control.max_temp_c"), "22 in both");
        assert!(!first.contains(&"humidity_control.min_humidity"), "it is set");
        assert!(keys(&[Kind::Store]).contains(&"data_collection.batch_size"));
        assert_eq!(keys(&[Kind::Backlog]), [""; 0]);
    }

    #[test]
    fn every_key_is_one_of_ours() {
        let registry = registry();
        for (key, was) in FIRST.iter().chain(SECOND) {
            assert!(registry.find(key).is_some_and(|spec| spec.parse(was).is_ok()), "{key}");
        }
    }
}
