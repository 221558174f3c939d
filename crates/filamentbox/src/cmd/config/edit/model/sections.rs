//! The sections: what they are called, which keys they hold in which order, and how they stand, in a line each.

use filamentbox_core::config::{KeySpec, Source, Standing};

use super::values::{Values, is_chosen};

/// A part of the settings.
pub(in super::super) struct Section {
    pub(in super::super) title: &'static str,
    /// What its keys begin with, without the dot.
    prefixes: &'static [&'static str],
    pub(in super::super) doc: &'static str,
    /// How it stands.
    pub(in super::super) state: fn(&Values, &Section) -> String,
}

/// Every section. A test sees to it that every key is in one.
pub(in super::super) static SECTIONS: &[Section] = &[
    Section {
        title: "Database",
        prefixes: &["database"],
        doc: "Where measurements are sent: InfluxDB, Prometheus, TimescaleDB, VictoriaMetrics, several at once, or nowhere. The history on this machine is kept in any case.",
        state: database,
    },
    Section {
        title: "Sensor",
        prefixes: &["sensor"],
        doc: "Which sensor is read, how it is connected, and its calibration.",
        state: |values, _| match values.text("sensor.type") {
            "auto" => "auto: the first that answers".to_owned(),
            other => other.to_owned(),
        },
    },
    Section {
        title: "Heater",
        prefixes: &["heating_control"],
        doc: "Whether there is a heater, its temperatures, and its relay.",
        state: |values, _| output(values, "heating_control", ["min_temp_c", "max_temp_c"], "°C"),
    },
    Section {
        title: "Fan",
        prefixes: &["humidity_control"],
        doc: "Whether there is a fan, its humidities, and its relay.",
        state: |values, _| output(values, "humidity_control", ["min_humidity", "max_humidity"], "%"),
    },
    Section {
        title: "Safety limits",
        prefixes: &["safety"],
        doc: "When the heater is switched off whatever else is set. The defaults suit most boxes.",
        state: |values, section| {
            let cut_off = values.shown("safety.max_temp_c");
            format!("cut-off {cut_off}{}", others(values, section))
        },
    },
    Section {
        title: "Readings and tags",
        prefixes: &["data_collection"],
        doc: "How often is measured, and how the measurements are named and labelled.",
        state: readings,
    },
    Section {
        title: "History and sending",
        prefixes: &["history", "persistence", "queue", "retry"],
        doc: "How long measurements are kept here, how safely, and how a failing database is tried again. The defaults suit most boxes.",
        state: |values, _| {
            format!("{}, up to {}", values.shown("history.retention_days"), values.shown("history.max_mb"))
        },
    },
    Section {
        title: "Alerts",
        prefixes: &["alerts"],
        doc: "Who is told when a database keeps failing, and when it works again.",
        state: |values, _| {
            let hooks = [("alerts.command", "a command"), ("alerts.webhook_url", "a web address")];
            let set: Vec<&str> =
                hooks.iter().filter(|(key, _)| !values.text(key).is_empty()).map(|(_, what)| *what).collect();
            if set.is_empty() { "nobody is told".to_owned() } else { set.join(" and ") }
        },
    },
    Section { title: "Clock", prefixes: &["clock"], doc: "When this machine's clock is believed.", state: generic },
    Section { title: "Web page", prefixes: &["webui"], doc: "The page in the browser.", state: generic },
    Section {
        title: "Simulated box",
        prefixes: &["simulation"],
        doc: "For `run --simulate` and sensor.type simulated only.",
        state: generic,
    },
    // Keys that come later and have found no place above.
    Section { title: "Other", prefixes: &[], doc: "Everything else.", state: generic },
];

/// What comes first in a section; the others follow by name, those without effect last.
const FIRST: &[&str] = &[
    "enabled",
    "type",
    "url",
    "host",
    "port",
    "org",
    "database",
    "bucket",
    "username",
    "password",
    "token",
    "min_temp_c",
    "max_temp_c",
    "min_humidity",
    "max_humidity",
    "gpio_pin",
    "active_low",
    "requires_fan",
    "i2c_bus",
    "i2c_address",
    "max_sample_age",
    "read_interval",
    "NAME",
    "measurement",
    "retention_days",
    "max_mb",
];

impl Section {
    /// Whether it holds `key`.
    pub(in super::super) fn holds(&self, key: &str) -> bool {
        let prefix = key.split('.').next().unwrap_or_default();
        let is_elsewhere = || SECTIONS.iter().any(|section| section.prefixes.contains(&prefix));
        if self.prefixes.is_empty() { !is_elsewhere() } else { self.prefixes.contains(&prefix) }
    }

    /// Its keys that matter as things are, in the order in which a person wants them; those of a database by database.
    pub(in super::super) fn specs(&self, values: &Values) -> Vec<&'static KeySpec> {
        let specs = values.registry.specs().iter().copied();
        let mut specs: Vec<_> = specs.filter(|spec| self.holds(spec.key) && is_chosen(values, spec.key)).collect();
        specs.sort_by_key(|spec| {
            let (group, name) = spec.key.rsplit_once('.').unwrap_or_default();
            let group = if group.starts_with("database") { group } else { group.split('.').next().unwrap_or_default() };
            let first = FIRST.iter().position(|first| *first == name).unwrap_or(FIRST.len());
            (group, spec.standing == Standing::Reserved, first, spec.key)
        });
        specs
    }

    /// The part of `key` that tells it from the others of this section.
    pub(in super::super) fn short<'a>(&self, key: &'a str) -> &'a str {
        if self.prefixes.len() != 1 {
            return key;
        }
        let rest = key.split_once('.').map_or(key, |(_, rest)| rest);
        // A database's keys stand below its name.
        if self.title == "Database" { rest.split_once('.').map_or(rest, |(_, name)| name) } else { rest }
    }
}

fn database(values: &Values, _: &Section) -> String {
    let chosen: Vec<&String> =
        values.now.settings.list("database.type").iter().filter(|name| *name != "none").collect();
    match chosen.as_slice() {
        [] => "none: measurements stay on this machine".to_owned(),
        [name] => {
            let text = |part: &str| values.text(&format!("database.{name}.{part}"));
            let server = if text("url").is_empty() { text("host") } else { text("url") };
            let place = ["bucket", "database"].iter().map(|part| (part, text(part))).find(|(_, text)| !text.is_empty());
            let place = place.map_or(String::new(), |(part, text)| format!(", {part} {text}"));
            format!("{name} -> {server}{place}")
        }
        several => several.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", "),
    }
}

fn output(values: &Values, section: &str, [low, high]: [&str; 2], unit: &str) -> String {
    if !values.is_on(&format!("{section}.enabled")) {
        return "off".to_owned();
    }
    let text = |part: &str| values.text(&format!("{section}.{part}"));
    format!("{} to {} {unit}, relay on GPIO {}", text(low), text(high), text("gpio_pin"))
}

fn readings(values: &Values, _: &Section) -> String {
    let tags: Vec<&str> = values.now.settings.family("data_collection.tags.").map(|(name, _)| name).collect();
    let every = values.shown("data_collection.read_interval");
    let tags = if tags.is_empty() { "no tags".to_owned() } else { format!("tags {}", tags.join(", ")) };
    format!("every {every}, {tags}")
}

fn generic(values: &Values, section: &Section) -> String {
    match others(values, section) {
        none if none.is_empty() => "defaults".to_owned(),
        some => some.trim_start_matches(", ").to_owned(),
    }
}

/// How many keys differ from their default.
fn others(values: &Values, section: &Section) -> String {
    let set =
        values.now.settings.iter().filter(|(key, setting)| section.holds(key) && setting.source != Source::Default);
    match set.count() {
        0 => String::new(),
        n => format!(", {n} set"),
    }
}
