//! From `sensor.type` to an open sensor, and what to tell people when there is none.

use std::collections::BTreeSet;
use std::fmt;

use filamentbox_core::config::{ConfigError, KeySpec, Kind, Settings};
use filamentbox_core::sample::NoData;

use super::{Found, OpenContext, SENSORS, Sensor, SensorKind};
use crate::bus::i2c;

/// `sensor.type`: its words follow from [`SENSORS`].
pub const TYPE_KEY: KeySpec = KeySpec::new(
    "sensor.type",
    Kind::Choice(&TYPE_WORDS),
    AUTO,
    "",
    "The sensor. auto takes the first one that answers, a BME280 before what the kernel's drivers offer before other I2C chips; never a DHT, which cannot be asked without driving its line, and never the simulated box.",
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

/// `sensor.type` and the keys of every kind of sensor, each once.
pub fn keys() -> impl Iterator<Item = &'static KeySpec> {
    static TYPE: KeySpec = TYPE_KEY;
    let mut seen = BTreeSet::new();
    std::iter::once(&TYPE).chain(SENSORS.iter().flat_map(|kind| kind.keys)).filter(move |spec| seen.insert(spec.key))
}

/// What in the settings contradicts the chosen kind of sensor: an I2C address that it cannot have.
pub fn check(settings: &Settings) -> Vec<ConfigError> {
    let named = SENSORS.iter().find(|kind| kind.name == settings.text(TYPE_KEY.key) && !kind.addresses.is_empty());
    let refused = named.and_then(|kind| i2c::addresses(settings, kind.addresses).err());
    let error = |problem| ConfigError { key: i2c::ADDRESS_KEY.key.to_owned(), problem };
    refused.into_iter().map(error).collect()
}

/// Everything that can be found, kind by kind, whatever `sensor.type` says. What several kinds come upon, such as a bus that
/// cannot be opened, is listed once.
pub fn scan(settings: &Settings, context: &OpenContext) -> Vec<(&'static SensorKind, Found)> {
    let mut all: Vec<(&'static SensorKind, Found)> = Vec::new();
    for kind in SENSORS {
        for found in (kind.scan)(settings, context) {
            if !all.iter().any(|(_, known)| *known == found) {
                all.push((kind, found));
            }
        }
    }
    all
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
    let mut problems: Vec<String> = Vec::new();
    for kind in kinds.iter().filter(|kind| kind.in_auto) {
        for found in (kind.scan)(settings, context) {
            match found.problem {
                None => return Ok(kind),
                // Several kinds may stumble over the same missing bus.
                Some(problem) if !problems.contains(&problem) => problems.push(problem),
                Some(_) => {}
            }
        }
    }
    Err(NoData::NotPresent(nothing_found(kinds, settings, context, &problems)))
}

fn nothing_found(kinds: &[SensorKind], settings: &Settings, context: &OpenContext, problems: &[String]) -> String {
    let looked = |kind: &SensorKind| {
        let places = (kind.places)(settings, context);
        (!places.is_empty()).then(|| format!("{} ({})", kind.title, places.join(", ")))
    };
    let looked: Vec<String> = kinds.iter().filter(|kind| kind.in_auto).filter_map(looked).collect();
    let mut text = format!("looked for {}", looked.join("; "));
    for problem in problems {
        text.push_str("; ");
        text.push_str(problem);
    }
    text.push_str(
        "; check the wiring, or name the sensor in sensor.type (a DHT22 or DHT11 has to be named); \
         to try FilamentBox without one, start it with `run --simulate` or set sensor.type=simulated",
    );
    text
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

/// Opens one box's sensor, again and again for as long as it takes, and never another one: with several sensors about, `auto` would
/// else answer the loss of the one in the box with a sensor that is somewhere else, and the heater would follow that.
#[derive(Default)]
pub struct Opener {
    first: Option<(&'static SensorKind, String)>,
}

impl Opener {
    /// An opener that has opened nothing yet: the first sensor it opens is the one it keeps to.
    pub fn new() -> Self {
        Self::default()
    }

    /// Like [`open`]; after the first success only the same kind of sensor at the same place.
    ///
    /// # Errors
    /// As [`open`], and [`NoData::NotPresent`] when another sensor answers instead.
    ///
    /// # Panics
    /// As [`open`].
    pub fn open(&mut self, settings: &Settings, context: &OpenContext) -> Result<Box<dyn Sensor>, NoData> {
        let Some((kind, known_as)) = &self.first else {
            let kind = choose(settings, context)?;
            let sensor = (kind.open)(settings, context)?;
            self.first = Some((kind, sensor.describe()));
            return Ok(sensor);
        };
        let sensor = (kind.open)(settings, context)?;
        if sensor.describe() == *known_as {
            return Ok(sensor);
        }
        Err(NoData::NotPresent(format!(
            "{known_as} is gone; {} answers, but may be somewhere else: restart FilamentBox to use it",
            sensor.describe()
        )))
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Opener").field(&self.first.as_ref().map(|(_, known_as)| known_as)).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::tests::{context, settings};
    use super::super::{Origin, Scan, sim};
    use super::*;

    fn chosen<'a>(kinds: &'a [SensorKind], sensor_type: &str) -> Result<&'a str, NoData> {
        let context = context(Path::new("/nowhere"));
        choose_from(kinds, &settings(&[("sensor.type", sensor_type)]), &context).map(|kind| kind.name)
    }

    fn kind(name: &'static str, scan: Scan) -> SensorKind {
        let places = |_: &Settings, _: &OpenContext| vec!["the shelf".to_owned()];
        SensorKind { name, title: name, origin: Origin::Hardware, in_auto: true, scan, places, ..sim::SIMULATED }
    }

    #[test]
    fn every_kind_can_be_named() {
        for kind in SENSORS {
            assert_eq!(chosen(SENSORS, kind.name), Ok(kind.name));
        }
    }

    #[test]
    fn auto_never_takes_the_simulated_box_and_says_what_to_do() {
        assert!(SENSORS.iter().all(|kind| kind.origin == Origin::Hardware || !kind.in_auto));
        let problem = chosen(SENSORS, "auto").expect_err("nothing to find").to_string();
        for word in ["run --simulate", "sensor.type=simulated", "0x76 on /nowhere/dev/i2c-1", "dtparam=i2c_arm=on"] {
            assert!(problem.contains(word), "{problem}");
        }
        assert_eq!(problem.matches("dtparam=i2c_arm=on").count(), 1, "{problem}");
    }

    #[test]
    fn auto_takes_the_first_that_answers() {
        let kinds = [
            kind("mute", |_, _| Vec::new()),
            kind("held", |_, _| vec![Found::unusable("x", "y", "the kernel holds it")]),
            kind("first", |_, _| vec![Found::unusable("x", "y", "z"), Found::usable("x", "y")]),
            kind("next", |_, _| vec![Found::usable("x", "y")]),
        ];
        assert_eq!(chosen(&kinds, "auto"), Ok("first"));
        let problem = chosen(&kinds[..2], "auto").expect_err("mute").to_string();
        assert!(problem.contains("looked for mute (the shelf); held (the shelf); the kernel holds it;"), "{problem}");
    }

    #[test]
    fn a_missing_bus_is_listed_once() {
        let found = scan(&settings(&[]), &context(Path::new("/nowhere")));
        let about_the_bus = found.iter().filter(|(_, found)| found.place == "/nowhere/dev/i2c-1");
        assert_eq!(about_the_bus.count(), 1, "{:?}", found.iter().map(|(_, found)| found).collect::<Vec<_>>());
    }

    #[test]
    fn an_address_that_the_chip_cannot_have_is_refused() {
        let problems = |kind, address| check(&settings(&[("sensor.type", kind), ("sensor.i2c_address", address)]));
        assert_eq!(problems("bme280", "0x77"), []);
        assert_eq!(problems("auto", "0x44"), []);
        assert_eq!(problems("simulated", "0x44"), []);
        let refused = problems("bme280", "0x44");
        assert_eq!(refused.len(), 1);
        assert!(refused[0].to_string().contains("allowed: auto, 0x76, 0x77"), "{}", refused[0]);
    }
}
