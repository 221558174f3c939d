//! The registry of sensors. A new sensor is one file in this folder and one line in [`SENSORS`].

pub mod aht20;
pub mod bme280;
mod choose;
#[cfg(test)]
mod command_chip;
mod crc8;
pub mod dht;
pub mod iio;
mod on_i2c;
mod registry;
pub mod sht;
pub mod sim;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use filamentbox_core::config::{KeySpec, Settings};
use filamentbox_core::sample::{Frozen, Measurement, NoData, SensorTraits};
use filamentbox_core::time::Monotonic;

pub use self::choose::{Opener, TYPE_KEY, check, choose, keys, open, scan};
pub use self::registry::SENSORS;

/// A source of readings of one box.
pub trait Sensor: Send {
    /// Takes one reading. Blocks as long as the bus takes, so it has a thread to itself.
    ///
    /// # Errors
    /// Why there is no reading. The caller asks again at its next interval; after [`NoData::NotPresent`] and [`NoData::Bus`] it
    /// opens the sensor anew.
    fn read(&mut self) -> Result<Measurement, NoData>;

    /// Chip and place in a few words, for logs and pages. The same for the same chip at the same place whenever it is opened,
    /// and different for any other: [`Opener`] tells them apart by it.
    fn describe(&self) -> String;

    /// What it can and cannot tell.
    fn traits(&self) -> SensorTraits;

    /// The shortest time from one measurement to the next that the chip allows. Asked sooner, [`Self::read`] waits for the rest
    /// of it, so the caller need not care.
    fn min_interval(&self) -> Duration {
        Duration::ZERO
    }

    /// What stands for the raw words of the last good reading: equal for two readings if and only if the words are (but for the
    /// odds of a 64-bit hash, where they do not fit). `None` before the first.
    fn fingerprint(&self) -> Option<u64>;

    /// The last good reading in full: raw words, and converted values as the chip's arithmetic gives them, before any rounding
    /// and calibration. Empty before the first.
    fn details(&self) -> Vec<Detail>;
}

/// One line of [`Sensor::details`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Detail {
    /// Lower case, the unit last: `raw_humidity`, `pressure_kpa`.
    pub name: String,
    /// Raw words in hexadecimal, values in decimal.
    pub value: String,
}

impl Detail {
    fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into() }
    }
}

/// Chips whose noise reaches the raw words: ten equal readings do not happen.
const NOISY: Frozen = Frozen { readings: 10, time: Duration::ZERO };

/// Hundredths as a decimal number.
fn centi(value: i32) -> String {
    let sign = if value < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", value.unsigned_abs() / 100, value.unsigned_abs() % 100)
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

/// Looks for sensors of a kind without disturbing what is there.
pub type Scan = fn(&Settings, &OpenContext) -> Vec<Found>;

/// Something that was found where a kind of sensor can be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// Where: `0x76 on /dev/i2c-1`, `GPIO4`, a file.
    pub place: String,
    /// Which chip, as far as it can be told.
    pub chip: String,
    /// Why it cannot be used as it is, and the remedy; `None`: it can be opened.
    pub problem: Option<String>,
}

impl Found {
    fn usable(place: impl Into<String>, chip: impl Into<String>) -> Self {
        Self { place: place.into(), chip: chip.into(), problem: None }
    }

    fn unusable(place: impl Into<String>, chip: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { place: place.into(), chip: chip.into(), problem: Some(problem.into()) }
    }
}

/// One kind of sensor: all that the rest of the program knows about it.
pub struct SensorKind {
    /// The value of `sensor.type`: lower case, unique.
    pub name: &'static str,
    /// The name people know it by.
    pub title: &'static str,
    /// Whether the readings are real.
    pub origin: Origin,
    /// The keys it reads. Kinds on the same bus share keys.
    pub keys: &'static [KeySpec],
    /// The I2C addresses the chip can have; empty for what is not on I2C.
    pub addresses: &'static [u16],
    /// The end of its range in °C; `None` where only the opened sensor knows.
    pub temperature_max_c: Option<f64>,
    /// Whether `sensor.type=auto` looks for it.
    pub in_auto: bool,
    /// Opens it.
    pub open: Open,
    /// Looks for it.
    pub scan: Scan,
    /// Where [`Self::scan`] looks, for people.
    pub places: fn(&Settings, &OpenContext) -> Vec<String>,
}

/// What asks the clock: monotonic time, perhaps faster than real time.
pub type Now = Arc<dyn Fn() -> Monotonic + Send + Sync>;

/// What opening a sensor may need beside its settings.
pub struct OpenContext {
    /// The clock of a simulation.
    pub now: Now,
    /// The simulated box whose outputs the control thread drives; where there is none, a simulated sensor makes its own,
    /// in which heater and fan stay off.
    pub simulation: Option<sim::SimulatedBox>,
    /// Finds a GPIO line by its BCM number, on every model; the error says why not and what to do.
    pub find_gpio: fn(u32) -> Result<GpioPlace, String>,
    /// What `/sys` and `/dev` are under: `/`, in tests another folder.
    pub root: PathBuf,
}

/// A GPIO line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GpioPlace {
    /// The chip's character device.
    pub chip: PathBuf,
    /// The line's offset on it.
    pub offset: u32,
}

impl fmt::Debug for OpenContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenContext").field("simulation", &self.simulation).finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use filamentbox_core::config::{Layer, Registry, Source};

    use super::*;

    pub(crate) fn settings(values: &[(&str, &str)]) -> Settings {
        let values = values.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect();
        Registry::new(keys()).resolve(&[Layer { source: Source::Environment, values }]).expect("allowed")
    }

    /// A machine with nothing but what lies in `root`.
    pub(crate) fn context(root: &Path) -> OpenContext {
        OpenContext {
            now: Arc::new(|| Monotonic::ZERO),
            simulation: None,
            find_gpio: |pin| Err(format!("there is no GPIO{pin}")),
            root: root.to_owned(),
        }
    }

    #[test]
    fn names_and_keys_are_unique_and_in_form() {
        let names: BTreeSet<&str> = SENSORS.iter().map(|kind| kind.name).collect();
        assert_eq!(names.len(), SENSORS.len());
        assert!(!names.contains("auto"));
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
        assert_eq!(settings(&[]).text("sensor.type"), "auto");
    }

    #[test]
    fn the_address_key_knows_every_address_of_every_chip() {
        for address in SENSORS.iter().flat_map(|kind| kind.addresses) {
            assert!(crate::bus::i2c::ADDRESS_KEY.parse(&format!("{address:#04x}")).is_ok(), "{address:#04x}");
        }
    }

    #[test]
    fn hundredths() {
        assert_eq!([centi(2508), centi(-5), centi(-4000), centi(0)], ["25.08", "-0.05", "-40.00", "0.00"]);
    }
}
