//! Sensirion SHT3x and SHT4x: temperature and humidity on I2C, by commands (Sensirion data sheets SHT3x-DIS, version 5, and SHT4x).
//!
//! Each reading is one measurement at the highest repeatability, without clock stretching (which the Raspberry Pi's controller
//! handles badly): command, wait, read. Every word carries a checksum.

use std::time::Duration;

use filamentbox_core::config::Settings;
use filamentbox_core::sample::{Measurement, NoData, SensorTraits};
use filamentbox_core::units::{Celsius, RelativeHumidity};

use super::crc8::crc8;
use super::{Detail, Found, NOISY, OpenContext, Origin, Sensor, SensorKind, on_i2c};
use crate::bus::{BusError, Chip, Fault, i2c};

/// SHT30, SHT31, SHT35.
pub const SHT3X: SensorKind = SensorKind {
    name: "sht3x",
    title: "SHT3x",
    open: |settings, context| open(ShtModel::Sht3x, settings, context),
    scan: |settings, context| scan(ShtModel::Sht3x, settings, context),
    ..SHT
};

/// SHT40, SHT41, SHT45.
pub const SHT4X: SensorKind = SensorKind {
    name: "sht4x",
    title: "SHT4x",
    open: |settings, context| open(ShtModel::Sht4x, settings, context),
    scan: |settings, context| scan(ShtModel::Sht4x, settings, context),
    ..SHT
};

const SHT: SensorKind = SensorKind {
    name: "",
    title: "",
    origin: Origin::Hardware,
    keys: &[i2c::BUS_KEY, i2c::ADDRESS_KEY],
    addresses: ADDRESSES,
    temperature_max_c: Some(TEMPERATURE_MAX_C),
    in_auto: true,
    open: |settings, context| open(ShtModel::Sht3x, settings, context),
    scan: |settings, context| scan(ShtModel::Sht3x, settings, context),
    places: |settings, context| on_i2c::places(settings, context, ADDRESSES),
};

const ADDRESSES: &[u16] = &[0x44, 0x45];
const TEMPERATURE_MIN_C: f64 = -40.0;
const TEMPERATURE_MAX_C: f64 = 125.0;

/// The two generations.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ShtModel {
    /// 16-bit commands.
    Sht3x,
    /// 8-bit commands.
    Sht4x,
}

impl ShtModel {
    fn kind(self) -> &'static SensorKind {
        match self {
            Self::Sht3x => &SHT3X,
            Self::Sht4x => &SHT4X,
        }
    }

    /// "High repeatability, no clock stretching" (SHT3x, table 9); "high precision" (SHT4x).
    fn measure(self) -> &'static [u8] {
        match self {
            Self::Sht3x => &[0x24, 0x00],
            Self::Sht4x => &[0xfd],
        }
    }

    /// Longest measurement: 15.5 ms at low supply (SHT3x), 8.3 ms (SHT4x), rounded up.
    fn measurement(self) -> Duration {
        match self {
            Self::Sht3x => Duration::from_millis(16),
            Self::Sht4x => Duration::from_millis(10),
        }
    }

    /// A question that changes nothing and that the other generation does not know: status (SHT3x, 4.11), serial number
    /// (SHT4x).
    fn identify(self) -> &'static [u8] {
        match self {
            Self::Sht3x => &[0xf3, 0x2d],
            Self::Sht4x => &[0x89],
        }
    }

    /// Thousandths of a percent from the raw word (SHT3x, 4.13; SHT4x), kept within 0 and 100 % as the latter says.
    fn humidity_milli_pct(self, raw: u16) -> i64 {
        let (offset, span) = match self {
            Self::Sht3x => (0, 100_000),
            Self::Sht4x => (-6_000, 125_000),
        };
        (offset + rounded(i64::from(raw) * span, 65_535)).clamp(0, 100_000)
    }
}

/// Thousandths of a degree from the raw word (SHT3x, 4.13; SHT4x).
fn temperature_milli_c(raw: u16) -> i64 {
    -45_000 + rounded(i64::from(raw) * 175_000, 65_535)
}

fn rounded(numerator: i64, denominator: i64) -> i64 {
    (numerator + denominator / 2) / denominator
}

/// The chip answers to a command after so long (SHT3x, table 9: "waiting time of 1 ms").
const COMMAND: Duration = Duration::from_millis(1);
/// A chip that is not ready by then does not answer; it is asked again so often, this far apart.
const POLLS: u32 = 5;
const POLL_PAUSE: Duration = Duration::from_millis(2);

fn open(model: ShtModel, settings: &Settings, context: &OpenContext) -> Result<Box<dyn Sensor>, NoData> {
    on_i2c::open(settings, context, ADDRESSES, |mut chip| {
        if model == ShtModel::Sht3x {
            // Another program may have left it measuring by itself, deaf to everything but "break" (4.8).
            chip.send(&[0x30, 0x93])?;
            chip.pause(COMMAND);
        }
        identify(model, &mut chip)?;
        Ok(Box::new(Sht::new(model, chip)))
    })
}

fn scan(model: ShtModel, settings: &Settings, context: &OpenContext) -> Vec<Found> {
    on_i2c::scan(settings, context, model.kind(), |mut chip| identify(model, &mut chip).map(Ok))
}

/// Whether the chip is of this generation; [`Fault::Silent`] when not, as the other one lies at the same addresses.
fn identify(model: ShtModel, chip: &mut impl Chip) -> Result<(), BusError> {
    let mut answer = [0; 3];
    let result = chip.send(model.identify()).and_then(|()| {
        chip.pause(COMMAND);
        chip.receive(&mut answer)
    });
    let [high, low, sum] = answer;
    match result {
        Ok(()) if crc8(&[high, low]) == sum => Ok(()),
        Ok(()) => {
            let text = format!("the chip at {} does not answer as an {} does", chip.place(), model.kind().title);
            Err(BusError { fault: Fault::Silent, text })
        }
        // It acknowledged its address, then refused the command: there is a chip, of another kind.
        Err(BusError { fault: Fault::Failed, .. }) => {
            let text = format!("the chip at {} does not know the commands of an {}", chip.place(), model.kind().title);
            Err(BusError { fault: Fault::Silent, text })
        }
        Err(error) => Err(error),
    }
}

/// One SHT3x or SHT4x.
pub struct Sht<C> {
    model: ShtModel,
    chip: C,
    /// Raw temperature and humidity.
    last: Option<(u16, u16)>,
}

impl<C: Chip> Sht<C> {
    /// The sensor behind `chip`; nothing is sent yet.
    pub fn new(model: ShtModel, chip: C) -> Self {
        Self { model, chip, last: None }
    }

    fn measure(&mut self) -> Result<(u16, u16), NoData> {
        self.chip.send(self.model.measure())?;
        self.chip.pause(self.model.measurement());
        let mut answer = [0; 6];
        let mut result = self.chip.receive(&mut answer);
        for _ in 0..POLLS {
            if result.is_ok() {
                break;
            }
            self.chip.pause(POLL_PAUSE);
            result = self.chip.receive(&mut answer);
        }
        result?;
        let [t0, t1, t_sum, h0, h1, h_sum] = answer;
        if crc8(&[t0, t1]) != t_sum || crc8(&[h0, h1]) != h_sum {
            return Err(NoData::Checksum);
        }
        Ok((u16::from_be_bytes([t0, t1]), u16::from_be_bytes([h0, h1])))
    }
}

impl<C: Chip> Sensor for Sht<C> {
    fn read(&mut self) -> Result<Measurement, NoData> {
        let (raw_temperature, raw_humidity) = self.measure()?;
        let title = self.model.kind().title;
        let temperature_c = temperature_milli_c(raw_temperature) as f64 / 1000.0;
        if !(TEMPERATURE_MIN_C..=TEMPERATURE_MAX_C).contains(&temperature_c) {
            return Err(NoData::Implausible(format!("{temperature_c} °C is outside the {title}'s range")));
        }
        let humidity_pct = self.model.humidity_milli_pct(raw_humidity) as f64 / 1000.0;
        let (temperature, humidity) = (Celsius::new(temperature_c), RelativeHumidity::new(humidity_pct));
        let (Some(temperature), Some(humidity)) = (temperature, humidity) else {
            return Err(NoData::Implausible(format!("{temperature_c} °C, {humidity_pct} %")));
        };
        self.last = Some((raw_temperature, raw_humidity));
        Ok(Measurement { temperature, humidity, pressure: None })
    }

    fn describe(&self) -> String {
        format!("{} at {}", self.model.kind().title, self.chip.place())
    }

    fn traits(&self) -> SensorTraits {
        SensorTraits { temperature_max_c: TEMPERATURE_MAX_C, frozen: NOISY }
    }

    fn fingerprint(&self) -> Option<u64> {
        self.last.map(|(temperature, humidity)| u64::from(temperature) << 16 | u64::from(humidity))
    }

    fn details(&self) -> Vec<Detail> {
        let Some((temperature, humidity)) = self.last else { return Vec::new() };
        vec![
            Detail::new("raw_temperature", format!("{temperature:#06x}")),
            Detail::new("raw_humidity", format!("{humidity:#06x}")),
            Detail::new("temperature_milli_c", temperature_milli_c(temperature).to_string()),
            Detail::new("humidity_milli_pct", self.model.humidity_milli_pct(humidity).to_string()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::super::command_chip::CommandChip;
    use super::*;

    const MODELS: [ShtModel; 2] = [ShtModel::Sht3x, ShtModel::Sht4x];

    fn answer(temperature: u16, humidity: u16) -> Vec<u8> {
        let word = |raw: u16| {
            let [high, low] = raw.to_be_bytes();
            [high, low, crc8(&[high, low])]
        };
        [word(temperature), word(humidity)].concat()
    }

    fn read(model: ShtModel, answer: Vec<u8>) -> Result<(i32, i32), NoData> {
        let mut sensor = Sht::new(model, CommandChip::new([answer]));
        sensor.read().map(|reading| (reading.temperature.centi(), reading.humidity.centi()))
    }

    #[test]
    fn words_become_quantities() {
        // The formulas of the data sheets, by hand: -45 + 175 x 0x6666 / 65535 = 25 °C at 0.4 of the range.
        assert_eq!(read(ShtModel::Sht3x, answer(0x6666, 0x8000)), Ok((2500, 5000)));
        assert_eq!(read(ShtModel::Sht4x, answer(0x6666, 0x8000)), Ok((2500, 5650)));
        assert_eq!(read(ShtModel::Sht3x, answer(0x6666, 0)), Ok((2500, 0)));
        assert_eq!(read(ShtModel::Sht4x, answer(0x6666, 0)), Ok((2500, 0)), "-6 % is 0 %");
        assert_eq!(read(ShtModel::Sht4x, answer(0x6666, 0xffff)), Ok((2500, 10_000)), "119 % is 100 %");
    }

    #[test]
    fn the_ends_of_the_range() {
        for model in MODELS {
            // -40 °C is 1/35 of the span, 125 °C is 34/35.
            assert_eq!(read(model, answer(1_873, 0x8000)).map(|(c, _)| c), Ok(-4000));
            assert!(matches!(read(model, answer(1_800, 0x8000)), Err(NoData::Implausible(_))));
            assert_eq!(read(model, answer(63_662, 0x8000)).map(|(c, _)| c), Ok(12_500));
            assert!(matches!(read(model, answer(63_700, 0x8000)), Err(NoData::Implausible(_))));
            assert!(matches!(read(model, answer(0xffff, 0xffff)), Err(NoData::Implausible(_))));
        }
    }

    #[test]
    fn a_turned_bit_is_never_a_number() {
        for bit in 0..48 {
            let mut damaged = answer(0x6666, 0x8000);
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(read(ShtModel::Sht3x, damaged), Err(NoData::Checksum));
        }
    }

    #[test]
    fn command_wait_and_read() {
        for (model, command, wait) in [(ShtModel::Sht3x, vec![0x24, 0x00], 16), (ShtModel::Sht4x, vec![0xfd], 10)] {
            let mut sensor = Sht::new(model, CommandChip::new([answer(0x6666, 0x8000)]));
            sensor.read().expect("a reading");
            assert_eq!(sensor.chip.sent, [command]);
            assert_eq!(sensor.chip.paused, Duration::from_millis(wait));
            assert_eq!(sensor.fingerprint(), Some(0x6666_8000));
        }
    }

    #[test]
    fn a_late_chip_is_asked_again_and_a_silent_one_given_up() {
        let mut late = Sht::new(ShtModel::Sht3x, CommandChip::new([answer(0x6666, 0x8000)]));
        late.chip.silent_for = 3;
        late.read().expect("a reading");
        let mut gone = Sht::new(ShtModel::Sht3x, CommandChip::new([answer(0x6666, 0x8000)]));
        gone.chip.silent_for = 100;
        assert!(matches!(gone.read(), Err(NoData::NotPresent(_))));
        assert!(gone.chip.paused < Duration::from_millis(50));
    }

    #[test]
    fn the_generations_are_told_apart() {
        let good = CommandChip::new([vec![0x80, 0x10, crc8(&[0x80, 0x10])]]);
        for model in MODELS {
            assert_eq!(identify(model, &mut good.clone()), Ok(()));
            let other = identify(model, &mut CommandChip::new([vec![0xff, 0xff, 0xff]])).expect_err("wrong checksum");
            assert_eq!(other.fault, Fault::Silent);
            let mut refusing = CommandChip::new([vec![0; 3]]);
            refusing.silent_for = 1;
            assert!(identify(model, &mut refusing).is_err());
        }
    }

    #[test]
    fn details_are_the_words_and_what_they_mean() {
        let mut sensor = Sht::new(ShtModel::Sht4x, CommandChip::new([answer(0x6666, 0x8000)]));
        assert_eq!((sensor.fingerprint(), sensor.details()), (None, Vec::new()));
        sensor.read().expect("a reading");
        let details: Vec<String> = sensor.details().iter().map(|d| format!("{}={}", d.name, d.value)).collect();
        assert_eq!(
            details,
            ["raw_temperature=0x6666", "raw_humidity=0x8000", "temperature_milli_c=25000", "humidity_milli_pct=56501"]
        );
    }
}
