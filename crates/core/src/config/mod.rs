//! Settings: one [`KeySpec`] per dotted key gives parsing, ranges, help, documentation and (later) forms.
//!
//! [`Registry::resolve`] merges layers of text into checked [`Settings`]; [`Config`] is their typed form for the parts that
//! control. A sink or a sensor reads its own keys from [`Settings`], so that adding one touches no file here.
//! Reading the layers (environment, store) is not done here: this crate touches no environment.

pub mod keys;
mod secret;
mod spec;
mod typed;

use std::collections::BTreeMap;
use std::fmt;

pub use secret::SecretText;
pub use spec::{KeySpec, Kind, SECRET_MAX, Standing, URL_MAX, Value};
pub use typed::{Band, BoxConfig, Config, Durability, OutputConfig, RequireSync, RetryConfig, SafetyConfig};

/// Where a value comes from, highest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Source {
    /// `FILAMENTBOX_...` in the environment.
    Environment,
    /// HashiCorp Vault or OpenBao.
    Vault,
    /// The local encrypted store.
    Store,
    /// Implied by `--simulate`.
    Simulate,
    /// The key's default.
    Default,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Environment => "environment",
            Self::Vault => "vault",
            Self::Store => "store",
            Self::Simulate => "--simulate",
            Self::Default => "default",
        })
    }
}

/// Texts from one source, by dotted key.
pub struct Layer {
    /// The source.
    pub source: Source,
    /// Key and text, in any order.
    pub values: Vec<(String, String)>,
}

/// A refused setting: what is wrong, with what, and what is allowed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{key}: {problem}")]
pub struct ConfigError {
    /// The dotted key, or the keys that contradict each other.
    pub key: String,
    /// What is wrong and what is allowed.
    pub problem: String,
}

/// A checked value and where it came from. Its `Debug` shows no text as given, and of a secret nothing at all.
#[derive(Clone, PartialEq, Debug)]
pub struct Setting {
    /// The text as given, which may be a secret; the default's text where none was given.
    pub text: SecretText,
    /// The text, parsed.
    pub value: Value,
    /// Where the text came from.
    pub source: Source,
}

/// All keys the program knows.
pub struct Registry {
    specs: Vec<&'static KeySpec>,
}

impl Registry {
    /// The keys of core and those that `more` registries (sinks, sensors) bring.
    pub fn new(more: impl IntoIterator<Item = &'static KeySpec>) -> Self {
        let mut specs: Vec<&'static KeySpec> = keys::all().chain(more).collect();
        specs.sort_by_key(|spec| spec.key);
        Self { specs }
    }

    /// Every key's description, by key.
    pub fn specs(&self) -> &[&'static KeySpec] {
        &self.specs
    }

    /// The description of `key`; a key like `data_collection.tags.NAME` describes every name.
    pub fn find(&self, key: &str) -> Option<&'static KeySpec> {
        self.specs.iter().copied().find(|spec| spec.describes(key))
    }

    /// The known key nearest to a misspelt one, if any is near.
    pub fn nearest(&self, key: &str) -> Option<&'static str> {
        let distance = |spec: &&KeySpec| strsim::damerau_levenshtein(spec.key, key);
        self.specs
            .iter()
            .copied()
            .map(|spec| (distance(&spec), spec.key))
            .min()
            .filter(|(d, _)| *d <= 4)
            .map(|(_, key)| key)
    }

    /// Merges `layers` (highest first) over the defaults.
    ///
    /// # Errors
    /// Every unknown key and every refused value of every layer, all at once.
    pub fn resolve(&self, layers: &[Layer]) -> Result<Settings, Vec<ConfigError>> {
        let (settings, refused) = self.resolve_allowed(layers);
        if refused.is_empty() { Ok(settings) } else { Err(refused.into_iter().map(|(_, error)| error).collect()) }
    }

    /// Like [`Self::resolve`], but what is refused is left out and told with its source: for finding every further problem at once.
    pub fn resolve_allowed(&self, layers: &[Layer]) -> (Settings, Vec<(Source, ConfigError)>) {
        let mut values = BTreeMap::new();
        let mut errors = Vec::new();
        for layer in layers.iter().rev() {
            for (key, text) in &layer.values {
                match self.check(key, text) {
                    Ok(value) => {
                        let setting = Setting { text: text.as_str().into(), value, source: layer.source };
                        values.insert(key.clone(), setting);
                    }
                    Err(problem) => errors.push((layer.source, ConfigError { key: key.clone(), problem })),
                }
            }
        }
        for spec in self.specs.iter().filter(|spec| !spec.is_family()) {
            if !values.contains_key(spec.key) {
                match spec.parse(spec.default) {
                    Ok(value) => {
                        let setting = Setting { text: spec.default.into(), value, source: Source::Default };
                        values.insert(spec.key.to_owned(), setting);
                    }
                    Err(problem) => {
                        errors.push((Source::Default, ConfigError { key: spec.key.to_owned(), problem }));
                    }
                }
            }
        }
        errors.sort_by(|(_, a), (_, b)| a.key.cmp(&b.key));
        (Settings { values }, errors)
    }

    fn check(&self, key: &str, text: &str) -> Result<Value, String> {
        let Some(spec) = self.find(key) else {
            let hint = self.nearest(key).map_or(String::new(), |near| format!("; did you mean {near}?"));
            return Err(format!("unknown key{hint} (`filamentbox config list` shows all keys)"));
        };
        spec.parse(text)
    }
}

/// Checked values of every key.
#[derive(Clone, PartialEq, Debug)]
pub struct Settings {
    values: BTreeMap<String, Setting>,
}

impl Settings {
    /// One key's setting.
    pub fn get(&self, key: &str) -> Option<&Setting> {
        self.values.get(key)
    }

    /// Every key with its setting, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Setting)> {
        self.values.iter().map(|(key, setting)| (key.as_str(), setting))
    }

    /// The names and texts of a family such as `data_collection.tags.NAME`; `prefix` is `data_collection.tags.`.
    pub fn family<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.values.iter().filter_map(move |(key, setting)| match &setting.value {
            Value::Text(text) => key.strip_prefix(prefix).map(|name| (name, text.as_str())),
            _ => None,
        })
    }

    /// The keys whose values differ in `other`, by key; a key that only one of them has differs.
    pub fn differences<'a>(&'a self, other: &'a Self) -> Vec<&'a str> {
        let value = |settings: &'a Self, key: &str| settings.values.get(key).map(|setting| &setting.value);
        let keys: std::collections::BTreeSet<&str> =
            self.values.keys().chain(other.values.keys()).map(String::as_str).collect();
        keys.into_iter().filter(|key| value(self, key) != value(other, key)).collect()
    }

    /// The same, but `key` as `other` has it.
    pub fn take_from(&mut self, other: &Self, key: &str) {
        match other.values.get(key) {
            Some(setting) => drop(self.values.insert(key.to_owned(), setting.clone())),
            None => drop(self.values.remove(key)),
        }
    }

    fn value(&self, key: &str) -> &Value {
        let Some(setting) = self.values.get(key) else { panic!("{key} is read but has no KeySpec: a defect") };
        &setting.value
    }

    /// A number's value, in the key's unit.
    ///
    /// # Panics
    /// Like every typed getter: when the key has no [`KeySpec`] or one of another kind, which is a defect of the caller.
    pub fn number(&self, key: &str) -> f64 {
        match self.value(key) {
            Value::Number(number) => *number,
            other => panic!("{key} is read as a number but is {other:?}: a defect"),
        }
    }

    /// A whole number's value.
    pub fn integer(&self, key: &str) -> u64 {
        match self.value(key) {
            Value::Integer(integer) => *integer,
            other => panic!("{key} is read as a whole number but is {other:?}: a defect"),
        }
    }

    /// A switch's value.
    pub fn switch(&self, key: &str) -> bool {
        match self.value(key) {
            Value::Bool(switch) => *switch,
            other => panic!("{key} is read as a switch but is {other:?}: a defect"),
        }
    }

    /// A text's value; empty where not set.
    pub fn text(&self, key: &str) -> &str {
        match self.value(key) {
            Value::Text(text) => text,
            other => panic!("{key} is read as text but is {other:?}: a defect"),
        }
    }

    /// A secret's value; empty where not set.
    pub fn secret(&self, key: &str) -> &SecretText {
        match self.value(key) {
            Value::Secret(secret) => secret,
            other => panic!("{key} is read as a secret but is {other:?}: a defect"),
        }
    }

    /// A list's items.
    pub fn list(&self, key: &str) -> &[String] {
        match self.value(key) {
            Value::List(items) => items,
            other => panic!("{key} is read as a list but is {other:?}: a defect"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::config::typed::tests::registry;

    fn layer(values: &[(&str, &str)]) -> Layer {
        Layer {
            source: Source::Environment,
            values: values.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        }
    }

    #[test]
    fn every_default_is_allowed_and_makes_a_config() {
        let settings = registry().resolve(&[]).expect("defaults are allowed");
        Config::from_settings(&settings).expect("defaults do not contradict each other");
    }

    #[test]
    fn all_problems_are_named_at_once_with_what_is_allowed() {
        let registry = registry();
        let layer =
            layer(&[("data_collection.read_intervall", "5"), ("queue.max_size", "many"), ("safety.max_temp_c", "200")]);
        let errors = registry.resolve(&[layer]).expect_err("three problems");
        let text: Vec<String> = errors.iter().map(ConfigError::to_string).collect();
        assert_eq!(text.len(), 3, "{text:?}");
        assert!(text[0].contains("did you mean data_collection.read_interval?"), "{}", text[0]);
        assert!(text[1].contains("\"many\"") && text[1].contains("whole number"), "{}", text[1]);
        assert!(text[2].contains("\"200\"") && text[2].contains("to 85"), "{}", text[2]);
    }

    #[test]
    fn a_higher_layer_wins_and_says_so() {
        let simulate = Layer {
            source: Source::Simulate,
            ..layer(&[("heating_control.enabled", "true"), ("sensor.type", "simulated")])
        };
        let settings =
            registry().resolve(&[layer(&[("heating_control.enabled", "false")]), simulate]).expect("allowed");
        assert_eq!(settings.get("heating_control.enabled").map(|s| s.source), Some(Source::Environment));
        assert!(!settings.switch("heating_control.enabled"));
        assert_eq!(settings.get("sensor.type").map(|s| s.source), Some(Source::Simulate));
    }

    #[test]
    fn nothing_that_holds_a_secret_prints_it() {
        static KEY: [KeySpec; 1] = [KeySpec::new("test.password", Kind::Secret, "", "", "")];
        let registry = Registry::new(crate::config::typed::tests::CHOICES.iter().chain(&KEY));
        let settings = registry.resolve(&[layer(&[("test.password", "hunter2"), ("sensor.type", "auto")])]);
        let settings = settings.expect("allowed");
        assert_eq!(settings.secret("test.password").expose(), "hunter2");
        for text in
            [format!("{settings:?}"), format!("{settings:#?}"), format!("{:?}", settings.secret("test.password"))]
        {
            assert!(text.contains("***") && !text.contains("hunter2"), "{text}");
        }
        let read_as_text =
            std::panic::catch_unwind(|| settings.text("test.password").to_owned()).expect_err("a defect");
        assert!(!read_as_text.downcast_ref::<String>().expect("a message").contains("hunter2"));
    }

    #[test]
    fn differences_are_of_values_and_can_be_taken_back() {
        let resolve = |values: &[(&str, &str)]| registry().resolve(&[layer(values)]).expect("allowed");
        let before = resolve(&[("data_collection.tags.a", "1"), ("safety.max_temp_c", "60")]);
        let mut after = resolve(&[("safety.max_temp_c", "60.0"), ("heating_control.enabled", "yes")]);
        assert_eq!(before.differences(&after), ["data_collection.tags.a", "heating_control.enabled"]);
        after.take_from(&before, "heating_control.enabled");
        after.take_from(&before, "data_collection.tags.a");
        assert_eq!(after.differences(&before), Vec::<&str>::new());
    }

    #[test]
    fn a_family_takes_any_name() {
        let settings = registry().resolve(&[layer(&[("data_collection.tags.location", "shelf 2")])]).expect("allowed");
        assert_eq!(settings.family("data_collection.tags.").collect::<Vec<_>>(), [("location", "shelf 2")]);
    }
}
