//! The sensor and everything that goes wrong with it.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use filamentbox_core::physics::BoxWorld;
use filamentbox_core::sample::{Frozen, Measurement, NoData, SensorTraits};
use filamentbox_core::time::Monotonic;
use filamentbox_core::units::{Celsius, RelativeHumidity};

use crate::dice::Dice;

/// What is built in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Probe {
    /// Fine steps, to 85 °C, and its words never repeat for long.
    Bme280,
    /// Steps of 0.1 °C, to 80 °C.
    Dht22,
    /// Steps of a whole degree, to 50 °C.
    Dht11,
}

impl Probe {
    pub(crate) fn traits(self) -> SensorTraits {
        let traits = |temperature_max_c, readings, seconds| SensorTraits {
            temperature_max_c,
            frozen: Frozen { readings, time: Duration::from_secs(seconds) },
        };
        match self {
            Self::Bme280 => traits(85.0, 10, 0),
            Self::Dht22 => traits(80.0, 10, 600),
            Self::Dht11 => traits(50.0, 10, 600),
        }
    }

    fn steps(self) -> f64 {
        match self {
            Self::Bme280 => 0.01,
            Self::Dht22 => 0.1,
            Self::Dht11 => 1.0,
        }
    }
}

/// Why there is no reading.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Why {
    NotPresent,
    Bus,
    Checksum,
    Implausible,
    TimedOut,
}

impl Why {
    fn no_data(self) -> NoData {
        match self {
            Self::NotPresent => NoData::NotPresent("nothing at 0x76".to_owned()),
            Self::Bus => NoData::Bus("remote I/O error".to_owned()),
            Self::Checksum => NoData::Checksum,
            Self::Implausible => NoData::Implausible("NaN".to_owned()),
            Self::TimedOut => NoData::TimedOut,
        }
    }
}

/// What is wrong with the sensor.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum SensorFault {
    Well,
    /// Every reading fails like this.
    NoData(Why),
    /// One reading in so many fails.
    Flaky(u32),
    /// The last reading again and again, to the bit.
    Frozen,
    /// Always this, to the bit, whatever the air: a brown-out's constant. °C.
    Says(f64),
    /// About this, whatever the air, with a sensor's noise. °C.
    About(f64),
    /// Numbers that no box has, and such that are no numbers.
    Garbage,
    /// Off by so much at once. °C.
    Jumps(f64),
    /// Off by more and more. °C an hour.
    Drifts(f64),
    /// One reading says this, and passes its checksum by luck. °C.
    Once(f64),
    /// The end of its range comes early: hotter air still reads like this. °C.
    EndsAt(f64),
    /// Read as another type: 1 to 3 °C whatever the air.
    WrongType,
    /// Fell out of the box.
    InTheRoom,
    /// Its thread hangs in the bus: no reading, and no failure either.
    Hangs,
}

/// A reading with what stands for its raw words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Words {
    pub(crate) measurement: Measurement,
    pub(crate) fingerprint: u64,
}

pub(crate) struct Sensor {
    probe: Probe,
    fault: SensorFault,
    since: Monotonic,
    last: Option<Words>,
}

impl Sensor {
    pub(crate) fn new(probe: Probe) -> Self {
        Self { probe, fault: SensorFault::Well, since: Monotonic::ZERO, last: None }
    }

    pub(crate) fn fault(&self) -> SensorFault {
        self.fault
    }

    pub(crate) fn fail(&mut self, now: Monotonic, fault: SensorFault) {
        (self.fault, self.since) = (fault, now);
    }

    /// One reading; `None` while the thread hangs.
    pub(crate) fn read(
        &mut self,
        now: Monotonic,
        world: &mut BoxWorld,
        dice: &mut Dice,
    ) -> Option<Result<Words, NoData>> {
        let true_one = world.measure();
        let (true_c, percent) = (true_one.temperature.degrees(), true_one.humidity.percent());
        let hours = now.since(self.since).as_secs_f64() / 3600.0;
        let noise_c = dice.between(-0.04, 0.04);
        let says = |degrees: f64| self.words(degrees, percent, &true_one);
        let result = match (self.fault, self.last) {
            (SensorFault::Hangs, _) => return None,
            (SensorFault::NoData(why), _) => Err(why.no_data()),
            (SensorFault::Flaky(one_in), _) if dice.below(one_in as usize) == 0 => Err(NoData::Checksum),
            (SensorFault::Frozen, Some(last)) => Ok(last),
            (SensorFault::Says(degrees), _) => self.words(degrees, 30.0, &Measurement { pressure: None, ..true_one }),
            (SensorFault::About(degrees), _) => says(degrees + noise_c),
            (SensorFault::Garbage, _) => self.words(garbage(dice), dice.between(-20.0, 120.0), &true_one),
            (SensorFault::Jumps(by_c), _) => says(true_c + by_c),
            (SensorFault::Drifts(c_per_hour), _) => says(true_c + c_per_hour * hours),
            (SensorFault::Once(degrees), _) => says(degrees),
            (SensorFault::EndsAt(end_c), _) => says(true_c.min(end_c)),
            (SensorFault::WrongType, _) => says(2.0 + 25.0 * noise_c),
            (SensorFault::InTheRoom, _) => says(world.room().temperature_c + noise_c),
            (SensorFault::Well | SensorFault::Frozen | SensorFault::Flaky(_), _) => says(true_c),
        };
        if matches!(self.fault, SensorFault::Once(_)) {
            self.fault = SensorFault::Well;
        }
        self.last = result.as_ref().ok().copied().or(self.last);
        Some(result)
    }

    /// As a driver does it: a number outside the quantity's range is no reading, and beyond the chip's range stands its end.
    fn words(&self, degrees: f64, percent: f64, rest: &Measurement) -> Result<Words, NoData> {
        let step = self.probe.steps();
        let shown_c = (degrees.min(self.probe.traits().temperature_max_c) / step).round() * step;
        let quantities = Celsius::new(shown_c).zip(RelativeHumidity::new((percent / step).round() * step));
        let (temperature, humidity) =
            quantities.ok_or_else(|| NoData::Implausible(format!("{degrees} °C, {percent} %")))?;
        let pressure = rest.pressure.filter(|_| self.probe == Probe::Bme280);
        let mut hasher = DefaultHasher::new();
        (temperature.centi(), humidity.centi(), pressure.map(|pressure| pressure.pascal())).hash(&mut hasher);
        Ok(Words { measurement: Measurement { temperature, humidity, pressure }, fingerprint: hasher.finish() })
    }
}

fn garbage(dice: &mut Dice) -> f64 {
    let wide = dice.between(-1e9, 1e9);
    let narrow = dice.between(-100.0, 300.0);
    let usual = dice.between(0.0, 90.0);
    dice.pick(&[f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, 85.0, wide, narrow, usual])
}
