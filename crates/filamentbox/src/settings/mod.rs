//! Where settings come from: the environment over Vault over the encrypted store over what `--simulate` implies over the defaults.

pub mod dialects;
mod environment;
mod files;
pub mod import;
mod key;
mod lock;
mod places;
pub mod reference;
mod rotation;
mod rows;
mod sources;
mod store;
pub mod vault;

use std::ffi::OsStr;

use filamentbox_core::config::{Config, ConfigError, Layer, Registry, Settings, Source};
use filamentbox_devices::sensors;

use crate::web::access::settings as access;
use crate::web::server;
use crate::{alerts, sinks};

pub use environment::{Variable, variable_name};
pub use key::{KEY_VARIABLE, Key, KeyError, KeySource};
pub use places::Places;
pub use sources::{Access, Located, SettingsError, Sources, new_problems};
pub use store::{Audited, Change, Store, StoreError};

/// What `--simulate` means, whatever else is set: a simulated sensor, and with it simulated outputs.
const SIMULATE: &[(&str, &str)] = &[("sensor.type", "simulated")];
/// What it implies unless set otherwise: a person without hardware sees a heater and a fan at work.
const SIMULATE_DEFAULTS: &[(&str, &str)] = &[("heating_control.enabled", "true"), ("humidity_control.enabled", "true")];

/// Settings that were accepted, in both forms.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// By key, with the sources.
    pub settings: Settings,
    /// Typed.
    pub config: Config,
    /// What a person should know about them: one line each.
    pub warnings: Vec<String>,
}

/// Every key of the program: core's, the sensors', the backends' and the alert hooks'.
pub fn registry() -> Registry {
    Registry::new(filamentbox_devices::sensors::keys().chain(sinks::keys()).chain(alerts::KEYS))
}

/// What the places of the settings hold.
#[derive(Clone, Default)]
pub struct Layers {
    /// Whether this is `--simulate`.
    pub simulate: bool,
    /// The environment.
    pub variables: Vec<Variable>,
    /// Vault: key and text.
    pub vault: Vec<(String, String)>,
    /// The store: key and text.
    pub stored: Vec<(String, String)>,
}

/// What the layers come to, problems or not.
pub struct Survey {
    /// What is allowed, each by itself; a refused text counts as not given.
    pub settings: Settings,
    /// Every problem at once. A contradiction with a refused text is left out: it may be none once that is right.
    pub problems: Vec<ConfigError>,
    /// The settings in both forms; nothing while there is a problem.
    pub loaded: Option<Loaded>,
    /// Those of the problems that are texts refused by themselves, and where they come from.
    pub refused: Vec<(Source, ConfigError)>,
    /// Every other problem, also what is left out above.
    pub further: Vec<ConfigError>,
}

/// Checks all layers together.
///
/// # Errors
/// Every problem at once; nothing is applied then.
pub fn load(registry: &Registry, inputs: Layers) -> Result<Loaded, Vec<ConfigError>> {
    let survey = survey(registry, inputs);
    survey.loaded.ok_or(survey.problems)
}

/// Looks at all layers together, also where some are refused.
pub fn survey(registry: &Registry, inputs: Layers) -> Survey {
    let environment = environment::layer(registry, inputs.variables);
    let vault = Layer { source: Source::Vault, values: inputs.vault };
    let mut layers = vec![environment.layer, vault, Layer { source: Source::Store, values: inputs.stored }];
    if inputs.simulate {
        let layer = |values: &[(&str, &str)]| Layer {
            source: Source::Simulate,
            values: values.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect(),
        };
        layers.insert(0, layer(SIMULATE));
        layers.push(layer(SIMULATE_DEFAULTS));
    }
    let (old_names, not_understood) = dialects::translate(registry, &mut layers);
    let (settings, mut refused) = registry.resolve_allowed(&layers);
    refused.extend(not_understood);
    let in_vault = refused.iter_mut().filter(|(source, _)| *source == Source::Vault);
    in_vault.for_each(|(_, problem)| vault::locate(problem));
    let (config, together) = check_together(&settings);
    let mut further = environment.errors;
    further.extend(together);
    let is_about_refused = |problem: &&ConfigError| {
        problem.key.split(", ").any(|key| refused.iter().any(|(_, refused)| refused.key == key))
    };
    let problems = further.iter().filter(|problem| !is_about_refused(problem));
    let problems: Vec<_> = problems.chain(refused.iter().map(|(_, refused)| refused)).cloned().collect();
    let mut warnings = environment.warnings;
    warnings.extend(old_names);
    warnings.extend(reserved(registry, &settings));
    let loaded = problems.is_empty().then(|| Loaded { settings: settings.clone(), config, warnings });
    Survey { settings, problems, loaded, refused, further }
}

/// The typed form of `settings`, each of which is allowed, and every problem of them together.
pub fn check_together(settings: &Settings) -> (Config, Vec<ConfigError>) {
    let (config, contradictions) = Config::examine(settings);
    let mut problems = sinks::check(settings, &config);
    problems.extend(sensors::check(settings));
    problems.extend(alerts::check(settings));
    problems.extend(access::check(settings));
    problems.extend(server::check(settings));
    let range_end_c = sensors::SENSORS.iter().find(|kind| kind.name == config.sensor_type);
    let range_end_c = range_end_c.and_then(|kind| kind.temperature_max_c);
    problems.extend(range_end_c.and_then(|end_c| config.check_sensor_range(&config.sensor_type, end_c)));
    problems.extend(contradictions);
    (config, problems)
}

fn reserved(registry: &Registry, settings: &Settings) -> Vec<String> {
    use filamentbox_core::config::Standing::Reserved;
    let set = settings.iter().filter(|(_, setting)| setting.source != Source::Default);
    set.filter(|(key, _)| registry.find(key).is_some_and(|spec| spec.standing == Reserved))
        .map(|(key, _)| format!("{key} is set but has no effect in this version"))
        .collect()
}

/// Whether the value of the variable `name` may be a secret.
pub fn is_secret_variable(registry: &Registry, name: &OsStr) -> bool {
    environment::is_secret(registry, name)
}

/// The process's environment.
pub fn variables() -> Vec<Variable> {
    std::env::vars_os().collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Keys with texts that contradict nothing.
    const POOL: [(&str, &[&str]); 6] = [
        ("sensor.type", &["auto", "bme280", "dht22"]),
        ("heating_control.enabled", &["true", "false"]),
        ("sensor.sea_level_pressure", &["990", "1000", "1013.25"]),
        ("history.max_mb", &["32", "48", "64"]),
        ("data_collection.tags.shelf", &["1", "2"]),
        ("database.influxdb_v2.token", &["a", "b"]),
    ];

    /// A text or nothing for each key of the pool.
    fn layer() -> impl Strategy<Value = Vec<(String, String)>> {
        let one = |(key, texts): (&'static str, &'static [&'static str])| {
            prop::option::of(prop::sample::select(texts))
                .prop_map(move |text| text.map(|text| (key.to_owned(), text.to_owned())))
        };
        POOL.map(one).to_vec().prop_map(|layer| layer.into_iter().flatten().collect())
    }

    proptest! {
        #[test]
        fn the_highest_layer_holds(environment in layer(), vault in layer(), stored in layer(), simulate: bool) {
            let named = environment.iter().map(|(key, text)| (variable_name(key).into(), text.into()));
            let inputs = Layers { simulate, variables: named.collect(), vault: vault.clone(), stored: stored.clone() };
            let loaded = load(&registry(), inputs).expect("allowed");
            let text = |layer: &[(String, String)], key| layer.iter().find(|(known, _)| known == key).map(|(_, text)| text.clone());
            let implied = |layer: &[(&str, &str)], key: &str| {
                layer.iter().find(|(known, _)| simulate && *known == key).map(|(_, text)| (*text).to_owned())
            };
            for (key, _) in POOL {
                let default = registry().find(key).filter(|spec| !spec.is_family()).map(|spec| spec.default.to_owned());
                let layers = [
                    (implied(SIMULATE, key), Source::Simulate),
                    (text(&environment, key), Source::Environment),
                    (text(&vault, key), Source::Vault),
                    (text(&stored, key), Source::Store),
                    (implied(SIMULATE_DEFAULTS, key), Source::Simulate),
                    (default, Source::Default),
                ];
                let expected = layers.into_iter().find_map(|(text, source)| Some((text?, source)));
                let holds = loaded.settings.get(key).map(|setting| (setting.text.expose().to_owned(), setting.source));
                prop_assert_eq!(holds, expected, "{}", key);
            }
        }
    }
}
