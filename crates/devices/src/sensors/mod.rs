//! The registry of sensors. A new sensor is one file in this folder and one line in [`SENSORS`].

pub mod sim;

use std::fmt;
use std::sync::Arc;

use filamentbox_core::config::{KeySpec, Kind, Settings};
use filamentbox_core::sample::{Measurement, NoData};
use filamentbox_core::time::Monotonic;

/// A source of readings of one box.
pub trait Sensor: Send {
    /// Takes one reading. Blocks as long as the bus takes, so it has a thread to itself.
    ///
    /// # Errors
    /// Why there is no reading. The caller asks again at its next interval.
    fn read(&mut self) -> Result<Measurement, NoData>;

    /// Chip and place in a few words, for logs and pages.
    fn describe(&self) -> String;
}

/// Where a sensor's readings come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// A chip in a real box.
    Hardware,
    /// The model of a box. Real outputs must never act on such readings.
    Simulation,
}

/// Opens a sensor.
pub type Open = fn(&Settings, &OpenContext) -> Result<Box<dyn Sensor>, NoData>;

/// Looks whether a sensor is there.
pub type Probe = fn(&Settings, &OpenContext) -> bool;

/// One kind of sensor: all that the rest of the program knows about it.
pub struct SensorKind {
    /// The value of `sensor.type`: lower case, unique.
    pub name: &'static str,
    /// The name people know it by.
    pub title: &'static str,
    /// Whether the readings are real.
    pub origin: Origin,
    /// Its own keys.
    pub keys: &'static [KeySpec],
    /// Opens it.
    pub open: Open,
    /// Whether such a sensor answers, without disturbing what else may be there. `None`: `auto` never chooses this kind.
    pub probe: Option<Probe>,
}

/// Every kind of sensor, in the order in which `auto` looks for them.
pub const SENSORS: &[SensorKind] = &[sim::SIMULATED];

/// What asks the clock: monotonic time, perhaps faster than real time.
pub type Now = Arc<dyn Fn() -> Monotonic + Send + Sync>;

/// What opening a sensor may need beside its settings.
pub struct OpenContext {
    /// The clock of a simulation.
    pub now: Now,
    /// The simulated box whose outputs the control thread drives; where there is none, a simulated sensor makes its own,
    /// in which heater and fan stay off.
    pub simulation: Option<sim::SimulatedBox>,
}

impl fmt::Debug for OpenContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenContext").field("simulation", &self.simulation).finish_non_exhaustive()
    }
}

/// `sensor.type`: its words follow from [`SENSORS`].
pub const TYPE_KEY: KeySpec = KeySpec::new(
    "sensor.type",
    Kind::Choice(&TYPE_WORDS),
    AUTO,
    "",
    "The sensor. auto takes the first supported one that answers and never the simulated box.",
);

const AUTO: &str = "auto";

const TYPE_WORDS: [&str; SENSORS.len() + 1] = {
    let mut words = [AUTO; SENSORS.len() + 1];
    let mut index = 0;
    while index < SENSORS.len() {
        words[index + 1] = SENSORS[index].name;
        index += 1;
    }
    words
};

/// `sensor.type` and the keys of every kind of sensor.
pub fn keys() -> impl Iterator<Item = &'static KeySpec> {
    static TYPE: KeySpec = TYPE_KEY;
    std::iter::once(&TYPE).chain(SENSORS.iter().flat_map(|kind| kind.keys))
}

/// The kind that `sensor.type` names; for `auto` the first that answers.
///
/// # Errors
/// [`NoData::NotPresent`] with what to do, when nothing answers.
pub fn choose(settings: &Settings, context: &OpenContext) -> Result<&'static SensorKind, NoData> {
    choose_from(SENSORS, settings, context)
}

fn choose_from<'a>(
    kinds: &'a [SensorKind],
    settings: &Settings,
    context: &OpenContext,
) -> Result<&'a SensorKind, NoData> {
    let wanted = settings.text(TYPE_KEY.key);
    if wanted != AUTO {
        let named = kinds.iter().find(|kind| kind.name == wanted);
        return named.ok_or_else(|| NoData::NotPresent(format!("{wanted} is not a supported sensor")));
    }
    let answers = |kind: &&SensorKind| kind.probe.is_some_and(|probe| probe(settings, context));
    kinds.iter().find(answers).ok_or_else(|| NoData::NotPresent(nothing_answers(kinds)))
}

fn nothing_answers(kinds: &[SensorKind]) -> String {
    let looked_for: Vec<&str> = kinds.iter().filter(|kind| kind.probe.is_some()).map(|kind| kind.title).collect();
    let problem = if looked_for.is_empty() {
        "this version supports no real sensor yet".to_owned()
    } else {
        format!("none of these answers: {}; check the wiring or name the sensor in sensor.type", looked_for.join(", "))
    };
    format!("{problem}; to try FilamentBox without one, start it with `run --simulate` or set sensor.type=simulated")
}

/// Opens the sensor that `sensor.type` names.
///
/// # Errors
/// [`NoData::NotPresent`] with what to do when `auto` finds nothing, else what the sensor's opener says.
///
/// # Panics
/// When `settings` were resolved without [`keys`], which is a defect of the caller.
pub fn open(settings: &Settings, context: &OpenContext) -> Result<Box<dyn Sensor>, NoData> {
    let kind = choose(settings, context)?;
    (kind.open)(settings, context)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeSet;

    use filamentbox_core::config::{Layer, Registry, Source};

    use super::*;

    pub(crate) fn settings(values: &[(&str, &str)]) -> Settings {
        let values = values.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect();
        Registry::new(keys()).resolve(&[Layer { source: Source::Environment, values }]).expect("allowed")
    }

    fn context() -> OpenContext {
        OpenContext { now: Arc::new(|| Monotonic::ZERO), simulation: None }
    }

    fn chosen<'a>(kinds: &'a [SensorKind], sensor_type: &str) -> Result<&'a str, NoData> {
        choose_from(kinds, &settings(&[("sensor.type", sensor_type)]), &context()).map(|kind| kind.name)
    }

    #[test]
    fn names_and_keys_are_unique_and_in_form() {
        let names: BTreeSet<&str> = SENSORS.iter().map(|kind| kind.name).collect();
        assert_eq!(names.len(), SENSORS.len());
        assert!(!names.contains(AUTO));
        for kind in SENSORS {
            assert!(kind.name.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()), "{}", kind.name);
            assert!(!kind.title.is_empty());
        }
        let keys: Vec<&str> = keys().map(|spec| spec.key).collect();
        assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len(), "{keys:?}");
    }

    #[test]
    fn every_default_is_allowed() {
        for spec in keys() {
            spec.parse(spec.default).unwrap_or_else(|problem| panic!("{}: {problem}", spec.key));
        }
        assert_eq!(settings(&[]).text("sensor.type"), AUTO);
    }

    #[test]
    fn every_kind_can_be_named() {
        for kind in SENSORS {
            assert_eq!(chosen(SENSORS, kind.name), Ok(kind.name));
        }
    }

    #[test]
    fn auto_never_takes_the_simulated_box_and_says_what_to_do() {
        assert!(SENSORS.iter().all(|kind| kind.origin == Origin::Hardware || kind.probe.is_none()));
        let problem = chosen(&[sim::SIMULATED], "auto").expect_err("nothing to find").to_string();
        assert!(problem.contains("run --simulate") && problem.contains("sensor.type=simulated"), "{problem}");
    }

    #[test]
    fn auto_takes_the_first_that_answers() {
        fn kind(name: &'static str, probe: Probe) -> SensorKind {
            SensorKind { name, title: name, origin: Origin::Hardware, keys: &[], probe: Some(probe), ..sim::SIMULATED }
        }
        let kinds = [sim::SIMULATED, kind("mute", |_, _| false), kind("first", |_, _| true), kind("next", |_, _| true)];
        assert_eq!(chosen(&kinds, "auto"), Ok("first"));
        let problem = chosen(&kinds[..2], "auto").expect_err("mute").to_string();
        assert!(problem.contains("none of these answers: mute"), "{problem}");
    }
}
