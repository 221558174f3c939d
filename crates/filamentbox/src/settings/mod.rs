//! Where settings come from: the environment over the encrypted store over what `--simulate` implies over the defaults.

pub mod dialects;
mod environment;
pub mod import;
mod key;
mod places;
pub mod reference;
mod sources;
mod store;

use filamentbox_core::config::{Config, ConfigError, Layer, Registry, Settings, Source};
use filamentbox_devices::sensors;

use crate::{alerts, sinks};

pub use environment::{Variable, variable_name};
pub use key::{KEY_VARIABLE, Key, KeyError, KeySource};
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

/// All layers together, also where something in them is wrong.
pub struct Examined {
    /// What is allowed. Where a value is refused, the next layer's stands here.
    pub settings: Settings,
    /// Values that are not allowed by themselves, and where they come from.
    pub refused: Vec<(Source, ConfigError)>,
    /// Whatever else is wrong: variables that cannot be read, and settings that contradict each other.
    pub further: Vec<ConfigError>,
    /// What a person should know about them: one line each.
    pub warnings: Vec<String>,
    config: Config,
}

impl Examined {
    /// What to tell. A contradiction with a refused value is left out: it may be none once the value is right.
    pub fn problems(&self) -> Vec<ConfigError> {
        let is_about_refused = |problem: &&ConfigError| {
            problem.key.split(", ").any(|key| self.refused.iter().any(|(_, refused)| refused.key == key))
        };
        let further = self.further.iter().filter(|problem| !is_about_refused(problem));
        further.chain(self.refused.iter().map(|(_, refused)| refused)).cloned().collect()
    }

    /// The settings, if nothing is wrong.
    ///
    /// # Errors
    /// [`Self::problems`].
    pub fn accept(self) -> Result<Loaded, Vec<ConfigError>> {
        let problems = self.problems();
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Loaded { settings: self.settings, config: self.config, warnings: self.warnings })
    }
}

/// Checks all layers together.
///
/// # Errors
/// Every problem at once; nothing is applied then.
pub fn load(registry: &Registry, inputs: Layers) -> Result<Loaded, Vec<ConfigError>> {
    examine(registry, inputs).accept()
}

/// Looks at all layers together.
pub fn examine(registry: &Registry, inputs: Layers) -> Examined {
    let environment = environment::layer(registry, inputs.variables);
    let mut layers = vec![environment.layer, Layer { source: Source::Store, values: inputs.stored }];
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
    let (config, contradictions) = Config::examine(&settings);
    let mut further = environment.errors;
    further.extend(sinks::check(&settings, &config));
    further.extend(sensors::check(&settings));
    further.extend(alerts::check(&settings));
    let range_end_c = sensors::SENSORS.iter().find(|kind| kind.name == config.sensor_type);
    let range_end_c = range_end_c.and_then(|kind| kind.temperature_max_c);
    further.extend(range_end_c.and_then(|end_c| config.check_sensor_range(&config.sensor_type, end_c)));
    further.extend(contradictions);
    let mut warnings = environment.warnings;
    warnings.extend(old_names);
    warnings.extend(reserved(registry, &settings));
    Examined { settings, refused, further, config, warnings }
}

fn reserved(registry: &Registry, settings: &Settings) -> Vec<String> {
    use filamentbox_core::config::Standing::Reserved;
    let set = settings.iter().filter(|(_, setting)| setting.source != Source::Default);
    set.filter(|(key, _)| registry.find(key).is_some_and(|spec| spec.standing == Reserved))
        .map(|(key, _)| format!("{key} is set but has no effect in this version"))
        .collect()
}

/// The process's environment.
pub fn variables() -> Vec<Variable> {
    std::env::vars_os().collect()
}
