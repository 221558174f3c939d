//! Where settings come from: the environment over the encrypted store over what `--simulate` implies over the defaults.

mod environment;
mod key;
mod places;
pub mod reference;
mod sources;
mod store;

use std::ffi::OsStr;

use filamentbox_core::config::{Config, ConfigError, Layer, Registry, Settings, Source};
use filamentbox_devices::sensors;

use crate::{alerts, sinks};

pub use environment::Variable;
pub use key::{Key, KeyError, KeySource};
pub use places::Places;
pub use sources::{Access, SettingsError, Sources};
pub use store::{Change, Store, StoreError};

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
    /// The store: key and text.
    pub stored: Vec<(String, String)>,
}

/// Checks all layers together.
///
/// # Errors
/// Every problem at once; nothing is applied then.
pub fn load(registry: &Registry, inputs: Layers) -> Result<Loaded, Vec<ConfigError>> {
    let environment = environment::layer(registry, inputs.variables);
    let mut errors = environment.errors;
    let mut layers = vec![environment.layer, Layer { source: Source::Store, values: inputs.stored }];
    if inputs.simulate {
        let layer = |values: &[(&str, &str)]| Layer {
            source: Source::Simulate,
            values: values.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect(),
        };
        layers.insert(0, layer(SIMULATE));
        layers.push(layer(SIMULATE_DEFAULTS));
    }
    let (settings, refused) = registry.resolve_allowed(&layers);
    let is_about_refused =
        |problem: &ConfigError| problem.key.split(", ").any(|key| refused.iter().any(|refused| refused.key == key));
    let config = Config::from_settings(&settings);
    let further = match &config {
        Ok(config) => {
            let mut problems = sinks::check(&settings, config);
            problems.extend(sensors::check(&settings));
            problems.extend(alerts::check(&settings));
            let range_end_c = sensors::SENSORS.iter().find(|kind| kind.name == config.sensor_type);
            let range_end_c = range_end_c.and_then(|kind| kind.temperature_max_c);
            problems.extend(range_end_c.and_then(|end_c| config.check_sensor_range(&config.sensor_type, end_c)));
            problems
        }
        Err(contradictions) => contradictions.clone(),
    };
    errors.extend(further.into_iter().filter(|problem| !is_about_refused(problem)));
    errors.extend(refused.iter().cloned());
    match config {
        Ok(config) if errors.is_empty() => {
            let mut warnings = environment.warnings;
            warnings.extend(reserved(registry, &settings));
            Ok(Loaded { settings, config, warnings })
        }
        _ => Err(errors),
    }
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
