//! DHT22 (AM2302) and DHT11: temperature and humidity over one GPIO line.
//!
//! A frame's checksum is right by luck once in 256, so a frame that is far from the last one believed is believed only when the
//! next one says the same. That goes for the first frame too, which has nothing to compare with. A reading asks a second time, after
//! the interval that the sensor needs, when the first frame was damaged or is not believed yet, and when the previous question was
//! long ago: a DHT answers with what it measured after that one (AM2302 product manual: "read twice for the present value").

mod decode;

use std::time::Duration;

use filamentbox_core::config::Settings;
use filamentbox_core::sample::{Frozen, Measurement, NoData, SensorTraits};
use filamentbox_core::time::Monotonic;
use filamentbox_core::units::{Celsius, RelativeHumidity};

use self::decode::{Frame, Reading};
use super::{Detail, Found, Now, OpenContext, Origin, Sensor, SensorKind};
use crate::bus::gpio::{AskedLine, GpioLine, PIN_KEY};

/// The DHT22, also sold as AM2302.
pub const DHT22: SensorKind = SensorKind {
    name: "dht22",
    title: "DHT22",
    origin: Origin::Hardware,
    keys: &[PIN_KEY],
    addresses: &[],
    temperature_max_c: Some(80.0),
    in_auto: false,
    open: |settings, context| open(DhtModel::Dht22, settings, context),
    scan,
    places,
};

/// The DHT11.
pub const DHT11: SensorKind = SensorKind {
    name: "dht11",
    title: "DHT11",
    origin: Origin::Hardware,
    keys: &[PIN_KEY],
    addresses: &[],
    temperature_max_c: Some(50.0),
    in_auto: false,
    open: |settings, context| open(DhtModel::Dht11, settings, context),
    // One line, one entry: the DHT22's.
    scan: |_, _| Vec::new(),
    places,
};

/// The two kinds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DhtModel {
    /// Tenths, -40 to 80 °C.
    Dht22,
    /// Whole numbers or tenths, 0 to 50 °C.
    Dht11,
}

impl DhtModel {
    fn kind(self) -> &'static SensorKind {
        match self {
            Self::Dht22 => &DHT22,
            Self::Dht11 => &DHT11,
        }
    }

    fn name(self) -> &'static str {
        self.kind().name
    }

    fn title(self) -> &'static str {
        self.kind().title
    }

    /// What a frame can say. Newer DHT11 go beyond the 0 to 50 °C for which they are specified.
    fn range_deci_c(self) -> std::ops::RangeInclusive<i32> {
        match self {
            Self::Dht22 => -400..=800,
            Self::Dht11 => -200..=600,
        }
    }

    /// How long the line is held low to ask: at least 1 ms (AM2302 product manual), at least 18 ms (DHT11 data sheet 1.3).
    fn start_signal(self) -> Duration {
        match self {
            Self::Dht22 => Duration::from_millis(2),
            Self::Dht11 => Duration::from_millis(20),
        }
    }

    fn min_interval(self) -> Duration {
        match self {
            Self::Dht22 => Duration::from_secs(2),
            Self::Dht11 => Duration::from_secs(1),
        }
    }
}

/// A DHT22 rounds to a tenth: steady air reads the same for minutes.
const FROZEN_DHT22: Frozen = Frozen { readings: 10, time: Duration::from_secs(600) };
/// A DHT11 rounds to a whole number, so that a box that has reached its plateau reads the same for hours. Longer than a heater may be on by
/// default: with this sensor the on-time limit is what ends a frozen reading.
const FROZEN_DHT11: Frozen = Frozen { readings: 10, time: Duration::from_secs(5 * 3600) };
/// A frame is as old as the time since the previous question. Older than this, it is not given out as a reading.
const FRAME_AGE_MAX: Duration = Duration::from_secs(15);
/// Nearer than this to the last believed reading, a frame is believed at once.
const NEAR_DECI_C: u32 = 30;
/// See [`NEAR_DECI_C`].
const NEAR_DECI_PCT: u32 = 100;

fn open(model: DhtModel, settings: &Settings, context: &OpenContext) -> Result<Box<dyn Sensor>, NoData> {
    let pin = pin(settings);
    let place = (context.find_gpio)(pin).map_err(NoData::NotPresent)?;
    let line = GpioLine::open(&place.chip, place.offset, &format!("GPIO{pin}"))?;
    Ok(Box::new(Dht::new(model, line, context.now.clone())))
}

fn pin(settings: &Settings) -> u32 {
    u32::try_from(settings.integer(PIN_KEY.key)).unwrap_or(u32::MAX)
}

fn places(settings: &Settings, _: &OpenContext) -> Vec<String> {
    vec![format!("GPIO{}", pin(settings))]
}

/// The line, unless it cannot be found. Whether a sensor is on it shows only when it is asked, and that drives the line, which
/// may belong to something else.
fn scan(settings: &Settings, context: &OpenContext) -> Vec<Found> {
    let name = format!("GPIO{}", pin(settings));
    let (chip, problem) = match (context.find_gpio)(pin(settings)) {
        Ok(place) => (
            format!("line {} of {}", place.offset, place.chip.display()),
            "not asked, as that drives the line: if a DHT is connected, set sensor.type=dht22 or dht11".to_owned(),
        ),
        Err(problem) => ("GPIO line".to_owned(), problem),
    };
    vec![Found::unusable(name, chip, problem)]
}

/// One DHT.
pub struct Dht<L> {
    model: DhtModel,
    line: L,
    now: Now,
    /// The sensor was asked then, or may have been: by whoever held the line before.
    asked_at: Monotonic,
    believed: Option<Reading>,
    /// Seen once, and far from what is believed.
    doubted: Option<Reading>,
    last: Option<Frame>,
}

impl<L: AskedLine> Dht<L> {
    /// The sensor on `line`; it is not asked yet.
    pub fn new(model: DhtModel, line: L, now: Now) -> Self {
        let asked_at = now();
        Self { model, line, now, asked_at, believed: None, doubted: None, last: None }
    }

    /// One question and its answer, not sooner than the sensor allows.
    fn ask(&mut self) -> Result<Measurement, NoData> {
        let rested = (self.now)().since(self.asked_at);
        if let Some(rest) = self.model.min_interval().checked_sub(rested) {
            self.line.pause(rest);
        }
        let edges = self.line.ask(self.model.start_signal());
        self.asked_at = (self.now)();
        let frame = decode::frame(&edges?)?;
        let reading = decode::reading(self.model, frame)?;
        let text = format!("{} °C, {} %", deci(reading.deci_c), deci(reading.deci_pct));
        if !self.believe(reading) {
            return Err(NoData::Implausible(format!("{text} all at once; the next frame has to say the same")));
        }
        let temperature = Celsius::from_centi(reading.deci_c * 10);
        let humidity = RelativeHumidity::from_centi(reading.deci_pct * 10);
        let (Some(temperature), Some(humidity)) = (temperature, humidity) else {
            return Err(NoData::Implausible(text));
        };
        self.last = Some(frame);
        Ok(Measurement { temperature, humidity, pressure: None })
    }

    fn believe(&mut self, reading: Reading) -> bool {
        let near = |other: &Option<Reading>| other.is_some_and(|other| is_near(reading, other));
        if near(&self.believed) || near(&self.doubted) {
            self.believed = Some(reading);
            self.doubted = None;
            true
        } else {
            self.doubted = Some(reading);
            false
        }
    }
}

/// Tenths as a decimal number.
fn deci(value: i32) -> String {
    let sign = if value < 0 { "-" } else { "" };
    format!("{sign}{}.{}", value.unsigned_abs() / 10, value.unsigned_abs() % 10)
}

fn is_near(a: Reading, b: Reading) -> bool {
    a.deci_c.abs_diff(b.deci_c) <= NEAR_DECI_C && a.deci_pct.abs_diff(b.deci_pct) <= NEAR_DECI_PCT
}

impl<L: AskedLine> Sensor for Dht<L> {
    fn read(&mut self) -> Result<Measurement, NoData> {
        let is_stale = (self.now)().since(self.asked_at) > FRAME_AGE_MAX;
        let mut result = self.ask();
        if is_stale && result.is_ok() {
            result = self.ask();
        }
        match result {
            // Damaged, or not believed yet: once more. A sensor that is not there is not waited for.
            Err(NoData::Checksum | NoData::Bus(_) | NoData::Implausible(_)) => self.ask(),
            result => result,
        }
    }

    fn describe(&self) -> String {
        format!("{} on {}", self.model.title(), self.line.place())
    }

    fn traits(&self) -> SensorTraits {
        let max = self.model.kind().temperature_max_c;
        let frozen = match self.model {
            DhtModel::Dht22 => FROZEN_DHT22,
            DhtModel::Dht11 => FROZEN_DHT11,
        };
        SensorTraits { temperature_max_c: max.expect("both kinds say it"), frozen }
    }

    fn min_interval(&self) -> Duration {
        self.model.min_interval()
    }

    fn fingerprint(&self) -> Option<u64> {
        let [a, b, c, d, sum] = self.last?;
        Some(u64::from_be_bytes([0, 0, 0, a, b, c, d, sum]))
    }

    fn details(&self) -> Vec<Detail> {
        let (Some(frame), Some(reading)) = (self.last, self.believed) else { return Vec::new() };
        vec![
            Detail::new("raw_frame", format!("0x{}", frame.map(|byte| format!("{byte:02x}")).concat())),
            Detail::new("temperature_c", deci(reading.deci_c)),
            Detail::new("humidity_pct", deci(reading.deci_pct)),
        ]
    }
}

#[cfg(test)]
mod tests;
