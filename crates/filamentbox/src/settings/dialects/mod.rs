//! The names and words of the Python original, in ours: both its dialects, the flat one of its release 1 (`influxdb.host`) and that of
//! its encrypted store (`database.influxdb.url` with `database.influxdb.version`).
//!
//! Pure: one key and its text in, what it means here out. Some meanings depend on further settings (which version of InfluxDB), for
//! which the caller is asked. Whether a value is allowed is not decided here: the key's own description does that.
//! Not here: the short names of its `.env` file, which only an import reads (`settings::import`).

mod changes;
mod influxdb;
mod layers;
mod names;

use serde_json::Value;

pub use changes::{Translated, any_old, translate_changes};
pub(super) use layers::translate;
use names::{IGNORED, RENAMED};

/// What an old name or word is here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Meaning {
    /// These settings: key and text.
    Now(Vec<(String, String)>),
    /// Nothing, for this reason.
    Ignored(String),
    /// It should be something, but says nothing that can be understood: this is what is allowed.
    Refused(String),
}

/// The text of another setting, by either name, as far as it is set.
pub type Others<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// Tags, and what a Pushgateway groups by: one key with a JSON object there, a key a name here.
const FAMILIES: [(&str, &str); 4] = [
    ("data_collection.tags", "data_collection.tags"),
    ("database.influxdb.tags", "data_collection.tags"),
    ("database.prometheus.grouping_keys", "database.prometheus.grouping"),
    ("database.prometheus.grouping_key", "database.prometheus.grouping"),
];

/// What `key` with `text` means; `None` when it is no name of the original's, or one that means the same here.
pub fn meaning(key: &str, text: &str, others: &Others<'_>) -> Option<Meaning> {
    if let Some((_, family)) = FAMILIES.iter().find(|(old, _)| *old == key) {
        return Some(members(family, text));
    }
    if let Some((_, now)) = RENAMED.iter().find(|(old, _)| *old == key) {
        return Some(Meaning::Now(vec![((*now).to_owned(), text.to_owned())]));
    }
    let covers = |old: &str| old == key || old.strip_suffix('*').is_some_and(|prefix| key.starts_with(prefix));
    if let Some((_, reason)) = IGNORED.iter().find(|(old, _)| covers(old)) {
        return Some(Meaning::Ignored((*reason).to_owned()));
    }
    match key {
        "database.type" | "database.enabled" | "database.influxdb.version" => backend(key, text, others),
        "sensors.bme280.i2c_address" | "sensors.i2c_address" => Some(one("sensor.i2c_address", hexadecimal(text))),
        _ => influxdb::meaning(key, text, others),
    }
}

/// The keys that `key` is called now, `NAME` standing for any name; `None` when it is no old name. Empty when it has no meaning here.
pub fn now_called(key: &str, others: &Others<'_>) -> Option<Vec<String>> {
    if let Some((old, family)) = FAMILIES.iter().find(|(old, _)| *old == key) {
        return (old != family).then(|| vec![format!("{family}.NAME")]);
    }
    if matches!(key, "database.enabled" | "database.influxdb.version") {
        return Some(vec!["database.type".to_owned()]);
    }
    Some(match meaning(key, "", others)? {
        Meaning::Now(settings) => settings.into_iter().map(|(key, _)| key).collect(),
        Meaning::Ignored(_) | Meaning::Refused(_) => Vec::new(),
    })
}

fn one(key: &str, text: impl Into<String>) -> Meaning {
    Meaning::Now(vec![(key.to_owned(), text.into())])
}

/// The original's word for the backend, its version, and whether there is one at all are one setting here.
fn backend(key: &str, text: &str, others: &Others<'_>) -> Option<Meaning> {
    let is_off = |text: &str| matches!(text.trim().to_ascii_lowercase().as_str(), "false" | "no" | "off" | "0");
    let known = if key == "database.type" { Some(text.to_owned()) } else { others("database.type") };
    if key == "database.enabled" {
        let off = one("database.type", "none");
        let on = "database.type alone says where points go; none is off".to_owned();
        return Some(if is_off(text) { off } else { Meaning::Ignored(on) });
    }
    if key == "database.influxdb.version" && influxdb::version_of(text).is_none() {
        return Some(Meaning::Refused(format!("{text:?} is not allowed; allowed: 1, 2 or 3")));
    }
    let lookup = |name: &str| if name == key { Some(text.to_owned()) } else { others(name) };
    if lookup("database.enabled").as_deref().is_some_and(is_off) {
        return Some(one("database.type", "none"));
    }
    let version = influxdb::version(&lookup);
    let is_bare = |word: &str| matches!(word.trim().to_ascii_lowercase().as_str(), "influxdb" | "influx");
    let known = known.unwrap_or_default();
    if !known.split(',').any(is_bare) {
        let says = "it is part of the backend's word now, as in database.type = influxdb_v2".to_owned();
        return (key != "database.type").then_some(Meaning::Ignored(says));
    }
    let words = known
        .split(',')
        .map(|word| if is_bare(word) { format!("influxdb_v{version}") } else { word.trim().to_owned() });
    Some(one("database.type", words.collect::<Vec<_>>().join(",")))
}

/// A JSON object as a key a name.
fn members(family: &str, text: &str) -> Meaning {
    if text.trim().is_empty() {
        return Meaning::Now(Vec::new());
    }
    let refused = || Meaning::Refused("allowed: a JSON object of texts, such as {\"location\":\"shelf 2\"}".to_owned());
    let Ok(Value::Object(object)) = serde_json::from_str(text) else { return refused() };
    let mut settings = Vec::new();
    for (name, value) in object {
        let text = match value {
            Value::String(text) => text,
            Value::Number(_) | Value::Bool(_) => value.to_string(),
            Value::Null => continue,
            Value::Array(_) | Value::Object(_) => return refused(),
        };
        settings.push((format!("{family}.{name}"), text));
    }
    Meaning::Now(settings)
}

/// An I2C address as we write it; YAML makes a number of `0x76`.
fn hexadecimal(text: &str) -> String {
    let text = text.trim().to_ascii_lowercase();
    text.parse::<u8>().map_or(text, |address| format!("0x{address:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `settings` are those of the same place, old names and new; the first is asked about.
    #[track_caller]
    fn check(settings: &[(&str, &str)], expected: Option<Result<&[(&str, &str)], &str>>) {
        let others = |key: &str| settings.iter().find(|(name, _)| *name == key).map(|(_, text)| (*text).to_owned());
        let (key, text) = settings[0];
        match (meaning(key, text, &others), expected) {
            (None, None) => {}
            (Some(Meaning::Now(now)), Some(Ok(expected))) => {
                let now: Vec<_> = now.iter().map(|(key, text)| (key.as_str(), text.as_str())).collect();
                assert_eq!(now, expected, "{settings:?}");
            }
            (Some(Meaning::Ignored(words) | Meaning::Refused(words)), Some(Err(part))) => {
                assert!(words.contains(part), "{part:?} is not in {words:?}");
            }
            (found, expected) => panic!("{settings:?}: {found:?}, expected {expected:?}"),
        }
    }

    #[track_caller]
    fn becomes(settings: &[(&str, &str)], now: &[(&str, &str)]) {
        check(settings, Some(Ok(now)));
    }

    #[test]
    fn the_first_dialect() {
        becomes(&[("influxdb.host", "nas")], &[("database.influxdb_v1.url", "http://nas:8086")]);
        becomes(
            &[("influxdb.host", "nas"), ("influxdb.port", "8087")],
            &[("database.influxdb_v1.url", "http://nas:8087")],
        );
        becomes(
            &[("influxdb.port", "8087"), ("influxdb.host", "nas")],
            &[("database.influxdb_v1.url", "http://nas:8087")],
        );
        becomes(&[("influxdb.port", "8087")], &[("database.influxdb_v1.url", "http://localhost:8087")]);
        becomes(&[("influxdb.host", "fe80::1")], &[("database.influxdb_v1.url", "http://[fe80::1]:8086")]);
        becomes(&[("influxdb.host", "https://nas:1/x")], &[("database.influxdb_v1.url", "https://nas:1/x")]);
        becomes(&[("influxdb.username", "admin")], &[("database.influxdb_v1.username", "admin")]);
        becomes(&[("influxdb.password", "p'w")], &[("database.influxdb_v1.password", "p'w")]);
        let both = [("database.influxdb_v1.database", "influx"), ("database.type", "influxdb_v1")];
        becomes(&[("influxdb.database", "influx")], &both);
        becomes(&[("influxdb.database", "influx"), ("database.type", "none")], &both[..1]);
    }

    #[test]
    fn the_second_dialect_by_version() {
        let v = |version: &'static str| ("database.influxdb.version", version);
        becomes(&[("database.influxdb.token", "t"), v("1")], &[("database.influxdb_v1.password", "t")]);
        becomes(&[("database.influxdb.token", "t"), v("2")], &[("database.influxdb_v2.token", "t")]);
        becomes(&[("database.influxdb.token", "t"), v("3")], &[("database.influxdb_v3.token", "t")]);
        becomes(&[("database.influxdb.token", "t")], &[("database.influxdb_v2.token", "t")]);
        becomes(
            &[("database.influxdb.token", "t"), ("database.type", "influxdb_v3"), v("1")],
            &[("database.influxdb_v3.token", "t")],
        );
        becomes(&[("database.influxdb.bucket", "b"), v("1")], &[("database.influxdb_v1.database", "b")]);
        becomes(&[("database.influxdb.bucket", "b"), v("2")], &[("database.influxdb_v2.bucket", "b")]);
        becomes(&[("database.influxdb.bucket", "b"), v("3")], &[("database.influxdb_v3.database", "b")]);
        becomes(&[("database.influxdb.org", "o"), v("2")], &[("database.influxdb_v2.org", "o")]);
        check(&[("database.influxdb.org", "o"), v("1")], Some(Err("no organisations")));
        becomes(&[("database.influxdb.username", "u"), v("1")], &[("database.influxdb_v1.username", "u")]);
        check(&[("database.influxdb.username", "u"), v("3")], Some(Err("token")));
        becomes(&[("database.influxdb.url", "nas"), v("3")], &[("database.influxdb_v3.url", "http://nas:8181")]);
        becomes(&[("database.influxdb.url", "https://nas"), v("2")], &[("database.influxdb_v2.url", "https://nas")]);
        becomes(&[("database.influxdb.measurement", "air")], &[("data_collection.measurement", "air")]);
    }

    #[test]
    fn the_backend_s_word_version_and_switch_are_one_setting() {
        let v2: &[(&str, &str)] = &[("database.type", "influxdb_v2")];
        becomes(&[("database.type", "influxdb")], v2);
        becomes(&[("database.type", "InfluxDB"), ("database.influxdb.version", "2")], v2);
        becomes(
            &[("database.type", "influxdb"), ("database.influxdb.version", "3")],
            &[("database.type", "influxdb_v3")],
        );
        becomes(
            &[("database.influxdb.version", "1"), ("database.type", "influxdb")],
            &[("database.type", "influxdb_v1")],
        );
        becomes(&[("database.type", "influxdb, prometheus")], &[("database.type", "influxdb_v2,prometheus")]);
        check(&[("database.type", "influxdb_v1")], None);
        check(&[("database.type", "prometheus")], None);
        check(
            &[("database.influxdb.version", "2"), ("database.type", "prometheus")],
            Some(Err("part of the backend's word")),
        );
        check(&[("database.influxdb.version", "4")], Some(Err("allowed: 1, 2 or 3")));
        let none: &[(&str, &str)] = &[("database.type", "none")];
        becomes(&[("database.enabled", "false")], none);
        becomes(&[("database.type", "prometheus"), ("database.enabled", "False")], none);
        check(&[("database.enabled", "true")], Some(Err("database.type alone")));
    }

    #[test]
    fn renamed_and_respelt() {
        becomes(&[("sensors.type", "dht22")], &[("sensor.type", "dht22")]);
        becomes(&[("sensors.read_interval", "5.0")], &[("data_collection.read_interval", "5.0")]);
        becomes(&[("sensors.dht22.gpio_pin", "4")], &[("sensor.gpio_pin", "4")]);
        becomes(&[("sensors.bme280.i2c_address", "0x77")], &[("sensor.i2c_address", "0x77")]);
        becomes(&[("sensors.bme280.i2c_address", "118")], &[("sensor.i2c_address", "0x76")]);
        becomes(&[("database.flush_interval", "60")], &[("data_collection.flush_interval", "60")]);
        becomes(
            &[("database.prometheus.pushgateway_url", "http://g:9091")],
            &[("database.prometheus.url", "http://g:9091")],
        );
        check(&[("database.prometheus.job", "x")], None);
        check(&[("heating_control.min_temp_c", "18")], None);
        check(&[("nonsense.key", "18")], None);
    }

    #[test]
    fn objects_become_a_key_a_name() {
        let tags: &[(&str, &str)] = &[("data_collection.tags.a", "x y"), ("data_collection.tags.n", "3")];
        becomes(&[("database.influxdb.tags", r#"{"a":"x y","n":3,"z":null}"#)], tags);
        becomes(&[("data_collection.tags", "{}")], &[]);
        becomes(
            &[("database.prometheus.grouping_keys", r#"{"site":"attic"}"#)],
            &[("database.prometheus.grouping.site", "attic")],
        );
        check(&[("data_collection.tags", "a=b")], Some(Err("JSON object")));
        check(&[("data_collection.tags", r#"{"a":[1]}"#)], Some(Err("JSON object")));
    }

    #[test]
    fn what_has_no_meaning_says_why() {
        check(&[("ui.show_fan_card", "true")], Some(Err("page")));
        check(&[("data_collection.gauge_temp_max", "50")], Some(Err("gauges")));
        check(&[("database.victoriametrics.timeout", "10")], Some(Err("limit")));
    }

    #[test]
    fn old_names_are_told_their_new_ones() {
        let none = |_: &str| None;
        let called = |key| now_called(key, &none).map(|keys| keys.join(" "));
        assert_eq!(called("influxdb.host").as_deref(), Some("database.influxdb_v1.url"));
        assert_eq!(called("database.influxdb.token").as_deref(), Some("database.influxdb_v2.token"));
        assert_eq!(called("database.influxdb.tags").as_deref(), Some("data_collection.tags.NAME"));
        assert_eq!(called("database.influxdb.version").as_deref(), Some("database.type"));
        assert_eq!(called("ui.show_fan_card").as_deref(), Some(""));
        assert_eq!(called("sensor.type"), None);
        assert_eq!(called("database.type"), None);
    }
}
