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
