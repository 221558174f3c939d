//! What becomes of every setting of every file: the files together make one set, in which the higher file wins.

use std::collections::HashMap;

use filamentbox_core::config::{KeySpec, Kind as ValueKind, Registry};

use super::{Raw, Source};
use crate::settings::Change;
use crate::settings::dialects::{Meaning, meaning};

/// What became of one name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fate {
    /// These settings: key, and text as it may be shown.
    Became(Vec<(String, String)>),
    /// Nothing, for this reason.
    Ignored(String),
    /// Nothing, as this place says it too and counts for more.
    Overridden(String),
    /// It would be a setting, but its value is not allowed: what is.
    Refused(String),
}

/// One name of one file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// Which of the sources.
    pub source: usize,
    /// The name there.
    pub name: String,
    /// What became of it.
    pub fate: Fate,
}

/// Everything together.
#[derive(Clone, Default)]
pub struct Plan {
    /// By source, in its order.
    pub lines: Vec<Line>,
    /// What is to be stored, by key.
    pub changes: Vec<Change>,
    /// Where each change comes from: key, and file with name.
    pub origins: Vec<(String, String)>,
}

/// Shown instead of a secret.
const MASK: &str = "********";
/// What the original logged in as where only a password was set.
const USUAL_USER: &str = "admin";
/// Names of `.env` that are no settings in either program.
const NO_SETTINGS: &[(&str, &str)] = &[
    (
        "FILAMENTBOX_CONFIG_KEY",
        "it is the key of the original's store, and is tried on it; the store here has a key of its own",
    ),
    (
        "CONFIG_ENCRYPTION_KEY",
        "it is the key of the original's store, and is tried on it; the store here has a key of its own",
    ),
    ("VAULT_", "it is read from the daemon's environment: put it there"),
];

/// Works out what becomes of `sources`, the highest first.
pub fn plan(registry: &Registry, sources: &[Source]) -> Plan {
    let mut known: HashMap<&str, &str> = HashMap::new();
    for raw in sources.iter().flat_map(|source| &source.settings) {
        known.entry(&raw.key).or_insert(&raw.text);
    }
    let others = |key: &str| known.get(key).map(|text| (*text).to_owned());
    let mut planning = Planning { registry, taken: Vec::new(), plan: Plan::default() };
    for (index, source) in sources.iter().enumerate() {
        let file = source.path.file_name().unwrap_or(source.path.as_os_str()).to_string_lossy().into_owned();
        let meanings: Vec<_> = source.settings.iter().map(|raw| meaning(&raw.key, &raw.text, &others)).collect();
        // Within a file our own names win over older ones for the same thing.
        let mut order: Vec<usize> = (0..meanings.len()).collect();
        order.sort_by_key(|place| meanings[*place].is_some());
        let mut lines = vec![None; meanings.len()];
        for place in order {
            let raw = &source.settings[place];
            let at = format!("{file}: {}", raw.name);
            lines[place] = Some(Line {
                source: index,
                name: raw.name.clone(),
                fate: planning.fate(index, &at, raw, meanings[place].clone()),
            });
        }
        planning.plan.lines.extend(lines.into_iter().flatten());
    }
    planning.complete_login();
    let mut plan = planning.plan;
    plan.changes.sort_by(|a, b| a.key.cmp(&b.key));
    plan
}

/// A setting that is planned already: its key, text, place, and which source it is of.
struct Taken {
    key: String,
    text: String,
    place: String,
    source: usize,
}

struct Planning<'a> {
    registry: &'a Registry,
    taken: Vec<Taken>,
    plan: Plan,
}

impl Planning<'_> {
    fn fate(&mut self, source: usize, place: &str, raw: &Raw, meaning: Option<Meaning>) -> Fate {
        if let Some((_, reason)) = NO_SETTINGS.iter().find(|(name, _)| raw.name.starts_with(name)) {
            return Fate::Ignored((*reason).to_owned());
        }
        if raw.key == "persistence.db_path" {
            let reason =
                "the journal here is another file; what waits in the old one is imported with it (unsent_batches.db)";
            return Fate::Ignored(reason.to_owned());
        }
        let now = match meaning {
            None => vec![(raw.key.clone(), raw.text.clone())],
            Some(Meaning::Now(now)) => now,
            Some(Meaning::Ignored(reason)) => return Fate::Ignored(reason),
            Some(Meaning::Refused(problem)) => return Fate::Refused(problem),
        };
        if now.is_empty() {
            return Fate::Ignored("it is empty".to_owned());
        }
        let mut became = Vec::new();
        for (key, text) in now {
            match self.take(source, place, &key, &text) {
                Fate::Became(settings) => became.extend(settings),
                other if became.is_empty() => return other,
                // An implied setting that something else says already.
                _ => {}
            }
        }
        Fate::Became(became)
    }

    fn take(&mut self, source: usize, place: &str, key: &str, text: &str) -> Fate {
        let Some(spec) = self.registry.find(key) else {
            let near = self.registry.nearest(key).map_or(String::new(), |near| format!("; the nearest here is {near}"));
            return Fate::Ignored(format!("no setting of either program has this name{near}"));
        };
        let text = in_our_spelling(spec, text);
        if let Err(problem) = spec.parse(&text) {
            let called = if place.ends_with(&format!(": {key}")) { String::new() } else { format!("(now {key}) ") };
            return Fate::Refused(format!("{called}{problem}"));
        }
        if let Some(earlier) = self.taken.iter().find(|taken| is_same(&taken.key, key, taken.source != source))
            && (earlier.key != key || earlier.text != text)
        {
            return Fate::Overridden(earlier.place.clone());
        }
        let shown = if spec.is_secret() && !text.is_empty() { MASK.to_owned() } else { text.clone() };
        if !self.taken.iter().any(|taken| taken.key == key) {
            self.taken.push(Taken { key: key.to_owned(), text: text.clone(), place: place.to_owned(), source });
            self.plan.origins.push((key.to_owned(), place.to_owned()));
            self.plan.changes.push(Change { key: key.to_owned(), text: Some(text) });
        }
        Fate::Became(vec![(key.to_owned(), shown)])
    }

    /// A password without a user was the usual user's.
    fn complete_login(&mut self) {
        let (password, user) = ("database.influxdb_v1.password", "database.influxdb_v1.username");
        let text = |key: &str| self.taken.iter().find(|taken| taken.key == key).map(|taken| taken.text.as_str());
        let is_first_dialect =
            |taken: &Taken| taken.place.ends_with("influxdb.password") || taken.place.ends_with("INFLUXDB_PASSWORD");
        if text(password).is_some_and(|text| !text.is_empty())
            && text(user).is_none()
            && let Some(origin) = self.taken.iter().find(|taken| taken.key == password && is_first_dialect(taken))
        {
            let line = Line {
                source: origin.source,
                name: "influxdb.username (not set: the original's default)".to_owned(),
                fate: Fate::Became(vec![(user.to_owned(), USUAL_USER.to_owned())]),
            };
            self.plan.origins.push((user.to_owned(), origin.place.clone()));
            self.plan.lines.push(line);
            self.plan.changes.push(Change { key: user.to_owned(), text: Some(USUAL_USER.to_owned()) });
        }
    }
}

/// Whether the two are one setting. Of another file, all tags are one: there the higher file's stand for them all.
fn is_same(key: &str, other: &str, of_another_file: bool) -> bool {
    const TAGS: &str = "data_collection.tags.";
    key == other || (of_another_file && key.starts_with(TAGS) && other.starts_with(TAGS))
}

/// Numbers as Python and YAML write them, in our spelling.
fn in_our_spelling(spec: &KeySpec, text: &str) -> String {
    let trimmed = text.trim();
    let is_number = matches!(spec.kind, ValueKind::Number { .. } | ValueKind::Integer { .. });
    if !is_number || spec.parse(trimmed).is_ok() {
        return text.to_owned();
    }
    let digits = trimmed.replace('_', "");
    if let Some(hexadecimal) = digits.strip_prefix("0x").and_then(|digits| u64::from_str_radix(digits, 16).ok()) {
        return hexadecimal.to_string();
    }
    match digits.parse::<f64>() {
        // Whole numbers that became floats on the way.
        Ok(number) if number.fract() == 0.0 && (0.0..1e15).contains(&number) => format!("{number:.0}"),
        Ok(number) if number.is_finite() => number.to_string(),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::import::Kind;
    use crate::settings::registry;

    fn source(kind: Kind, settings: &[(&str, &str)]) -> Source {
        let raw = |(key, text): &(&str, &str)| Raw {
            name: (*key).to_owned(),
            key: (*key).to_owned(),
            text: (*text).to_owned(),
            line: 0,
        };
        let name = if kind == Kind::Yaml { "config.yaml" } else { ".env" };
        Source { path: name.into(), kind, settings: settings.iter().map(raw).collect(), opened_with: None }
    }

    #[track_caller]
    fn check(sources: &[Source], changes: &[(&str, &str)], lines: &[&str]) {
        let plan = plan(&registry(), sources);
        let made: Vec<_> = plan.changes.iter().map(|c| (c.key.as_str(), c.text.as_deref().unwrap_or(""))).collect();
        assert_eq!(made, changes);
        let told: Vec<String> = plan.lines.iter().map(|line| format!("{} {:?}", line.name, line.fate)).collect();
        for (line, part) in told.iter().zip(lines) {
            assert!(line.contains(part), "{part:?} is not in {line:?}");
        }
        assert_eq!(told.len(), lines.len(), "{told:?}");
        assert_eq!(plan.origins.len(), changes.len());
    }

    #[test]
    fn every_name_has_a_fate() {
        let yaml = source(
            Kind::Yaml,
            &[
                ("influxdb.host", "nas"),
                ("influxdb.port", "8087"),
                ("influxdb.database", "influx"),
                ("influxdb.password", "s3cret"),
                ("persistence.db_path", "unsent_batches.db"),
                ("queue.max_size", "10_000"),
                ("retry.backoff_base", "many"),
                ("sensor.typ", "bme280"),
                ("heating_control.enabled", "yes"),
                ("data_collection.measurement", "[...]\n"),
            ],
        );
        check(
            &[yaml],
            &[
                ("database.influxdb_v1.database", "influx"),
                ("database.influxdb_v1.password", "s3cret"),
                ("database.influxdb_v1.url", "http://nas:8087"),
                ("database.influxdb_v1.username", "admin"),
                ("database.type", "influxdb_v1"),
                ("heating_control.enabled", "yes"),
                ("queue.max_size", "10000"),
            ],
            &[
                "influxdb.host Became([(\"database.influxdb_v1.url\", \"http://nas:8087\")])",
                "influxdb.port Became([(\"database.influxdb_v1.url\", \"http://nas:8087\")])",
                "(\"database.type\", \"influxdb_v1\")",
                "\"********\"",
                "persistence.db_path Ignored(\"the journal here is another file",
                "queue.max_size Became",
                "retry.backoff_base Refused(\"\\\"many\\\" is not allowed",
                "sensor.typ Ignored(\"no setting of either program has this name; the nearest here is sensor.type\")",
                "heating_control.enabled Became",
                "data_collection.measurement Refused",
                "influxdb.username (not set",
            ],
        );
    }

    #[test]
    fn the_higher_file_wins_and_the_other_is_told() {
        let env = source(Kind::EnvFile, &[("influxdb.host", "nas"), ("data_collection.tags", r#"{"a":"1"}"#)]);
        let yaml = source(
            Kind::Yaml,
            &[
                ("influxdb.host", "old"),
                ("influxdb.port", "8087"),
                ("data_collection.tags.b", "2"),
                ("queue.max_size", "500"),
            ],
        );
        check(
            &[env, yaml],
            &[
                ("data_collection.tags.a", "1"),
                ("database.influxdb_v1.url", "http://nas:8087"),
                ("queue.max_size", "500"),
            ],
            &[
                "influxdb.host Became",
                "data_collection.tags Became",
                "influxdb.host Overridden(\".env: influxdb.host\")",
                "influxdb.port Became([(\"database.influxdb_v1.url\", \"http://nas:8087\")])",
                "data_collection.tags.b Overridden(\".env: data_collection.tags\")",
                "queue.max_size Became",
            ],
        );
    }

    #[test]
    fn numbers_as_python_writes_them() {
        let registry = registry();
        for (key, text, ours) in [
            ("queue.max_size", "1e4", "10000"),
            ("queue.max_size", "10000.0", "10000"),
            ("queue.max_size", "10000.5", "10000.5"),
            ("sensor.gpio_pin", "0x10", "16"),
            ("retry.backoff_max", "1_000.5", "1000.5"),
            ("retry.backoff_max", "300", "300"),
            ("data_collection.measurement", "1_0", "1_0"),
        ] {
            assert_eq!(in_our_spelling(registry.find(key).expect("known"), text), ours, "{text}");
        }
    }
}
