//! What a sensor says: a [`Measurement`] or [`NoData`]; what the box keeps of it: a [`Sample`]; what leaves it: a [`Point`].

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::time::{Monotonic, UnixTime};
use crate::units::{Celsius, Hectopascal, RelativeHumidity, absolute_humidity_g_m3, dew_point_c};

/// The longest name of a box, in bytes: it is part of tags, file names and lines of 80 columns.
pub const BOX_NAME_MAX: usize = 32;

/// The name of a box: 1 to 32 of `a-z`, `0-9`, `_` and `-`. A default installation has one box, `main`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BoxName(Arc<str>);

impl BoxName {
    /// `None` when `name` breaks the rule above.
    pub fn new(name: &str) -> Option<Self> {
        let allowed = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_' || c == b'-';
        ((1..=BOX_NAME_MAX).contains(&name.len()) && name.bytes().all(allowed)).then(|| Self(name.into()))
    }

    /// The box of a default installation.
    pub fn main() -> Self {
        Self("main".into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BoxName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for BoxName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One reading of one sensor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Measurement {
    /// Air temperature.
    pub temperature: Celsius,
    /// Relative humidity at that temperature.
    pub humidity: RelativeHumidity,
    /// Air pressure, from the sensors that measure it.
    pub pressure: Option<Hectopascal>,
}

impl Measurement {
    /// With the owner's calibration added; the humidity stays within 0 to 100 %.
    ///
    /// # Errors
    /// [`NoData::Implausible`] when the temperature leaves the range of the quantity.
    pub fn calibrated(self, temperature_offset_c: f64, humidity_offset_pct: f64) -> Result<Self, NoData> {
        let temperature_c = self.temperature.degrees() + temperature_offset_c;
        let humidity_pct = (self.humidity.percent() + humidity_offset_pct).clamp(0.0, 100.0);
        match (Celsius::new(temperature_c), RelativeHumidity::new(humidity_pct)) {
            (Some(temperature), Some(humidity)) => Ok(Self { temperature, humidity, ..self }),
            _ => Err(NoData::Implausible(format!("{temperature_c} °C after calibration"))),
        }
    }
}

/// What a kind of sensor can and cannot tell: rules of the interlock follow from it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct SensorTraits {
    /// The end of its range in °C: hotter air still reads like this. The cut-off must lie below.
    pub temperature_max_c: f64,
    /// From when on identical readings mean a frozen sensor and not steady air.
    pub frozen: Frozen,
}

/// A sensor is frozen when it gave the same raw words in at least so many readings over at least so long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Frozen {
    /// Readings in a row, the first one counted in.
    pub readings: u32,
    /// From the first of them to the last.
    pub time: Duration,
}

/// Why there is no reading. Never a number, never silence.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NoData {
    /// Nothing answers where the sensor should be.
    #[error("no sensor found: {0}")]
    NotPresent(String),
    /// The bus or the line failed.
    #[error("bus error: {0}")]
    Bus(String),
    /// Bytes arrived and were damaged.
    #[error("wrong checksum")]
    Checksum,
    /// A number arrived that cannot be true.
    #[error("implausible reading: {0}")]
    Implausible(String),
    /// The sensor did not answer in its time.
    #[error("the sensor did not answer in time")]
    TimedOut,
}

/// A reading in its place: which box, when, and what its outputs were then.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sample {
    /// The box.
    pub box_name: BoxName,
    /// The moment of the reading, for decisions.
    pub taken_at: Monotonic,
    /// The same moment, for labels; `None` while the wall clock is not known.
    pub wall: Option<UnixTime>,
    /// The reading.
    pub measurement: Measurement,
    /// Whether the heater's line was active when the reading arrived, as the relay guard reports it.
    pub heater_on: bool,
    /// The same for the fan.
    pub fan_on: bool,
}

impl Sample {
    /// The point of this sample, once its wall time is known.
    pub fn point_at(&self, at: UnixTime) -> Point {
        Point {
            box_name: self.box_name.clone(),
            at,
            measurement: self.measurement,
            heater_on: self.heater_on,
            fan_on: self.fan_on,
        }
    }
}

/// What is stored, charted and delivered. Its identity everywhere is (box, `at`), so a re-send overwrites.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Point {
    /// The box.
    pub box_name: BoxName,
    /// The moment of the reading.
    pub at: UnixTime,
    /// The reading.
    pub measurement: Measurement,
    /// Heater line active.
    pub heater_on: bool,
    /// Fan line active.
    pub fan_on: bool,
}

/// A field's value: `digits` x 10^-`decimals`, exact in every text format.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Field {
    /// The field's name in every backend and export.
    pub name: &'static str,
    /// The value's digits.
    pub digits: i64,
    /// How many of them stand behind the point.
    pub decimals: u8,
}

impl Field {
    /// The value as a float.
    pub fn value(&self) -> f64 {
        self.digits as f64 / 10f64.powi(i32::from(self.decimals))
    }
}

/// The names of all fields a point can have, in their order.
pub const FIELD_NAMES: [&str; 8] = [
    "temperature_c",
    "temperature_f",
    "humidity",
    "pressure",
    "dew_point_c",
    "absolute_humidity",
    "heater_on",
    "fan_on",
];

impl Point {
    /// The fields in the order of [`FIELD_NAMES`]. `pressure` is left out where the sensor has none, and `dew_point_c` at
    /// 0 % humidity, where there is none: a field is a number or it is absent, never NaN.
    pub fn fields(&self) -> impl Iterator<Item = Field> {
        let m = self.measurement;
        let (celsius, percent) = (m.temperature.degrees(), m.humidity.percent());
        let scaled = |value: f64, decimals: u8| (value * 10f64.powi(i32::from(decimals))).round() as i64;
        let digits = [
            Some((i64::from(m.temperature.centi()), 2)),
            Some((i64::from(m.temperature.milli_fahrenheit()), 3)),
            Some((i64::from(m.humidity.centi()), 2)),
            m.pressure.map(|p| (i64::from(p.pascal()), 2)),
            dew_point_c(celsius, percent).map(|dew_point| (scaled(dew_point, 2), 2)),
            Some((scaled(absolute_humidity_g_m3(celsius, percent), 3), 3)),
            Some((i64::from(self.heater_on), 0)),
            Some((i64::from(self.fan_on), 0)),
        ];
        FIELD_NAMES
            .into_iter()
            .zip(digits)
            .filter_map(|(name, value)| value.map(|(digits, decimals)| Field { name, digits, decimals }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(pressure: Option<f64>, humidity: f64) -> Point {
        Point {
            box_name: BoxName::main(),
            at: UnixTime::from_millis(0),
            measurement: Measurement {
                temperature: Celsius::new(20.0).expect("in range"),
                humidity: RelativeHumidity::new(humidity).expect("in range"),
                pressure: pressure.and_then(Hectopascal::new),
            },
            heater_on: true,
            fan_on: false,
        }
    }

    #[test]
    fn fields_are_those_of_the_contract() {
        let text: Vec<String> =
            point(Some(1013.25), 50.0).fields().map(|f| format!("{}={}", f.name, f.value())).collect();
        let expected = "temperature_c=20 temperature_f=68 humidity=50 pressure=1013.25 dew_point_c=9.26 absolute_humidity=8.621 heater_on=1 fan_on=0";
        assert_eq!(text.join(" "), expected);
    }

    #[test]
    fn what_is_not_known_is_absent() {
        let names: Vec<&str> = point(None, 0.0).fields().map(|f| f.name).collect();
        assert_eq!(names, ["temperature_c", "temperature_f", "humidity", "absolute_humidity", "heater_on", "fan_on"]);
    }

    #[test]
    fn box_names_are_checked() {
        for good in ["main", "a", "box-2_x", &"n".repeat(BOX_NAME_MAX)] {
            assert!(BoxName::new(good).is_some(), "{good}");
        }
        for bad in ["", "Main", "a b", "ä", "a/b", &"n".repeat(BOX_NAME_MAX + 1)] {
            assert!(BoxName::new(bad).is_none(), "{bad}");
        }
    }
}
