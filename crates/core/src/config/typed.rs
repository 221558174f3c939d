//! The typed form of the settings that control, sensing, journal and delivery read.

use std::time::Duration;

use super::{ConfigError, Settings};
use crate::safety::{SENSOR_RANGE_MARGIN_C, is_seen_by};
use crate::sample::BoxName;

/// The band of a hysteresis controller: `low < high`, both finite.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Band {
    /// Below this, one action.
    pub low: f64,
    /// Above this, the other.
    pub high: f64,
}

/// One output and its controller.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct OutputConfig {
    /// Whether there is such an output at all.
    pub enabled: bool,
    /// The controller's band, in °C (heater) or % (fan).
    pub band: Band,
    /// Once on, it stays on at least so long, unless safety says off.
    pub min_on: Duration,
    /// Once off, it stays off at least so long.
    pub min_off: Duration,
    /// BCM number of the relay's line.
    pub gpio: u32,
    /// Whether the relay board energises at low level.
    pub active_low: bool,
}

/// The limits of the interlock.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct SafetyConfig {
    /// Cut-off: no heat at or over it, in °C.
    pub max_temp_c: f64,
    /// No heat on a reading older than this.
    pub max_sample_age: Duration,
    /// How fast the air may warm at worst, in °C per second: a reading of age `a` counts as `a x slew` hotter.
    pub slew_c_per_s: f64,
    /// The heater rests after this long.
    pub max_on_time: Duration,
    /// A manual ON lasts at most this long.
    pub override_max: Duration,
    /// Whether a box as cold as a wrong type of sensor reads may be heated.
    pub allow_cold: bool,
    /// The heater must warm the box by so much within [`Self::heating_rise_time`], in °C.
    pub heating_rise_c: f64,
    /// See [`Self::heating_rise_c`].
    pub heating_rise_time: Duration,
    /// The heater may only run with the fan.
    pub requires_fan: bool,
}

/// The defaults of the settings.
impl Default for SafetyConfig {
    fn default() -> Self {
        Self {
            max_temp_c: 70.0,
            max_sample_age: Duration::from_secs(15),
            slew_c_per_s: 1.0,
            max_on_time: Duration::from_secs(14_400),
            override_max: Duration::from_secs(1800),
            allow_cold: false,
            heating_rise_c: 1.5,
            heating_rise_time: Duration::from_secs(180),
            requires_fan: false,
        }
    }
}

/// One box.
#[derive(Clone, PartialEq, Debug)]
pub struct BoxConfig {
    /// Its name.
    pub name: BoxName,
    /// Heater: on below the band, off above it.
    pub heater: OutputConfig,
    /// Fan: on above the band, off below it.
    pub fan: OutputConfig,
    /// The interlock's limits.
    pub safety: SafetyConfig,
}

/// When a sample reaches the disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Durability {
    /// Before it counts as taken.
    Each,
    /// Within a minute, unless every backend has it.
    Minute,
    /// At stop, or when a backend falls behind.
    Ram,
}

/// Whether the wall clock must be proven right before samples get their times.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum RequireSync {
    /// On a single-board computer, and wherever the time is implausible.
    #[default]
    Auto,
    /// Everywhere.
    Yes,
    /// A plausible time is enough.
    No,
}

/// How a sink retries and when it raises the alarm.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct RetryConfig {
    /// Delay after the first failure.
    pub backoff_base: Duration,
    /// Longest delay.
    pub backoff_max: Duration,
    /// So many failures in a row raise the alarm, once per episode.
    pub alert_threshold: u32,
}

/// All of it.
#[derive(Clone, PartialEq, Debug)]
pub struct Config {
    /// `auto` or a sensor's type string.
    pub sensor_type: String,
    /// From one reading to the next.
    pub read_interval: Duration,
    /// Added to every temperature reading, in °C.
    pub temperature_offset_c: f64,
    /// Added to every humidity reading, in %.
    pub humidity_offset_pct: f64,
    /// The boxes, the first of which is the default installation's `main`.
    pub boxes: Vec<BoxConfig>,
    /// Points in one request.
    pub batch_size: usize,
    /// A point waits at most this long before it is sent.
    pub flush_interval: Duration,
    /// Measurement name of every point.
    pub measurement: String,
    /// Tags of every point, by name.
    pub tags: Vec<(String, String)>,
    /// Points held in memory before a block seals.
    pub queue_max_size: usize,
    /// Retries.
    pub retry: RetryConfig,
    /// The journal's file, relative to the data folder.
    pub journal_path: String,
    /// Sealed blocks kept for backends at most.
    pub max_batches: u64,
    /// A sample waits so long for a backend at most.
    pub max_age: Duration,
    /// When samples reach the disk.
    pub durability: Durability,
    /// Whether the wall clock must be proven right.
    pub require_sync: RequireSync,
    /// Raw samples are kept so long, rollups five years.
    pub retention: Duration,
    /// The journal's size at most, in MB.
    pub history_max_mb: u64,
    /// The backends' type strings; empty for none.
    pub backends: Vec<String>,
}

/// The set point keeps this distance from the cut-off, in °C.
const CUT_OFF_MARGIN_C: f64 = 5.0;
/// So many reading intervals of worst-case warming must fit below the cut-off too, or a late reading would trip it.
const CUT_OFF_MARGIN_READINGS: f64 = 1.5;
/// Files of the data folder that have another purpose.
const RESERVED_FILES: [&str; 2] = ["filamentbox.lock", "filamentbox.sock"];
/// A thermostat band narrower than this chatters, in °C.
const NARROWEST_HEATER_BAND_C: f64 = 0.5;
const NARROWEST_FAN_BAND_PCT: f64 = 0.5;
/// So many readings must fit into the largest age, so that one failed reading does not release the heater.
const READINGS_PER_MAX_AGE: f64 = 2.0;

impl Config {
    /// The typed form of `settings`.
    ///
    /// # Errors
    /// Every pair of settings that contradict each other, all at once.
    pub fn from_settings(settings: &Settings) -> Result<Self, Vec<ConfigError>> {
        let (config, contradictions) = Self::examine(settings);
        if contradictions.is_empty() { Ok(config) } else { Err(contradictions) }
    }

    /// The typed form of `settings` and every pair of them that contradict each other. With any of those the form is good for finding
    /// further problems, and for nothing else.
    pub fn examine(settings: &Settings) -> (Self, Vec<ConfigError>) {
        let seconds = |key: &str| Duration::from_secs_f64(settings.number(key));
        let output = |section: &str, low: &str, high: &str| OutputConfig {
            enabled: settings.switch(&format!("{section}.enabled")),
            band: Band {
                low: settings.number(&format!("{section}.{low}")),
                high: settings.number(&format!("{section}.{high}")),
            },
            min_on: seconds(&format!("{section}.min_on")),
            min_off: seconds(&format!("{section}.min_off")),
            gpio: u32::try_from(settings.integer(&format!("{section}.gpio_pin"))).unwrap_or(u32::MAX),
            active_low: settings.switch(&format!("{section}.active_low")),
        };
        let main = BoxConfig {
            name: BoxName::main(),
            heater: output("heating_control", "min_temp_c", "max_temp_c"),
            fan: output("humidity_control", "min_humidity", "max_humidity"),
            safety: SafetyConfig {
                max_temp_c: settings.number("safety.max_temp_c"),
                max_sample_age: seconds("safety.max_sample_age"),
                slew_c_per_s: settings.number("safety.slew_c_per_s"),
                max_on_time: seconds("safety.max_on_time"),
                override_max: seconds("safety.override_max"),
                allow_cold: settings.switch("safety.allow_cold"),
                heating_rise_c: settings.number("safety.heating_rise_c"),
                heating_rise_time: seconds("safety.heating_rise_time"),
                requires_fan: settings.switch("heating_control.requires_fan"),
            },
        };
        let count = |key| usize::try_from(settings.integer(key)).unwrap_or(usize::MAX);
        let config = Self {
            sensor_type: settings.text("sensor.type").to_owned(),
            read_interval: seconds("data_collection.read_interval"),
            temperature_offset_c: settings.number("sensor.temperature_offset_c"),
            humidity_offset_pct: settings.number("sensor.humidity_offset_pct"),
            boxes: vec![main],
            batch_size: count("data_collection.batch_size"),
            flush_interval: seconds("data_collection.flush_interval"),
            measurement: settings.text("data_collection.measurement").to_owned(),
            tags: settings
                .family("data_collection.tags.")
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            queue_max_size: count("queue.max_size"),
            retry: RetryConfig {
                backoff_base: seconds("retry.backoff_base"),
                backoff_max: seconds("retry.backoff_max"),
                alert_threshold: u32::try_from(settings.integer("retry.alert_threshold")).unwrap_or(u32::MAX),
            },
            journal_path: settings.text("persistence.db_path").to_owned(),
            max_batches: settings.integer("persistence.max_batches"),
            max_age: Duration::from_secs_f64(settings.number("persistence.max_age_days") * 86_400.0),
            durability: match settings.text("persistence.durability") {
                "each" => Durability::Each,
                "ram" => Durability::Ram,
                _ => Durability::Minute,
            },
            require_sync: match settings.text("clock.require_sync") {
                "yes" => RequireSync::Yes,
                "no" => RequireSync::No,
                _ => RequireSync::Auto,
            },
            retention: Duration::from_secs_f64(settings.number("history.retention_days") * 86_400.0),
            history_max_mb: settings.integer("history.max_mb"),
            backends: settings.list("database.type").iter().filter(|name| *name != "none").cloned().collect(),
        };
        (config, contradictions(settings))
    }

    /// What is wrong with a sensor of the type `kind`, whose range ends at `range_end_c`, when heating is enabled: `Some` where it
    /// could not see the cut-off coming. The types are not known here, so whoever knows them asks. At run time the interlock
    /// refuses heat by the same rule.
    pub fn check_sensor_range(&self, kind: &str, range_end_c: f64) -> Option<ConfigError> {
        let unseen =
            |chamber: &&BoxConfig| chamber.heater.enabled && !is_seen_by(chamber.safety.max_temp_c, range_end_c);
        self.boxes.iter().find(unseen).map(|chamber| ConfigError {
            key: "safety.max_temp_c, sensor.type".to_owned(),
            problem: format!(
                "{} and {kind} are not allowed together while heating is enabled; this sensor reads up to {range_end_c} °C, \
                 so the cut-off may be at most {} °C",
                chamber.safety.max_temp_c,
                range_end_c - SENSOR_RANGE_MARGIN_C
            ),
        })
    }
}

fn contradictions(settings: &Settings) -> Vec<ConfigError> {
    let mut errors = Vec::new();
    let mut refuse = |key: &str, problem: String| errors.push(ConfigError { key: key.to_owned(), problem });
    let bands = [
        ("heating_control.min_temp_c", "heating_control.max_temp_c", NARROWEST_HEATER_BAND_C, "°C"),
        ("humidity_control.min_humidity", "humidity_control.max_humidity", NARROWEST_FAN_BAND_PCT, "%"),
    ];
    for (low, high, gap, unit) in bands {
        let (min, max) = (settings.number(low), settings.number(high));
        if max - min < gap {
            refuse(
                &format!("{low}, {high}"),
                format!(
                    "{min} and {max} are not allowed together; the second must be at least {gap} {unit} above the first"
                ),
            );
        }
    }
    let (interval, age) = (settings.number("data_collection.read_interval"), settings.number("safety.max_sample_age"));
    let heats = settings.switch("heating_control.enabled");
    let worst_rise_c = CUT_OFF_MARGIN_READINGS * interval * settings.number("safety.slew_c_per_s");
    let margin = if heats { CUT_OFF_MARGIN_C.max(worst_rise_c) } else { CUT_OFF_MARGIN_C };
    let (setpoint, cut_off) = (settings.number("heating_control.max_temp_c"), settings.number("safety.max_temp_c"));
    if setpoint > cut_off - margin {
        let problem = format!(
            "{setpoint} and {cut_off} are not allowed together; the heater's band must end at least {margin} °C below the \
             cut-off ({CUT_OFF_MARGIN_C} °C, or what safety.slew_c_per_s allows in {CUT_OFF_MARGIN_READINGS} reading intervals)"
        );
        refuse("heating_control.max_temp_c, safety.max_temp_c", problem);
    }
    if heats && interval * READINGS_PER_MAX_AGE > age {
        let problem = format!(
            "{interval} s and {age} s are not allowed together while heating is enabled; \
             at least {READINGS_PER_MAX_AGE} readings must fit into the largest age"
        );
        refuse("data_collection.read_interval, safety.max_sample_age", problem);
    }
    contradictions_of_lines(settings, &mut refuse);
    let (base, max) = (settings.number("retry.backoff_base"), settings.number("retry.backoff_max"));
    if base > max {
        refuse(
            "retry.backoff_base, retry.backoff_max",
            format!("{base} and {max} are not allowed together; the second must not be smaller"),
        );
    }
    let backends = settings.list("database.type");
    if backends.len() > 1 && backends.iter().any(|name| name == "none") {
        refuse("database.type", format!("{:?} is not allowed; \"none\" stands alone", backends.join(",")));
    }
    let db_path = settings.text("persistence.db_path");
    if db_path.is_empty() || db_path.ends_with('/') || RESERVED_FILES.contains(&db_path) {
        let reserved = RESERVED_FILES.join(" and ");
        refuse("persistence.db_path", format!("{db_path:?} is not allowed; give a file name other than {reserved}"));
    }
    if settings.text("data_collection.measurement").is_empty() {
        refuse("data_collection.measurement", "an empty name is not allowed".to_owned());
    }
    errors
}

/// One line for two purposes, and a heater without the fan that it needs.
fn contradictions_of_lines(settings: &Settings, refuse: &mut impl FnMut(&str, String)) {
    let heats = settings.switch("heating_control.enabled");
    let ventilates = settings.switch("humidity_control.enabled");
    let (heater, fan) = (settings.integer("heating_control.gpio_pin"), settings.integer("humidity_control.gpio_pin"));
    if heats && ventilates && heater == fan {
        refuse(
            "heating_control.gpio_pin, humidity_control.gpio_pin",
            format!("{heater} is not allowed for both; heater and fan need a line each"),
        );
    }
    let reads_a_line = settings.text("sensor.type").starts_with("dht");
    for (key, enabled, line) in
        [("heating_control.gpio_pin", heats, heater), ("humidity_control.gpio_pin", ventilates, fan)]
    {
        if enabled && reads_a_line && line == settings.integer("sensor.gpio_pin") {
            refuse(
                &format!("{key}, sensor.gpio_pin"),
                format!("{line} is not allowed for both; a DHT sensor needs a line of its own"),
            );
        }
    }
    if heats && settings.switch("heating_control.requires_fan") && !ventilates {
        refuse(
            "heating_control.requires_fan, humidity_control.enabled",
            "true and false are not allowed together; enable the fan that the heater requires".to_owned(),
        );
    }
}

#[cfg(test)]
pub(in crate::config) mod tests {
    use super::super::{KeySpec, Kind, Layer, Registry, Source};
    use super::*;

    /// Stand-ins for keys that come from the registries of sensors and sinks.
    pub(in crate::config) static CHOICES: [KeySpec; 3] = [
        KeySpec::new("sensor.type", Kind::Choice(&["auto", "simulated", "dht22"]), "auto", "", ""),
        KeySpec::new("database.type", Kind::Choices(&["none", "a", "b"]), "none", "", ""),
        KeySpec::new("sensor.gpio_pin", Kind::Integer { min: 0, max: 27 }, "4", "", ""),
    ];

    pub(in crate::config) fn registry() -> Registry {
        Registry::new(&CHOICES)
    }

    const HEATER: (&str, &str) = ("heating_control.enabled", "true");
    const FAN: (&str, &str) = ("humidity_control.enabled", "true");

    fn config(values: &[(&str, &str)]) -> Result<Config, Vec<ConfigError>> {
        let values = values.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let settings =
            registry().resolve(&[Layer { source: Source::Environment, values }]).expect("each value alone is allowed");
        Config::from_settings(&settings)
    }

    #[test]
    fn contradictions_are_refused_on_one_side_only() {
        type Values<'a> = &'a [(&'a str, &'a str)];
        let cases: &[(Values<'_>, Values<'_>)] = &[
            (&[("heating_control.min_temp_c", "21.5")], &[("heating_control.min_temp_c", "21.6")]),
            (&[("humidity_control.min_humidity", "14.5")], &[("humidity_control.min_humidity", "15")]),
            (&[("heating_control.max_temp_c", "65")], &[("heating_control.max_temp_c", "65.1")]),
            (
                &[("heating_control.enabled", "true"), ("heating_control.max_temp_c", "62.5")],
                &[("heating_control.enabled", "true"), ("heating_control.max_temp_c", "62.6")],
            ),
            (
                &[("heating_control.enabled", "true"), ("data_collection.read_interval", "7.5")],
                &[("heating_control.enabled", "true"), ("data_collection.read_interval", "7.6")],
            ),
            (&[("retry.backoff_base", "300")], &[("retry.backoff_base", "301")]),
            (&[HEATER, FAN, ("humidity_control.gpio_pin", "17")], &[HEATER, FAN, ("humidity_control.gpio_pin", "16")]),
            (&[HEATER, ("humidity_control.gpio_pin", "16")], &[HEATER, FAN, ("humidity_control.gpio_pin", "16")]),
            (
                &[HEATER, ("heating_control.gpio_pin", "4")],
                &[HEATER, ("heating_control.gpio_pin", "4"), ("sensor.type", "dht22")],
            ),
            (
                &[("heating_control.gpio_pin", "4"), ("sensor.type", "dht22")],
                &[FAN, ("humidity_control.gpio_pin", "4"), ("sensor.type", "dht22")],
            ),
            (
                &[HEATER, FAN, ("heating_control.requires_fan", "true")],
                &[HEATER, ("heating_control.requires_fan", "true")],
            ),
        ];
        for (good, bad) in cases {
            assert!(config(good).is_ok(), "{good:?}: {:?}", config(good));
            assert!(config(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn several_contradictions_come_together() {
        let errors =
            config(&[("heating_control.min_temp_c", "30"), ("humidity_control.min_humidity", "90")]).expect_err("two");
        assert_eq!(errors.len(), 2, "{errors:?}");
    }

    #[test]
    fn the_cut_off_must_lie_within_the_sensors_range() {
        let heating = config(&[HEATER, ("safety.max_temp_c", "48")]).expect("allowed");
        assert_eq!(heating.check_sensor_range("dht11", 50.0), None);
        let error = heating.check_sensor_range("dht11", 49.9).expect("too near");
        assert!(error.problem.contains("48 and dht11") && error.problem.contains("47.9 °C"), "{error}");
        let idle = config(&[("safety.max_temp_c", "48")]).expect("allowed");
        assert_eq!(idle.check_sensor_range("dht11", 40.0), None, "without a heater there is no cut-off");
    }

    #[test]
    fn the_default_limits_are_the_defaults_of_the_settings() {
        assert_eq!(config(&[]).expect("allowed").boxes[0].safety, SafetyConfig::default());
    }

    #[test]
    fn lines_are_numbered_and_have_a_polarity() {
        let config = config(&[("heating_control.gpio_pin", "5"), ("humidity_control.active_low", "true")]);
        let main = &config.expect("allowed").boxes[0];
        assert_eq!((main.heater.gpio, main.heater.active_low), (5, false));
        assert_eq!((main.fan.gpio, main.fan.active_low), (20, true));
    }
}
